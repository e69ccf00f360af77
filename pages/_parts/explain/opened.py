"""One training example, opened: large, with its numbers and the pixels that matter."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import features, pixels
from influence_core.experiments.explain import Explanation
from influence_core.experiments.word_edit import answers
from influence_core.figures.features import feature_bars
from influence_core.figures.pixels import photo_map, pixel_map
from influence_core.studies import Study
from influence_core.words import nats, percent, points
from pages._common.cards import opened_title, show_example, show_record
from pages._common.verdict import NAMES
from pages._parts.explain import word_edit
from pages._shell import results
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown, escaped
from pages._shell.own_params import ExplainParams


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The opened example, or where to click for one."""
    with st.container(border=True, key="example"):
        if view.opened is None:
            st.markdown(f"**No training {explanation.kind} is open**")
            st.caption("Click a card above, a point of the chart or a row of the table: it opens here.")
        else:
            _opened(study, view, params, explanation, view.opened)


def _opened(study: Study, view: View, params: ExplainParams, explanation: Explanation, train_id: int) -> None:
    at = explanation.position(train_id)
    names = escaped(study.data.class_names)
    opened_title(study, train_id)
    if study.data.pictured:
        _picture_and_pixels(study, explanation, train_id)
    elif answers(study):
        word_edit.show(study, params, explanation, train_id)
    else:
        _record_and_features(study, explanation, train_id)
    _numbers(explanation, at, names[explanation.labels[at]], names[explanation.label])
    st.button(
        "Put it back" if train_id in view.chosen else "Choose it for retraining",
        key="choose_opened",
        on_click=lambda: toggle_chosen(str(train_id)),
        width="stretch",
    )


def _picture_and_pixels(study: Study, explanation: Explanation, train_id: int) -> None:
    asked = explanation.label_name
    picture, heat = st.columns(2, gap="small", vertical_alignment="center")
    with picture:
        show_example(study, study.data.train, train_id, 210)
        if file := study.data.record(train_id).get("file"):
            st.caption(escape_markdown(file))
    result = results.load("Asking every pixel", pixels.run, study, explanation, train_id)
    if study.data.pictures is not None:
        with heat:
            st.plotly_chart(photo_map(result, asked, _opacity() / 100), key="pixels")
        st.caption(
            f"Right: which pixels of it matter. :blue[Blue]: more light there would speak for {escape_markdown(asked)} (the loss "
            f"falls); :orange[orange]: against it. The slope through the whole network, true for small changes only; a "
            f"pixel from black to white would move the loss by up to {nats(result.strongest)} at this slope."
        )
        st.slider("Opacity of the map, per cent", 0, 100, 80, 5, key="opacity")
        return
    with heat:
        st.plotly_chart(pixel_map(result, asked), key="pixels")
    st.caption(
        f"Right: which pixels of it matter. :blue[Blue]: ink added here would speak for {asked} (the loss falls); "
        f":orange[orange]: against it. One pixel from blank to full ink is forecast to move the loss by up to "
        f"{nats(result.strongest)}."
    )


def _opacity() -> int:
    """What the slider below the map was last set to."""
    return st.session_state.get("opacity", 80)


def _record_and_features(study: Study, explanation: Explanation, train_id: int) -> None:
    show_record(study.data.record(train_id), study.data.kind)
    result = results.load("Asking every feature", features.run, study, explanation, train_id)
    st.markdown("**Which of its columns matter**")
    st.plotly_chart(feature_bars(result), key="features")
    st.caption(
        f":blue[Blue]: a higher value here would speak for {escape_markdown(explanation.label_name)} (the loss falls); "
        ":orange[orange]: against it."
    )


def _numbers(explanation: Explanation, at: int, name: str, asked: str) -> None:
    side = "for" if explanation.shown[at] > 0 else "against"
    numbers = "".join(
        f"| {NAMES[name].capitalize()} | {nats(float(one.loss[at]))}, {points(float(one.probability[at]))} |\n"
        for name, one in explanation.numbers.items()
    )
    st.markdown(
        f"| Speaks **{side} {asked}** | change of loss, of p({asked}) |\n|---|---|\n{numbers}"
        f"| Rank by size | {explanation.ranks()[at]:,} of {len(explanation.ids):,} |\n"
        f"| Distance to the test {explanation.kind} | {explanation.distance[at]:.2f} |\n"
        f"| The model's probability for its label {name} | {percent(float(explanation.own_probability[at]))} |\n"
    )
