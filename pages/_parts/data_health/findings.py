"""The findings: one after another with their examples, each of which opens in Explain, and the version without them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from influence_core.experiments import health
from influence_core.experiments.health import Case, Finding
from influence_core.studies import Study
from pages._common.cards import example_card, show_grid
from pages._common.picture_grid import Picture
from pages._parts.data_health import answer, labels
from pages._shell import my_changes
from pages._shell.address import OF_THE_QUESTION, View, link_to_version
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown

A_CASE = 6
"""Examples of one case that are shown."""
SHOWN = 24
"""Examples of a finding that are shown at first."""
MORE = 120
"""The same once it is unfolded."""
LINKED = 500
"""Examples that one address leaves out."""


def follow(view: View) -> None:
    """To the example whose card was clicked, in Explain."""
    opened = st.session_state.pop("health_opened", None)
    if opened is not None:
        kept = ("study", "device") if "test" in opened else OF_THE_QUESTION
        st.switch_page(EXPLAIN.script, query_params=view.query(*kept) | opened)


def left(study: Study, found: Sequence[Finding]) -> list[Finding]:
    """What was found, without what this browser's list has a verdict on."""
    said = my_changes.state(study.spec)
    return [health.unjudged(study, one, said.verdicts.keys(), said.changes) for one in found]


def show(study: Study, view: View, found: Sequence[Finding]) -> None:
    """What was found, the most serious first; then what is judged, and what was not found, a line each."""
    ordered = health.in_order(found)
    for one in ordered:
        if one.count:
            with st.container(border=True, key=f"finding_{one.name}"):
                _show(study, view, one)
    _in_lines("Found, and judged by you", [one for one in ordered if one.judged and not one.count])
    _in_lines("Looked for and not found", [one for one in ordered if not one.judged and not one.count])


def _in_lines(title: str, found: Sequence[Finding]) -> None:
    if found:
        st.header(title)
        st.markdown("\n".join(f"- {escape_markdown(one.sentence)}" for one in found))


def _show(study: Study, view: View, one: Finding) -> None:
    st.header(one.title)
    st.markdown(f"{answer.BADGES[health.level(one.name)]} {escape_markdown(one.sentence)}")
    cards = [card for case in one.cases[:MORE] for card in _cards(study, case)]
    cards = list({card.id: card for card in cards}.values())  # an example may be in two pairs
    if one.name == "contradicted_tests":
        labels.mend(study, cards, partial(_open, study))
    else:
        _grids(study, one.name, cards)
    if one.name == "contradicted":
        labels.review(study, view)
    _leave_out(study, view, one)


def _grids(study: Study, name: str, cards: Sequence[Picture]) -> None:
    """The first ones, and more where they are unfolded."""
    _grid(study, cards[:SHOWN], name)
    if len(cards) > SHOWN:
        folded = st.expander("More of them", key=f"more_{name}", on_change="rerun")
        if folded.open:
            with folded:
                _grid(study, cards[SHOWN:MORE], f"{name}_more")


def _grid(study: Study, cards: Sequence[Picture], name: str) -> None:
    show_grid(study, cards, key=f"cards_{name}", on_click=partial(_open, study), width=104)


def _open(study: Study, example_id: str) -> None:
    tested = int(example_id) in study.data.test.ids.tolist()
    st.session_state["health_opened"] = {"test" if tested else "open": example_id}


def _cards(study: Study, case: Case) -> list[Picture]:
    train, test = study.data.train, study.data.test
    members = [(train, one) for one in case.train_ids] + [(test, one) for one in case.test_ids]
    if case.train_ids and case.test_ids:  # both sides are seen, however many there are of one
        members = members[: A_CASE // 2] + [(test, one) for one in case.test_ids[: A_CASE // 2]]
    found = []
    for examples, one in dict.fromkeys(members[:A_CASE]):
        at = examples.position(one)
        label = study.data.class_names[int(examples.y[at])]
        part = "training" if examples is train else "test"
        lines = (*([case.words] if case.words else []), f"{part} {one}")
        found.append(example_card(study, examples, at, f", labelled {label}", label, lines))
    return found


def _leave_out(study: Study, view: View, one: Finding) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if one.leave_out:
            gone, kind = one.leave_out[:LINKED], study.data.kind
            first = "the first " if len(one.leave_out) > LINKED else ""
            number = f"{len(gone):,} {kind}s" if len(gone) > 1 else kind
            st.page_link(
                EXPLAIN.script,
                label=f"Ask the model without {first or ('these ' if len(gone) > 1 else 'this ')}{number}",
                icon=":material/content_cut:",
                query_params=link_to_version(health.without(study.spec, gone).address),
            )
        st.caption("A click on a card opens it in Explain.", width="content")
