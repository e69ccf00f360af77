"""How the kernel machine was trained and asked."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import two_models
from influence_core.experiments.two_models import TwoModels
from influence_core.studies import Study
from influence_core.words import seconds, sign_rule


def show(kernel: Study, result: TwoModels) -> None:
    """Sign, unit, model, forecast and time."""
    o = kernel.objective
    jitter = (
        f" {result.jitter:.0e} was added to the kernel's diagonal: two training images are alike."
        if result.jitter
        else ""
    )
    with st.container(border=True, key="kernel_origin"):
        st.markdown("**Where the kernel's numbers come from**")
        st.caption(
            f"**Sign and unit.** {sign_rule(result.kernel.kind)} Unit: hinge units (margins), not nats.  \n"
            f"**Model.** Support vector machine with the Gaussian kernel exp(−γ‖x − x′‖²) on pixels of −1 to 1, γ = 0.05 / "
            f"1,800, distances as at the paper's 299 × 299; features are the rows of the kernel's Cholesky factor.{jitter} "
            f"n = {o.n:,} training images, p = {o.dim:,} parameters, l2 = {kernel.spec.l2:g}; trained with the hinge to a "
            f"subgradient norm of {result.gradient_norm:.1e}. {kernel.data.stand_in}  \n"
            f"**Forecast.** At the hinge's optimum with SmoothHinge({two_models.TEMPERATURE:g}) in gradients and Hessian; "
            f"Cholesky, true relative residual {result.residual:.1e}.  \n"
            f"**Time.** {seconds(result.seconds)} on {kernel.theta.device.type}. Koh & Liang 2017, section 5.1 and Figure 4."
        )
