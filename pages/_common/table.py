"""The ranking as a table, and the downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from influence_core.experiments.explain import Explanation, table
from influence_core.experiments.explanation import COLUMN_WORDS
from influence_core.exports import as_csv_file
from influence_core.figures.explain import influence_against_distance
from influence_core.studies import Study
from influence_core.words import UNIT
from pages._common.cards import card_face
from pages._common.number import SHORT
from pages._shell.address import View, go_to
from pages._shell.own_params import ExplainParams

ROWS = 200

Columns = dict[str, Any]
Config = dict[str, Any]
number = st.column_config.NumberColumn


def panel(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The table, linked with everything else by training id, and the downloads."""
    shown = ("rank", *_columns(explanation, params.unit), "label")
    rows = {name: values[:ROWS] for name, values in table(explanation).items() if name in shown}
    event = st.dataframe(
        faces(study, rows["training_id"]) | rows,
        key=f"ranking_{explanation.test_id}_{explanation.label}",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config=face_column(study) | _columns(explanation, params.unit),
    )
    open_row(event.selection.rows, rows["training_id"])
    download(study, explanation)
    st.download_button(
        "The chart (HTML)",
        lambda: influence_against_distance(explanation).to_html(include_plotlyjs=True),
        file_name=f"{_file_name(study, explanation)}.html",
        mime="text/html",
        key="download_chart",
        on_click="ignore",
    )


def download(study: Study, explanation: Explanation) -> None:
    """The ranking of all training examples as a file."""
    title = f"Ranking of all {explanation.examples} (CSV)"
    download_csv(title, _file_name(study, explanation), lambda: table(explanation))


def _file_name(study: Study, explanation: Explanation) -> str:
    return f"influence-{study.spec.name}-{explanation.test_id}-{explanation.label_name}"


def open_row(rows: Sequence[int], ids: np.ndarray, key: str = "row_opened") -> None:
    """A newly selected row opens its example; the same selection does so once, which is remembered under the key."""
    picked = str(ids[rows[0]]) if rows else ""
    if picked and st.session_state.get(key) != picked:
        st.session_state[key] = picked
        go_to(open=picked)
        st.rerun()
    if not picked:
        st.session_state[key] = ""


def _columns(explanation: Explanation, unit: str) -> Config:
    return {
        "training_id": number("training id", format="%d"),
        **_number_columns(explanation, unit),
        "distance": number("distance", format="%.2f"),
        "own_label_probability": number("p(own label)", format="percent"),
    }


def _number_columns(explanation: Explanation, unit: str) -> Config:
    """A column for each number that is at hand, in the unit that was chosen."""
    found = {}
    for name in explanation.numbers:
        word, title = COLUMN_WORDS[name], SHORT[name]
        if unit == UNIT:
            found[f"{word}_loss_change_nats"] = number(f"loss without it, nats: {title}", format="%+.3e")
        else:
            heading = f"having it, p({explanation.label_name}), pp: {title}"
            found[f"{word}_effect_of_having_it_pp"] = number(heading, format="%+.3g")
    return found


def faces(study: Study, train_ids: Iterable[int]) -> Columns:
    """The column in which training examples are seen."""
    ids, train = [int(one) for one in train_ids], study.data.train
    shown, files = (
        [card_face(study, train, train.position(one)) for one in ids],
        [study.file_name(one) for one in ids],
    )
    named = {"file": files} if any(files) else {}
    return {study.data.kind: [one["src"] or one["snippet"].replace("\n", " · ") for one in shown]} | named


def face_column(study: Study) -> Config:
    """How that column is shown."""
    picture, words = st.column_config.ImageColumn, st.column_config.TextColumn
    return {study.data.kind: picture(width="small") if study.data.pictured else words(width="medium")}


def show_folded(
    title: str,
    shown: Callable[[], Columns],
    config: Config,
    label: str,
    file_name: str,
    columns: Callable[[], Columns],
    key: str = "download_csv",
) -> None:
    """A table that is made when it is unfolded, with a download.

    Args:
        title: Of the fold.
        shown: The table on the screen.
        config: How its columns are shown.
        label: Of the download.
        file_name: Without its ending.
        columns: What the file holds.
        key: Of the download.
    """
    folded = st.expander(f"Table of {title}, and download", key="table_folded", on_change="rerun")
    if folded.open:
        with folded:
            st.dataframe(shown(), hide_index=True, column_config=config)
            download_csv(label, file_name, columns, key)


def download_csv(
    label: str, file_name: str, columns: Callable[[], Columns], key: str = "download_csv", **options: Any
) -> None:
    """A button for columns as a file, which is made when it is pressed; ``file_name`` without its ending."""
    st.download_button(
        label,
        lambda: as_csv_file(columns()),
        file_name=f"{file_name}.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
        **options,
    )
