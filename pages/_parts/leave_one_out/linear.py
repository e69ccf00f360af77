"""The parts of the page that leaves the most influential examples out, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import streamlit as st

from influence_core.agreement import Agreement
from influence_core.errors import DataError
from influence_core.experiments import leave_one_out, lissa_estimate
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LIMIT, LeaveOneOut
from influence_core.experiments.lissa_estimate import BUDGET, OURS, PAPER, TOP, Estimate
from influence_core.figures.leave_one_out import forecast_and_truth
from influence_core.studies import Study
from influence_core.trust import CLOSE, ORDERED
from influence_core.words import nats, percent, seconds, three_digits
from pages._common import scatter
from pages._common.cards import opened_title, show_example
from pages._common.table import Columns, face_column, faces, number, show_folded
from pages._shell import results
from pages._shell.address import View
from pages._shell.escape import escape_markdown
from pages._shell.own_params import LeaveOneOutParams
from pages._shell.params import one_of
from pages._shell.widgets import begin_button, bound, choice

STEPS = (10, 20, 50, 100, 200, LIMIT)
PANELS = {"": "Influence, D", "newton": "One Newton step", "lissa": "LiSSA, an estimate"}


def check(params: LeaveOneOutParams) -> None:
    """Raise `DataError` where the address asks for a panel that there is not."""
    known = ", ".join(name for name in PANELS if name)
    one_of(PANELS, f"There is no panel “{{}}”; choose one of {known}, or none.")(params.panel)


def choose(params: LeaveOneOutParams, explanation: Explanation) -> int:
    """How many are left out."""
    most, examples = min(LIMIT, len(explanation.ids)), explanation.examples
    label = f"How many of the most influential {examples} are left out, each on its own"
    return choose_count(params, label, examples, STEPS, most)


def choose_count(
    params: LeaveOneOutParams, label: str, examples: str, steps: Iterable[int], most: int, **options: Any
) -> int:
    """How many of the ``examples`` are left out, at most so many; raises `DataError` for an impossible number."""
    if not 2 <= params.k <= most:
        raise DataError(f"Leave out between 2 and {most} {examples}, not {params.k}.")
    offered = sorted({*(one for one in steps if one <= most), params.k})
    return int(bound(st.select_slider, "k", params.k, label, offered, key="left_out_k", **options))


def offer(explanation: Explanation, k: int) -> None:
    """Before anything is trained: what will happen, and the button."""
    st.markdown(
        f"Each of the {k} {explanation.examples} with the largest forecasts is left out in turn, the model is trained again "
        "to its optimum on all the others, and the true change of the loss is laid beside the forecast."
    )
    begin_button("Leave them out, one by one", "leave_out")


def load(study: Study, explanation: Explanation, k: int) -> LeaveOneOut:
    """The truth; what was trained before is kept."""
    title = f"Training {k} models, each without one {explanation.kind}"
    return results.load(title, leave_one_out.run, study, explanation, k)


def show_answer(explanation: Explanation, left_out: LeaveOneOut) -> None:
    """The page's question, answered in a sentence or two."""
    agreement, k = left_out.agreement, len(left_out.train_ids)
    if agreement.worst <= CLOSE:
        verdict = "**Yes.**"
    elif agreement.spearman >= ORDERED:
        verdict = "**In their order, yes; in their sizes, not all.**"
    else:
        verdict = "**No.**"
    st.markdown(
        f"{verdict} Of the {k} most influential {explanation.examples}, each left out and the model trained again, forecast "
        f"and truth correlate with **r = {_correlation(agreement.pearson)}**. {_sizes(agreement)} The forecast that is farthest "
        f"off misses by {percent(agreement.worst)} of the largest true change."
    )
    if not left_out.converged:
        st.warning("Some of these models did NOT reach their optimum: do not rely on this.")


def _sizes(agreement: Agreement) -> str:
    if not np.isfinite(agreement.slope) or abs(agreement.slope - 1) < 0.005:
        return "The sizes are right on average."
    kind = "small" if agreement.slope < 1 else "large"
    return f"Forecasts are on average {percent(abs(1 - agreement.slope))} too {kind}."


def _correlation(r: float) -> str:
    return f"{r:.5f}".replace("-", "\u2212") if np.isfinite(r) else "–"


def show_forecasts(
    study: Study, view: View, params: LeaveOneOutParams, explanation: Explanation, left_out: LeaveOneOut
) -> None:
    """Forecast against truth, by the chosen way of forecasting."""
    panel = choice("panel", params.panel, "Forecast by", PANELS)
    if panel == "lissa":
        _estimates(study, view, explanation, left_out)
        return
    newton = panel == "newton"
    predicted, agreement = left_out.predicted, left_out.agreement
    if newton and left_out.newton is not None and left_out.newton_agreement is not None:
        predicted, agreement = left_out.newton, left_out.newton_agreement
    chart, beside = st.columns([1.2, 1], gap="large")
    with chart:
        _chart(view, explanation, left_out, predicted, "left_out")
        explain_chart(explanation)
    with beside:
        _metrics(agreement, left_out)
        show_opened(study, view, left_out)
    st.caption(_WORDS["newton" if newton else ""])


_WORDS = {
    "": "D is linear in the example's weight: it takes the curvature to be the same without the example. The more an "
    "example weighs, the more it bends the loss itself, and the more D falls short; so the slope is a little below 1.",
    "newton": "One Newton step on the loss without the example counts its curvature out as well, exactly and without "
    "training. What is left is how much the curvature of the others changes on the way.",
}


def _chart(
    view: View,
    explanation: Explanation,
    left_out: LeaveOneOut,
    predicted: np.ndarray,
    key: str,
    height: int = 520,
) -> None:
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
    one.metric("Pearson", _correlation(agreement.pearson), help="Correlation of forecast and truth.")
    two.metric("Spearman", _correlation(agreement.spearman), help="Agreement of their order.")
    slope = f"{agreement.slope:.4f}" if np.isfinite(agreement.slope) else "–"
    one.metric(
        "Slope", slope, help="Of the forecast on the truth: below 1, forecasts are too small on average."
    )
    two.metric(
        "Worst error",
        percent(agreement.worst),
        help="Largest error of a forecast, as a share of the largest truth.",
    )


def _metrics(agreement: Agreement, left_out: LeaveOneOut) -> None:
    show_agreement(agreement)
    worst = float((left_out.gradient_norms / left_out.targets).max()) * leave_one_out.GRADIENT_TOL
    st.caption(
        f"**Proof.** Every model was trained until its gradient was at most {three_digits(worst)} of what leaving its example "
        f"out had put there. **Control.** Training on everything from scratch changes this loss by {nats(left_out.control)}. "
        f"**Time.** {len(left_out.train_ids)} models in {seconds(left_out.seconds)}."
    )


def show_opened(study: Study, view: View, left_out: LeaveOneOut) -> None:
    """The left-out example that is open, if there is one."""
    rows = np.flatnonzero(left_out.train_ids == view.opened)
    if not len(rows):
        return
    row, train_id = int(rows[0]), int(left_out.train_ids[rows[0]])
    with st.container(border=True, key="example"):
        opened_title(study, train_id)
        show_example(study, study.data.train, train_id, 150)
        newton = (
            "" if left_out.newton is None else f"| One Newton step | {nats(float(left_out.newton[row]))} |\n"
        )
        st.markdown(
            f"| | |\n|---|---|\n| Influence, D | {nats(float(left_out.predicted[row]))} |\n{newton}"
            f"| After training again without it | **{nats(float(left_out.actual[row]))}** |\n"
            f"| Rank by size | {row + 1} of {len(left_out.train_ids)} |\n"
        )


def _estimates(study: Study, view: View, explanation: Explanation, left_out: LeaveOneOut) -> None:
    """LiSSA with the paper's settings and with ours, at the same cost."""
    titles = {"The paper's settings": PAPER, "Ours, at the same cost": OURS}
    found = {title: _estimate(study, explanation, left_out, solver) for title, solver in titles.items()}
    for column, (title, estimate) in zip(st.columns(2, gap="large"), found.items(), strict=True):
        with column:
            st.markdown(f"**{title}**: r = {_correlation(estimate.agreement.pearson)}")
            _chart(view, explanation, left_out, estimate.predicted, f"lissa_{len(title)}", height=400)
    explain_chart(explanation)
    st.dataframe(_rows(found, left_out.agreement), hide_index=True, key="lissa_table")
    st.caption(
        f"LiSSA never sees all examples at once: it adds up products with the curvature of a few random ones, here "
        f"{BUDGET:,} in all. Its series is cut off, which "
        "leaves the weakest directions short by (1 − l2 / scale) to the number of steps; and what it draws is noise. The "
        "paper averages ten runs of single examples, which need a large scale. Ours draws ten examples a step, which allows a "
        "smaller scale and so cuts less off, and averages the second half of one run, which takes out the noise."
    )


def _estimate(
    study: Study, explanation: Explanation, left_out: LeaveOneOut, solver: lissa_estimate.LiSSA
) -> Estimate:
    title = "Estimating with a few examples at a time"
    return results.load(title, lissa_estimate.run, study, explanation, left_out, solver)


def _rows(found: dict[str, Estimate], exact: Agreement) -> dict[str, list[str]]:
    """A row a way of forecasting, in words."""
    all_ = [exact, *(one.agreement for one in found.values())]
    estimates = list(found.values())
    return {
        "forecast": ["exact", *found],
        "correlation with the truth": [_correlation(one.pearson) for one in all_],
        "slope": [f"{one.slope:.3f}" for one in all_],
        "error of s": ["0", *(percent(one.error) for one in estimates)],
        f"of the {TOP} strongest": [str(TOP), *(str(one.top) for one in estimates)],
        "cut off": ["0", *(percent(one.truncation) for one in estimates)],
        "residual": ["0", *(three_digits(one.residual) for one in estimates)],
        "time": ["", *(seconds(one.seconds) for one in estimates)],
        "settings": ["", *(one.settings for one in estimates)],
    }


def show_table(study: Study, explanation: Explanation, left_out: LeaveOneOut) -> None:
    """The left-out examples with forecasts and truth, and the download."""
    ids, names = left_out.train_ids, study.data.class_names

    def shown() -> Columns:
        labels = [names[explanation.labels[explanation.position(int(one))]] for one in ids]
        return faces(study, ids) | {"label": labels} | leave_one_out.table(left_out)

    show_folded(
        f"the {len(ids)} {explanation.examples}",
        shown,
        face_column(study)
        | {
            "training_id": number("training id", format="%d"),
            "predicted_loss_change_nats": number("forecast D, nats", format="%+.3e"),
            "newton_loss_change_nats": number("one Newton step, nats", format="%+.3e"),
            "actual_loss_change_nats": number("truth, nats", format="%+.3e"),
            "gradient_norm": number("gradient norm", format="%.1e"),
            "gradient_norm_asked_for": number("asked for", format="%.1e"),
        },
        "This table (CSV)",
        f"leave-one-out-{study.spec.name}-{explanation.test_id}-{explanation.label_name}",
        lambda: leave_one_out.table(left_out),
        key="download_left_out",
    )
