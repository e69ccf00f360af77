"""Everything against everything, for pages: what a whole table of the study says, and the way to one, made beside the page."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import study_table
from influence_core.experiments.explanation import Number
from influence_core.experiments.study_table import NUMBERS, Overview
from influence_core.progress import Progress
from influence_core.studies import Study
from influence_core.words import about, storage
from pages._shell import browser, results
from pages._shell.jobs import Job, background, job_status
from pages._shell.proving import feasible, get_line

TITLE = "Making the whole table"


def known(study: Study, *numbers: Number) -> Overview | None:
    """What a whole table says, by the best of these numbers of which there is one; ``None`` where there is none.

    A table that the command line made is read, which takes a moment; nothing is made.
    """
    if study_table.supports(study.spec):
        return None
    context = results.context()
    made = (one for one in numbers or NUMBERS if study_table.is_made(study, one, context=context))
    best = next(made, None)
    return None if best is None else results.load("Reading the whole table", study_table.run, study, best)


def offer(study: Study, wish: str, key: str) -> None:
    """A button that has the table made, with what it takes; nothing where there is one."""
    if study_table.supports(study.spec) or not feasible(study) or known(study, "influence"):
        return
    if _job(study):
        st.caption(f"The whole table is being made; how far it is stands under the test {study.data.kind}s.")
        return
    told = study_table.expected(study, context=results.context())
    st.button(
        f"{wish} ({about(told.seconds)}, {storage(told.disk)} on disk)",
        key=key,
        on_click=lambda: st.session_state.update({_asked(study): True}),
        help=f"Makes the whole table: the influence of every training {study.data.kind} on the answer to every test "
        f"{study.data.kind}. It holds {storage(told.memory)} of numbers at a time, can be stopped, and goes on where it was.",
    )


def status(study: Study) -> None:
    """How far the table is that this visitor had begun."""
    job = _job(study)
    if job is not None:
        job_status(job, cancel=True)


def _asked(study: Study) -> str:
    return f"whole_table_{study_table.run.key(study)}"


def _job(study: Study) -> Job[Overview] | None:
    """The table in the making, if this visitor has asked for it, in this page or in one that was open before."""
    key = study_table.run.key(study)
    if not (st.session_state.get(_asked(study)) or get_line().waits(key, browser.owner())):
        return None

    def work(progress: Progress) -> Overview:
        def which_part(fraction: float, message: str) -> None:
            progress(fraction, message.partition(",")[0])  # the page says itself how much time is left

        return study_table.run(study, context=results.context(which_part))

    job = background(key, TITLE, work, get_line())
    return None if job.state == "done" else job
