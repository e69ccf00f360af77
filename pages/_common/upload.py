"""A table of the reader's own: upload, say what is what, train."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from influence_core.data.brought import uploads
from influence_core.data.brought.tables import MAX_CLASSES, SEED, TEST_SHARE, Choices
from influence_core.data.readers.columns import MAX_LEVELS, Column, survey
from influence_core.data.readers.delimited import MAX_BYTES, Encoding, Table, read
from influence_core.errors import DataError
from influence_core.experiments.groups import MAX_GROUPS
from influence_core.studies import of_table
from pages._shell import browser, results
from pages._shell.address import View, go_to
from pages._shell.escape import show_error

NO_GROUP = "(none)"


def show(view: View) -> None:
    """A folded form that turns a CSV file into a study."""
    times = st.session_state.get("tables_made", 0)  # a new form, folded and empty, after each table
    with st.expander("Use a table of your own", key=f"upload_{times}"):
        st.caption(f"A CSV file with a header row, up to {MAX_BYTES // 10**6} MB. {browser.PRIVATE}")
        file = st.file_uploader(
            "CSV file",
            type=["csv", "tsv", "txt"],
            max_upload_size=MAX_BYTES // 10**6,
            key=f"table_file_{times}",
        )
        if file is not None:
            try:
                _form(file)
            except DataError as error:
                show_error(error)


def _form(file: UploadedFile) -> None:
    encoding: Encoding = "latin-1" if st.session_state.get("table_latin") else "utf-8"
    try:
        table, columns = _read(file, encoding)
    except DataError as error:
        show_error(error)
        if "Latin-1" in str(error):
            st.checkbox("Read it as Latin-1 (Western European)", key="table_latin")
        return
    _preview(table, columns)
    choices = _choose(columns, encoding)
    st.caption(
        f"{TEST_SHARE:.0%} of each label's rows, drawn with seed {SEED}, are kept for testing. Numbers are standardised by "
        "the training rows, categories become 0/1 features (empty is a category of its own), constant columns are "
        "dropped; logistic or softmax regression with penalty l2 = 1/n."
    )
    if st.button("Train on this table", key="table_train", type="primary"):
        _train(file, choices)


def _choose(columns: tuple[Column, ...], encoding: Encoding) -> Choices:
    """What is what in the table.

    Raises:
        DataError: If no column can be a label.
    """
    labels = [one.name for one in columns if 2 <= one.levels <= MAX_CLASSES]
    if not labels:
        raise DataError(f"No column has 2 to {MAX_CLASSES} different values, as a label must.")
    first, second = st.columns(2)
    label = first.selectbox("What is to be predicted?", labels, index=len(labels) - 1, key="table_label")
    rest = [one for one in columns if one.name != label]
    groups = [*_groups(rest), NO_GROUP]
    group = second.selectbox("Which column tells groups apart?", groups, key="table_group")
    ignored = st.multiselect(
        "Columns to ignore",
        [one.name for one in rest],
        [one.name for one in rest if not one.fits],
        key="table_ignored",
        help=f"Names, numbers of cases and the like; a category with more than {MAX_LEVELS} texts cannot be used.",
    )
    codes = st.multiselect(
        "Numbers that are codes, not amounts",
        [one.name for one in rest if one.kind == "number" and one.name not in ignored],
        key="table_codes",
        help="Each code becomes a category of its own, such as a postal area or a ward number.",
    )
    leave_out = st.checkbox(
        "Leave out rows with an empty label or an unreadable number", key="table_leave_out"
    )
    return Choices(
        label, "" if group == NO_GROUP else group, tuple(ignored), tuple(codes), leave_out, encoding
    )


def _groups(columns: list[Column]) -> list[str]:
    """Columns that can tell groups apart: categories first, then numbers."""
    fitting = [one for one in columns if one.kind == "number" or 1 < one.levels <= MAX_GROUPS]
    return [one.name for one in sorted(fitting, key=lambda one: one.kind == "number")]


def _train(file: UploadedFile, choices: Choices) -> None:
    """Keep the table and go to its study."""
    with st.spinner("Reading the table"):
        kept = uploads.keep(results.get_store(), file.getvalue(), choices, file.name, browser.owner())
    st.session_state.pop("table_read", None)
    st.session_state["tables_made"] = st.session_state.get("tables_made", 0) + 1
    go_to(study=of_table(kept).name)
    st.rerun()


def _read(file: UploadedFile, encoding: Encoding) -> tuple[Table, tuple[Column, ...]]:
    """The table and what its columns hold, read once for each file of this visit."""
    known, table, columns = st.session_state.get("table_read", ("", None, ()))
    name = f"{file.file_id}/{encoding}"
    if known != name:
        with st.spinner("Reading the table"):
            table = read(file.getvalue(), encoding)
            columns = survey(table)
        st.session_state["table_read"] = (name, table, columns)
    return table, columns


def _preview(table: Table, columns: tuple[Column, ...]) -> None:
    st.dataframe(
        {
            "column": [one.name for one in columns],
            "holds": [one.kind for one in columns],
            "different values": [one.levels for one in columns],
            "unreadable cells": [len(one.unreadable) for one in columns],
            "for example": [", ".join(one.examples) for one in columns],
        },
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(columns), 260),
    )
    st.caption(f"{len(table.frame):,} rows, {len(columns):,} columns.")
