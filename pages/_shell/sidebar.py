"""The sidebar: what is explained, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import streamlit as st

from influence_core import data, devices, solvers, studies
from influence_core.data.brought import recipes
from influence_core.errors import InfluenceError
from influence_core.experiments.explain import CURVATURES
from pages._shell import results
from pages._shell.address import View, go_to

SOLVERS = {
    "auto": "automatic",
    "cholesky": "Cholesky (exact)",
    "cg": "conjugate gradient (exact)",
    "cg-ekfac": "conjugate gradient with EK-FAC (exact)",
    "cg-nystrom": "conjugate gradient with Nyström (exact)",
    "lissa": "LiSSA (approximate)",
    "ekfac": "EK-FAC (approximate)",
    "nystrom": "Nyström (approximate)",
}
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
        _choice("study", "Model and data", _studies(view), view.study, _study_title)
        st.caption(_about(view))
        with st.expander("How it is computed", expanded=view.settings_changed):
            _choice(
                "solver",
                "Solver",
                ["auto", *solvers.CATALOGUE],
                view.solver,
                lambda name: SOLVERS.get(name, name),
            )
            _choice("curvature", "Curvature", list(CURVATURES), view.curvature, _CURVATURES.__getitem__)
            _damping(view)
            _choice("device", "Device", list(devices.available()), view.device, _DEVICES.__getitem__)
        st.caption("Everything is computed on this machine. The app asks nothing of the internet.")


def _choice(name: str, label: str, options: list[str], value: str, title: Callable[[str], str]) -> None:
    key = f"side_{name}"
    st.session_state[key] = value if value in options else options[0]
    st.selectbox(
        label, options, key=key, format_func=title, on_change=lambda: go_to(**{name: st.session_state[key]})
    )


def _damping(view: View) -> None:
    st.session_state["side_damping"] = view.damping
    st.text_input(
        "Damping",
        key="side_damping",
        placeholder="the study's own",
        help="Added to every eigenvalue of the curvature. 0 gives the leave-one-out forecast of a convex model; "
        "networks need some.",
        on_change=lambda: go_to(damping=st.session_state["side_damping"].strip().replace(",", ".")),
    )


def _studies(view: View) -> list[str]:
    """The catalogue, what was built on this server, and the uploaded table that is open."""
    uploaded = [view.study] if view.study.startswith(studies.UPLOADED) else []
    built = [one.name for one in recipes.recipes(results.get_store())]
    return [*studies.CATALOGUE, *built, *uploaded]


def _study_title(name: str) -> str:
    known = studies.CATALOGUE.get(name)
    if known is not None:
        return known.title
    with suppress(InfluenceError):
        kind = "Your table" if name.startswith(studies.UPLOADED) else "Built here"
        return f"{kind}: {studies.find(name, results.get_store()).title}"
    return "A study that is gone"


def _about(view: View) -> str:
    with suppress(InfluenceError):
        return data.about(studies.find(view.study, results.get_store()).data)
    return ""
