"""What speaks for and against the suspect's label: the model without it, its like, its voices, the test answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from influence_core.experiments import neighbours, review
from influence_core.experiments.review import Outcome, Review, SuspectEvidence
from influence_core.progress import Progress
from influence_core.sessions import reviews
from influence_core.studies import Study
from influence_core.words import nats, percent, signed
from pages._common.cards import example_card, show_grid
from pages._parts.review.words import learnt, model_name
from pages._shell import results
from pages._shell.escape import escaped
from pages._shell.jobs import Job, abandon, background, job_status

ALIKE = 5
CARD_PIXELS = 84
SHOWN = 3
"""Labels that the model without the suspect is quoted with."""
MOMENT = 0.3
"""So many seconds are waited for evidence, so that the buttons do not change under a hand."""


def find(study: Study, now: Review, opened: int | None, tests: np.ndarray | None) -> SuspectEvidence | None:
    """The evidence where it is at hand or comes in a moment; else it is made beside the page, and then the next one's.

    Args:
        study: The study under review.
        now: The review.
        opened: The training example that is open instead of the first suspect.
        tests: ``(t,)`` the test labels that were set right, as ``review.corrected_tests`` gives them.
    """
    one = review.suspect(study, now, opened)
    if (
        one is None or not now.up_to_date or one.position in now.removed
    ):  # there is no model, or it has not seen it
        return None
    ahead = [int(now.ids[at]) for at in now.queue[1:2] if opened is None]
    keys = [review.evidence.key(*_asked(study, now, at, tests)) for at in (one.train_id, *ahead)]
    for overtaken in set(st.session_state.get("review_evidence", ())) - set(keys):
        abandon(overtaken)  # who reviews fast leaves no line of them behind
    st.session_state["review_evidence"] = tuple(keys)
    job = _begin(study, now, one.train_id, tests)
    job.wait(MOMENT)
    if job.result is not None and ahead:
        _begin(study, now, ahead[0], tests)  # a label that is kept leaves the model as it is
    return job.result


def tests_set_right(study: Study, now: Review) -> np.ndarray | None:
    """``(t,)`` the test labels by which answers are judged; ``None`` where the list sets none right."""
    return review.corrected_tests(study, now, reviews.state(results.get_store(), now).changes)


def _asked(study: Study, now: Review, train_id: int, tests: np.ndarray | None) -> tuple[Any, ...]:
    return study, now.labels, train_id, now.theta, now.removed, tests


def _begin(study: Study, now: Review, train_id: int, tests: np.ndarray | None) -> Job[SuspectEvidence]:
    """The work for an example, begun or joined."""
    asked = _asked(study, now, train_id, tests)

    def work(progress: Progress) -> SuspectEvidence:
        return review.evidence.run(results.context(progress), *asked)

    title = "Training without this one, and with the other label"
    return background(review.evidence.key(*asked), title, work)


def show(
    study: Study,
    now: Review,
    opened: int | None,
    tests: np.ndarray | None,
    found: SuspectEvidence | None,
) -> None:
    """The evidence, or how far it is; the rest as for `find`."""
    one = review.suspect(study, now, opened)
    if one is None:
        return
    with st.container(key="evidence", gap="small"):
        if found is not None:
            _words(study, now, found)
        elif one.position in now.removed:
            st.caption(f"Removed: the model has not seen this {study.data.kind}.")
        elif now.up_to_date:
            job_status(_begin(study, now, one.train_id, tests))
        other = one.answer if found is None else found.other
        if other == one.label:
            other = max(
                (at for at in range(len(one.probabilities)) if at != one.label),
                key=one.probabilities.__getitem__,
            )
        if now.method == "copies":
            _copies(study, now, one.train_id)
        _alike(study, now, one.train_id, (one.label, other))
        if found is not None:
            _voices(study, now, found)


def _words(study: Study, now: Review, found: SuspectEvidence) -> None:
    names, kind = escaped(study.data.class_names), study.data.kind
    name, label = names[found.label], found.label
    order = np.argsort(-found.unseen, kind="stable")[:SHOWN]
    says = ", ".join(f"{names[at]} {percent(float(found.unseen[at]))}" for at in order)
    model = model_name(study, now)
    lines = [
        f"{model[0].upper()}{model[1:]} gives the label {name} **{percent(float(found.seen[label]))}** having seen this {kind}, "
        f"and **{percent(float(found.unseen[label]))}** when it never did (proven: trained again without it). Then it says "
        f"**{says}**.",
        f"Without it: {_outcome(kind, found.without)}.",
    ]
    if found.relabelled is not None:
        lines.append(f"As {names[found.other]}: {_outcome(kind, found.relabelled)}.")
    st.markdown("  \n".join(lines))
    if learnt(now) and now.flips is None:
        st.caption(
            f"Other pages ask another model, with other numbers for this {kind}: the original or *With my changes*, as chosen in "
            "the sidebar."
        )


def _outcome(kind: str, one: Outcome) -> str:
    words = (
        f"{one.harmed:,} of {one.tests:,} test {kind}s get surer of their label, the mean loss of all changes by "
        f"{nats(one.loss)} (minus: better)"
    )
    if not one.mended + one.broken:
        return f"{words}; no answer turns right or wrong"
    return f"{words}; {one.mended:,} of the answers turn right, {one.broken:,} wrong"


def _copies(study: Study, now: Review, train_id: int) -> None:
    """The same example, as often as it is there, in both sets."""
    found = review.copies.of(study, train_id, results.context())
    if found is None:
        return
    st.caption(f"Its copies ({found.how}), with their labels")
    others = np.array([now.position(one) for one in found.train_ids if one != train_id], dtype=int)
    _strip(study, now, others, [""] * len(others), "copies")
    tested = [study.data.test.position(one) for one in found.test_ids]
    if tested:
        st.caption("And in the test set, which asks what was learnt from")
        names, test = study.data.class_names, study.data.test
        titles = [f"{int(test.ids[at])}: {names[int(test.y[at])]}" for at in tested]
        cards = [example_card(study, test, at, "", one, ()) for at, one in zip(tested, titles, strict=True)]
        show_grid(study, cards, "copies_tested", lambda _: None, CARD_PIXELS, marked=False, strip=True)


def _alike(study: Study, now: Review, train_id: int, labels: tuple[int, int]) -> None:
    """The nearest of the present label, and of the proposed one."""
    names = escaped(study.data.class_names)
    found = results.load(
        "Looking for what is like it", neighbours.with_labels, study, train_id, now.labels, labels, ALIKE
    )
    for column, label, at, key in zip(st.columns(2), labels, found, ("own", "other"), strict=True):
        with column:
            st.caption(f"Nearest labelled {names[label]}")
            _strip(study, now, at, [""] * len(at), f"alike_{key}")


def _voices(study: Study, now: Review, found: SuspectEvidence) -> None:
    """Who taught the model that never saw it to say so, and who speaks against it."""
    name, kind = escaped(study.data.class_names)[found.label], study.data.kind
    for column, at, words, key in zip(
        st.columns(2), (found.voices, found.against), ("for", "against"), ("for", "against"), strict=True
    ):
        with column:
            st.caption(f"Speak {words} {name}, to the model without this {kind}")
            _strip(study, now, at, [signed(float(found.pulls[one])) for one in at], f"voices_{key}")
    st.caption(
        f"Nats: change of the loss of {name} if one is taken out, too (influence); plus, it speaks for {name}. A click opens it."
    )


def _strip(study: Study, now: Review, positions: np.ndarray, lines: list[str], key: str) -> None:
    cards, names = [], study.data.class_names
    for at, line in zip(positions.tolist(), lines, strict=True):
        label = names[int(now.labels[at])]
        tone = "" if not line else "harmful" if line.startswith("\u2212") else "helpful"
        words, title = f", labelled {label}", f"{int(now.ids[at])}: {label}"
        cards.append(example_card(study, study.data.train, at, words, title, (line,) if line else (), tone))
    if cards:
        show_grid(study, cards, key=key, width=CARD_PIXELS, marked=False, strip=True)
    else:
        st.caption("None.")
