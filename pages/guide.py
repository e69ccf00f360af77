"""How to read the numbers: one picture, a glossary, the formulas."""

import streamlit as st

from influence_core.words import SIGN_RULE

st.title("How do I read an influence?")
st.markdown(
    "It is a forecast of one thing: **how much the model's loss on one test image would change if one training image "
    "had not been there**. Training again without the image gives the true answer, slowly. The influence forecasts it "
    "for all training images at once, and *Take out and retrain* checks the forecast."
)

st.subheader("From a question to a number")
st.graphviz_chart(
    """digraph {
    rankdir=LR; bgcolor="transparent"; nodesep=0.25; ranksep=0.35
    node [shape=box style="rounded,filled" fillcolor="#80879022" color="#808790" fontname="sans-serif" fontsize=12
          fontcolor="#808790"]
    edge [color="#808790" fontname="sans-serif" fontsize=11 fontcolor="#808790"]
    test [label="one TEST image\nand the label asked about"]
    gtest [label="test gradient\nwhich way the model must move\nto get this image wrong"]
    s [label="s = inverse curvature × test gradient\nhow the model really moves when pushed;\nsolved once per question" color="#2689c9"]
    train [label="each TRAINING image\nand its label"]
    gtrain [label="training gradient\nwhich way this image pushes"]
    d [label="D = s · training gradient / n\npredicted change of the test loss\nif this image is taken out" color="#2689c9"]
    test -> gtest -> s -> d
    train -> gtrain -> d
    }""",
    width="stretch",
)

plus, minus = st.columns(2, gap="large")
with plus, st.container(border=True, height="stretch"):
    st.markdown(
        "#### :blue[Plus: speaks for the label]\nWithout this training image the loss would **rise** and the label's "
        "probability fall. The image *helps*."
    )
with minus, st.container(border=True, height="stretch"):
    st.markdown(
        "#### :orange[Minus: speaks against the label]\nWithout it the loss would **fall** and the label's probability "
        "rise. The image *harms*: perhaps it is mislabelled, perhaps it only looks alike."
    )
st.caption(SIGN_RULE)

st.subheader("Words")
st.markdown(
    """
| word | what it means here |
|---|---|
| loss, nats | minus the logarithm of the probability that the model gives to a label: 0 nats = certain, 0.69 nats = 50 %, 2.3 nats = 10 % |
| label asked about | the model's own answer unless you switch to the true label; every number is about this label |
| influence, D | the predicted change of the test loss, in nats, on removal of a training image |
| self-influence | the same with the image itself as the test image: how much its own loss would rise without it; large for odd and mislabelled images |
| curvature, H | how strongly the training loss resists a move of the parameters; without it every like-labelled image would seem to help |
| Gauss-Newton | a curvature that is never negative; used for networks, equal to H for linear models |
| damping | a number added to the curvature: 0 for convex models; networks need some, and the forecast is then about a short retraining that stays near the present model |
| l2 | the penalty on large parameters that the model was trained with; taking an image out never changes it |
| relative residual | how exactly the linear system was solved: 0 is exact |
| gradient norm | how far training is from its optimum: 0 is finished |
| convergence check | a sum over all training images that is 0 when training is finished; the cheapest alarm there is |
| pixel map | how the test loss would change if a pixel of the *training* image were changed and the model trained again |
"""
)

st.subheader("When not to believe it")
st.markdown(
    "- **A group is not the sum of its members.** For many images together the forecast is usually too small; the order "
    "is more reliable than the size.\n"
    "- **Networks.** Their loss has many valleys. The number describes a short retraining from the present weights, not "
    "training anew, and it can be far off for single test images. Check the ones that matter.\n"
    "- **Unfinished training.** If the gradient is not small, finishing the training would move the loss more than any one "
    "image. The page warns you.\n"
    "- **Approximate solvers** (LiSSA) order the images well but may be off in size; the residual says how far."
)

with st.expander("The formulas"):
    st.markdown("Training minimises, with $w_i=1/n$,")
    st.latex(
        r"R(\theta)=\sum_i w_i\,\ell_i(\theta)+\tfrac{\lambda}{2}\|\theta\|^2,\qquad H=\nabla^2R(\hat\theta)+\text{damping}\cdot I"
    )
    st.markdown(
        "For a test image with loss $\\ell_t$, $s=H^{-1}\\nabla\\ell_t(\\hat\\theta)$. Taking out image $i$ means $w_i=0$:"
    )
    st.latex(r"D_i=w_i\,s^\top\nabla\ell_i(\hat\theta)=-\tfrac1n\,\mathcal I_{\rm up,loss}(z_i,z_t)")
    st.markdown(
        "At the optimum $\\sum_i D_i+\\lambda\\,\\theta^\\top s=0$, the convergence check. A small change $\\delta$ of the pixels:"
    )
    st.latex(
        r"\Delta\ell_t\approx w_i\,\mathcal I_{\rm pert,loss}\cdot\delta,\qquad \mathcal I_{\rm pert,loss}=-\nabla_x\,[\,s^\top\nabla_\theta\ell(x_i,y_i)\,]"
    )
    st.markdown(
        "Koh & Liang, *Understanding Black-box Predictions via Influence Functions*, ICML 2017, arXiv 1703.04730."
    )

st.page_link("pages/explain.py", label="Back to the test images")
