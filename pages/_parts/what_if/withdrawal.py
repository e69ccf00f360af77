"""Who withdraws: all rows with one value in a column; what that does to every test answer, forecast and proven."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from influence_core.experiments import before_after, version_forecast, withdrawal
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.version_forecast import VersionForecast
from influence_core.studies import Study
from influence_core.words import percent, points, seconds
from pages._common.cards import example_card, show_grid
from pages._common.question import Answer
from pages._parts.what_if import version, workshop
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown
from pages._shell.own_params import WhatIfParams
from pages._shell.widgets import bound

LEANING = 12
"""Answers that are shown as those that lean on the rows most."""


def choose(study: Study, params: WhatIfParams) -> np.ndarray:
    """Positions of the training rows with the value that is chosen."""
    column, holder = withdrawal.named(study, params.group)
    bound(
        st.selectbox,
        "group",
        column,
        "Column, such as a person, a site or an annotator",
        withdrawal.columns(study),
        key="withdrawal_column",
    )
    known = withdrawal.holders(study, column)
    rows = {one.value: one for one in known}
    bound(
        st.selectbox,
        "group",
        holder.value,
        "Whose rows",
        list(rows),
        key="withdrawal_value",
        format_func=lambda value: f"{rows[value].name}: {rows[value].train:,} training rows",
        write=lambda value: f"{column}={value}",
    )
    return withdrawal.positions(study, column, holder.value)


def show(view: View, params: WhatIfParams, answer: Answer, at: np.ndarray) -> Study | None:
    """Every test answer without the rows at positions ``(m,)``; the model trained without them, where it was asked for."""
    study, made = answer.study, withdrawal.changes(answer.study, at)
    with st.container(border=True, key="withdrawal"):
        st.header("All answers, if they withdraw")
        job = results.attempt(
            "Forecasting all answers without them", version_forecast.run, study, answer.explanation, made
        )
        if job.result is None:
            st.info(escape_markdown(str(job.error)))
            return None
        st.markdown(_words(study, params, _foreseen(answer, job.result)))
        if params.retrain != "all":
            title = "Train again and compare all answers"
            st.button(title, key="withdraw", type="primary", on_click=lambda: go_to(retrain="all"))
            return None
        after = results.load_spec(replace(view.spec, changes=made), view.device)
        _proven(view, params, answer, after, job.result)
    return after


def _words(study: Study, params: WhatIfParams, foreseen: BeforeAfter | None) -> str:
    column, holder = withdrawal.named(study, params.group)
    tested = ""
    if holder.test:
        theirs = (
            "row is theirs, too; it stays and counts"
            if holder.test == 1
            else "rows are theirs, too; they stay and count"
        )
        tested = f" {holder.test:,} test {theirs}."
    first = (
        f"**{escape_markdown(f'{column} = {holder.name}')}** has {holder.train:,} of {len(study.data.train):,} training rows."
        f"{tested}"
    )
    if foreseen is None:
        return f"{first} This model has no forecast of all answers."
    total = foreseen.total
    return (
        f"{first} Forecast without them, one Newton step for all together: of {foreseen.base}, "
        f"{percent(total.before)} are answered rightly with them and **{percent(total.after)}** without; {total.better:,} "
        f"answers get better, {total.broke:,} break."
    )


def _foreseen(answer: Answer, forecast: VersionForecast) -> BeforeAfter | None:
    if forecast.predictions is None:
        return None
    return before_after.compare(answer.study, forecast.predictions, version.asked_about(answer))


def _proven(
    view: View, params: WhatIfParams, answer: Answer, after: Study, forecast: VersionForecast
) -> None:
    study, result = answer.study, before_after.run(answer.study, after, version.asked_about(answer))
    st.markdown(f"**Proven.** {version.sentence(result)}")
    st.caption(_proof(after, result, _foreseen(answer, forecast)))
    fits = len(after.spec.changes) <= workshop.MOST
    version.show_answers(study, result, after.spec.address if fits else "")
    _leaning(study, result)
    version.show_parts(params, study, result)
    version.download(view, result)


def _proof(after: Study, result: BeforeAfter, foreseen: BeforeAfter | None) -> str:
    """How the truth was found, and how many of the answers that turn were foreseen."""
    words = (
        f"The model was trained without them from the unchanged optimum to a gradient norm of {after.gradient_norm:.1e} in "
        f"{seconds(after.seconds)}; the others weigh as before."
    )
    if foreseen is None:
        return words
    turned, told = (one.said_before != one.said_after for one in (result, foreseen))
    both = int((turned & told & (result.said_after == foreseen.said_after)).sum())
    wrong = int(told.sum()) - both
    return f"{words} Of {int(turned.sum()):,} answers that turn the forecast named {both:,}, and {wrong:,} that do not."


def _leaning(study: Study, result: BeforeAfter) -> None:
    """The answers that depend on the rows most, whether they turn or not."""
    st.subheader("Which answers lean on them most")
    at, lost = withdrawal.leaning(result, LEANING), withdrawal.losses(result)
    if not len(at):
        st.caption("None: no answer loses probability.")
        return
    test, names, cards = study.data.test, result.class_names, []
    for one in at.tolist():
        said = names[int(result.said_before[one])]
        words = points(-float(lost[one]))
        place = test.position(int(result.ids[one]))
        cards.append(
            example_card(
                study, test, place, f", {said}, {words}", f"{result.ids[one]}: {said}", (words,), "harmful"
            )
        )
    show_grid(study, cards, key="leaning", on_click=lambda name: go_to(test=name, retrain=""))
    st.caption("How the probability of the model's answer changes without them. A click asks about the row.")
