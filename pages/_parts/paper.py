"""The paper's figures, one row each: what the paper says, what comes out here, and the figure itself."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from influence_core import data
from influence_core.figures.paper import as_texts, from_texts
from influence_core.progress import Progress
from influence_core.reproduce import FIGURES, Figure, reproduced
from influence_core.reproduce.reproduced import Reproduced
from influence_core.words import about, seconds
from pages._common import footer
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.catalogue import PAGES, PAPER
from pages._shell.charts import show_chart
from pages._shell.jobs import Job, background, get_jobs, job_status
from pages._shell.own_params import PaperParams
from pages._shell.places import data_folder
from pages._shell.widgets import choice

DATA = {"": "The data that ship with the app", "paper": "The paper's data"}


def kept(params: PaperParams) -> dict[str, Reproduced]:
    """The figures that have been computed, by name: from memory or the store, never anew."""
    found = {name: _kept(figure, _original(params, figure)) for name, figure in FIGURES.items()}
    return {name: one for name, one in found.items() if one is not None}


def show_answer(found: Mapping[str, Reproduced]) -> None:
    """How many figures come out, as far as they have been computed."""
    short = sum(one.short > 0 for one in found.values())
    match len(found), short:
        case 0, _:
            words = "**No figure has been computed here yet.**"
        case 1, 0:
            words = "**The one figure computed here comes out as the paper has it.**"
        case all_, 0:
            words = f"**All {all_} figures computed here come out as the paper has them.**"
        case all_, _:
            words = f"**{all_ - short} of the {all_} figures computed here come out as the paper has them.**"
    left = len(FIGURES) - len(found)
    rest = f" {left} are left: each is computed at the press of its button, and kept." if left else ""
    st.markdown(f"{words}{rest}")


def choose_data(params: PaperParams) -> None:
    """The paper's data, where any are on this machine."""
    if any(_at_hand(figure) for figure in FIGURES.values()):
        choice("data", params.data, "Computed on", DATA, key="paper_data")


def show(view: View, params: PaperParams, figure: Figure, found: Reproduced | None) -> None:
    """A figure's row, and below it the figure where it is open."""
    original = _original(params, figure)
    opened = params.figure == figure.name
    with st.container(border=True, key=f"row_{figure.name}"):
        words, act = st.columns([5, 2.2], vertical_alignment="center", gap="medium")
        with words:
            st.markdown(f"**{figure.title}**  \n{figure.claim}")
            if found is not None:
                _beside(found)
        with act:
            job = _work(view, figure, original) if found is None and opened and params.retrain else None
            _button(figure, original, found, opened, job)
        if job is not None:
            if job.state == "done":  # since this run of the page began
                st.rerun()
            job_status(job, cancel=True)
        if found is not None and opened:
            _show_figure(figure, found)


def show_pages(view: View) -> None:
    """The pages that ask the same of any study."""
    st.header("Ask the same of your own data")
    with st.container(horizontal=True):
        for row in PAGES:
            if row.section and row is not PAPER:
                st.page_link(
                    row.script, label=f"{row.title} ({row.section})", query_params=view.query("study")
                )


def _beside(found: Reproduced) -> None:
    """The paper's number beside ours, and what was measured."""
    one = found.headline
    mark = {"ok": " ✓", "falls short": " ✗"}.get(one.verdict, "")
    more = f" {found.short} numbers of this figure fall short." if found.short else ""
    st.markdown(f"The paper: **{one.paper}** · here: **{one.here}{mark}** ({one.name}).{more}")


def _original(params: PaperParams, figure: Figure) -> bool:
    return params.data == "paper" and _at_hand(figure)


def _at_hand(figure: Figure) -> bool:
    """Whether the paper's data are published, and in the data folder."""
    folder = data_folder()
    downloads = [data.CATALOGUE[spec.data].download for spec in figure.specs(original=True)]
    return bool(downloads) and all(one is not None and not one.missing(folder) for one in downloads)


def _kept(figure: Figure, original: bool) -> Reproduced | None:
    done = get_jobs().result(_key(figure, original))
    return done or reproduced.run.recall(figure, original, draw=as_texts, context=results.context())


def _key(figure: Figure, original: bool) -> str:
    return reproduced.run.key(figure, original, draw=as_texts)


def _work(view: View, figure: Figure, original: bool) -> Job[Reproduced]:
    def work(progress: Progress) -> Reproduced:
        context = results.context(progress)
        return reproduced.run(
            figure, original, draw=as_texts, folder=data_folder(), device=view.device, context=context
        )

    return background(_key(figure, original), f"Computing {figure.title}", work)


def _button(
    figure: Figure, original: bool, found: Reproduced | None, opened: bool, job: Job[Reproduced] | None
) -> None:
    """Show it, hide it, or compute it, with what that takes."""
    name = figure.name
    if found is not None:
        label = "Hide" if opened else "Show"
        to = "" if opened else name
        st.button(label, key=f"open_{name}", width="stretch", on_click=lambda: go_to(figure=to))
    elif job is None:
        label = "Compute (long)" if original else f"Compute ({about(figure.seconds)})"
        st.button(
            label,
            key=f"compute_{name}",
            width="stretch",
            on_click=lambda: go_to(figure=name, retrain="1"),
            help="You get the figure and every number of it beside the paper's. It can be stopped, and is kept. On the "
            "paper's data it takes much longer than on those that ship.",
        )


def _show_figure(figure: Figure, found: Reproduced) -> None:
    """The drawings, every number beside the paper's, and what they were made of."""
    for name, drawing in from_texts(found.drawings).items():
        show_chart(drawing, key=f"drawing_{name}")
    rows = [
        {
            "what": one.name,
            "the paper": one.paper,
            "here": one.here,
            "required": one.required,
            "": one.verdict,
        }
        for one in found.lines
    ]
    st.dataframe(rows, key=f"numbers_{figure.name}", hide_index=True)
    setting = found.setting
    facts = "; ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in setting.items()
        if name not in ("data", "stand_in")
    )
    footer.show_origin(
        setting["stand_in"],
        f"{setting['data']}; {setting['solver']}, {setting['tolerance']}.",
        f"**Data.** {setting['data']}.  \n**Setting.** {facts}.  \n**Time.** {seconds(found.seconds)}.",
        key=f"origin_{figure.name}",
    )
