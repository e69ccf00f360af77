"""How few training examples would have to go, or be relabelled, for the model to say something else."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments import flip, flip_curve, flip_sizes
from influence_core.experiments.explain import Explanation
from influence_core.experiments.flip_set import FlipSet, proof, sentence, table
from influence_core.figures.flip import flip_curve as draw_curve
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import judge
from pages._common.cards import show_grid, training_card
from pages._common.table import download_csv
from pages._shell import proving, results
from pages._shell.address import MAX_CHOSEN, View, choose_also
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown, escaped
from pages._shell.jobs import Job, JobManager, abandon, background, job_status
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import choice

PICTURES = 18
"""Members of a set that are shown; the download has all."""
TITLES = {False: "Taken out", True: "Relabelled"}


@st.cache_resource(show_spinner=False)
def get_line() -> JobManager:
    """Searches of a line of their own, so that nobody's question waits for them; one at a time for each visitor."""
    return JobManager(workers=2, each=1)


@st.cache_resource(show_spinner=False)
def _get_long_line() -> JobManager:
    """Searches for all mistakes, so that no single one waits for them."""
    return JobManager(workers=2, each=1)


def headline(study: Study, view: View, explanation: Explanation) -> None:
    """The sentence, and how far the search is; the page runs again when it has ended."""
    job = None if flip.supports(study.spec) else _search(study, explanation, None, False)
    if job is None:
        return
    if job.result is None:
        job_status(job)
    else:
        st.markdown(_found_sentence(explanation, job.result))


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The set as pictures, its size, the curve, and beside it what relabelling would take."""
    with st.container(border=True, key="flip"):
        st.header("How few would have to go?")
        reason = flip.supports(study.spec)
        if reason:
            st.caption(reason)
            return
        wanted = _choose_label(study, params, explanation)
        out, relabelled = st.columns(2, gap="large")
        with out:
            found = _one_way(study, explanation, wanted, False)
        with relabelled:
            _one_way(study, explanation, wanted, True)
        if found is not None and found.size and not found.forecast:
            _curve(study, explanation, found)
            _one_ranking(study, found, wanted)
        _sizes(study)


def _choose_label(study: Study, params: ExplainParams, explanation: Explanation) -> int | None:
    """The label it is to say; ``None`` for any other."""
    names = study.data.class_names
    titles = {"": "anything else"}
    titles |= {str(at): name for at, name in enumerate(names) if at != explanation.predicted_label}
    chosen = choice("to", params.to, "For it to say", titles, widget=st.selectbox)
    return int(chosen) if chosen else None


def _search(study: Study, explanation: Explanation, wanted: int | None, relabel: bool) -> Job[FlipSet] | None:
    """The search beside the page, where it may begin unasked or was asked for; those for another question are left."""
    asked = study, explanation.question.x, wanted, relabel
    key = flip.run.key(*asked)
    if not (_unasked(study) or st.session_state.get(_wish(key))):
        return None
    question = f"{study.key}/{explanation.x.tobytes().hex()}"
    before, begun = st.session_state.get("flip_searches", ("", set()))
    if before != question:
        for one in begun:
            abandon(one)
        begun = set()
    st.session_state["flip_searches"] = question, begun | {key}
    title = f"How few {explanation.examples} this answer hangs on is being looked for"
    return background(
        key, title, lambda progress: flip.run(*asked, context=results.context(progress)), get_line()
    )


def _unasked(study: Study) -> bool:
    """Whether the search may begin without having been asked for: it takes seconds once the exact solver is there."""
    return study.spec.is_smooth_linear and proving.allowed(study)


def _wish(key: str) -> str:
    return f"flip_{key}"


def _one_way(study: Study, explanation: Explanation, wanted: int | None, relabel: bool) -> FlipSet | None:
    """One set, or how far the search is, or the button that begins it."""
    st.markdown(f"##### {TITLES[relabel]}")
    key = flip.run.key(study, explanation.question.x, wanted, relabel)
    job = _search(study, explanation, wanted, relabel)
    if job is None:
        st.button(
            "Look for them",
            key=f"flip_begin_{'relabel' if relabel else 'out'}",
            on_click=lambda: st.session_state.update({_wish(key): True}),
        )
        return None
    if job.result is None:
        job_status(job, cancel=True)
        return None
    _set(study, explanation, job.result)
    return job.result


def _set(study: Study, explanation: Explanation, found: FlipSet) -> None:
    """The sentence, the pictures, the way to retraining and the download."""
    st.markdown(_found_sentence(explanation, found))
    way = "relabel" if found.relabel else "out"
    train, names = study.data.train, study.data.class_names
    cards = []
    for rank, one in enumerate(found.ids[:PICTURES]):
        lines = (f"as {names[int(found.labels[rank])]}",) if found.relabel else ()
        cards.append(training_card(study, train.position(int(one)), lines))
    show_grid(study, cards, key=f"flip_cards_{way}")
    if found.size > PICTURES:
        st.caption(f"The strongest {PICTURES} of {found.size:,}; the download has all.")
    with st.container(horizontal=True):
        if not found.relabel and found.size:
            some = "them" if found.size <= MAX_CHOSEN else f"the first {MAX_CHOSEN}"
            st.button(
                f"Choose {some}",
                key="flip_choose",
                help="For retraining, in the box at the end of the page.",
                on_click=lambda: choose_also(str(one) for one in found.ids),
            )
        _into_changes(study, found)
        given = train.y.numpy()[[train.position(int(one)) for one in found.ids]]
        download_csv(
            "The set (CSV)",
            f"flip-{study.spec.name}-{explanation.test_id}-{way}",
            lambda: table(found, given, names),
            key=f"flip_download_{way}",
        )
    st.caption(f"What it takes, not what is wrong: these {study.data.kind}s may all be right. {proof(found)}")


def _into_changes(study: Study, found: FlipSet) -> None:
    """The whole set into the list of changes."""
    if found.size and found.relabel:
        judge.relabel_all(
            study, dict(zip(found.ids.tolist(), found.labels.tolist(), strict=True)), "flip_relabel_all"
        )
    elif found.size:
        judge.remove_all(study, found.ids.tolist(), "flip_remove_all")


def _found_sentence(explanation: Explanation, found: FlipSet) -> str:
    return sentence(found, explanation, escaped(explanation.class_names), "**")


def _curve(study: Study, explanation: Explanation, found: FlipSet) -> None:
    """The probabilities while they go."""
    work = flip_curve.run
    job = background(
        work.key(study, found),
        "Training along the way",
        lambda progress: work(study, found, context=results.context(progress)),
        get_line(),
    )
    if job.result is None:
        job_status(job, cancel=True)
        return
    show_chart(draw_curve(job.result, study.data.class_names, found.said, found.says), key="flip_curve")
    says = escape_markdown(study.data.class_names[found.says])
    st.caption(
        f"Each point is a model trained again without so many of them. At the end “{says}” has "
        f"{percent(float(found.after[found.says]))}."
    )


def _one_ranking(study: Study, found: FlipSet, wanted: int | None) -> None:
    """How many a single ranking would have taken, where that is asked."""
    folded = st.expander("How many would one ranking take?", key="flip_one_ranking", on_change="rerun")
    if folded.open:
        with folded:
            work = flip_curve.by_one_ranking
            job = background(
                work.key(study, found, wanted),
                "Taking one ranking's first",
                lambda progress: work(study, found, wanted, context=results.context(progress)),
                get_line(),
            )
            if job.result is None:
                job_status(job, cancel=True)
                return
            size, kind = job.result.size, study.data.kind
            st.markdown(
                f"Taken in the order of one ranking at the trained model, it would take **{size:,}** {kind}s, not {found.size:,}."
                if size
                else f"Taken in the order of one ranking, all {kind}s that pull would not be enough."
            )


def _sizes(study: Study) -> None:
    """All mistakes by how few each hangs on: a job over them, which goes on where it was stopped."""
    folded = st.expander("Sort the mistakes by how few it takes", key="flip_sizes", on_change="rerun")
    if folded.open:
        with folded:
            _sizes_table(study, folded)


def _sizes_table(study: Study, at: DeltaGenerator) -> None:
    known = study.predictions
    ids = known.ids[known.misclassified()].tolist()
    key = flip_sizes.run.key(study, ids)
    if not ids:
        st.caption("The model makes no mistake.")
        return
    if not st.session_state.get(_wish(key)):
        at.button(
            f"Search for all {len(ids):,} mistakes",
            key="flip_sizes_begin",
            on_click=lambda: st.session_state.update({_wish(key): True}),
            help="A few seconds each; it can be stopped and goes on where it was.",
        )
        return
    job = background(
        key,
        f"Flipping {len(ids):,} mistakes",
        lambda progress: flip_sizes.run(study, ids, context=results.context(progress)),
        _get_long_line(),
    )
    if job.result is None:
        job_status(job, cancel=True)
        return
    found, names = job.result, study.data.class_names
    st.dataframe(flip_sizes.table(found, names), hide_index=True, key="flip_sizes_table")
    download_csv(
        "All of them (CSV)",
        f"flips-{study.spec.name}",
        lambda: flip_sizes.table(found, names),
        key="flip_sizes_csv",
    )
