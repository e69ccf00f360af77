"""The parts of the page about any group and any edit."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from influence_core.errors import DataError
from influence_core.experiments import what_if
from influence_core.experiments.explain import Explanation
from influence_core.experiments.what_if import Calibration, Change, Kind
from influence_core.figures.explain import influence_against_distance
from influence_core.figures.what_if import calibration
from influence_core.studies import Study
from influence_core.trust import ORDERED
from influence_core.words import nats, ratio
from pages._common import retraining, scatter
from pages._common.cards import card_face
from pages._common.picture_grid import Picture, picture_grid
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown

RULES = ("for", "against", "class", "random", "hand")
SHOWN = 12
LARGEST = 200


def _choice(view: View, field: str, label: str, titles: dict[str, str], value: str) -> str:
    key = f"what_if_{field}"
    st.session_state[key] = value if value in titles else next(iter(titles))
    st.segmented_control(
        label,
        list(titles),
        key=key,
        required=True,
        format_func=titles.__getitem__,
        on_change=lambda: go_to(**{field: st.session_state[key], "retrain": ""}),
    )
    return str(st.session_state[key])


def choose(study: Study, view: View, explanation: Explanation) -> tuple[np.ndarray, Change]:
    """Positions of the group, and what happens to it."""
    which = _rule(view, explanation)
    how_many, what = st.columns(2, gap="large")
    with how_many:
        at = _group(study, view, explanation, which)
    with what:
        return at, _change(study, view)


def _rule(view: View, explanation: Explanation) -> str:
    asked = escape_markdown(explanation.label_name)
    titles = {
        "for": f"Strongest for {asked}",
        "against": f"Strongest against {asked}",
        "class": "A whole label",
        "random": "At random",
        "hand": f"Chosen by hand ({len(view.chosen)})",
    }
    return _choice(view, "panel", f"Which {explanation.examples}", titles, view.panel or "for")


def _group(study: Study, view: View, explanation: Explanation, which: str) -> np.ndarray:
    if which == "hand":
        return _by_hand(view, explanation)
    if which == "class":
        return what_if.group(
            explanation, "class", 0, _label(study, view, "group", "All that are labelled", view.group)
        )
    return what_if.group(explanation, which, _size(view, explanation), seed=1)


def _size(view: View, explanation: Explanation) -> int:
    largest = min(LARGEST, len(explanation.ids) // 2)
    st.session_state["what_if_k"] = min(view.how_many, largest)
    st.slider(
        "How many",
        1,
        largest,
        key="what_if_k",
        on_change=lambda: go_to(k=str(st.session_state["what_if_k"]), retrain=""),
    )
    return int(st.session_state["what_if_k"])


def _label(study: Study, view: View, field: str, title: str, value: str) -> int:
    names = study.data.class_names
    key = f"what_if_{field}"
    st.session_state[key] = _number(value, len(names))
    st.selectbox(
        title,
        range(len(names)),
        key=key,
        format_func=names.__getitem__,
        on_change=lambda: go_to(**{field: str(st.session_state[key]), "retrain": ""}),
    )
    return int(st.session_state[key])


def _number(text: str, labels: int) -> int:
    """The label that the address names; the first where it names none."""
    if text and not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) < labels):
        raise DataError(f"There is no label number “{text[:40]}”; choose one from 0 to {labels - 1}.")
    return int(text or 0)


def _by_hand(view: View, explanation: Explanation) -> np.ndarray:
    figure = influence_against_distance(explanation, view.opened, view.chosen)
    st.plotly_chart(
        figure, key="scatter", on_select=scatter.on_points, alt="predicted loss change against distance"
    )
    st.caption(
        "Lasso or box select (top right of the chart) to choose; ticks on the Explain page count as well."
    )
    return np.array([explanation.position(one) for one in view.chosen], dtype=int)


def _change(study: Study, view: View) -> Change:
    kinds: dict[str, str] = {"remove": "Take out", "relabel": "Relabel", "reweight": "Reweight"}
    kind: Kind = _choice(view, "edit", "What happens to them", kinds, view.edit)  # type: ignore[assignment]
    if kind == "relabel":
        return Change("relabel", label=_label(study, view, "to", "New label", view.to))
    if kind == "reweight":
        st.session_state["what_if_weight"] = view.new_weight
        st.slider(
            "Each counts … times (0: taken out, 1: as now, 2: as if there twice)",
            0.0,
            what_if.HEAVIEST,
            step=0.25,
            key="what_if_weight",
            on_change=lambda: go_to(weight=f"{st.session_state['what_if_weight']:g}"),
        )
        return Change("reweight", weight=float(st.session_state["what_if_weight"]))
    return Change("remove")


def show_group(study: Study, view: View, explanation: Explanation, at: np.ndarray) -> None:
    """The first cards of the group."""
    picture_grid(
        [_card(study, explanation, int(one)) for one in at[:SHOWN]],
        key="group",
        on_click=lambda train_id: go_to(open=train_id),
        columns_min_px=92 if study.data.pictured else 170,
    )
    if len(at) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(at):,}.")


def _card(study: Study, explanation: Explanation, at: int) -> Picture:
    name, train_id = study.data.class_names[explanation.labels[at]], explanation.ids[at]
    change = float(explanation.scores[at])
    return Picture(
        id=str(train_id),
        **card_face(study, study.data.train, at),
        alt=f"training {explanation.kind} {train_id}, labelled {name}",
        title=f"{train_id}: {name}",
        lines=(nats(change),),
        tone="helpful" if change > 0 else "harmful",
    )


def show_forecast(study: Study, view: View, explanation: Explanation, at: np.ndarray, change: Change) -> None:
    """The forecast, and the truth where it was asked for."""
    with st.container(border=True, key="what_if"):
        st.subheader("Forecast and truth")
        done = change.words([escape_markdown(one) for one in study.data.class_names])
        those = explanation.examples if len(at) > 1 else f"training {explanation.kind}"
        predicted = what_if.forecast(study, explanation, at.tolist(), change)
        st.markdown(
            f"Forecast with {len(at):,} {those} {done}: the loss of “{escape_markdown(explanation.label_name)}” changes by "
            f"**{nats(predicted)}** (plus: it rises, the answer gets less likely)."
        )
        st.button(
            "Train again and compare", key="what_if_run", type="primary", on_click=lambda: go_to(retrain="1")
        )
        if view.retrain:
            _truth(study, view, explanation, at, change)


def _truth(study: Study, view: View, explanation: Explanation, at: np.ndarray, change: Change) -> None:
    ready, store = results.engine_if_ready(study, view), results.get_store()
    parts = (explanation.x, explanation.label, str(view.settings), at, str(change))
    work = partial(what_if.run, study, explanation, at.tolist(), change, ready, store)
    retraining.outcome(study, explanation, results.ask(study, "what if", parts, "Training again", work))
    if len(at) > 1 and view.retrain == "groups":
        how = (explanation.x, explanation.label, str(view.settings), len(at), str(change))
        work_all = partial(what_if.calibrate, study, explanation, len(at), change, ready, store)
        title = f"Training again for {what_if.GROUPS} groups"
        _show_calibration(results.ask(study, "calibration", how, title, work_all))
    elif len(at) > 1:
        label = f"May groups of {len(at):,} be forecast at all?"
        st.button(label, key="calibrate", on_click=lambda: go_to(retrain="groups"))


def _show_calibration(result: Calibration) -> None:
    chart, words = st.columns([1.6, 1], vertical_alignment="center", gap="medium")
    with chart:
        st.plotly_chart(calibration(result), key="calibration")
    with words:
        st.metric("Rank agreement (Spearman)", ratio(result.agreement))
        st.metric("Truth, in multiples of the forecast", ratio(result.slope))
        readable = "Read the order." if result.agreement >= ORDERED else "Do not read even the order."
        proof = (
            "" if result.converged else " Training did NOT come to its end everywhere: do not rely on this."
        )
        st.caption(
            f"{len(result.predicted)} groups of {result.size:,}: the strongest for, the strongest against, the others at "
            f"random. {readable} A group is not the sum of its members: multiply its forecast by the slope.{proof}"
        )


def check(view: View) -> None:
    """Raise `DataError` where the address asks for a group or a change that there cannot be."""
    if view.panel and view.panel not in RULES:
        raise DataError(f"There is no group “{view.panel[:40]}”; choose one of {', '.join(RULES)}.")
    if view.edit not in what_if.KINDS:
        raise DataError(f"There is no change “{view.edit[:40]}”; choose one of {', '.join(what_if.KINDS)}.")
    if not 0 <= view.new_weight <= what_if.HEAVIEST:
        raise DataError(f"A weight must be between 0 and {what_if.HEAVIEST:g}, but is {view.new_weight:g}.")
