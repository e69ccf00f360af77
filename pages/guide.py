"""How to read the numbers: one picture, a glossary, the formulas."""

import streamlit as st

from influence_core.words import sign_rule
from pages._parts import tour
from pages._parts.glossary import DIAGRAM, PAGES, TRUST, WORDS
from pages._shell.page import enter

enter()
st.title("How do I read an influence?")
st.markdown(
    "It is a forecast of one thing: **how much the model's loss on one test example would change if one training example "
    "had not been there**. Training again without it gives the true answer, slowly. The influence forecasts it for all "
    "training examples at once, and *Take out and retrain* checks the forecast. An example is an image, a row of a table "
    "or an e-mail."
)

st.subheader("From a question to a number")
st.graphviz_chart(
    DIAGRAM,
    width="stretch",
)

plus, minus = st.columns(2, gap="large")
with plus, st.container(border=True, height="stretch"):
    st.markdown(
        "#### :blue[Plus: speaks for the label]\nWithout this training example the loss would **rise** and the label's "
        "probability fall. The example *helps*."
    )
with minus, st.container(border=True, height="stretch"):
    st.markdown(
        "#### :orange[Minus: speaks against the label]\nWithout it the loss would **fall** and the label's probability "
        "rise. The example *harms*: perhaps it is mislabelled, perhaps it only looks alike."
    )
st.caption(sign_rule("example"))

st.subheader("May I trust it?")
st.markdown(TRUST)

st.subheader("Which page answers what")
st.markdown(PAGES)

st.subheader("Words")
st.markdown(WORDS)

st.subheader("When not to believe it")
st.markdown(
    "- **A group is not the sum of its members.** For many examples together the forecast is usually too small; the order "
    "is more reliable than the size.\n"
    "- **Networks.** Their loss has many valleys. The number describes a short retraining from the present weights, not "
    "training anew, and it can be far off for single test examples. Check the ones that matter.\n"
    "- **Unfinished training.** If the gradient is not small, finishing the training would move the loss more than any one "
    "example. The page warns you.\n"
    "- **Approximate solvers** (LiSSA, EK-FAC, Nyström) order the examples well but may be off in size.\n"
    "- **Heavy examples.** Where one training example alone holds up a part of the model, as in a group of four, its "
    "forecast comes out 5 to 20 % too small. One Newton step without it repairs that."
)

tour.show()
with st.expander("The formulas"):
    st.markdown("Training minimises, with $w_i=1/n$,")
    st.latex(
        r"R(\theta)=\sum_i w_i\,\ell_i(\theta)+\tfrac{\lambda}{2}\|\theta\|^2,\qquad H=\nabla^2R(\hat\theta)+\text{damping}\cdot I"
    )
    st.markdown(
        "For a test example with loss $\\ell_t$, $s=H^{-1}\\nabla\\ell_t(\\hat\\theta)$. Taking out example $i$ means $w_i=0$:"
    )
    st.latex(r"D_i=w_i\,s^\top\nabla\ell_i(\hat\theta)=-\tfrac1n\,\mathcal I_{\rm up,loss}(z_i,z_t)")
    st.markdown(
        "At the optimum $\\sum_i D_i+\\lambda\\,\\theta^\\top s=0$, the convergence check. A small change $\\delta$ of the input:"
    )
    st.latex(
        r"\Delta\ell_t\approx w_i\,\mathcal I_{\rm pert,loss}\cdot\delta,\qquad \mathcal I_{\rm pert,loss}=-\nabla_x\,[\,s^\top\nabla_\theta\ell(x_i,y_i)\,]"
    )
    st.markdown(
        "Koh & Liang, *Understanding Black-box Predictions via Influence Functions*, ICML 2017, arXiv 1703.04730."
    )

st.page_link("pages/explain.py", label="Back to the test examples")
