"""The review that is open: named and started, or taken up where it stopped; every change of it is kept at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from influence_core.errors import InfluenceError
from influence_core.experiments import review, suspects
from influence_core.experiments.review import Review, Verdict
from influence_core.experiments.suspects import ASKING, QUEUES
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.sessions import Said, Session, reviews
from influence_core.studies import Study, readiness
from influence_core.studies.changes import settled
from pages._common import footer
from pages._common.table import face_column, faces, number
from pages._parts.review import people, words
from pages._shell import browser, my_changes, results
from pages._shell.address import View, came_along, go_to
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
        people.ask_name(study)
        labels = {"": "As they are", "practise": f"Practise: flip {params.flip} % of them first"}
        choice("panel", params.panel, "Labels", labels, key="review_panel")
        known = suspects.queues_for(study)
        ways = {name: method for name, method in params.METHODS.items() if method in known}
        scores = {name: words.PLAIN[method] for name, method in ways.items()}
        meant = "\n\n".join(map(words.term, ways.values()))
        first = params.score or suspects.first_queue(study)
        choice("score", first, "Most suspect first, by", scores, key="review_score", help=meant)
        st.button("Start or resume", key="review_start", type="primary", on_click=_open)


def _open() -> None:
    name = " ".join(st.session_state["review_name"].split()) or FIRST_REVIEW
    people.name_reviewer()
    go_to(review=name)


def find(view: View, params: ReviewParams) -> tuple[Study, ReviewParams, Review | None]:
    """The study whose labels are reviewed, and the review as it was last kept, if there is one.

    A version's own review comes first; else a review of the original goes on where the model with changes is chosen. One that
    came along from another version and that neither has is not begun: it is no longer asked for.
    """
    for one in _where(view) if params.review else ():
        study = results.load_study(one)
        kept = reviews.recall(results.get_store(), study, params.review, _whose(study, params))
        if kept is not None:
            if one is not view:
                st.caption(
                    "The review goes on as it was: from the original labels, with a model that learns from your verdicts."
                )
            return study, params, kept
    if params.review and came_along():
        go_to(review="")
        params = replace(params, review="", by="")
    return results.load_study(view), params, None


def _where(view: View) -> tuple[View, ...]:
    """Where its review may be, the likelier first: a version that was never opened has none, and need not be trained."""
    original = replace(view, study=view.spec.unchanged.address)
    if not settled(view.spec.changes):
        return (view,)
    return (view, original) if readiness.is_kept(view.spec, results.get_store()) else (original, view)


def _whose(study: Study, params: ReviewParams) -> str:
    return params.by or my_changes.secret_of_review(study.spec.name, params.review)


def load(study: Study, params: ReviewParams, kept: Review | None) -> Review:
    """The review as it was last kept, or a new one."""
    name = st.session_state["review_last"] = params.review
    whose = _whose(study, params)
    mine = whose == my_changes.secret_of_review(study.spec.name, name)
    method = params.METHODS[params.score] if params.score else suspects.first_queue(study)
    flips = FlipSettings(params.flip / 100, repeats=1) if params.panel else None
    title = f"Ranking the training {study.data.kind}s"
    if kept is None:
        _offer_old(study, name, whose)
        begun = study, name, method, flips, whose, _owner_of_list(whose, mine and flips is None)
        results.load(title, reviews.resume, *begun)
        get_jobs().forget(reviews.resume.key(*begun))  # the disk alone knows what it is now
    elif kept.listed is None:
        _take_in(study, kept, whose, mine)
    if mine:
        attempt(my_changes.sign, study.spec)
    return kept if kept is not None and kept.listed is not None else _recalled(study, name, whose)


def _recalled(study: Study, name: str, whose: str) -> Review:
    found = reviews.recall(results.get_store(), study, name, whose)
    assert found is not None, "it was kept a moment ago"
    return found


def _owner_of_list(whose: str, in_my_changes: bool) -> str:
    """The list with the verdicts is *My changes*, but for labels flipped to practise on, and for a stranger's review."""
    return browser.owner() if in_my_changes else whose


def _take_in(study: Study, old: Review, whose: str, mine: bool) -> None:
    """The verdicts of a review that an earlier version kept in a file come into the list, once."""
    listed = _owner_of_list(whose, mine and old.flips is None)
    reviews.take_in(results.get_store(), study, old, whose, listed, partial(_begin, study, listed))


def _begin(study: Study, listed: str) -> Session:
    """The list of an owner, begun as every page begins it where it is this browser's."""
    if listed == browser.owner():
        return my_changes.begin(study.spec, study.data.class_names)
    return reviews.begin_list(results.get_store(), study, listed)


def _offer_old(study: Study, name: str, whose: str) -> None:
    """Where an earlier version kept a review of this name, which was everybody's, ask before it is anybody's."""
    old = reviews.recall(results.get_store(), study, name)
    if old is None or old.listed is not None:
        return
    done = len(old.verdicts)
    st.info(
        f"A review “{escape_markdown(name)}” with {done:,} verdict{'' if done == 1 else 's'} was kept on this machine before "
        "reviews belonged to a browser. Is it yours?"
    )
    with st.container(horizontal=True):
        st.button(
            "Take it over", key="review_take_over", on_click=attempt, args=(_take_in, study, old, whose, True)
        )
        st.button("Choose another name", key="review_rename", on_click=lambda: go_to(review=""))
    st.stop()


def record(study: Study, shown: Review, *said: Said) -> None:
    """Keep what is said of training examples, at once and in one step; the page goes on to the next suspect."""
    begin = partial(_begin, study, shown.listed or "")
    named = my_changes.signed(said, people.GUEST if people.is_guest(shown) else "")
    _amend(study, partial(reviews.judge, results.get_store(), study, shown, named, begin))
    if any(str(one) != "note" for one in said):
        go_to(open="")


def move(study: Study, shown: Review, way: int) -> None:
    """Undo or redo a step of the list."""
    _amend(study, partial(reviews.move, results.get_store(), shown, way))


def _amend(study: Study, work: Callable[[], None]) -> None:
    """Change the list; the address goes along where it names the model with its changes, and not what is reviewed."""
    listed = my_changes.readable(study.spec)
    if listed is None or settled(study.spec.changes):
        attempt(work)
    else:
        my_changes.amend(listed, work)


def attempt(work: Callable[..., object], *asked: object) -> None:
    """Do it; where that fails, the page says so."""
    try:
        work(*asked)
    except InfluenceError as error:
        st.session_state["review_trouble"] = str(error)


def end(study: Study, now: Review) -> None:
    """The last verdicts, and the way out."""
    if now.verdicts:
        st.markdown("**The last verdicts**")
        _table(study, now)
    st.button("Leave this review (it stays kept)", key="review_leave", on_click=lambda: go_to(review=""))
    _share(study, now)


def _share(study: Study, now: Review) -> None:
    """The link for those who shall go on with this review."""
    with st.expander("Review together"):
        st.caption(
            "This review belongs to the browser that began it. Whoever opens it by this link sees it, gives verdicts in it and "
            "takes them back; nobody else does. They stand in *My changes* of that browser, each with the name of who gave it; "
            "*Undo* takes back the last step of that list. "
            "For a second opinion begin a review under another name and share that one."
        )
        query = {"study": study.spec.name, "review": now.session, "by": now.owner}
        st.code(
            f"{(st.context.url or '').partition('?')[0]}?{urlencode(query)}", language=None, wrap_lines=True
        )


def _table(study: Study, now: Review) -> None:
    last = now.verdicts[: -SHOWN - 1 : -1]
    names = study.data.class_names
    several = people.is_guest(now) or len({one.who for one in now.verdicts}) > 1
    st.dataframe(
        faces(study, [one.train_id for one in last])
        | {
            "training id": [one.train_id for one in last],
            "verdict": [in_words(one, names) for one in last],
            "time": [one.time for one in last],
        }
        | ({"who": [one.who for one in last]} if several else {}),
        hide_index=True,
        column_config=face_column(study) | {"training id": number(format="%d")},
    )


def in_words(one: Verdict, names: Sequence[str]) -> str:
    """What was said of an example."""
    if one.relabels:
        return f"{names[one.old]} → {names[one.new]}"
    return {"remove": "remove", "unsure": "unsure"}.get(one.kind, f"keep {names[one.old]}")


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
        f"**Accuracy.** On {judging}, by their labels, of which a wrong one is set right beside its question, on *Explain*.  \n"
        f"**Kept.** {_kept(now)}",
    )


def _kept(now: Review) -> str:
    """Where the verdicts are."""
    kept = (
        "Every verdict is written to the disk of the machine that runs this app before the next suspect is shown, under the name "
        f"“{escape_markdown(now.session)}”. It belongs to this browser: under the same name, others have reviews of their own."
    )
    if now.flips is None:
        return f"{kept} It is a line of *My changes*, too, with which every page can show the model."
    return f"{kept} Labels flipped to practise on are not in *My changes*."


def _ranking(study: Study, now: Review) -> str:
    """What the queue goes by."""
    if now.method == "copies":
        return (
            "how many of its copies, in training and test set, bear another label, then how many copies there are; found as on "
            "*Data health*. The model has no part in it."
        )
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
