"""The welcome of a first visit."""

from __future__ import annotations

import streamlit as st

from pages._shell.address import View


def show(view: View) -> None:
    """A short explanation; folded away for whoever comes by a link or has read it."""
    fresh = not view.query() and not st.session_state.get("intro_read")
    with st.expander("New here? What this page answers, and how to read it", expanded=fresh):
        st.markdown(
            "A model learnt from examples. When it answers, some of those examples pulled it **towards** the answer and "
            "some pulled it **away**. This page finds them.\n\n"
            "1. **Choose a test image** below. Mistakes come first, because those are what people ask about.\n"
            "2. Look at the training images that :blue[**speak for**] the answer and those that :orange[**speak "
            "against**] it. The number under each says how much the model's error on your image would change if that "
            "one training image had never been there: :blue[plus] means the error would grow, so the image helps; "
            ":orange[minus] means it would shrink, so the image harms.\n"
            "3. **Do not take our word for it.** Tick a few images and press *Take out and retrain*: the model is "
            "really trained again without them, and you see forecast and truth side by side.\n\n"
            "An image that harms is often mislabelled, badly written, or simply unusual. Look at it and judge."
        )
        with st.popover("The formula"):
            st.markdown(
                "With training loss $R(\\theta)=\\frac1n\\sum_i \\ell_i(\\theta)+\\frac{\\lambda}{2}\\|\\theta\\|^2$, "
                "its minimiser $\\hat\\theta$ and curvature $H=\\nabla^2R(\\hat\\theta)$, the predicted change of the test "
                "loss on removal of training image $i$ is"
            )
            st.latex(r"D_i=\tfrac1n\,\nabla\ell_{\rm test}(\hat\theta)^\top H^{-1}\,\nabla\ell_i(\hat\theta)")
            st.markdown("(Koh & Liang 2017; in their notation $D_i=-\\frac1n\\,\\mathcal I_{\\rm up,loss}$.)")
