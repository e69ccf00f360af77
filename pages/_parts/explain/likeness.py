"""One line where the test example is like nothing that the model has learnt from."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import likeness
from influence_core.experiments.explain import Explanation
from influence_core.experiments.likeness import Likeness
from influence_core.experiments.questions import Question
from influence_core.studies import Study
from influence_core.words import percent, three_digits
from pages._common.cards import asked_name, beginning, called, name_of, show_example, show_large
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown
from pages._shell.jobs import Job, background, run_again

SIDE = 84
QUICK = 0.2
"""So many seconds the page waits for it."""
SHOWN = 3
"""Columns that are named."""


def warning(study: Study, view: View, explanation: Explanation) -> None:
    """The sentence, with the picture as the model sees it and its nearest; nothing where the example is usual.

    Nobody waits for it: until the usual distances of the study are measured there is nothing to see.
    """
    job = _measuring(study, explanation.question)
    if not job.wait(QUICK):
        run_again(job)
    found = job.result
    if found is None or not found.unlike:
        return
    nearest = int(found.nearest[0])
    with st.container(key="likeness", horizontal=True, vertical_alignment="center"):
        if study.data.pictured:
            with st.container(width=SIDE):
                alt = f"{name_of(explanation)} as the model sees it"
                show_large(study, explanation.x, explanation.test_id, alt, SIDE, explanation.photo)
            with st.container(width=SIDE):
                show_example(study, study.data.train, nearest, SIDE)
        with st.container(gap=None):
            st.markdown(
                f":violet-badge[:material/help: Unlike anything learnt] {_sentence(study, explanation, found)}"
            )
            st.button(
                f"Open its nearest, {called(study, nearest, 'training')}",
                key="open_nearest",
                type="tertiary",
                on_click=lambda: go_to(open=str(nearest)),
            )


def _measuring(study: Study, question: Question) -> Job[Likeness]:
    key = likeness.run.key(study, question)
    return background(
        key,
        "Looking for its nearest",
        lambda progress: likeness.run(study, question, context=results.context(progress)),
    )


def _sentence(study: Study, explanation: Explanation, found: Likeness) -> str:
    """What it is unlike in, by its most telling measure, and what that means for the answer."""
    kind, at = explanation.kind, found.measures.index(found.telling)
    value, usual = float(found.values[at]), float(found.usual[at])
    share = float(found.shares[at])
    farther = f"of {found.held_out:,} held-out {kind}s {percent(share) if share else 'none'} lie as far"
    reasons = {
        "distance": f"even its nearest training {kind} lies {three_digits(value)} away; {farther} (99 % within "
        f"{three_digits(usual)})",
        "tones": f"no training {kind} has such shares of dark, grey and light; {farther}",
        "words": f"the model knows {percent(1 - value)} of its words; 99 % of {found.held_out:,} held-out {kind}s have "
        f"more than {percent(1 - usual)}",
        "range": f"beyond all training {kind}s in {_columns(found)}, by up to {three_digits(value)} standard deviations",
    }
    shown = " Left: as the model sees it; right: its nearest." if explanation.kind == "image" else ""
    sure = percent(float(explanation.probabilities.max()))
    return (
        f"{beginning(asked_name(study, explanation))} is like nothing the model has learnt from: {reasons[found.telling]}. "
        f"It answers all the same, for it has no other choice: do not rely on its {sure}.{shown}"
    )


def _columns(found: Likeness) -> str:
    named = ", ".join(f"“{escape_markdown(one)}”" for one in found.outside[:SHOWN])
    return named + (" and others" if len(found.outside) > SHOWN else "")
