"""The chosen training images taken out, with the forecast beside the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from influence_core.experiments import take_out, what_if
from influence_core.experiments.explain import Explanation
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.track_record import ALIKE_EFFECT, TrackRecord
from influence_core.experiments.what_if import Change
from influence_core.figures.take_out import before_and_after
from influence_core.studies import Study
from influence_core.words import having, nats, percent, points, ratio, seconds, three_digits
from pages._common.cards import show_grid, training_card
from pages._common.number import effect
from pages._common.picture_grid import Picture
from pages._shell import results
from pages._shell.address import View, go_to, toggle_chosen
from pages._shell.escape import escape_markdown
from pages._shell.widgets import begin_button, metric


def show(study: Study, view: View, explanation: Explanation, retrain: bool) -> None:
    """Choose, forecast, retrain where that was asked for, compare."""
    chosen = view.chosen
    with st.container(border=True, key="retraining"):
        st.header("Take it out and train again")
        if not chosen:
            st.caption(
                f"Tick {explanation.examples} above, or lasso some in the chart: then the forecast is checked by real training."
            )
            return
        at = np.array([explanation.position(one) for one in chosen])
        show_grid(
            study,
            [_chosen_card(study, explanation, int(one)) for one in at],
            key="chosen",
            on_select=toggle_chosen,
            selected=[str(one) for one in chosen],
        )
        word = (
            f"this {explanation.kind}"
            if len(chosen) == 1
            else f"these {len(chosen)} {explanation.kind}s together"
        )
        forecast, record = foresee(study, explanation, at, Change())
        st.markdown(
            f"{_worth(explanation, forecast, at, word)}Forecast without {word}: "
            f"**{nats(forecast.best)}**{alone(forecast, len(chosen))}"
        )
        show_record(forecast, record)
        run, clear = st.columns([1.6, 5])
        begin_button("Take out and retrain", "retrain", run, width="stretch")
        clear.button("Clear selection", key="put_back", on_click=lambda: go_to(out=""))
        if retrain:
            outcome(study, explanation, load(study, explanation, chosen))


def _worth(explanation: Explanation, forecast: GroupForecast, at: np.ndarray, word: str) -> str:
    """What having them does to the probability asked about, proven or forecast; "" where there is no forecast of it."""
    asked = escape_markdown(explanation.label_name)
    if len(at) == 1 and explanation.number == "proven":
        one = int(at[0])
        loss = nats(float(explanation.shown[one]))
        return f"Having {word}: **{effect(explanation, one)}** for {asked}, proven. Without it: **{loss}**. "
    if forecast.probability is None:
        return ""
    return f"Having {word}: **{having(forecast.probability)}** for {asked}, by forecast. "


def foresee(
    study: Study, explanation: Explanation, at: np.ndarray, change: Change
) -> tuple[GroupForecast, TrackRecord | None]:
    """The forecast of a change of the examples at ``at (m,)``, and how others like it have come out."""
    asked = study, explanation, at.tolist(), change
    forecast = results.load("Forecasting the group together", what_if.forecast, *asked)
    return forecast, what_if.record(*asked, forecast, context=results.context())


def alone(forecast: GroupForecast, count: int) -> str:
    """What the influences of so many examples say, as the rest of a sentence about the forecast of all together."""
    if count == 1:
        return "" if forecast.together is None else f"; its influence alone: {nats(forecast.alone)}"
    if forecast.together is None:
        return ", each alone, added up"
    return f"; each alone, added up: {nats(forecast.alone)}"


def show_record(forecast: GroupForecast, record: TrackRecord | None) -> None:
    """Where the truth would lie if this forecast came out like others in this study; nothing where there are too few."""
    if record is None or forecast.together is None:
        return
    examples = f"{record.fewest} to {record.most} examples" if record.most > 1 else "single examples"
    if record.fewest == record.most > 1:
        examples = f"{record.most} examples"
    low, high = record.reach(forecast.together)
    st.caption(
        f"In {record.count} other retrainings of this study, after the same change of {examples} with an effect at most "
        f"{ALIKE_EFFECT:g} times smaller or larger, the truth lay between {ratio(record.lowest)} and "
        f"{ratio(record.highest)} times the forecast. If this one comes out like them, the truth lies between "
        f"{nats(low)} and {nats(high)}."
    )


def load(study: Study, explanation: Explanation, train_ids: tuple[int, ...]) -> TakeOut:
    """Retraining without some training examples."""
    title = f"Training again without {len(train_ids)} {study.data.kind}{'s' if len(train_ids) > 1 else ''}"
    return results.load(title, take_out.run, study, explanation, train_ids)


def _chosen_card(study: Study, explanation: Explanation, at: int) -> Picture:
    tone = "helpful" if explanation.shown[at] > 0 else "harmful"
    card = training_card(study, at, (effect(explanation, at),), tone)
    return replace(card, alt=f"chosen {card.alt}")


def outcome(study: Study, explanation: Explanation, result: TakeOut) -> None:
    """Forecast and truth side by side, with the proof of the training."""
    names, asked = study.data.class_names, escape_markdown(explanation.label_name)
    before, after = (escape_markdown(names[int(one.argmax())]) for one in (result.before, result.after))
    verdict = (
        f"**The answer flips: the model now says {after} instead of {before}.**"
        if result.flips
        else f"The model still says **{after}**."
    )
    st.markdown(verdict)
    forecast, truth, chance, error = st.columns(4)
    forecast.metric("Forecast, nats", nats(result.forecast.best).removesuffix(" nats"))
    truth.metric("After real training, nats", nats(result.actual).removesuffix(" nats"))
    p_before, p_after = (float(one[explanation.label]) for one in (result.before, result.after))
    metric(chance, f"Probability of {asked}", percent(p_after), points(p_after - p_before))
    off = abs(result.forecast.best - result.actual)
    share = f"{100 * off / abs(result.actual):.0f} % of the truth" if result.actual else None
    metric(error, "Forecast off by, nats", three_digits(off), share)
    st.plotly_chart(before_and_after(result, names, explanation.label), key="before_after")
    control = (
        f" Control (nothing taken out): {nats(result.control)}, already subtracted." if result.control else ""
    )
    st.caption(
        f"Open: before; filled: after. Loss change of “{asked}”, plus = the loss rises. Retrained to a gradient norm of "
        f"{proof(result)} in {seconds(result.seconds)}.{control} {_method(result.forecast, len(result.train_ids))}"
    )


def _method(forecast: GroupForecast, count: int) -> str:
    """How the forecast came about, and what the members' influences would have said."""
    if forecast.together is None:
        return (
            "The forecast of a group adds up its members, one at a time; for large groups it can be far off."
        )
    one = "The forecast is one Newton step: the edited training loss, taken as a parabola, is followed to its lowest point."
    if count == 1:
        return f"{one} The influence alone says {nats(forecast.alone)}."
    return f"{one} The group's members, each alone, added up, say {nats(forecast.alone)}; for large groups that can be far off."


def proof(result: TakeOut) -> str:
    """The gradient norm of the retrained model, and whether it is as small as was asked for."""
    reached = "reached" if result.converged else "NOT reached: do not rely on this"
    return f"{result.gradient_norm:.1e} (asked for {result.target:.1e}: {reached})"
