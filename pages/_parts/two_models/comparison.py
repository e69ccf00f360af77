"""Both models beside each other: the question, the answer, the charts and the table."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from influence_core.experiments import two_models
from influence_core.experiments.explain import Explanation
from influence_core.experiments.reasons import NEAREST
from influence_core.experiments.two_models import SHARED, TwoModels, kernel_spec, table
from influence_core.figures.two_models import PIXEL_DISTANCE, reach
from influence_core.studies import Study
from influence_core.words import percent, ratio, seconds, sign_rule, signed
from pages._common import footer
from pages._common.table import ROWS, number, show_folded
from pages._parts.two_models.reasons import says, show_scatter, show_sides
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown, escaped


def choose_test(view: View) -> tuple[View, Study]:
    """The kernel machine, and the view with a test picture: the one most like the paper's where none is named."""
    view.check()
    deep, kernel = results.load_study(view), results.load_spec(kernel_spec(view.spec), view.device)
    if not (view.test or view.picture):
        view = replace(view, test=str(two_models.default_test(deep, kernel)))
    return view, kernel


def load(study: Study, kernel: Study, explanation: Explanation) -> TwoModels:
    """Both models' reasons."""
    return results.load("Asking the kernel machine", two_models.run, study, kernel, explanation)


def show_answer(result: TwoModels) -> None:
    """The page's question, answered in a few sentences."""
    deep, kernel = result.deep, result.kernel
    if kernel.flat:
        st.markdown(
            f"The kernel machine is certain of **{escape_markdown(kernel.label_name)}** beyond its margin "
            f"({signed(kernel.certainty)}): its loss is flat there, so no single training {kernel.kind} matters to it. "
            "Choose a test image with a margin below 1 to compare reasons."
        )
        st.button("Take the one most like the paper's", key="use_default", on_click=lambda: go_to(test=""))
        return
    agree = deep.answer == kernel.answer
    names = escaped(deep.class_names)
    said = (
        f"Both say **{names[deep.answer]}**"
        if agree
        else f"Deep features say **{names[deep.answer]}**, the kernel on pixels says **{names[kernel.answer]}**"
    )
    reasons = "for different reasons" if result.shared <= SHARED / 2 else "largely for the same reasons"
    more = abs(kernel.rank_correlation) > abs(deep.rank_correlation)
    first = (
        f"Number {deep.first_other} of the {deep.kind}s most helpful to deep features is of the other class"
        if deep.first_other
        else f"No {deep.kind} of the other class helps deep features"
    )
    st.markdown(
        f"{said}{', but' if agree else ','} {reasons}: of their {SHARED} most helpful training {deep.kind}s they share "
        f"**{result.shared}**. Near pixels count {'more' if more else 'no more'} for the kernel: strength and pixel distance "
        f"have a rank correlation of **{ratio(kernel.rank_correlation)}** (deep features: {ratio(deep.rank_correlation)}), "
        f"and of the nearest {percent(NEAREST)} **{percent(kernel.near_agreement)}** help or harm as their label says "
        f"({percent(deep.near_agreement)}). {first}."
    )


def show_reasons(study: Study, view: View, result: TwoModels) -> None:
    """Both models beside each other: the answer, the scatter, and the strongest for and against."""
    both = (result.deep, result.kernel)
    across = reach(both)
    for column, one, key, share in zip(
        st.columns(2, gap="large"), both, ("deep", "kernel"), result.accuracies, strict=True
    ):
        with column:
            st.header(one.model)
            st.markdown(f"{says(one)} {_right(study, share)}")
            if one.flat:
                st.info(f"Beyond its margin the hinge is 0: no single training {one.kind} matters.")
            else:
                show_scatter(one, view.opened, key, PIXEL_DISTANCE, across)
                show_sides(study, one, view, key)
    asked = escape_markdown(result.deep.label_name)
    st.caption(
        f"Each point is a training {result.deep.kind}, the same ones in both charts. **Mind the two upward scales**: "
        f"{result.deep.unit} at the left, {result.kernel.unit} at the right. :blue[Blue: speaks for {asked}]; "
        f":orange[orange: against]. Filled: labelled {asked}; open: the other label. Click a point or a card to ring the "
        f"same {result.deep.kind} in both."
    )


def _right(study: Study, share: float) -> str:
    return f"It is right on {percent(share)} of all {len(study.data.test):,} test {study.data.kind}s."


def show_table(study: Study, result: TwoModels) -> None:
    """Every training image with both forecasts, and the download."""
    test_id = result.deep.test_id
    show_folded(
        f"the {ROWS} nearest training {study.data.kind}s",
        lambda: {name: values[:ROWS] for name, values in table(result).items()},
        {
            "training_id": number("training id", format="%d"),
            "pixel_distance": number("pixel distance", format="%.1f"),
            "deep_predicted_loss_change_nats": number("deep features, nats", format="%+.3e"),
            "kernel_predicted_loss_change_hinge_units": number("kernel, hinge units", format="%+.3e"),
        },
        f"Both forecasts for all training {study.data.kind}s (CSV)",
        f"two-models-{study.spec.name}-{'own-picture' if test_id is None else test_id}",
        lambda: table(result),
    )


def show_origin(kernel: Study, result: TwoModels) -> None:
    """How the kernel machine was trained and asked."""
    o = kernel.objective
    jitter = (
        f" {result.jitter:.0e} was added to the kernel's diagonal: two training images are alike."
        if result.jitter
        else ""
    )
    footer.show_origin(
        "",
        "The kernel's numbers are in hinge units: plus speaks for the label, minus against. "
        f"Cholesky, residual {result.residual:.1e}.",
        f"**Sign and unit.** {sign_rule(result.kernel.kind)} Unit: hinge units (margins), not nats.  \n"
        f"**Model.** Support vector machine with the Gaussian kernel exp(−γ‖x − x′‖²) on pixels of −1 to 1, γ = 0.05 / "
        f"1,800, distances as at the paper's 299 × 299; features are the rows of the kernel's Cholesky factor.{jitter} "
        f"n = {o.n:,} training images, p = {o.dim:,} parameters, l2 = {kernel.spec.l2:g}; trained with the hinge to a "
        f"subgradient norm of {result.gradient_norm:.1e}.  \n"
        f"**Forecast.** At the hinge's optimum with SmoothHinge({two_models.TEMPERATURE:g}) in gradients and Hessian; "
        f"Cholesky, true relative residual {result.residual:.1e}.  \n"
        f"**Time.** {seconds(result.seconds)} on {kernel.theta.device.type}. Koh & Liang 2017, section 5.1 and Figure 4.",
        "kernel_origin",
        "Where the kernel's numbers come from",
    )
