"""The parts of the page about a loss with a kink."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.agreement import Agreement
from influence_core.experiments import smooth_hinge
from influence_core.experiments.hinge_curves import CURVES, curves
from influence_core.experiments.smooth_hinge import TEMPERATURES, SmoothHinge
from influence_core.figures.smooth_hinge import agreement, loss_curves, scatters
from influence_core.studies import MACHINES, Study
from influence_core.trust import Verdict, judge_by_truth
from influence_core.words import ratio, seconds, sign_rule, signed, three_digits
from pages._common import footer, verdict
from pages._common.cards import example_card, show_example, show_grid
from pages._common.picture_grid import Picture
from pages._common.table import Columns, face_column, faces, number, show_folded
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.charts import show_chart
from pages._shell.widgets import bound


def load(view: View) -> tuple[Study, SmoothHinge]:
    """The machine on the view's data, and the forecasts for its test image; the default one where that has none."""
    view.check()
    study = results.load_spec(MACHINES[view.spec.data], view.device)
    offered = smooth_hinge.askable(study).tolist()
    test_id = view.test_id if view.test_id in offered else smooth_hinge.default_test(study)
    title = "Training again without each of the strongest images"
    return study, results.load(title, smooth_hinge.run, study, test_id)


def show_answer(result: SmoothHinge, temperature: float) -> None:
    """The page's question, answered in two sentences."""
    at, best = result.index(temperature), int(result.pearson.argmax())
    r, size = ([ratio(float(one)) for one in values] for values in (result.pearson, result.size_ratio))
    st.markdown(
        f"Then smooth it, for the forecast alone. With the hinge itself the largest forecast is **{size[0]} times** the "
        f"largest true change, and forecasts follow the truth with a correlation of **r = {r[0]}**. Smoothed with "
        f"t = {temperature:g} it is **{size[at]} times**, with **r = {r[at]}**."
        + (f" Here t = {result.temperatures[best]:g} does best (r = {r[best]})." if best != at else "")
    )


def show_trust(result: SmoothHinge, temperature: float) -> None:
    """The badge: these forecasts have been held against the truth."""
    forecasts = result.predicted[result.index(temperature)]
    found = judge_by_truth(Agreement.of(forecasts, result.actual), len(result.ids))
    if not result.proved:
        found = Verdict(
            "red", "Some of these machines were NOT trained to their end.", "Do not rely on this."
        )
    with st.container(key="badge", gap=None):
        verdict.show_judged(found)


def show_test(study: Study, view: View, result: SmoothHinge) -> None:
    """The test image in one line, and a way to choose another."""
    names = study.data.class_names
    label = names[result.label]
    said = label if result.margin > 0 else names[1 - result.label]
    with st.container(border=True, key="question"):
        look, words, change = st.columns([0.5, 4, 1.3], vertical_alignment="center", gap="medium")
        with look:
            show_example(study, study.data.test, result.test_id, 84)
        with words:
            but = "" if said == label else f", but it is labelled **{label}**"
            st.markdown(
                f"**Test image {result.test_id}**: the support vector machine says **{said}**{but}. "
                f"Margin {signed(result.margin)}, hinge {three_digits(1 - result.margin)}."
            )
            st.caption(f"{study.spec.title}: trained for this page, on the data chosen at the left.")
            if view.test and view.test_id != result.test_id:
                st.caption(
                    f"Test image {view.test_id} is no 1 or 7, or lies beyond the margin, where the hinge is 0 and "
                    "forecasts nothing."
                )
        with change:
            folded = st.popover("Choose another", width="stretch", on_change="rerun", key="choose_another")
        if folded.open:
            with folded:
                _chooser(study, result)


def _chooser(study: Study, result: SmoothHinge) -> None:
    margins = smooth_hinge.margins(study)
    st.caption("Test images with a hinge above 0: wrong answers first, the narrowest first.")
    show_grid(
        study,
        [_card(study, study.data.test.position(int(one)), margins) for one in smooth_hinge.askable(study)],
        key="tests",
        on_click=lambda test_id: go_to(test=test_id),
        chosen=[str(result.test_id)],
    )


def _card(study: Study, position: int, margins: np.ndarray) -> Picture:
    test, margin = study.data.test, float(margins[position])
    name = study.data.class_names[int(test.y[position])]
    words, lines = f", a {name}, margin {margin:.2f}", (f"margin {ratio(margin)}",)
    return example_card(study, test, position, words, f"is {name}", lines)


def show_loss(temperature: float) -> None:
    """The slider, and the loss near its kink."""
    bound(
        st.select_slider,
        "t",
        temperature,
        "Temperature t of the smoothed hinge",
        TEMPERATURES[1:],
        key="temperature",
        format_func=lambda t: f"{t:g}",
    )
    shown = CURVES if temperature in CURVES else (*CURVES, temperature)
    show_chart(loss_curves(curves(shown), temperature), key="loss_curves")
    st.caption(
        "SmoothHinge(m, t) = t log(1 + exp((1 − m) / t)) rounds the corner at margin 1. The hinge has no curvature "
        "there or anywhere, so with it the forecast knows no other example than the one taken out."
    )


def show_agreement(result: SmoothHinge, temperature: float) -> None:
    """Correlation against temperature."""
    st.markdown("**How well the forecasts follow the truth**")
    show_chart(agreement(result, temperature), key="agreement")
    kink = int(result.on_kink.sum())
    st.caption(
        f"The thick line is the slider's t. {kink} of these {len(result.ids)} training images lie on the kink of the "
        "trained model. The smaller t, the stiffer the smoothed loss is there (its curvature is 1 / 4t): it pins these "
        "images, and their forecasts go to 0, though taking one out has an effect."
    )


def show_forecasts(study: Study, result: SmoothHinge, temperature: float) -> None:
    """Forecast against truth, with the hinge itself and smoothed."""
    st.header("Forecast and truth, image by image")
    label = study.data.class_names[result.label]
    for column, t in zip(st.columns(2, gap="large"), (0.0, temperature), strict=True):
        show_chart(scatters(result, (t,)), key=f"scatter_{'hinge' if t == 0 else 'smooth'}", at=column)
    st.caption(
        f"Each point is one of the {len(result.ids)} training images with the largest forecasts under the hinge itself, "
        "the same in both charts. Across: the true change of the hinge after training again without it. Upward: the "
        "forecast. Dashed: forecast = truth; mind the two scales on the left. :blue[Blue: forecast to help]; "
        f":orange[orange: to harm]. Filled: labelled {label}; open: the other label."
    )


def show_table(study: Study, result: SmoothHinge, temperature: float) -> None:
    """The left-out images with truth and forecasts, and the download of all temperatures."""
    forecasts = {f"forecast, t = {t:g}": f"predicted_loss_change_t={t:g}" for t in (0.0, temperature)}

    def shown() -> Columns:
        columns = smooth_hinge.table(result)
        known = {name: columns[name] for name in ("training_id", "label", "margin", "actual_loss_change")}
        return faces(study, result.ids) | known | {title: columns[name] for title, name in forecasts.items()}

    show_folded(
        f"the {len(result.ids)} training images",
        shown,
        face_column(study)
        | {
            "training_id": number("training id", format="%d"),
            "margin": number(format="%.3f"),
            "actual_loss_change": number("true change of the hinge", format="%+.3e"),
            **{title: number(format="%+.3e") for title in forecasts},
        },
        "Truth and forecasts at every temperature (CSV)",
        f"smooth-hinge-{study.spec.name}-{result.test_id}",
        lambda: smooth_hinge.table(result),
    )


def show_origin(study: Study, result: SmoothHinge) -> None:
    """Warnings, sign rule, unit, model and proof."""
    if not result.proved:
        st.warning("Not every left-out model was trained to its optimum: do not rely on the truth above.")
    footer.show_origin(
        study.data.stand_in,
        "Hinge units: plus speaks for the label, minus against. "
        f"Dense factor, largest residual {result.residual:.1e}.",
        f"**Sign and unit.** {sign_rule(study.data.kind)} Unit: hinge units (margins), not nats. Leaving an image out "
        "takes its weight away; the others keep 1/n, and the penalty stays.  \n"
        f"**Model.** {study.spec.title}: n = {result.n:,} images, p = {result.p:,} parameters, l2 = {result.l2:g}; "
        f"trained with the hinge to a subgradient norm of {study.gradient_norm:.1e}.  \n"
        f"**Forecast.** At that optimum, test gradient, training gradients and Hessian with SmoothHinge(t); dense "
        f"factor, largest true relative residual {result.residual:.1e}. With t = 0 the Hessian is the penalty alone, "
        "and an image on the kink takes the slope that the optimum gives it.  \n"
        f"**Truth.** Trained again with the hinge without each image: smallest subgradient over all images at most "
        f"{result.gradient_norms.max():.1e} (asked for {result.target:.1e}).  \n"
        f"**Time.** {seconds(result.seconds)} on {study.theta.device.type}.",
    )
    st.caption("Koh & Liang 2017, section 4.3 and Figure 3.")
