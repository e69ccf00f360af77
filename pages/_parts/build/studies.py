"""The study that is being trained, the way on when it is, and all that this browser built and sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.data.brought import asked, own, picture_uploads, recipes, uploads
from influence_core.errors import DataError, InfluenceError
from influence_core.studies import UPLOADED, Study, StudySpec, of_recipe
from influence_core.words import percent
from pages._parts.build import visit
from pages._shell import browser, my_changes, results
from pages._shell.address import DEFAULT_STUDY, View, go_to
from pages._shell.catalogue import DATA_HEALTH, EXPLAIN
from pages._shell.escape import code, escape_markdown
from pages._shell.places import without_places

WAYS_ON = (
    (EXPLAIN, "Explain what it says", ":material/arrow_forward:"),
    (DATA_HEALTH, "Look for wrong labels and copies", ":material/troubleshoot:"),
)
"""Where a study that was just built leads."""


def train(view: View) -> bool:
    """Whether a study of this visit is being trained; when it is trained, it is kept and opened."""
    fields = visit.building()
    if fields is None:
        return False
    st.button("Change the settings", key="build_back", on_click=visit.back_to_form)
    spec = StudySpec(name=recipes.name_of(fields, browser.owner()), **fields)
    study = results.load_spec(spec, view.device)
    words = (
        f"**{escape_markdown(spec.title)}** is trained on {len(study.data.train):,} {study.data.kind}s: "
        f"{percent(study.predictions.accuracy)} of {len(study.data.test):,} test {study.data.kind}s are right."
    )
    recipes.keep(results.get_store(), fields, browser.owner())
    visit.finish(spec.name, words, _doubts(study))
    go_to(study=spec.name)
    st.rerun()


def show_built(view: View) -> None:
    """The study that was just built, and the way to its explanation."""
    name, words, doubts = visit.built()
    if name and name == view.study:
        st.success(words)
        if doubts:
            st.warning(escape_markdown(doubts))
        with st.container(horizontal=True, key="ways_on"):
            for row, label, icon in WAYS_ON:
                st.page_link(
                    row.script, label=label, icon=icon, query_params={"study": name}, width="content"
                )


def _doubts(study: Study) -> str:
    """That the model answers no better than somebody who does not look, and what else speaks against it; or ""."""
    doubts = [*study.data.warnings, study.predictions.no_signal(study.data.class_names)]
    return " ".join(one for one in doubts if one)


def show_list(view: View) -> None:
    """All that this browser built and sent."""
    store, owner = results.get_store(), browser.owner()
    built, tables = recipes.recipes(store, owner), uploads.tables(store, owner)
    used = {one.fields.get("source") for one in built}
    zips = [one for one in picture_uploads.uploads(store, owner) if own.IN_ZIP + one.key not in used]
    st.header("Your studies")
    trouble = st.session_state.pop("build_trouble", "")
    if trouble:
        st.error(escape_markdown(trouble))
    pictures = asked.of(store, owner)
    if not (built or tables or zips or pictures):
        st.caption("None yet.")
        return
    st.caption(
        "They belong to this browser: only here are they listed, and only here can they be removed, with their files. "
        "Whoever has the link of a study can open it, on any browser."
    )
    for one in built:
        _row(
            one.name, one.title, _about(one), one.name, partial(recipes.remove, store, one.name, owner), view
        )
    for table in tables:
        name, remove = UPLOADED + table.key, partial(uploads.remove, store, table.key, owner)
        _row(name, table.title, f"an uploaded table, {table.n:,} rows to train on", name, remove, view)
    for sent in zips:
        remove = partial(picture_uploads.remove, store, sent.key, owner)
        opened = _row(sent.key, sent.title, "an uploaded zip without a study yet", "", remove, view)
        opened.button("Use", key=f"use_{sent.key}", on_click=visit.take_up, args=(sent,), width="stretch")
    if pictures:
        words = f"{len(pictures):,} picture{'s' * (len(pictures) != 1)} of your own"
        _row("asked", words, "asked about on Explain", "", partial(asked.remove, store, owner), view)


def _row(
    key: str, title: str, about: str, study: str, remove: Callable[[], None], view: View
) -> DeltaGenerator:
    """One line of the list, and the place in it where it is opened."""
    with st.container(border=True, key=f"own_{key}"):
        words, opened, removed = st.columns([4, 1, 1], vertical_alignment="center")
        words.markdown(f"**{escape_markdown(title)}**  \n{about}")
        if study:
            opened.page_link(EXPLAIN.script, label="Explain", query_params={"study": study})
        asked = removed.popover("Remove", key=f"ask_remove_{key}", width="stretch", on_change="rerun")
        with asked:
            more = _goes_with(study) if asked.open else ""
            st.caption(f"Removed from this machine at once, for good. {more}".strip())
            st.button(
                "Remove it", key=f"remove_{key}", type="primary", on_click=_remove, args=(remove, study, view)
            )
    return opened


def _goes_with(study: str) -> str:
    """What this browser said of a study, which goes when it is removed; "" where that is nothing."""
    said, versions = my_changes.count_said(study) if study else (0, 0)
    parts = [(said, "verdict or note", "verdicts and notes"), (versions, "saved version", "saved versions")]
    words = " and ".join(
        f"{count:,} {several if count > 1 else one}" for count, one, several in parts if count
    )
    return f"{words} {'go' if said + versions > 1 else 'goes'} with it." if words else ""


def _about(one: recipes.Recipe) -> str:
    """What it is made of, in one line."""
    try:
        spec = of_recipe(one)
    except DataError as error:
        return escape_markdown(str(error))
    sees = "words" if spec.data == own.TEXTS else spec.backbone or "pixels"
    return f"from {_where(spec.source)}, seen as {sees} :small[({spec.model} regression, l2 {spec.l2:g}, seed {spec.seed})]"


def _where(source: str) -> str:
    """Where the data of a study lie, in words."""
    if source.startswith(own.IN_ZIP):
        return "an uploaded zip"
    if source.startswith(own.IN_TORCHVISION):
        return f"torchvision's {source.removeprefix(own.IN_TORCHVISION)}"
    return f"the folder {code(without_places(source.removeprefix(own.IN_FOLDER)))}"


def _remove(remove: Callable[[], None], study: str, view: View) -> None:
    try:
        remove()
        if study:
            my_changes.forget(study)
    except InfluenceError as error:
        st.session_state["build_trouble"] = str(error)
        return
    visit.forget_zip_that_is_gone()
    if view.study == study:
        go_to(study=DEFAULT_STUDY)
