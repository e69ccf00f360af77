"""What the changes of a version do: forecast and truth, of the answer asked about and of all; what got better, what broke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from influence_core.data import Examples
from influence_core.experiments import before_after, groups, version_forecast
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.tally import Tally
from influence_core.experiments.version_forecast import VersionForecast
from influence_core.figures.version import changed_answer
from influence_core.studies import Study
from influence_core.studies.changes import settled
from influence_core.words import POINTS, moved, percent, seconds, tenths
from pages._common import question, table, take_home, test_label
from pages._common.cards import asked_name, example_card, show_grid
from pages._common.far_off import LEAST, had_said, is_far_off
from pages._common.number import MADE, amount, unbroken, worth
from pages._common.picture_grid import Picture
from pages._common.question import Answer
from pages._parts.what_if import workshop
from pages._shell import results
from pages._shell.address import View
from pages._shell.catalogue import EXPLAIN
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown, escaped
from pages._shell.own_params import WhatIfParams
from pages._shell.widgets import bound, metric

CARDS = 24
"""Answers of each kind that are shown; the file has all."""
WIDTH = 116
"""Of a card, pixels: two probabilities fit into a line."""


def show(view: View, params: WhatIfParams, answer: Answer) -> None:
    """All of it; the model with the changes is trained when the forecast is on the page.

    Args:
        view: Of the version.
        params: The page's own.
        answer: Of the unchanged study.
    """
    count = len(settled(view.spec.changes))
    st.title(f"What do these {count:,} changes do?" if count > 1 else "What does this change do?")
    answered = st.empty()
    st.caption("Before the changes:")
    question.bar(workshop.unchanged(view), answer, then=view)
    workshop.show_changes(view, answer)
    st.header("Forecast and truth")
    forecast = results.load(
        "Forecasting the changes together",
        version_forecast.run,
        answer.study,
        answer.explanation,
        view.spec.changes,
    )
    waiting = st.empty()
    waiting.markdown(_foreseen(answer, forecast))
    after = results.load_study(view)
    waiting.empty()
    result = before_after.run(answer.study, after, asked_about(answer))
    answered.markdown(sentence(result))
    _show_answer(answer, forecast, after, result)
    show_answers(answer.study, result, view.spec.address)
    show_parts(params, answer.study, result)
    with st.container(horizontal=True):
        download(view, result)
        take_home.button(view, answer.study, answer.explanation, after)


def asked_about(answer: Answer) -> tuple[int, ...]:
    """The id of the test example of a question, which does not count; nothing where a picture was asked about."""
    return () if answer.explanation.test_id is None else (answer.explanation.test_id,)


def _foreseen(answer: Answer, forecast: VersionForecast) -> str:
    """What is known before the version is trained."""
    label, asked = escape_markdown(answer.explanation.label_name), forecast.asked
    if asked.probability is None or forecast.predictions is None:
        said = worth(answer.explanation.probability, asked.best, MADE)
        return f"Forecast: the probability of {label} changes by **{said}**, each change alone, added up."
    foreseen = before_after.compare(answer.study, forecast.predictions, asked_about(answer))
    total = foreseen.total
    return (
        f"Forecast: the probability of {label} changes by **{moved(asked.probability)}**, the test accuracy by "
        f"**{tenths(total.after - total.before)}**, of {foreseen.base}. The model is trained with the changes now."
    )


def sentence(result: BeforeAfter) -> str:
    """The answer to the page's question."""
    one = result.total
    doubt = "" if one.is_clear else " Too few answers changed to tell better from worse."
    low, high = one.interval
    other = f", {one.between:,} went from one wrong label to another" if one.between else ""
    said = (
        f"Of {result.base}, {percent(one.before)} were answered rightly before and **{percent(one.after)}** after "
        f"({tenths(one.after - one.before)}; 95 % interval {tenths(low)} to {tenths(high)}): "
        f"**{one.better:,} answer{'s' * (one.better != 1)} got better, {one.broke:,} broke**{other}.{doubt}"
    )
    return " ".join(filter(None, (said, result.surer, result.unmoved)))


def _show_answer(answer: Answer, forecast: VersionForecast, after: Study, result: BeforeAfter) -> None:
    """The question's own answer and the accuracy: before, forecast, after."""
    explanation, was = answer.explanation, answer.explanation.probabilities
    x = answer.study.data.test.x.new_tensor(explanation.x)[None]
    now = after.probabilities(x)[0]
    numbers, chart = st.columns([1, 1.5], gap="large", vertical_alignment="center")
    with numbers:
        _metrics(answer, forecast, float(now[explanation.label]), result)
    with chart:
        names, label = explanation.class_names, explanation.label
        figure = changed_answer(was, forecast.answer, now, names, label)
        show_chart(figure, key="changed_answer", alt="what the changes do to each label's probability")
    shown = escaped(names)
    said = [shown[int(one.argmax())] for one in (was, now)]
    turned = f"says **{said[1]}** instead of {said[0]}" if said[0] != said[1] else f"still says **{said[1]}**"
    moves = f"{shown[label]}: {percent(float(was[label]))} before, {percent(float(now[label]))} after"
    st.caption(
        f"Of {asked_name(answer.study, explanation)} the changed model {turned} ({moves}). Bars: after training; open circles: "
        f"the forecast, "
        f"{_method(forecast)}. The model was trained with the changes from "
        f"the unchanged optimum to a gradient norm of {after.gradient_norm:.1e} in {seconds(after.seconds)}."
    )


def _method(forecast: VersionForecast) -> str:
    return (
        "one Newton step for all changes together"
        if forecast.answer is not None
        else "which this model has only for the loss"
    )


def _metrics(answer: Answer, forecast: VersionForecast, now: float, result: BeforeAfter) -> None:
    """What training gave; a forecast of it that was far off does not stand beside it, but in a sentence."""
    explanation = answer.explanation
    p, best, together = explanation.probability, forecast.asked.best, forecast.asked.together is not None
    foreseen, came, words = amount(p, best, MADE), 100 * (now - p), worth(p, best, MADE)
    missed = is_far_off(foreseen, came, LEAST[POINTS])
    name = escape_markdown(explanation.label_name)
    metric(st, f"Probability of {name}", moved(now - p), None if missed else f"forecast {words}")
    if missed:
        st.markdown(unbroken(f"{had_said(foreseen, came, words, together)}."))
    _accuracy(answer, forecast, result)


def _accuracy(answer: Answer, forecast: VersionForecast, result: BeforeAfter) -> None:
    predictions, total = forecast.predictions, result.total
    words, came = None, total.after - total.before
    if predictions is not None:
        other = before_after.compare(answer.study, predictions, asked_about(answer)).total
        foreseen = other.after - other.before
        missed = is_far_off(foreseen, came, 1.5 / total.total)  # one answer is not far off
        words = f"{'the forecast was far off' if missed else 'forecast'}: {tenths(foreseen)}"
    metric(st, "Test accuracy", tenths(came), words)
    st.caption(f"Of {result.base}.")


def show_answers(study: Study, result: BeforeAfter, address: str) -> None:
    """What got better, what broke, and what is wrong in another way, as cards; a click explains it, at an address."""
    lists = [("better", "Got better", "blue", result.better), ("broke", "Broke", "orange", result.broke)]
    if len(result.between):
        lists.append(("between", "Wrong in another way", "gray", result.between))
    for (key, title, colour, at), place in zip(lists, st.columns(len(lists), gap="medium"), strict=True):
        with place:
            st.header(f":{colour}[{title}: {len(at):,}]")
            if not len(at):
                st.caption(f"No test {result.kind}.")
            show_grid(
                study,
                [_card(study.data.test, study, result, int(one), key) for one in at[:CARDS]],
                key=f"answers_{key}",
                width=WIDTH,
                on_click=lambda name: st.session_state.update(explain_test=name if address else ""),
            )
            if len(at) > CARDS:
                st.caption(f"The {CARDS} surest.")
    reviewed = f" *Review* counts all {len(study.data.test):,}." if result.asked else ""
    click = " Click on one to ask the changed model about it." if address else ""
    st.caption(f"{result.part}{reviewed}{click}")
    chosen = st.session_state.pop("explain_test", "")
    if chosen:
        st.switch_page(EXPLAIN.script, query_params={"study": address, "test": chosen})


def _card(test: Examples, study: Study, result: BeforeAfter, at: int, key: str) -> Picture:
    names, name = result.class_names, int(result.ids[at])
    was, now = int(result.said_before[at]), int(result.said_after[at])
    title = f"{names[was]} → {names[now]}"
    line = f"{percent(float(result.before[at, was]))} → {percent(float(result.after[at, now]))}"
    tone = {"better": "helpful", "broke": "harmful"}.get(key, "")
    true = test_label.bears(study, name, int(result.labels[at]))
    words = f", {title}, {line}, {true}"
    return example_card(study, test, test.position(name), words, title, (line, true), tone)


def show_parts(params: WhatIfParams, study: Study, result: BeforeAfter) -> None:
    """Every class, and every group that a table's column tells apart."""
    folded = st.expander(
        "By class" if study.data.kind != "row" else "By class and by group", key="parts", on_change="rerun"
    )
    if not folded.open:
        return
    with folded:
        st.dataframe(
            _columns(test_label.given(study), result.by_class), hide_index=True, column_config=_config()
        )
        known = groups.columns(study) if study.data.kind == "row" else ()
        if known:
            about = study.data.group[0] if study.data.group else known[0]
            column = params.column if params.column in known else about
            chosen = bound(st.selectbox, "column", column, "Column", known, key="what_if_column")
            rows = before_after.by_group(study, result, chosen)
            st.dataframe(_columns("group", rows), hide_index=True, column_config=_config())


def _columns(first: str, rows: Sequence[Tally]) -> dict[str, Any]:
    ends = np.array([one.interval for one in rows])
    return {
        first: [one.name for one in rows],
        "tested": [one.total for one in rows],
        "before": [one.before for one in rows],
        "after": [one.after for one in rows],
        "change": [100 * (one.after - one.before) for one in rows],
        "from": 100 * ends[:, 0],
        "to": 100 * ends[:, 1],
        "better": [one.better for one in rows],
        "broke": [one.broke for one in rows],
    }


def _config() -> dict[str, Any]:
    share = {name: table.number(f"right {name}", format="percent") for name in ("before", "after")}
    ends = {"change": "change, pp", "from": "95 % from, pp", "to": "to, pp"}
    return share | {name: table.number(title, format="%+.1f") for name, title in ends.items()}


def download(view: View, result: BeforeAfter) -> None:
    """Every answer that changed, as a file."""
    table.download_csv(
        "Every answer that changed (CSV)",
        f"before-after-{view.spec.name}",
        lambda: before_after.table(result),
        key="download_answers",
    )
