"""How the review goes: labels changed, accuracy, and the model that learns beside the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from influence_core.errors import InfluenceError
from influence_core.experiments import review
from influence_core.experiments.review import Judged, Review
from influence_core.experiments.suspects import ASKING
from influence_core.figures.review import accuracy
from influence_core.progress import Progress
from influence_core.sessions import State, reviews
from influence_core.store.remember import key_of
from influence_core.studies import Study
from influence_core.words import percent, points, seconds, three_digits
from pages._common.table import download_csv
from pages._common.word_meanings import explained
from pages._parts.review.session import move
from pages._shell import results
from pages._shell.address import go_to
from pages._shell.change_list import KEYS
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.jobs import Job, background, get_jobs, job_status
from pages._shell.widgets import metric

LAST = 20
"""Verdicts that say whether to go on."""
DOUBT = 0.05
OTHERS = {"remove": "removed", "unsure": "left open"}


def show(study: Study, now: Review, tests: np.ndarray | None) -> None:
    """How far the queue is, what it brought, undo and download; ``tests (t,)`` as for `review.judged`."""
    trouble = st.session_state.pop("review_trouble", "")
    if trouble:
        st.error(escape_markdown(trouble))
    done, said = len(now.verdicts), reviews.state(results.get_store(), now)
    st.progress(done / len(now.ids), text=f"{done:,} of {len(now.ids):,} labels reviewed")
    if now.recent(LAST)[1]:
        st.caption(stopping_rule(now))
    found = review.judged(study, now, tests)
    _metrics(study, now, found)
    show_chart(accuracy(_drawn(now, found)), key="review_accuracy")
    with st.container(key="review_training", height=46, border=False):
        _train_behind(study, now)
    with st.container(horizontal=True, key="review_tools"):
        _undo_and_redo(study, now, said)
        _rank_again(study, now)
        download_csv(
            "Verdicts (CSV)",
            f"verdicts-{study.spec.name}",
            lambda: review.table(now, study.data.record, said.notes),
            "review_csv",
            disabled=not done,
        )
    _jump(study)


def _undo_and_redo(study: Study, now: Review, said: State) -> None:
    """Of the list, whose last step may be of another page."""
    for key, title, way, there in (("undo", "Undo", -1, said.can_undo), ("redo", "Redo", 1, said.can_redo)):
        st.button(
            title,
            key=f"review_{key}",
            icon=f":material/{key}:",
            shortcut=KEYS[key],
            disabled=not there,
            on_click=move,
            args=(study, now, way),
        )


def stopping_rule(now: Review) -> str:
    """How many of the last ones were wrong, and whether that is a place to stop."""
    wrong, looked = now.recent(LAST)
    words = f"**{wrong} of the last {looked}** looked at got another label or were removed"
    if wrong:
        return f"{words}. Go on until none of {LAST} in a row does."
    if looked < LAST:
        return f"{words}. If none of {LAST} in a row does, that is a place to stop."
    most = percent(1 - DOUBT ** (1 / LAST))
    left = ", and what is left is less suspect" if len(now.verdicts) < len(now.ids) else ""
    return (
        f"{words}: of suspects like these at most {most} are wrong (95 % sure){left}. A place to stop: *Before and after*, in "
        "*My changes*, says what yours do."
    )


def _jump(study: Study) -> None:
    """To a number or a file."""
    files = "number or file name" if study.data.file(int(study.data.train.ids[0])) else "number"
    st.text_input(
        f"Look at a training {study.data.kind} ({files})", key="review_jump", on_change=_jumped, args=(study,)
    )


def _jumped(study: Study) -> None:
    text = st.session_state["review_jump"]
    try:
        if text.strip():
            go_to(open=str(review.find(study, text)))
    except InfluenceError as error:
        st.session_state["review_trouble"] = str(error)
    st.session_state["review_jump"] = ""


def _drawn(now: Review, found: Judged) -> Review:
    """With the trainings whose accuracy is known by the test labels that count: all, or the first and the last."""
    if not found.corrected:
        return now
    first, last = now.trainings[0], now.trainings[-1]
    ends = (replace(first, accuracy=found.before), replace(last, accuracy=found.after))
    return replace(now, trainings=ends[: len(now.trainings)])


def _metrics(study: Study, now: Review, found: Judged) -> None:
    row = st.container(horizontal=True, gap="small")
    row.metric("Relabelled", f"{now.relabelled:,}", width="content")
    gain = None
    if len(now.trainings) > 1:
        gained = found.after - found.before
        gain = f"{points(gained)}: {abs(round(gained * found.tests)):,} of {found.tests:,}"
    metric(row, "Test accuracy", percent(found.after), gain, width="content")
    st.caption(_base(study, now, found))
    others = [f"{now.count(kind):,} {word}" for kind, word in OTHERS.items() if now.count(kind)]
    if others:
        st.caption(f"And {', '.join(others)}.")
    if now.flips is not None:
        st.metric(
            "Flipped labels found and set right",
            f"{now.fixed:,} of {now.flipped:,}",
            help="Labels flipped on purpose, to practise on. Changing a label that was right makes it wrong.",
        )
    if now.unseen_accuracy is not None:
        named = "proven" if now.method == "proven" else "corrected forecast"
        st.caption(
            f"{percent(now.unseen_accuracy)} of the {len(now.ids):,} training labels are what the model would say had it never "
            f"seen that one {study.data.kind} (leave-one-out accuracy, {named}; as of the last ranking)."
        )


def _base(study: Study, now: Review, found: Judged) -> str:
    """Of how many test examples the accuracy is, and by which labels."""
    kind = study.data.kind
    of = (
        f"the {found.tests:,} test {kind}s that rank nothing"
        if now.method in ASKING
        else f"all {found.tests:,} test {kind}s"
    )
    words = f"Of {of}; *Before and after* leaves out the one that you ask about there."
    if found.corrected:
        several = "s" * (found.corrected != 1)
        words += (
            f" {found.corrected:,} of them by the label{several} that you set right: the line below has its ends alone then, and "
            "the evidence beside a suspect goes by them too, the queues by harm and gain by the labels as they came."
        )
    return words


def _train_behind(study: Study, now: Review) -> None:
    """Training on the new labels beside the page; the queue never waits for it."""
    last = now.trainings[-1]
    if now.up_to_date:
        st.caption(
            f"Trained on {last.relabelled:,} changed label{'' if last.relabelled == 1 else 's'}, {seconds(last.seconds)}.",
            help=f"{explained('gradient norm')}; here {three_digits(last.gradient_norm)}.",
        )
        return
    key, running = _key("review training", study, now), st.session_state.get("review_job")
    if running is not None and running.state == "running" and running.key != key:
        job_status(running)  # one training at a time; the next one knows all verdicts given meanwhile
        return
    job = st.session_state["review_job"] = _learn(key, "Training on the new labels", review.train, study, now)
    if job.state == "done":  # before an undo: the same labels again, but the training was taken back
        get_jobs().forget(key)
        st.rerun()
    job_status(job)


def _rank_again(study: Study, now: Review) -> None:
    """The rest of the queue by the model that knows the verdicts."""
    st.button(
        "Rank the rest again",
        key="review_rank",
        disabled=not any(one.finds_fault for one in now.verdicts),
        help="By the model that learnt from your verdicts. Takes as long as the first ranking.",
        on_click=lambda: st.session_state.update(review_ranking=len(now.verdicts)),
    )
    if st.session_state.get("review_ranking") != len(now.verdicts):
        return
    key = _key("review ranking", study, now)
    job = _learn(key, "Ranking the rest again", review.rank_again, study, now)
    if job.state == "done":
        get_jobs().forget(key)
        del st.session_state["review_ranking"]
        st.rerun()
    job_status(job)


def _key(name: str, study: Study, now: Review) -> str:
    return key_of(name, study, now.session, now.owner, now.labels, now.removed, len(now.verdicts))


def _learn(key: str, title: str, work: Callable[..., Review], study: Study, now: Review) -> Job[Review]:
    """Training or ranking beside the page; what it brings is adopted by the review as it is then."""
    store = results.get_store()

    def learn(progress: Progress) -> Review:
        done = work(study, now, context=results.context(progress))
        return reviews.learn(store, study, now.session, done, now.owner)

    return background(key, title, learn)
