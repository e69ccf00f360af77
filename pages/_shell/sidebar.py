"""The sidebar: what is explained, and how it is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import streamlit as st

from influence_core import data, devices, solvers, studies
from influence_core.data.brought import recipes, uploads
from influence_core.errors import InfluenceError
from influence_core.studies import readiness
from influence_core.studies.changes import settled
from pages._shell import browser, results
from pages._shell.address import View
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown
from pages._shell.places import data_folder
from pages._shell.widgets import bound, choice

_CURVATURES = {"auto": "automatic", "hessian": "Hessian (exact)", "gauss-newton": "Gauss-Newton"}
_DEVICES = {
    "auto": "automatic",
    "cpu": "processor (CPU)",
    "cuda": "graphics card (CUDA)",
    "mps": "Apple GPU (MPS)",
}


def show(view: View) -> None:
    """Study, solver, curvature, damping and device; each change goes into the address."""
    with st.sidebar:
        own = _own()
        studies_ = _told_apart({name: _marked(name) for name in _studies(view, own)})
        choice("study", view.study, "Model and data", studies_, **_box("study"))
        st.caption(_about(view))
        _go_on(own)
        with st.expander("How it is computed", expanded=view.settings_changed):
            solvers_ = {"auto": "automatic"} | {name: solvers.title(name) for name in solvers.CATALOGUE}
            choice("solver", view.solver, "Solver", solvers_, **_box("solver"))
            choice("curvature", view.curvature, "Curvature", _CURVATURES, **_box("curvature"))
            _damping(view)
            devices_ = {name: _DEVICES[name] for name in devices.available()}
            choice("device", view.device, "Device", devices_, **_box("device"))
        st.caption("Everything is computed on this machine. The app makes no network requests.")
        browser.remember()


def _box(name: str) -> dict[str, Any]:
    return {"widget": st.selectbox, "key": f"side_{name}"}


def _damping(view: View) -> None:
    bound(
        st.text_input,
        "damping",
        view.damping,
        "Damping",
        key="side_damping",
        write=lambda text: text.strip().replace(",", "."),
        placeholder="the study's own",
        help="Added to every eigenvalue of the curvature. 0 gives the leave-one-out forecast of a convex model; "
        "networks need some.",
    )


def _studies(view: View, own: Iterable[str]) -> list[str]:
    """What this browser built and sent, the catalogue, and what is open by its link."""
    by_link = [view.study] if studies.is_own(view.study) or "@" in view.study else []
    return list(dict.fromkeys([*own, *studies.CATALOGUE, *by_link]))


def _own() -> dict[str, str]:
    """What this browser built and sent and what belongs to nobody, of either the newest first, with whose it is."""
    store, owner = results.get_store(), browser.owner()
    built = {one.name: one.owner for one in recipes.recipes(store, owner)}
    return built | {studies.UPLOADED + one.key: one.owner for one in uploads.tables(store, owner)}


def _go_on(own: Mapping[str, str]) -> None:
    """The way back to the newest study of this browser's own from the one with which the app opens."""
    if "study" in st.query_params:
        return
    for name in (name for name, owner in own.items() if owner):
        with suppress(InfluenceError):  # it was built by another version of the app
            spec = studies.find(name, results.get_store())
            label, query = f"Go on with {escape_markdown(spec.title)}", {"study": spec.name}
            st.page_link(EXPLAIN.script, label=label, icon=":material/history:", query_params=query)
            return


def _told_apart(titles: dict[str, str]) -> dict[str, str]:
    """The same titles with a number where one occurs again: the browser sends back the title that was chosen."""
    seen: Counter[str] = Counter()
    told = {}
    for name, title in titles.items():
        seen[title] += 1
        told[name] = title if seen[title] == 1 else f"{title} ({seen[title]})"
    return told


def study_title(name: str) -> str:
    """Its title; those of visitors say so."""
    with suppress(InfluenceError):
        spec = studies.find(name, results.get_store())
        kind = "Your table" if name.startswith(studies.UPLOADED) else "Built here"
        title = spec.title if spec.name in studies.CATALOGUE else f"{kind}: {spec.title}"
        changed = len(settled(spec.changes))
        return f"{changed} change{'s' * (changed != 1)}: {title}" if changed else title
    return "A study that is gone"


def study_mark(name: str) -> str:
    """Whether it is ready; "" where nobody knows."""
    with suppress(InfluenceError):
        spec = studies.find(name, results.get_store())
        return readiness.mark(spec, results.get_store(), data_folder())
    return ""


def _marked(name: str) -> str:
    """The mark first: the list is narrow, and cuts long titles off."""
    return " · ".join(filter(None, (study_mark(name), study_title(name))))


def _about(view: View) -> str:
    with suppress(InfluenceError):
        return data.about(studies.find(view.study, results.get_store()).data)
    return ""
