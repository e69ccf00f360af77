"""The parts of the page on which a person reviews the suspects."""

from __future__ import annotations

from functools import partial

import streamlit as st

from influence_core.errors import DataError, InfluenceError
from influence_core.experiments import review, wrong_labels
from influence_core.experiments.review import Review, Suspect
from influence_core.experiments.wrong_labels import METHODS, Settings
from influence_core.figures.review import accuracy
from influence_core.progress import Progress
from influence_core.store.digest import digest
from influence_core.studies import Study
from influence_core.trust import Badge
from influence_core.words import percent, points, seconds, three_digits
from pages._common.cards import card_face, show_large
from pages._common.table import as_csv
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown
from pages._shell.jobs import background, get_jobs, job_status

WHY = (
    "Suspects are ranked in logistic and softmax regressions, where the self-influence of every label is exact. "
    "Choose one of these studies."
)
SCORES = {"self-influence": "exact", "2017": "published", "loss": "loss", "random": "random"}
"""The scores by their names in the address."""
FIRST_NAME = "my review"
MOST_KEYS = 9
ROW_PIXELS = 35
LAST = 8
"""Verdicts in the table."""

TRUST = Badge(
    "amber",
    "A ranking says where to look first, not what is wrong: that is for you to see. How many wrong labels such rankings "
    "find is measured on the page Wrong labels.",
)
"""Of every queue, because nobody knows the true labels."""


def check(view: View) -> None:
    """Raise `DataError` where the address asks for a review that there cannot be."""
    if view.score not in SCORES:
        raise DataError(f"There is no score “{view.score[:40]}”; choose one of {', '.join(SCORES)}.")
    if view.panel not in ("", "practise"):
        raise DataError(f"The address asks for panel=“{view.panel[:40]}”, but it is practise or not there.")
    if view.review:
        review.check_session(view.review)
    _flips(view)


def _flips(view: View) -> Settings | None:
    """The labels to flip first, to practise on; ``None`` takes them as they are."""
    if not view.panel:
        return None
    if not (view.flip.isascii() and view.flip.isdigit() and 1 <= int(view.flip[:4]) <= 50):
        raise DataError(f"The share of flipped labels must be 1 to 50 per cent, but is “{view.flip[:40]}”.")
    return Settings(int(view.flip) / 100, repeats=1)


# ------------------------------------------------------------------------------------------------ beginning


def begin(study: Study, view: View) -> None:
    """Name a session and choose what is reviewed."""
    kind = study.data.kind
    st.markdown(
        f"The training {kind}s whose labels look wrong come one after the other, the most suspect first. Keep the label or "
        "change it, by a key or a click; the model learns from it, and every verdict is kept."
    )
    with st.container(border=True, key="review_begin"):
        st.session_state.setdefault("review_name", st.session_state.get("review_last", FIRST_NAME))
        st.text_input(
            "Name of the review (an earlier name goes on where it stopped)",
            key="review_name",
            max_chars=review.LONGEST_NAME,
        )
        practise = f"Practise: flip {view.flip} % of them first"
        _choice("panel", "Labels", {"": "As they are", "practise": practise}, view.panel)
        known = wrong_labels.methods_for(study)
        words = {name: METHODS[method] for name, method in SCORES.items() if method in known}
        _choice("score", "Most suspect first, by", words, view.score)
        st.button("Begin, or go on", key="review_start", type="primary", on_click=_open)


def _choice(field: str, label: str, words: dict[str, str], value: str) -> None:
    key = f"review_{field}"
    st.session_state[key] = value if value in words else next(iter(words))
    st.segmented_control(
        label,
        list(words),
        key=key,
        required=True,
        format_func=words.__getitem__,
        on_change=lambda: go_to(**{field: str(st.session_state[key])}),
    )


def _open() -> None:
    name = " ".join(st.session_state["review_name"].split()) or FIRST_NAME
    go_to(review=name)


def load(study: Study, view: View) -> Review:
    """The session as it was last kept, or a new one."""
    st.session_state["review_last"] = view.review
    store = results.get_store()
    found = review.recall(store, study, view.review)
    if found is not None:
        return found
    method, flips = SCORES[view.score], _flips(view)

    def work(progress: Progress) -> Review:
        begun = review.start(study, view.review, method, flips, store, progress)
        return review.recall(store, study, view.review) or review.save(store, study, begun)

    parts = (view.review, method, str(flips))
    return results.ask(study, "review", parts, f"Ranking the training {study.data.kind}s", work)


# --------------------------------------------------------------------------------------------- the suspect


def show_answer(study: Study, now: Review) -> None:
    """The page's question for the suspect on show, answered as far as the model can."""
    one = review.suspect(study, now)
    if one is None:
        st.success(f"All {len(now.ids):,} labels have a verdict. Download them on the right.")
        return
    names = _names(study)
    says = f"the model says **{names[one.answer]}** ({percent(one.probabilities[one.answer])})"
    if one.answer == one.label:
        says = f"the model agrees ({percent(one.probabilities[one.label])}), but it had to learn this one by heart"
    st.markdown(
        f"Suspect {one.rank:,} of {len(now.ids):,} is labelled **{names[one.label]}**; {says}. You decide."
    )


def _names(study: Study) -> list[str]:
    """The labels, which may be names of a person's folders or cells, as plain words."""
    return [escape_markdown(one) for one in study.data.class_names]


def show_suspect(study: Study, view: View, now: Review) -> None:
    """The example, large, with a button for every verdict."""
    one = review.suspect(study, now)
    if one is None:
        return
    names, kind = _names(study), study.data.kind
    with st.container(border=True, key="suspect"):
        st.markdown(f"##### Training {kind} {one.train_id}, labelled {names[one.label]}")
        _large(study, one)
    _buttons(study, view, one)
    st.caption(
        f"{METHODS[now.method].capitalize()}: {three_digits(one.score)}{'' if now.method != 'exact' else ' nats'}. "
        "The keys in the buttons work as long as no text field has the cursor."
    )


def _large(study: Study, one: Suspect) -> None:
    if study.data.kind == "e-mail":
        record = study.data.record(one.train_id)
        with st.container(height=380, border=False, key="suspect_text"):
            st.markdown(f"**{escape_markdown(record.get('subject', '')) or 'no subject'}**")
            st.text(record.get("text", "") or "no text")
        if record.get("file"):
            st.caption(escape_markdown(record["file"]))
        return
    if not study.data.pictured:
        record = study.data.record(one.train_id)
        height = min(ROW_PIXELS * (len(record) + 1) + 3, 420)
        columns = {"column": list(record), "value": list(record.values())}
        st.dataframe(columns, hide_index=True, height=height, width="stretch")
        return
    x = study.data.train.x[one.position].numpy()
    show_large(study, x, one.train_id, f"training {study.data.kind} {one.train_id}", 340)


def _buttons(study: Study, view: View, one: Suspect) -> None:
    """Keep, and one button for every other label; their keys name the suspect, so that no click meets another one."""
    names = _names(study)
    with st.container(horizontal=True, key="verdicts"):
        st.button(
            f"Keep {names[one.label]}",
            key=f"keep_{one.train_id}",
            type="primary",
            shortcut="K",
            on_click=_judge,
            args=(study, view.review, one.train_id, one.label),
        )
        others = [label for label in range(len(names)) if label != one.label]
        if len(names) <= MOST_KEYS + 1:
            for label in others:
                st.button(
                    f"It is {names[label]}",
                    key=f"relabel_{one.train_id}_{label}",
                    shortcut=_key_of(study.data.class_names, label),
                    on_click=_judge,
                    args=(study, view.review, one.train_id, label),
                )
        else:
            st.selectbox(
                "Another label",
                others,
                index=None,
                key=f"relabel_{one.train_id}",
                format_func=names.__getitem__,
                placeholder="It is …",
                label_visibility="collapsed",
                on_change=lambda: _judge(
                    study, view.review, one.train_id, st.session_state[f"relabel_{one.train_id}"]
                ),
            )


def _key_of(names: tuple[str, ...], label: int) -> str:
    """The key for a label: its name where that is one digit, else its place counted from 1."""
    digits = all(len(name) == 1 and name.isdigit() for name in names)
    return names[label] if digits else str((label + 1) % 10)


def _judge(study: Study, session: str, train_id: int, label: int | None) -> None:
    """A verdict on the suspect that was on show; a second press on the same one changes nothing."""
    if label is None:
        return

    def change(now: Review) -> Review:
        if any(one.train_id == train_id for one in now.verdicts):
            return now
        return review.relabel(now, train_id, label)

    _amend(study, session, change)


def _amend(study: Study, session: str, change: review.Change) -> None:
    try:
        review.amend(results.get_store(), study, session, change)
    except InfluenceError as error:
        st.session_state["review_trouble"] = str(error)


# ---------------------------------------------------------------------------------------------- how it goes


def show_progress(study: Study, view: View, now: Review) -> None:
    """How far the queue is, what it brought, undo and download."""
    trouble = st.session_state.pop("review_trouble", "")
    if trouble:
        st.error(escape_markdown(trouble))
    done = len(now.verdicts)
    share = f"{done:,} of {len(now.ids):,} labels reviewed"
    st.progress(done / len(now.ids), text=share)
    changed, better = st.columns(2)
    changed.metric("Labels changed", f"{now.relabelled:,}")
    first, last = now.trainings[0], now.trainings[-1]
    gain = points(last.accuracy - first.accuracy) if len(now.trainings) > 1 else None
    better.metric("Test accuracy", percent(last.accuracy), gain, delta_color="off", delta_arrow="off")
    if now.flips is not None:
        st.metric(
            "Flipped labels found and set right",
            f"{now.fixed:,} of {now.flipped:,}",
            help="Labels flipped on purpose, to practise on. Changing a label that was right makes it wrong.",
        )
    st.plotly_chart(accuracy(now), key="review_accuracy")
    with st.container(key="review_training", height=46, border=False):
        _train_behind(study, view, now)
    with st.container(horizontal=True, key="review_tools"):
        st.button(
            "Undo",
            key="review_undo",
            shortcut="U",
            disabled=not done,
            on_click=partial(_amend, study, view.review, review.undo),
        )
        _rank_again(study, view, now)
        st.download_button(
            "Verdicts (CSV)",
            lambda: as_csv(review.table(now, study.data.record)),
            file_name=f"verdicts-{study.spec.name}.csv",
            mime="text/csv",
            key="review_csv",
            on_click="ignore",
            disabled=not done,
        )


def _train_behind(study: Study, view: View, now: Review) -> None:
    """Training on the new labels beside the page; the queue never waits for it."""
    last = now.trainings[-1]
    if now.up_to_date:
        proof = f"gradient norm {three_digits(last.gradient_norm)}, {seconds(last.seconds)}"
        st.caption(
            f"Trained on {last.relabelled:,} changed label{'' if last.relabelled == 1 else 's'}: {proof}."
        )
        return
    store, session = results.get_store(), view.review

    def work(progress: Progress) -> Review:
        trained = review.train(study, now, progress=progress)
        return review.amend(store, study, session, lambda latest: review.adopt(latest, trained))

    key = digest("review training", study.key, session, now.labels, len(now.verdicts))
    running = st.session_state.get("review_job")
    if running is not None and running.state == "running" and running.key != key:
        job_status(running)  # one training at a time; the next one knows all verdicts given meanwhile
        return
    job = st.session_state["review_job"] = background(key, "Training on the new labels", work)
    if job.state == "done":  # before an undo: the same labels again, but the training was taken back
        get_jobs().forget(key)
        st.rerun()
    job_status(job)


def _rank_again(study: Study, view: View, now: Review) -> None:
    """The rest of the queue by the model that knows the verdicts."""
    st.button(
        "Rank the rest again",
        key="review_rank",
        disabled=not now.relabelled,
        help="By the model that learnt from your verdicts. Takes as long as the first ranking.",
        on_click=lambda: st.session_state.update(review_ranking=len(now.verdicts)),
    )
    if st.session_state.get("review_ranking") != len(now.verdicts):
        return
    store, session = results.get_store(), view.review

    def work(progress: Progress) -> Review:
        ranked = review.rank_again(study, now, progress)
        return review.amend(store, study, session, lambda latest: review.adopt(latest, ranked))

    key = digest("review ranking", study.key, session, now.labels, len(now.verdicts))
    job = background(key, "Ranking the rest again", work)
    if job.state == "done":
        get_jobs().forget(key)
        del st.session_state["review_ranking"]
        st.rerun()
    job_status(job)


def show_verdicts(study: Study, view: View, now: Review) -> None:
    """The last verdicts, and the way out."""
    if now.verdicts:
        st.markdown("**Your last verdicts**")
        last = now.verdicts[: -LAST - 1 : -1]
        names, kind = study.data.class_names, study.data.kind
        faces = [card_face(study, study.data.train, now.position(one.train_id)) for one in last]
        pictured = study.data.pictured
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
            column_config={
                kind: st.column_config.ImageColumn(width="small")
                if pictured
                else st.column_config.TextColumn(width="medium"),
                "training id": st.column_config.NumberColumn(format="%d"),
            },
        )
    st.button("Leave this review (it stays kept)", key="review_leave", on_click=lambda: go_to(review=""))


def show_origin(study: Study, now: Review) -> None:
    """What the ranking and the accuracy mean."""
    with st.container(border=True, key="provenance"):
        st.markdown("**Where these numbers come from**")
        practice = (
            f" {now.flipped:,} labels were flipped at the start, to practise on."
            if now.flips is not None
            else ""
        )
        st.caption(
            f"**Ranking.** {METHODS[now.method].capitalize()}: self-influence is the predicted rise of an example's own loss, in "
            "nats, if it were not there; labels that nothing else supports have most. No test example is used."
            f"{practice}  \n"
            f"**Accuracy.** On {len(study.data.test):,} test {study.data.kind}s as they are labelled; wrong labels "
            "among them are not looked for.  \n"
            f"**Kept.** Every verdict is written to the store of this machine under the name “{escape_markdown(now.session)}”, "
            "at once. The store forgets what was used longest ago when it is full: download what must last."
        )
