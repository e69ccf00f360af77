"""The study that is being trained, and the way on when it is."""

from __future__ import annotations

import streamlit as st

from influence_core.data.brought import recipes
from influence_core.studies import StudySpec
from influence_core.words import percent
from pages._parts.build import visit
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown


def show(view: View) -> bool:
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
    visit.finish(spec.name, words)
    go_to(study=spec.name)
    st.rerun()


def show_built(view: View) -> None:
    """The study that was just built, and the way to its explanation."""
    name, words = visit.built()
    if name and name == view.study:
        st.success(words)
        st.page_link(EXPLAIN.script, label="Explain what it says", icon="➡️", query_params={"study": name})
