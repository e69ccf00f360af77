"""The review that is open: named and started, or taken up where it stopped; every change of it is kept at once."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from influence_core.errors import InfluenceError
from influence_core.experiments import review, suspects
from influence_core.experiments.review import Review
from influence_core.experiments.suspects import ASKING, QUEUES
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.sessions.reviews import changes_of
from influence_core.studies import Study
from pages._common import footer
from pages._common.cards import card_face
from pages._common.table import face_column, number
from pages._shell import my_changes, results
from pages._shell.address import go_to
from pages._shell.escape import escape_markdown
from pages._shell.jobs import get_jobs
from pages._shell.my_changes import FIRST_REVIEW
from pages._shell.own_params import ReviewParams
from pages._shell.widgets import choice

SHOWN = 8
"""Verdicts in the table."""


def begin(study: Study, params: ReviewParams) -> None:
    """Name a session and choose what is reviewed."""
    kind = study.data.kind
    st.markdown(
        f"The training {kind}s whose labels look wrong come one after the other, the most suspect first. Keep the label or "
        "change it, by a key or a click; the model learns from it, and every verdict is kept."
    )
    with st.container(border=True, key="review_begin"):
        st.session_state.setdefault("review_name", st.session_state.get("review_last", FIRST_REVIEW))
        st.text_input(
            "Name of the review (an earlier name goes on where it stopped)",
            key="review_name",
            max_chars=review.LONGEST_NAME,
        )
        labels = {"": "As they are", "practise": f"Practise: flip {params.flip} % of them first"}
        choice("panel", params.panel, "Labels", labels, key="review_panel")
        known = suspects.queues_for(study)
        scores = {name: QUEUES[method] for name, method in params.METHODS.items() if method in known}
        choice("score", params.score, "Most suspect first, by", scores, key="review_score")
        st.button("Start or resume", key="review_start", type="primary", on_click=_open)


def _open() -> None:
    name = " ".join(st.session_state["review_name"].split()) or FIRST_REVIEW
    go_to(review=name)


def load(study: Study, params: ReviewParams) -> Review:
    """The session as it was last kept, or a new one."""
    name = st.session_state["review_last"] = params.review
    store, whose = results.get_store(), params.by or my_changes.secret_of_review(study.spec.name, name)
    method = params.METHODS[params.score]
    flips = FlipSettings(params.flip / 100, repeats=1) if params.panel else None
    title = f"Ranking the training {study.data.kind}s"
    kept = review.recall(store, study, name, whose)
    if kept is None:
        _offer_old(study, name, whose)
        kept = results.load(title, review.resume, study, name, method, flips, whose)
        get_jobs().forget(
            review.resume.key(study, name, method, flips, whose)
        )  # the disk alone knows what it is now
    return kept


def _offer_old(study: Study, name: str, whose: str) -> None:
    """Where an earlier version kept a review of this name, which was everybody's, ask before it is anybody's."""
    old = review.recall(results.get_store(), study, name)
    if old is None:
        return
    done = len(old.verdicts)
    st.info(
        f"A review “{escape_markdown(name)}” with {done:,} verdict{'' if done == 1 else 's'} was kept on this machine before "
        "reviews belonged to a browser. Is it yours?"
    )
    with st.container(horizontal=True):
        st.button(
            "Take it over",
            key="review_take_over",
            on_click=review.take_over,
            args=(results.get_store(), study, name, whose),
        )
        st.button("Choose another name", key="review_rename", on_click=lambda: go_to(review=""))
    st.stop()


def amend(study: Study, shown: Review, change: review.Change) -> None:
    """Change the kept review; where that fails, the page says so."""
    try:
        review.amend(results.get_store(), study, shown.session, change, shown.owner, shown)
    except InfluenceError as error:
        st.session_state["review_trouble"] = str(error)


def end(study: Study, now: Review) -> None:
    """The last verdicts, and the way out."""
    if now.verdicts:
        st.markdown("**Your last verdicts**")
        _table(study, now)
        _into_changes(study, now)
    st.button("Leave this review (it stays kept)", key="review_leave", on_click=lambda: go_to(review=""))
    _share(study, now)


def _into_changes(study: Study, now: Review) -> None:
    """The way to the model that learnt from these verdicts, on every page: those that are not in the list yet."""
    said = my_changes.state(study.spec).verdicts
    new = [one for one in changes_of(now) if said.get(one.example) != one]
    if new:
        st.button(
            f"Take {len(new):,} verdict{'s' * (len(new) != 1)} into My changes",
            key="review_into_changes",
            help="In one step, which can be undone. From then on every page can show the model with them.",
            on_click=my_changes.record,
            args=(study.spec, study.data.class_names, *new),
        )


def _share(study: Study, now: Review) -> None:
    """The link for those who shall go on with this review."""
    with st.expander("Review together"):
        st.caption(
            "This review belongs to the browser that began it. Whoever opens it by this link sees it, gives verdicts in it and "
            "takes them back; nobody else does."
        )
        query = {"study": study.spec.name, "review": now.session, "by": now.owner}
        st.code(
            f"{(st.context.url or '').partition('?')[0]}?{urlencode(query)}", language=None, wrap_lines=True
        )


def _table(study: Study, now: Review) -> None:
    last = now.verdicts[: -SHOWN - 1 : -1]
    names, kind = study.data.class_names, study.data.kind
    faces = [card_face(study, study.data.train, now.position(one.train_id)) for one in last]
    st.dataframe(
        {
            kind: [one["src"] or one["snippet"].replace("\n", " · ") for one in faces],
            "training id": [one.train_id for one in last],
            "verdict": [
                f"{names[one.old]} → {names[one.new]}" if one.relabels else f"keep {names[one.old]}"
                for one in last
            ],
            "time": [one.time for one in last],
        },
        hide_index=True,
        column_config=face_column(study) | {"training id": number(format="%d")},
    )


def show_origin(study: Study, now: Review) -> None:
    """What the ranking and the accuracy mean."""
    practice = (
        f" {now.flipped:,} labels were flipped at the start, to practise on." if now.flips is not None else ""
    )
    tests, kind = len(study.data.test), f"test {study.data.kind}s"
    judging = f"the {tests // 2:,} {kind} that rank nothing" if now.method in ASKING else f"{tests:,} {kind}"
    footer.show_origin(
        study.data.stand_in,
        f"Ranked by {QUEUES[now.method]}; accuracy on {judging}.",
        f"**Ranking.** {QUEUES[now.method].capitalize()}: {_ranking(study, now)}{practice}  \n"
        f"**Accuracy.** On {judging}, as they are labelled; wrong labels among them are not looked for.  \n"
        "**Kept.** Every verdict is written to the disk of the machine that runs this app at once, under the name "
        f"“{escape_markdown(now.session)}”, and stays there. It belongs to this browser: under the same name, others have "
        "reviews of their own.",
    )


def _ranking(study: Study, now: Review) -> str:
    """What the queue goes by."""
    if now.method in ASKING:
        return (
            f"every other test {study.data.kind} was asked, {(len(study.data.test) + 1) // 2:,} in all. Harm is by how much "
            "their mean loss falls without the example; the expected gain is by how much the mean probability of their true "
            "labels rises with its most likely other label, times how likely that label is to the model without the example."
        )
    return (
        "self-influence is the predicted rise of an example's own loss, in nats, if it were not there; the leave-one-out loss is "
        "that loss itself, when the model has never seen the example. Labels that nothing else supports have most. No test "
        "example is used."
    )
