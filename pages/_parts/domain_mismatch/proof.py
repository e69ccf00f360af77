"""The proof: the group's strongest rows really taken out, one by one and together."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import domain_mismatch
from influence_core.experiments.take_out import TakeOut
from influence_core.figures import domain_mismatch as drawn
from influence_core.words import nats, percent
from pages._common import retraining
from pages._parts.domain_mismatch.case import Case
from pages._parts.domain_mismatch.rows import MAX_ROWS
from pages._shell import results
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown, escaped
from pages._shell.own_params import DomainMismatchParams
from pages._shell.widgets import begin_button


def show(params: DomainMismatchParams, case: Case) -> None:
    """The group's strongest rows really taken out, on request."""
    ids = tuple(int(one) for one in case.explanation.ids[case.story.group_rows()[:MAX_ROWS]])
    if not ids:
        return
    with st.container(border=True, key="proof"):
        st.header("Is it so? Take the rows out and train again")
        (_show_removals if params.retrain else _offer)(case, ids)


def _offer(case: Case, ids: tuple[int, ...]) -> None:
    st.caption(
        f"The {len(ids)} strongest rows of the group are taken out one by one, then the harmful ones together; "
        "each time the model is trained to the end again."
    )
    begin_button("Take out and retrain", "retrain")


def _show_removals(case: Case, ids: tuple[int, ...]) -> None:
    answer = case.explanation
    title = f"Training again without each of {len(ids)} rows"
    found = results.load(title, domain_mismatch.remove_each, case.study, answer, ids)
    show_chart(drawn.removals(found), key="removals")
    ended = all(one.converged for one in found)
    st.caption(
        f"Open: the influence, the paper's first-order forecast; filled: after real training; loss "
        f"change of “{escape_markdown(answer.label_name)}”. "
        + ("" if ended else "A training did NOT reach its end: do not rely on it. ")
        + "Rows of a small group have much leverage, which influence does not count: it is usually too small."
    )
    harmful = tuple(one for one in ids if answer.shown[answer.position(one)] < 0)
    if harmful:
        _together(case, harmful, retraining.load(case.study, answer, harmful))


def _together(case: Case, ids: tuple[int, ...], result: TakeOut) -> None:
    names = escaped(case.study.data.class_names)
    label, after = case.explanation.label, names[int(result.after.argmax())]
    rows = "harmful row" if len(ids) == 1 else f"{len(ids)} harmful rows"
    st.markdown(
        f"Without the {rows} ({', '.join(map(str, ids))}) the model says **{after}** for test row "
        f"{case.explanation.test_id}: the probability of {names[label]} goes from "
        f"{percent(float(result.before[label]))} to **{percent(float(result.after[label]))}** "
        f"(forecast {nats(result.forecast.best)}, truth {nats(result.actual)})."
    )
