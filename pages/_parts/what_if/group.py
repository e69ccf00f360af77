"""The parts of the page about any group and any edit."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.errors import DataError
from influence_core.experiments import all_relabelled, what_if
from influence_core.experiments.explain import Explanation
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.what_if import Calibration, Change, Kind
from influence_core.figures.what_if import calibration
from influence_core.studies import Study
from influence_core.trust import ORDERED
from influence_core.words import ratio
from pages._common import question, retraining, scatter, table, take_home
from pages._common.cards import scored_card, show_grid
from pages._common.far_off import had_said
from pages._common.number import MADE, NAMES, amount, worth
from pages._common.word_meanings import explained
from pages._parts.what_if import withdrawal, workshop
from pages._shell import change_list, my_changes, proving, results
from pages._shell.address import View, go_to
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown, escaped
from pages._shell.own_params import WhatIfParams
from pages._shell.widgets import begin_button, bound, choice

SHOWN = 12
LARGEST = 200
KINDS: dict[str, str] = {"remove": "Take out", "relabel": "Relabel", "reweight": "Reweight"}


def show(view: View, params: WhatIfParams, answer: question.Answer) -> None:
    """Any group, any edit: the forecast, and the truth where it was asked for."""
    study, explanation = answer.study, answer.explanation
    st.markdown(
        "Choose a group and what happens to it. The forecast comes at once; training again shows the truth."
    )
    if params == WhatIfParams():
        st.caption(
            f"It begins with a group that is likely to matter, the strongest {explanation.examples} for the answer. Nothing is "
            "changed until you say so."
        )
    change_list.compare_link(my_changes.changed_address(view.spec))
    question.bar(view, answer)
    at, change = choose(study, view, params, explanation)
    after = None
    if not len(at):
        st.info(f"No {explanation.examples} are chosen yet.")
    elif not change.changes(explanation.labels[at]):
        st.info("This would change nothing: choose another label or weight.")
    else:
        show_group(study, explanation, at)
        show_forecast(study, params, explanation, at, change)
        workshop.offer(study, view, explanation, at, change)
        if _holds_rows(study, params) and change.kind == "remove":
            after = withdrawal.show(view, params, answer, at)
    with st.container(horizontal=True):
        table.download(study, explanation)
        take_home.button(view, study, explanation, after)


def _holds_rows(study: Study, params: WhatIfParams) -> bool:
    """Whether the group is that of one value of a table's column."""
    return params.panel == "rows" and study.data.kind == "row"


def choose(
    study: Study, view: View, params: WhatIfParams, explanation: Explanation
) -> tuple[np.ndarray, Change]:
    """Positions of the group, and what happens to it."""
    which = _rule(view, params, explanation)
    how_many, what = st.columns(2, gap="large")
    with how_many:
        at = _group(study, view, params, explanation, which)
    with what:
        return at, _change(study, params)


def _rule(view: View, params: WhatIfParams, explanation: Explanation) -> str:
    asked = escape_markdown(explanation.label_name)
    titles = {
        "for": f"Strongest for {asked}",
        "against": f"Strongest against {asked}",
        "class": "A whole label",
        "random": "At random",
        "rows": "One value of a column",
        "hand": f"Chosen by hand ({len(view.chosen)})",
    }
    if explanation.kind != "row":
        del titles["rows"]
    return choice("panel", params.panel, f"Which {explanation.examples}", titles, key="what_if_panel")


def _group(
    study: Study, view: View, params: WhatIfParams, explanation: Explanation, which: str
) -> np.ndarray:
    if which == "hand":
        return _by_hand(study, view, explanation)
    if which == "rows":
        return withdrawal.choose(study, params)
    if which == "class":
        label = _label(study, "group", params.group, "All that are labelled")
        return what_if.group(explanation, "class", 0, label)
    return what_if.group(explanation, which, _size(params, explanation), seed=1)


def _size(params: WhatIfParams, explanation: Explanation) -> int:
    largest = min(LARGEST, len(explanation.ids) // 2)
    return int(bound(st.slider, "k", min(params.k, largest), "How many", 1, largest, key="what_if_k"))


def _label(study: Study, field: str, text: str, title: str) -> int:
    """One of the study's labels: the one that the address names, or the first."""
    names = study.data.class_names
    if text and not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) < len(names)):
        raise DataError(f"There is no label number “{text[:40]}”; choose one from 0 to {len(names) - 1}.")
    options, key = range(len(names)), f"what_if_{field}"
    return int(
        bound(st.selectbox, field, int(text or 0), title, options, key=key, format_func=names.__getitem__)
    )


def _by_hand(study: Study, view: View, explanation: Explanation) -> np.ndarray:
    scatter.show_distance(study, view, explanation, explanation.number, "pp")
    st.caption(
        "Lasso or box select (top right of the chart) to choose; ticks on the Explain page count as well."
    )
    return np.array([explanation.position(one) for one in view.chosen], dtype=int)


def _change(study: Study, params: WhatIfParams) -> Change:
    kind: Kind = choice("edit", params.edit, "What happens to them", KINDS, key="what_if_edit")  # type: ignore[assignment]
    if kind == "relabel":
        return Change("relabel", label=_label(study, "to", params.to, "New label"))
    if kind == "reweight":
        label = "Each counts … times (0: taken out, 1: as now, 2: as if there twice)"
        heaviest, key = what_if.HEAVIEST, "what_if_weight"
        weight = bound(st.slider, "weight", params.weight, label, 0.0, heaviest, step=0.25, key=key)
        return Change("reweight", weight=float(weight))
    return Change("remove")


def show_group(study: Study, explanation: Explanation, at: np.ndarray) -> None:
    """The first cards of the group."""
    show_grid(study, [scored_card(study, explanation, int(one)) for one in at[:SHOWN]], key="group")
    first = f"The first {SHOWN} of {len(at):,}. " if len(at) > SHOWN else ""
    name = NAMES[explanation.number]
    st.caption(
        f"{first}On each card: what having that one does to the probability of "
        f"{escape_markdown(explanation.label_name)} ({name}).",
        help=explained(name),
    )


def show_forecast(
    study: Study, params: WhatIfParams, explanation: Explanation, at: np.ndarray, change: Change
) -> None:
    """The forecast, and the truth where it was asked for."""
    with st.container(border=True, key="what_if"):
        st.header("Forecast and truth")
        places = st.empty(), st.empty(), st.empty()
        _expect(study, explanation, at, change, places)
        begin_button("Train again and compare", "what_if_run")
        if params.retrain in ("1", "groups"):
            truth = results.load("Training again", what_if.run, study, explanation, at.tolist(), change)
            _expect(study, explanation, at, change, places)
            _show_truth(study, params, explanation, truth, at, change)


def _expect(
    study: Study, explanation: Explanation, at: np.ndarray, change: Change, places: retraining.Places
) -> None:
    """The truth where it is known, and the forecast."""
    done = change.words(escaped(study.data.class_names))
    those = explanation.examples if len(at) > 1 else f"training {explanation.kind}"
    p, asked = explanation.probability, escape_markdown(explanation.label_name)
    known = _known(study, explanation, at, change)
    truth = retraining.truth_name(explanation).capitalize()
    what = f"with {len(at):,} {those} {done}: the probability of “{asked}” changes by"
    minus = "(minus: the answer gets less likely)"

    def sentence(forecast: GroupForecast) -> str:
        said, rest = worth(p, forecast.best, MADE), retraining.alone(explanation, forecast, len(at))
        if known is None:
            return f"Forecast {what} **{said}** {minus}{rest}."
        foreseen, came = (amount(p, one, MADE) for one in (forecast.best, known))
        after = had_said(foreseen, came, said, forecast.together is not None)
        return f"**{truth}** {what} **{worth(p, known, MADE)}** {minus}. {after}{rest}."

    retraining.show_expected(study, explanation, at, change, known, sentence, places)


def _known(study: Study, explanation: Explanation, at: np.ndarray, change: Change) -> float | None:
    """The true change of the loss, nats, where the model was trained again after this change; ``None`` where it was not."""
    truth = retraining.proven(study, explanation, at, change)
    if truth is None and len(at) == 1 and change.kind == "relabel":
        table = proving.relabelled(study)
        if table is not None and table.proven and table.labels[at[0]] == change.label:
            truth = float(all_relabelled.effects(study, table, explanation.question).loss[at[0]])
    return truth


def _show_truth(
    study: Study,
    params: WhatIfParams,
    explanation: Explanation,
    truth: TakeOut,
    at: np.ndarray,
    change: Change,
) -> None:
    retraining.outcome(study, explanation, truth)
    if len(at) > 1 and params.retrain == "groups":
        title = f"Training again for {what_if.GROUPS} groups"
        _show_calibration(results.load(title, what_if.calibrate, study, explanation, len(at), change))
    elif len(at) > 1:
        label = f"May groups of {len(at):,} be forecast at all?"
        st.button(label, key="calibrate", on_click=lambda: go_to(retrain="groups"))


def _show_calibration(result: Calibration) -> None:
    agreement = result.agreement
    chart, words = st.columns([1.6, 1], vertical_alignment="center", gap="medium")
    with chart:
        show_chart(calibration(result), key="calibration")
    with words:
        st.metric("Rank agreement (Spearman)", ratio(agreement.spearman))
        st.metric("Forecast, in multiples of the truth", ratio(agreement.slope))
        readable = "Read the order." if agreement.spearman >= ORDERED else "Do not read even the order."
        proof = (
            "" if result.converged else " Training did NOT come to its end everywhere: do not rely on this."
        )
        st.caption(
            f"{len(result.forecast)} groups of {result.size:,}: the strongest for, the strongest against, the others at "
            f"random. {readable}{_sums(result)}{proof}"
        )


def _sums(result: Calibration) -> str:
    """What the sums of the members are worth beside the forecasts, or that they are the forecasts."""
    slope = result.agreement_alone.slope
    if not np.isfinite(slope):
        return ""
    if (result.alone == result.forecast).all():
        return f" A group is not the sum of its members: forecasts are on average {ratio(slope)} times the truth; divide by that."
    return f" Each alone, added up, the members would make {ratio(slope)} times the truth."
