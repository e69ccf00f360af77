"""A changed training picture beside its original, and the downloads."""

from __future__ import annotations

import streamlit as st

from influence_core.data_urls import data_url
from influence_core.experiments import poison
from influence_core.experiments.poison import Poisoned
from influence_core.figures.poison import TITLES, triptych_pictures
from influence_core.studies import Study
from pages._common.table import download_csv


def show(study: Study, result: Poisoned) -> None:
    """One of the pictures, and the downloads."""
    at = _choose(study, result) if len(result.ids) > 1 else 0
    _triptych(result, at)
    save, columns = st.columns(2)
    save.download_button(
        "The poisoned image, unrounded (.npy, float32)",
        lambda: poison.as_float_file(result.poisoned[at]),
        file_name=f"poisoned-{study.spec.name}-{result.ids[at]}.npy",
        mime="application/octet-stream",
        key="download_picture",
        on_click="ignore",
        width="stretch",
    )
    with columns:
        name = f"poison-{study.spec.name}-{result.test_ids[0]}"
        download_csv("Probability by step (CSV)", name, lambda: poison.table(result), width="stretch")


def _choose(study: Study, result: Poisoned) -> int:
    names = study.data.class_names
    return st.selectbox(
        "Training image shown",
        range(len(result.ids)),
        key="poison_shown",
        format_func=lambda i: f"{result.ids[i]}: {names[result.labels[i]]}",
    )


def _triptych(result: Poisoned, at: int) -> None:
    shown = zip(TITLES, triptych_pictures(result, at), strict=True)
    figures = [
        f'<figure style="flex:1;margin:0;text-align:center"><img src="{data_url(picture)}" alt="{title}" '
        f'style="width:100%;border-radius:6px"><figcaption>{title}</figcaption></figure>'
        for title, picture in shown
    ]
    st.html(f'<div style="display:flex;gap:1rem;max-width:900px">{"".join(figures)}</div>')
    st.caption("The difference is drawn around grey; the whole box fills the whole scale.")
