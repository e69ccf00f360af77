"""The study that is being trained, the way on when it is, and all that were built on this server."""

from __future__ import annotations

import streamlit as st

from influence_core.data.brought import own, recipes
from influence_core.errors import DataError
from influence_core.studies import Study, StudySpec, of_recipe
from influence_core.words import percent
from pages._parts.build import visit
from pages._shell import results
from pages._shell.address import DEFAULT_STUDY, View, go_to
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import code, escape_markdown


def train(view: View) -> bool:
    """Whether a study of this visit is being trained; when it is trained, it is kept and opened."""
    fields = visit.building()
    if fields is None:
        return False
    st.button("Change the settings", key="build_back", on_click=visit.back_to_form)
    spec = StudySpec(name=recipes.name_of(fields), **fields)
    study = results.load_spec(spec, view.device)
    words = (
        f"**{escape_markdown(spec.title)}** is trained on {len(study.data.train):,} {study.data.kind}s: "
        f"{percent(study.predictions.accuracy)} of {len(study.data.test):,} test {study.data.kind}s are right."
    )
    recipes.keep(results.get_store(), fields)
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
        st.page_link(EXPLAIN.script, label="Explain what it says", icon="➡️", query_params={"study": name})


def _doubts(study: Study) -> str:
    """That the model answers no better than somebody who does not look, and what else speaks against it; or ""."""
    doubts = [*study.data.warnings, study.predictions.no_signal(study.data.class_names)]
    return " ".join(one for one in doubts if one)


def show_list(view: View) -> None:
    """All own studies of this server."""
    listed = recipes.recipes(results.get_store())
    st.subheader("Studies that were built here")
    if not listed:
        st.caption("None yet.")
        return
    st.caption("Everybody who uses this server sees them, in the list of studies on the left.")
    for one in listed:
        _row(one, view)


def _row(one: recipes.Recipe, view: View) -> None:
    with st.container(border=True, key=f"own_{one.name}"):
        words, opened, removed = st.columns([4, 1, 1], vertical_alignment="center")
        words.markdown(f"**{escape_markdown(one.title)}**  \n{_about(one)}")
        opened.page_link(EXPLAIN.script, label="Explain", query_params={"study": one.name})
        removed.button(
            "Remove", key=f"remove_{one.name}", on_click=_remove, args=(one.name, view), width="stretch"
        )


def _about(one: recipes.Recipe) -> str:
    """What it is made of, in one line."""
    try:
        spec = of_recipe(one)
    except DataError as error:
        return escape_markdown(str(error))
    path = spec.source.removeprefix(own.IN_FOLDER)
    where = "an uploaded zip" if spec.source.startswith(own.IN_ZIP) else f"the folder {code(path)}"
    sees = "words" if spec.data == own.TEXTS else spec.backbone or "pixels"
    return f"{sees}, {spec.model} regression, l2 {spec.l2:g}, seed {spec.seed}, from {where}"


def _remove(name: str, view: View) -> None:
    recipes.remove(results.get_store(), name)
    if view.study == name:
        go_to(study=DEFAULT_STUDY)
