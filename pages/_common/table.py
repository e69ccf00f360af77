"""The ranking as a table, and the downloads."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import streamlit as st

from influence_core.experiments.explain import Explanation, table
from influence_core.figures.explain import influence_against_distance
from influence_core.studies import Study
from pages._common.cards import card_face
from pages._shell.address import go_to

ROWS = 200


def show(study: Study, explanation: Explanation) -> None:
    """The table, linked with everything else by training id, and the downloads."""
    title = f"Table of the {ROWS} most influential {explanation.examples}, and downloads"
    folded = st.expander(title, key="ranking_folded", on_change="rerun")
    if folded.open:
        with folded:
            _table(study, explanation)


def _table(study: Study, explanation: Explanation) -> None:
    ranking = table(explanation)
    rows = {name: values[:ROWS] for name, values in ranking.items()}
    position = {train_id: at for at, train_id in enumerate(explanation.ids.tolist())}
    at = [position[one] for one in rows["training_id"].tolist()]
    faces = [card_face(study, study.data.train, one) for one in at]
    event = st.dataframe(
        {explanation.kind: [one["src"] or one["snippet"] for one in faces]} | rows,
        key=f"ranking_{explanation.test_id}_{explanation.label}",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config=_columns(explanation, study.data.pictured),
    )
    _open_row(event.selection.rows, rows["training_id"])
    download(study, explanation)
    st.download_button(
        "The chart (HTML)",
        lambda: influence_against_distance(explanation).to_html(include_plotlyjs=True),
        file_name=f"influence-{study.spec.name}-{explanation.test_id}-{explanation.label_name}.html",
        mime="text/html",
        key="download_chart",
        on_click="ignore",
    )


def download(study: Study, explanation: Explanation) -> None:
    """The ranking of all training examples as a file."""
    st.download_button(
        f"Ranking of all {explanation.examples} (CSV)",
        lambda: as_csv(table(explanation)),
        file_name=f"influence-{study.spec.name}-{explanation.test_id}-{explanation.label_name}.csv",
        mime="text/csv",
        key="download_csv",
        on_click="ignore",
    )


def _open_row(rows: list[int], ids: np.ndarray) -> None:
    """A newly selected row opens its example; the same selection does so once."""
    picked = str(ids[rows[0]]) if rows else ""
    if picked and st.session_state.get("row_opened") != picked:
        st.session_state["row_opened"] = picked
        go_to(open=picked)
        st.rerun()
    if not picked:
        st.session_state["row_opened"] = ""


def _columns(explanation: Explanation, pictured: bool) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        explanation.kind: st.column_config.ImageColumn(width="small")
        if pictured
        else st.column_config.TextColumn(width="medium"),
        "training_id": number("training id", format="%d"),
        "predicted_loss_change_nats": number("predicted loss change, nats", format="%+.3e"),
        "predicted_probability_change": number(f"change of p({explanation.label_name})", format="%+.5f"),
        "distance": number("distance", format="%.2f"),
        "own_label_probability": number("p(own label)", format="percent"),
    }


def as_csv(ranking: dict[str, np.ndarray]) -> str:
    """The ranking as comma-separated text with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ranking)
    columns = ([_harmless(one) for one in values.tolist()] for values in ranking.values())
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _harmless(cell: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets the apostrophe that keeps it text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
