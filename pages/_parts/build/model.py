"""Which model is trained on what was brought, and the button that does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from influence_core.data.brought import own, recipes
from influence_core.errors import DataError
from influence_core.models import backbones
from influence_core.studies.origins import LARGEST_L2, LARGEST_SEED
from influence_core.studies.own import TESTED_ON, TRAINED_ON
from influence_core.words import plain_title
from pages._parts.build import visit
from pages._shell import browser, results
from pages._shell.escape import code
from pages._shell.jobs import get_jobs

PIXELS = ""
DEFAULT_L2 = {own.PHOTOS: 0.001, own.TEXTS: 1e-4}
LONGEST_TITLE = 60
LEAST_DRAWN = 10


def choose(
    data: str,
    source: str,
    title: str,
    classes: int,
    device: str,
    read: Mapping[str, Any],
    there: tuple[int, int] | None = None,
) -> None:
    """What is trained, and the button that does it.

    Args:
        data: ``own.PHOTOS`` or ``own.TEXTS``.
        source: Where they lie, as in a ``StudySpec``.
        title: The name that is proposed.
        classes: How many there are.
        device: Where it is trained.
        read: How they are read, where something was chosen: fields of a ``StudySpec``.
        there: How many there are to train on and to test on, where some of them may do.
    """
    model = "logistic" if classes == 2 else "softmax"
    _propose(source, title)
    with st.form("build_model", border=True):
        name, sees = st.columns([1, 1])
        called = name.text_input("Name", max_chars=LONGEST_TITLE, key=visit.lasting("build_title", ""))
        with sees:
            backbone = _choose_backbone(data)
        first, second = st.columns([1, 1])
        l2 = first.text_input(
            "Caution of the model",
            key=visit.lasting(f"build_l2_{data}", f"{DEFAULT_L2[data]:g}"),
            help="More makes it smoother and less sure; leave it where you do not know better. The field's term is l2, the "
            "penalty on large parameters.",
        )
        seed = second.text_input(
            "Draw of the test examples",
            key=visit.lasting("build_seed", "0"),
            help="Another number draws other examples for testing, by chance (the field's term is seed).",
        )
        drawn = _choose_how_many(source, there) if there else {}
        _explain(data, model, classes)
        if st.form_submit_button("Train", type="primary", key="build_train"):
            fields = {
                "title": _title(called, title),
                "data": data,
                "model": model,
                "l2": _positive(l2),
                "seed": _seed(seed),
                "source": source,
                "backbone": backbone,
                **drawn,
                **read,
            }
            get_jobs().forget(
                results.study_key(recipes.name_of(fields, browser.owner()), device)
            )  # the pictures may be others now
            visit.begin(fields)
            st.rerun()


def _choose_how_many(source: str, there: tuple[int, int]) -> dict[str, int]:
    """How many are drawn of those to train on and of those to test on."""
    found = {}
    for column, name, what, usual, most in zip(
        st.columns([1, 1]),
        ("n_train", "n_test"),
        ("train", "test"),
        (TRAINED_ON, TESTED_ON),
        there,
        strict=True,
    ):
        found[name] = int(
            column.number_input(
                f"Pictures to {what} on, of {most:,}",
                min_value=min(LEAST_DRAWN, most),
                max_value=most,
                key=visit.lasting(f"build_{name}_{source}", min(usual, most)),
                help="Drawn by chance, of each class its share.",
            )
        )
    return found


def _propose(source: str, title: str) -> None:
    """A title, where other data were chosen than before."""
    if st.session_state.get("build_titled") != source:
        st.session_state["build_titled"] = source
        st.session_state["build_title"] = Path(title).name[:LONGEST_TITLE]


def _explain(data: str, model: str, classes: int) -> None:
    words = (
        f"The model weighs what it sees for and against each of the {classes} classes; it is trained until nothing gets better "
        f"({model} regression, at its optimum). "
    )
    if data == own.PHOTOS:
        words += (
            "EfficientNet-Lite0 learned to see on ImageNet; its view of a picture takes about 0.05 s, once. Other networks "
            f"of torchvision are offered once their weights are in the folder {code(backbones.WEIGHTS_FOLDER)} of the app's data "
            "folder."
        )
    st.caption(words)


def _choose_backbone(data: str) -> str:
    """What turns photos into features; texts are seen as their words."""
    label = "What the model sees"
    if data != own.PHOTOS:
        st.text_input(label, "how often each word occurs", disabled=True)
        return PIXELS
    key = visit.lasting("build_backbone", backbones.PACKAGED)
    return st.selectbox(label, _backbones(), format_func=_backbone_title, key=key)


def _backbones() -> list[str]:
    """The packaged one, those of a study module, those whose weights are there, and pixels."""
    folder = results.data_folder()
    files = backbones.weights_path("NAME", folder).parent.glob("*")
    there = {path.stem for path in files if path.suffix in backbones.SUFFIXES}
    more = [name for name in backbones.names() if name in there] if there else []
    return [backbones.PACKAGED, *backbones.OWN, *more, PIXELS]


def _backbone_title(name: str) -> str:
    if name == backbones.PACKAGED:
        return "EfficientNet-Lite0 (ships with the app)"
    if name in backbones.OWN:
        return f"{name} (a study module's)"
    return f"{name} (torchvision)" if name else "the pixels of a 64 × 64 thumbnail"


def _title(called: str, otherwise: str) -> str:
    return plain_title(called, LONGEST_TITLE) or Path(otherwise).name[:LONGEST_TITLE] or "A study of your own"


def _positive(text: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = 0.0
    if not 0 < value <= LARGEST_L2:
        raise DataError(
            f"The model's caution, l2, must be a number above 0 and at most {LARGEST_L2:,.0f}, but is “{text[:40]}”."
        )
    return value


def _seed(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= LARGEST_SEED):
        raise DataError(
            f"The draw, the seed, must be a whole number up to {LARGEST_SEED:,}, but is “{text[:40]}”."
        )
    return int(text)
