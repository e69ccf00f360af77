"""One training example, opened; and the chosen ones taken out, with the forecast beside the truth."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.experiments import pixels
from influence_core.experiments.explain import Explanation
from influence_core.experiments.take_out import TakeOut
from influence_core.figures.pixels import pixel_map
from influence_core.figures.take_out import before_and_after
from influence_core.studies import Study
from influence_core.words import nats, percent, points, seconds
from pages._shared import access
from pages._shared.picture_grid import Picture, data_url, picture_grid
from pages._shared.pictures import training_picture, training_url
from pages._shared.view import View, go_to, toggle_chosen


def show(study: Study, view: View, explanation: Explanation) -> None:
    """The opened example and the retraining panel."""
    if view.opened is not None:
        _opened(study, view, explanation, view.opened)
    _retraining(study, view, explanation)


def _opened(study: Study, view: View, explanation: Explanation, train_id: int) -> None:
    at = explanation.position(train_id)
    name, asked = study.data.class_names[explanation.labels[at]], explanation.label_name
    with st.container(border=True, key="example"):
        head, close = st.columns([6, 1], vertical_alignment="center")
        head.subheader(f"Training image {train_id}, labelled {name}")
        close.button("Close", key="close_example", on_click=lambda: go_to(open=""), width="stretch")
        picture, numbers, heat = st.columns([1.1, 1.5, 1.7], gap="medium")
        with picture:
            url = data_url(training_picture(study, at), 8)
            st.html(f'<img src="{url}" alt="training image {train_id}" style="width:100%;max-width:260px;border-radius:6px">')
        with numbers:
            _numbers(explanation, at, name, asked)
            chosen = train_id in view.chosen
            st.button(
                "Chosen for retraining: put it back" if chosen else "Choose it for retraining",
                key="choose_opened",
                on_click=lambda: toggle_chosen(str(train_id)),
            )
        with heat:
            st.markdown("**Which pixels of it would matter**")
            st.plotly_chart(pixel_map(pixels.run(study, explanation, train_id), asked), key="pixels")
            st.caption(
                f":blue[Blue]: ink added here would speak for {asked} (the loss falls); :orange[orange]: against it. "
                "Predicted change of the test loss, nats, for one pixel from blank to full ink."
            )


def _numbers(explanation: Explanation, at: int, name: str, asked: str) -> None:
    side = "for" if explanation.scores[at] > 0 else "against"
    st.markdown(
        f"| | |\n|---|---|\n"
        f"| Speaks {side} {asked} | {nats(float(explanation.scores[at]))} |\n"
        f"| Without it, p({asked}) would change by | {points(float(explanation.probability_change[at]))} |\n"
        f"| Rank by size | {explanation.ranks()[at]:,} of {len(explanation.ids):,} |\n"
        f"| Distance to the test picture | {explanation.distance[at]:.2f} |\n"
        f"| The model's probability for its label {name} | {percent(float(explanation.own_probability[at]))} |\n"
    )


def _retraining(study: Study, view: View, explanation: Explanation) -> None:
    chosen = view.chosen
    with st.container(border=True, key="retraining"):
        st.subheader("Take it out and train again")
        if not chosen:
            st.caption("Tick training images above, or lasso some in the chart: then the forecast is checked by real training.")
            return
        at = np.array([explanation.position(one) for one in chosen])
        picture_grid(
            [_chosen_card(study, explanation, int(one)) for one in at],
            key="chosen",
            on_click=lambda train_id: go_to(open=train_id),
            on_select=toggle_chosen,
            selected=[str(one) for one in chosen],
            columns_min_px=92,
        )
        word = "this image" if len(chosen) == 1 else f"these {len(chosen)} images together"
        st.markdown(f"Forecast without {word}: **{nats(float(explanation.scores[at].sum()))}**")
        asked = (study.key, explanation.test_id, view.picture, explanation.label, chosen, str(view.settings))
        run, clear = st.columns([1.6, 5])
        if run.button("Take out and retrain", key="retrain", type="primary", width="stretch"):
            st.session_state["retrain_asked"] = asked
        clear.button("Put all back", key="put_back", on_click=lambda: go_to(out=""))
        if st.session_state.get("retrain_asked") == asked:
            _outcome(study, explanation, access.load_take_out(study, view, explanation, chosen))


def _chosen_card(study: Study, explanation: Explanation, at: int) -> Picture:
    name, train_id = study.data.class_names[explanation.labels[at]], explanation.ids[at]
    change = float(explanation.scores[at])
    return Picture(
        id=str(train_id),
        src=training_url(study, at),
        alt=f"chosen training image {train_id}, labelled {name}",
        title=f"{train_id}: {name}",
        lines=(nats(change),),
        tone="helpful" if change > 0 else "harmful",
    )


def _outcome(study: Study, explanation: Explanation, result: TakeOut) -> None:
    names, asked = study.data.class_names, explanation.label_name
    before, after = (names[int(one.argmax())] for one in (result.before, result.after))
    verdict = (
        f"**The answer flips: the model now says {after} instead of {before}.**"
        if result.flips
        else f"The model still says **{after}**."
    )
    st.markdown(verdict)
    forecast, truth, chance, error = st.columns(4)
    forecast.metric("Forecast, nats", nats(result.predicted).removesuffix(" nats"))
    truth.metric("After real training, nats", nats(result.actual).removesuffix(" nats"))
    p_before, p_after = (float(one[explanation.label]) for one in (result.before, result.after))
    chance.metric(f"Probability of {asked}", percent(p_after), points(p_after - p_before), delta_color="off")
    share = abs(result.predicted - result.actual) / max(abs(result.actual), 1e-300)
    error.metric("Forecast off by", f"{100 * share:.1f} %")
    st.plotly_chart(before_and_after(result, names, explanation.label), key="before_after", config={"displayModeBar": False})
    proof = "reached" if result.converged else "NOT reached: do not rely on this"
    control = f" Control (nothing taken out): {nats(result.control)}, already subtracted." if result.control else ""
    st.caption(
        f"Open: before; filled: after. Loss change of “{asked}”, plus = the loss rises. Retrained to a gradient norm of "
        f"{result.gradient_norm:.1e} (asked for {result.target:.1e}: {proof}) in {seconds(result.seconds)}.{control} The forecast is the "
        "sum of single influences; for large groups it is usually too small."
    )
