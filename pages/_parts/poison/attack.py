"""The button, and what came of it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments import poison
from influence_core.experiments.poison import LOSS, AfterSaving, Poisoned
from influence_core.figures.poison import steps
from influence_core.studies import Study
from influence_core.words import nats, percent, seconds, three_digits
from pages._parts.poison import pictures
from pages._parts.poison.panels import Asking
from pages._shell import results
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.own_params import PoisonParams
from pages._shell.widgets import begin_button, metric


def show(
    study: Study, params: PoisonParams, asking: Asking, chosen: list[int], answer: DeltaGenerator
) -> None:
    """The button, and what came of it; the headline goes into ``answer``."""
    those = f"training image {chosen[0]}" if len(chosen) == 1 else f"these {len(chosen)} training images"
    begin_button(f"Poison {those} and train again", "poison_run")
    if not params.retrain:
        return
    title = "Changing pixels and training again, step by step"
    result = results.load(title, poison.run, study, asking.questions, chosen, asking.attack)
    title = "Saving the pictures and training again"
    saved = results.load(title, poison.after_saving, study, asking.questions, result)
    with answer:
        _headline(study, result, saved)
    _numbers(result, saved)
    pictures.show(study, result)
    show_chart(steps(result, study.data.class_names), key="poison_steps")
    _origin(study, result, saved)


def _headline(study: Study, result: Poisoned, saved: AfterSaving) -> None:
    name = escape_markdown(study.data.class_names[int(result.asked[0])])
    what = "one training image" if len(result.ids) == 1 else f"{len(result.ids)} training images"
    size = f"at most {result.largest_change:.3g} of 255 brightness steps"
    if len(result.turned) > 1:
        st.markdown(
            f"**{int(result.turned.sum())} of {len(result.turned)} test images turned** away from {name} when {what} changed by "
            f"{size} (the paper: 16 of 30, with one). {_after_png(result, saved)}"
        )
    elif result.turned[0]:
        st.markdown(
            f"**Yes: the answer is no longer {name}** once {what} changed by {size}. {_after_png(result, saved)}"
        )
    else:
        st.markdown(
            f"**Not here: the answer is still {name}**, though {what} changed by {size}. Try more images or a larger change. "
            f"{_after_png(result, saved)}"
        )


def _after_png(result: Poisoned, saved: AfterSaving) -> str:
    """Whether the effect outlives the usual way to keep pictures."""
    them = "it is" if len(result.ids) == 1 else "they are"
    if saved.gone:
        return (
            f"**The effect vanishes once {them} saved as an 8-bit PNG**, which rounds so small a change away."
        )
    return f"The effect stays when {them} saved as an 8-bit PNG."


def _numbers(result: Poisoned, saved: AfterSaving) -> None:
    before, after, control, eight = st.columns(4)
    before.metric("Probability before", percent(float(result.before.mean())))
    for column, label, probabilities, words, meaning in (
        (
            after,
            "After real retraining",
            result.after,
            nats(result.loss_change),
            "The mean over the test images, and the change of their mean loss.",
        ),
        (
            control,
            "With random signs instead",
            result.control,
            nats(result.control_change),
            "The control: the same images, every brightness moved to a side of the box at random.",
        ),
        (
            eight,
            "Saved as PNG",
            saved.probabilities,
            "vanishes" if saved.gone else "stays",
            "Saved, read again and trained on. A PNG has 8 bits: each brightness is rounded to a whole step.",
        ),
    ):
        metric(column, label, percent(float(probabilities.mean())), words, help=meaning)


def _origin(study: Study, result: Poisoned, saved: AfterSaving) -> None:
    if not result.proved:
        st.warning("Not every model on the way was trained to its optimum: do not rely on the truth above.")
    rounding = (
        "The poison lives below 8-bit rounding: as PNG the images are the originals, byte for byte, and the answer is the old "
        "one. Whoever trains on 8-bit files is safe from this one."
        if saved.same_pictures
        else "The change is larger than 8-bit rounding: it outlives saving as PNG."
    )
    taken = "1 step" if result.steps == 1 else f"{result.steps} steps"
    moved = float(result.feature_change.mean())
    st.caption(
        f"{rounding}  \n**Sign.** A loss change with plus: the loss of the asked label rises, the answer gets less likely. "
        f"Unit: nats.  \n**Attack.** {taken} of {result.attack.stride:.3g} along {_way(result)}, in the box of "
        f"± {result.attack.box:g}; after each the model was trained again, to a gradient norm of at most "
        f"{result.gradient_norms.max():.1e}. First step: {_first_step(result)}. In "
        f"feature space the images moved by {three_digits(moved)} (mean length of a training image's features: "
        f"{three_digits(result.feature_length)}).  \n**Time.** {seconds(result.seconds)} on {study.theta.device.type}."
    )


def _way(result: Poisoned) -> str:
    if result.attack.goal == LOSS:
        return "sign(I_pert,loss)"
    return (
        "the sign of I_pert, here of minus the mean probability: of the mean loss, which the paper takes, one test image "
        "that has already turned may take everything"
    )


def _first_step(result: Poisoned) -> str:
    if result.attack.goal == LOSS:
        return f"forecast {nats(result.predicted)}, truth {nats(result.actual)}"
    return f"the probability was to fall by {percent(result.predicted)}, and fell by {percent(result.actual)}"
