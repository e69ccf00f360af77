"""What the ways of leaving out a few examples, one by one, have in common: how many, forecast and truth, the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import streamlit as st

from influence_core.agreement import Agreement
from influence_core.errors import DataError
from influence_core.experiments import leave_one_out
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LeaveOneOut
from influence_core.figures.leave_one_out import forecast_and_truth
from influence_core.studies import Study
from influence_core.words import nats, percent
from pages._common import judge, scatter
from pages._common.cards import opened_title, show_example
from pages._common.table import Columns, face_column, faces, number, show_folded
from pages._shell.address import View
from pages._shell.escape import escape_markdown
from pages._shell.own_params import LeaveOneOutParams
from pages._shell.widgets import bound

USUAL, FEWEST = 50, 2
"""Examples that are left out unless the address says how many, or fewer where there are fewer; and the fewest."""


def choose_count(
    params: LeaveOneOutParams, label: str, examples: str, steps: Iterable[int], most: int, **options: Any
) -> int:
    """How many of the ``examples`` are left out, at most so many; raises `DataError` for an impossible number."""
    chosen = params.k or min(USUAL, most)
    if not FEWEST <= chosen <= most:
        raise DataError(f"Leave out between {FEWEST} and {most} {examples}, not {chosen}.")
    offered = {*(one for one in steps if one <= most), min(USUAL, most), chosen}
    if len(offered) == 1:
        offered.add(FEWEST)
    if len(offered) == 1:
        return chosen
    return int(bound(st.select_slider, "k", chosen, label, sorted(offered), key="left_out_k", **options))


def correlation(r: float) -> str:
    """With five digits; a dash where there is none."""
    return f"{r:.5f}".replace("-", "\u2212") if np.isfinite(r) else "–"


def slope(agreement: Agreement) -> str:
    """With four digits; a dash where there is none."""
    return f"{agreement.slope:.4f}" if np.isfinite(agreement.slope) else "–"


def share(worst: float) -> str:
    """A miss as a share of the largest truth; a dash where the truth is nothing."""
    return percent(worst) if np.isfinite(worst) else "–"


def show_chart(
    view: View,
    explanation: Explanation,
    left_out: LeaveOneOut,
    predicted: np.ndarray | None,
    key: str,
    height: int = 520,
) -> None:
    """Forecast against truth; a click opens an example."""
    figure = forecast_and_truth(left_out, explanation, predicted, view.opened, height)
    scatter.show_points(figure, key, alt="forecast against truth")


def explain_chart(explanation: Explanation) -> None:
    """How to read the chart."""
    asked = escape_markdown(explanation.label_name)
    st.caption(
        f"Each point is one left-out {explanation.kind}; on the dashed line the forecast came true. :blue[Blue]: forecast to "
        f"help (the loss rises without it); :orange[orange]: to harm. Filled: labelled {asked}; open: another label. Click a "
        "point to open it."
    )


def show_agreement(agreement: Agreement) -> None:
    """Agreement of forecast and truth in four numbers."""
    one, two = st.columns(2)
    one.metric("Pearson", correlation(agreement.pearson), help="Correlation of forecast and truth.")
    two.metric("Spearman", correlation(agreement.spearman), help="Agreement of their order.")
    one.metric(
        "Slope",
        slope(agreement),
        help="Of the forecast on the truth: below 1, forecasts are too small on average.",
    )
    two.metric(
        "Worst miss",
        share(agreement.worst),
        help="Largest error of a forecast, as a share of the largest truth.",
    )


def show_opened(study: Study, view: View, left_out: LeaveOneOut) -> None:
    """The left-out example that is open, if there is one."""
    rows = np.flatnonzero(left_out.train_ids == view.opened)
    if not len(rows):
        return
    row, train_id = int(rows[0]), int(left_out.train_ids[rows[0]])
    with st.container(border=True, key="example"):
        opened_title(study, train_id)
        judge.show(study, train_id)
        show_example(study, study.data.train, train_id, 150)
        newton = (
            "" if left_out.newton is None else f"| One Newton step | {nats(float(left_out.newton[row]))} |\n"
        )
        st.markdown(
            f"| | |\n|---|---|\n| Influence, D | {nats(float(left_out.predicted[row]))} |\n{newton}"
            f"| After training again without it | **{nats(float(left_out.actual[row]))}** |\n"
            f"| Rank by size | {row + 1} of {len(left_out.train_ids)} |\n"
        )


def shown_rows(study: Study, explanation: Explanation, columns: Columns) -> Columns:
    """What a table shows of examples whose ids are in a column: first what they look like, and their labels."""
    ids, names = columns["training_id"], study.data.class_names
    labels = [names[explanation.labels[explanation.position(int(one))]] for one in ids]
    return faces(study, ids) | {"label": labels} | columns


def column_settings(study: Study, in_nats: dict[str, str], **others: Any) -> dict[str, Any]:
    """How the columns are shown: those in nats by their titles, and others by their own settings."""
    of_nats = {name: number(title, format="%+.3e") for name, title in in_nats.items()}
    return face_column(study) | {"training_id": number("training id", format="%d")} | of_nats | others


def show_table(study: Study, explanation: Explanation, left_out: LeaveOneOut) -> None:
    """The left-out examples with forecasts and truth, and the download."""
    titles = {
        "predicted_loss_change_nats": "forecast D, nats",
        "newton_loss_change_nats": "one Newton step, nats",
        "actual_loss_change_nats": "truth, nats",
    }
    show_folded(
        f"the {len(left_out.train_ids)} {explanation.examples}",
        lambda: shown_rows(study, explanation, leave_one_out.table(left_out)),
        column_settings(
            study,
            titles,
            gradient_norm=number("gradient norm", format="%.1e"),
            gradient_norm_asked_for=number("asked for", format="%.1e"),
        ),
        "This table (CSV)",
        f"leave-one-out-{study.spec.name}-{explanation.test_id}-{explanation.label_name}",
        lambda: leave_one_out.table(left_out),
        key="download_left_out",
    )
