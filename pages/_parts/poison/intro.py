"""What the page is for."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages._shell.own_params import PoisonParams


def show(answer: DeltaGenerator, params: PoisonParams) -> None:
    """Before anything is changed, what can be done here, in ``answer``; always, what it is good for."""
    if not params.retrain or params.panel in ("share", "guard"):
        answer.markdown(
            "A training image can be changed by less than a screen shows and still turn the answer about another "
            "image. Choose how far and how many, and see it proved by real retraining."
        )
    st.info(
        "What this is for: to know a risk, and to defend against it. Keep training images as 8-bit files with checksums, "
        "look first at the “images to guard”, and train on more examples: the attack lives where the model has few. "
        "(Koh & Liang 2017, section 5.2.)"
    )
