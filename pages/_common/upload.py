"""A table of the reader's own: upload, say what is what, train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from influence_core.data.brought import uploads
from influence_core.data.brought.tables import SEED, TEST_SHARE, Choices
from influence_core.data.readers.cells import Option
from influence_core.data.readers.columns import LEFT_OUT, MAX_LEVELS, Column, survey
from influence_core.data.readers.delimited import (
    MAX_BYTES,
    HeaderQuestionError,
    Table,
    first_words,
    read,
)
from influence_core.data.readers.encodings import ENCODINGS
from influence_core.data.readers.labels import (
    MAX_CLASSES,
    can_be_label,
    label_counts,
    look_alike,
    perhaps_none,
    rare_labels,
)
from influence_core.data.readers.other_files import can_be_read_otherwise
from influence_core.data.readers.tables import name_some, sorted_levels
from influence_core.data.readers.totals import total_row, without_total
from influence_core.errors import DataError
from influence_core.experiments.groups import MAX_GROUPS
from influence_core.studies import of_table
from influence_core.words import percent
from pages._common.alike import ask
from pages._shell import browser, results
from pages._shell.address import go_to
from pages._shell.escape import escape_markdown, show_error

NO_GROUP = "(none)"


def show(finished: Callable[[str, str], None] | None = None) -> None:
    """A folded form that turns a CSV file into a study.

    Args:
        finished: Told the name of the study, and a sentence about it.
    """
    times = st.session_state.get("tables_made", 0)  # a new form, folded and empty, after each table
    with st.expander("Use a table of your own", key=f"upload_{times}"):
        st.caption(f"A CSV file, best with a header row, up to {MAX_BYTES // 10**6} MB. {browser.PRIVATE}")
        file = st.file_uploader(
            "CSV file",
            type=["csv", "tsv", "txt"],
            max_upload_size=MAX_BYTES // 10**6,
            key=f"table_file_{times}",
        )
        if file is not None:
            try:
                _form(file, finished)
            except DataError as error:
                show_error(error)


def _form(file: UploadedFile, finished: Callable[[str, str], None] | None) -> None:
    encoding = str(st.session_state.get(f"table_encoding_{file.file_id}", ""))
    header = st.session_state.get(f"table_header_{file.file_id}")
    try:
        table, columns = _read(file, encoding, header)
    except HeaderQuestionError as question:
        show_error(question)
        _ask_header(file)
        return
    except DataError as error:
        show_error(error)
        if can_be_read_otherwise(file.getvalue()):
            _ask_encoding(file, "", tuple(ENCODINGS))
        return
    if header is not None:
        _ask_header(file)
    leave_total = _ask_total(file, total_row(table))
    if leave_total:
        table, columns = _read(file, encoding, header, leave_total)
    _preview(table, columns)
    _ask_encoding(file, table.encoding, table.others)
    known = Choices("", encoding=encoding, header=header, without_total=leave_total)
    choices = _choose(file, table, columns, known)
    st.caption(
        f"{percent(TEST_SHARE)} of each label's rows, drawn by chance (seed {SEED}), are kept for testing. Numbers are "
        "standardised by the training rows, categories become 0/1 features (empty is a category of its own), constant columns "
        "are dropped. The model weighs what it sees (logistic or softmax regression with penalty l2 = 1/n)."
    )
    if choices is None:
        st.caption("Answer the questions above to train.")
    if st.button("Train on this table", key="table_train", type="primary", disabled=choices is None):
        assert choices is not None
        _train(file, choices, finished)


def _ask_encoding(file: UploadedFile, encoding: str, others: tuple[str, ...]) -> None:
    """The encoding, each with the first words read in it, where it was guessed or chosen."""
    key = f"table_encoding_{file.file_id}"
    offered = st.session_state.setdefault(f"{key}_offered", (encoding, *others))
    if len(offered) < 2:
        return
    content = file.getvalue()
    st.selectbox(
        "Encoding of the file",
        offered,
        format_func=lambda one: (
            f"{ENCODINGS[one].title}: {first_words(content, one)}" if one else "the most plausible"
        ),
        key=key,
    )


def _ask_total(file: UploadedFile, called: str) -> bool:
    """Whether the last row is left out, where it is a total."""
    return bool(called) and st.checkbox(
        f"Leave out the last row, “{escape_markdown(called[:40])}”: it adds up the others",
        value=True,
        key=f"table_total_{file.file_id}",
    )


def _ask_header(file: UploadedFile) -> None:
    st.radio(
        "Is the first row a header?",
        [True, False],
        index=None,
        format_func={True: "Yes, it names the columns", False: "No, it is one of the rows"}.__getitem__,
        key=f"table_header_{file.file_id}",
        horizontal=True,
    )


def _choose(file: UploadedFile, table: Table, columns: tuple[Column, ...], known: Choices) -> Choices | None:
    """What is what in the table; None while a question about it has no answer.

    Raises:
        DataError: If no column can be a label.
    """
    of_file = f"{file.file_id}{known.encoding}{'' if known.header is None else known.header}"
    labels = [one.name for one in columns if can_be_label(table, one)]
    if not labels:
        raise DataError(f"No column has 2 to {MAX_CLASSES} different values, as a label must.")
    first, second = st.columns(2)
    label = first.selectbox(
        "What is to be predicted?", labels, index=len(labels) - 1, key=f"table_label_{of_file}"
    )
    rest = [one for one in columns if one.name != label]
    groups = [*_groups(rest), NO_GROUP]
    group = second.selectbox("Which column tells groups apart?", groups, key=f"table_group_{of_file}")
    ignored = st.multiselect(
        "Columns to ignore",
        [one.name for one in rest],
        [one.name for one in rest if not one.fits],
        key=f"table_ignored_{of_file}",
        help=f"Names, numbers of cases and the like; a category with more than {MAX_LEVELS} texts cannot be used.",
    )
    codes = st.multiselect(
        "Numbers that are codes, not amounts",
        [one.name for one in rest if one.kind == "number" and not one.options and one.name not in ignored],
        key=f"table_codes_{of_file}",
        help="Each code becomes a category of its own, such as a postal area or a ward number.",
    )
    used = [one for one in rest if one.name not in ignored]
    answers = {one.name: _ask_reading(file, one) for one in used if one.options}
    choices = replace(
        known,
        label=label,
        group="" if group == NO_GROUP else group,
        ignored=tuple(ignored),
        codes=tuple(codes),
        kept=tuple(one.name for one in used if one.kind in LEFT_OUT),
        readings=tuple((name, one.reading) for name, one in answers.items() if one),
    )
    asked = _choose_labels(file, table, choices)
    return asked if all(answers.values()) else None


def _ask_reading(file: UploadedFile, column: Column) -> Option | None:
    """How a column with two readings is meant."""
    answer: Option | None = st.radio(
        f"How is “{escape_markdown(column.name)}” meant?",
        column.options,
        index=None,
        format_func=lambda one: escape_markdown(str(one)),
        key=f"table_reading_{file.file_id}_{column.name}",
    )
    return answer


def _choose_labels(file: UploadedFile, table: Table, choices: Choices) -> Choices | None:
    """Which rows are left out for their labels, and whether labels that look alike are one."""
    counts = label_counts(table, choices.label)
    leave_out = st.checkbox(
        "Leave out rows without a label or with an unreadable number",
        key=f"table_leave_out_{file.file_id}",
        help="Empty, NA, N/A, nan and null mean “no label”.",
    )
    without = st.multiselect(
        "Labels to leave out",
        sorted_levels(list(counts)),
        rare_labels(counts),
        key=f"table_without_{file.file_id}_{choices.label}",
        help=f"A label that occurs once cannot be learned and tested, and at most {MAX_CLASSES} can be told apart: the rarest "
        "are proposed here.",
    )
    choices = replace(choices, leave_out=leave_out, without=tuple(without))
    doubtful, are_labels = perhaps_none(one for one in counts if one not in without)
    if doubtful and are_labels is None:
        are_labels = _ask_none(file, choices.label, doubtful)
        if are_labels is None:
            return None
        choices = replace(choices, none_is_label=are_labels)
    alike = look_alike(one for one in counts if one not in without)
    if not alike:
        return choices
    same = ask(alike, lambda first: f"table_same_{file.file_id}_{choices.label}_{first}")
    return None if same is None else replace(choices, same_labels=same)


def _ask_none(file: UploadedFile, label: str, doubtful: tuple[str, ...]) -> bool | None:
    """Whether "none" and the like are labels."""
    answer: bool | None = st.radio(
        f"Is {escape_markdown(name_some(doubtful))} a label?",
        [True, False],
        index=None,
        format_func={True: "Yes, like the others", False: "No, such a row has no label"}.__getitem__,
        key=f"table_none_{file.file_id}_{label}",
        horizontal=True,
    )
    return answer


def _groups(columns: list[Column]) -> list[str]:
    """Columns that can tell groups apart: categories first, then numbers."""
    fitting = [one for one in columns if one.kind == "number" or 1 < one.levels <= MAX_GROUPS]
    return [one.name for one in sorted(fitting, key=lambda one: one.kind == "number")]


def _train(file: UploadedFile, choices: Choices, finished: Callable[[str, str], None] | None) -> None:
    """Keep the table and go to its study."""
    with st.spinner("Reading the table"):
        kept = uploads.keep(results.get_store(), file.getvalue(), choices, file.name, browser.owner())
    st.session_state.pop("table_read", None)
    st.session_state["tables_made"] = st.session_state.get("tables_made", 0) + 1
    spec = of_table(kept)
    if finished is not None:
        finished(spec.name, f"**{escape_markdown(spec.title)}** is kept: {kept.n:,} rows to train on.")
    go_to(study=spec.name)
    st.rerun()


def _read(
    file: UploadedFile, encoding: str, header: bool | None, leave_total: bool = False
) -> tuple[Table, tuple[Column, ...]]:
    """The table and what its columns hold, read once for each file of this visit."""
    known = st.session_state.get("table_read", {})
    name = f"{file.file_id}/{encoding}/{header}"
    if name not in known:
        with st.spinner("Reading the table"):
            table = read(file.getvalue(), encoding, header)
            known = {name: (table, survey(table))}
    if leave_total and f"{name}/total" not in known:
        table = without_total(known[name][0])
        known[f"{name}/total"] = table, survey(table)
    st.session_state["table_read"] = known
    found: tuple[Table, tuple[Column, ...]] = known[f"{name}/total" if leave_total else name]
    return found


def _preview(table: Table, columns: tuple[Column, ...]) -> None:
    st.dataframe(
        {
            "column": [one.name for one in columns],
            "becomes": [one.became for one in columns],
            "different values": [one.levels for one in columns],
            "unreadable cells": [len(one.unreadable) for one in columns],
            "for example": [", ".join(one.examples) for one in columns],
        },
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(columns), 260),
    )
    said = " ".join((f"{len(table.frame):,} rows, {len(columns):,} columns.", *table.notices))
    st.caption(escape_markdown(said))
