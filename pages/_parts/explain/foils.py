"""The same outliers for every question? The ranking beside the others that people know."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import foils
from influence_core.experiments.explain import Explanation
from influence_core.experiments.foils import RULES, TITLES, TOP, Foils, Often
from influence_core.figures.foils import often_on_top
from influence_core.studies import Study
from influence_core.words import percent, three_digits
from pages._common.cards import show_grid, training_card
from pages._common.number import effect
from pages._common.picture_grid import Picture
from pages._common.word_meanings import explained
from pages._shell import results, whole_tables
from pages._shell.address import View
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import choice

SHOWN = 6


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """One ranking's first examples, and how often each ranking names the same ones."""
    found = results.load("Ranking in other ways", foils.run, study, explanation)
    titles = {"": "Relative to self-influence"} | {
        name: TITLES[name].capitalize() for name in found.names if name != "relative"
    }
    name = choice("foil", params.foil, "Rank by", titles, help=explained("self-influence")) or "relative"
    _ranking(study, params, explanation, found, name)
    overview = whole_tables.known(study, "influence")
    if overview is not None and name in overview.often.names:
        _often(overview.often, explanation, name)
    else:
        _often(results.load("Asking many questions", foils.often, study), explanation, name)
    whole_tables.offer(study, f"Ask all {len(study.data.test):,} test {study.data.kind}s", key="table_foils")


def _ranking(study: Study, params: ExplainParams, explanation: Explanation, found: Foils, name: str) -> None:
    first_order = explanation.by("influence")
    cards = [_card(study, first_order, params.unit, found, name, int(one)) for one in found.top(name, SHOWN)]
    show_grid(study, cards, key="foil_cards", width=128)
    shared = found.shared(name)
    st.markdown(
        f"Of the first {TOP} {explanation.examples} by {TITLES[name]}, **{shared}** are also among the first {TOP} that speak "
        f"for {escape_markdown(explanation.label_name)} by influence."
    )
    with st.popover("The formula"):
        st.latex(RULES[name])
        st.markdown(
            "Relative influence is RelatIF (Barshan, Brunet and Dziugaite 2020, arXiv 2003.11630); representer points are of Yeh "
            "and others 2018 (arXiv 1811.09720). None but the influence is a change of a loss."
        )


def _card(study: Study, explanation: Explanation, unit: str, found: Foils, name: str, at: int) -> Picture:
    score = float(found.scores[found.names.index(name)][at])
    size = f"{'−' if score < 0 else ''}{three_digits(abs(score))}"
    tone = "helpful" if explanation.shown[at] > 0 else "harmful"
    lines = (f"influence {effect(explanation, at, unit)}", f"this score {size}")
    return training_card(study, at, lines, tone)


def _often(found: Often, explanation: Explanation, name: str) -> None:
    show_chart(often_on_top(found), key="often_on_top")
    which = (
        f"all {found.tests:,}"
        if found.questions == found.tests
        else f"a fixed sample of {found.questions} of {found.tests:,}"
    )
    st.caption(
        f"Over {which} test {explanation.kind}s, each asked about the model's own answer. By influence the most frequent "
        f"training {explanation.kind} is among the first {TOP} of {percent(found.most('influence'))} of the questions, and "
        f"{found.different('influence'):,} of {len(explanation.ids):,} come out there at all; by {TITLES[name]}, "
        f"{percent(found.most(name))} and {found.different(name):,}."
    )
