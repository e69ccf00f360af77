"""The chosen training images taken out, with the forecast beside the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments import flip, take_out, what_if
from influence_core.experiments.explain import Explanation
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.track_record import ALIKE_EFFECT, TrackRecord
from influence_core.experiments.what_if import Change
from influence_core.figures.take_out import before_and_after
from influence_core.studies import Study
from influence_core.words import UNIT, percent, ratio, seconds, signed, three_digits
from pages._common.cards import show_grid, training_card
from pages._common.far_off import had_said
from pages._common.number import MADE, amount, effect, unbroken, unit_name, worth
from pages._common.picture_grid import Picture
from pages._shell import results
from pages._shell.address import View, go_to, toggle_chosen
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.widgets import begin_button, metric

Places = tuple[DeltaGenerator, DeltaGenerator, DeltaGenerator]
RULES = {
    UNIT: "Loss change of “{}”, plus = the loss rises.",
    MADE: "Change of the probability of “{}”, plus = it rises.",
}


def show(study: Study, view: View, explanation: Explanation, retrain: bool, unit: str) -> None:
    """Choose, forecast, retrain where that was asked for, compare; what having the chosen does, in one unit."""
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
            [_chosen_card(study, explanation, int(one), unit) for one in at],
            key="chosen",
            on_select=toggle_chosen,
            selected=[str(one) for one in chosen],
        )
        word = (
            f"this {explanation.kind}"
            if len(chosen) == 1
            else f"these {len(chosen)} {explanation.kind}s together"
        )
        places = st.empty(), st.empty(), st.empty()
        _expect(study, explanation, at, word, unit, places)
        row = st.container(horizontal=True)
        begin_button("Take out and retrain", "retrain", row)
        row.button("Clear selection", key="put_back", on_click=lambda: go_to(out=""))
        if retrain:
            result = load(study, explanation, chosen)
            _expect(study, explanation, at, word, unit, places)
            outcome(study, explanation, result, unit)


def _expect(
    study: Study, explanation: Explanation, at: np.ndarray, word: str, unit: str, places: Places
) -> None:
    """What having the examples at ``at (m,)`` does, proven where it is."""
    known = proven(study, explanation, at, Change())

    def sentence(forecast: GroupForecast) -> str:
        return _foreseen(explanation, forecast, at, known, word, unit)

    show_expected(study, explanation, at, Change(), known, sentence, places, unit)


def show_expected(
    study: Study,
    explanation: Explanation,
    at: np.ndarray,
    change: Change,
    known: float | None,
    sentence: Callable[[GroupForecast], str],
    places: Places,
    unit: str = MADE,
) -> None:
    """What a change of the examples at ``at (m,)`` will do, and how far a forecast of it may be believed.

    Args:
        study: The trained model.
        explanation: The question.
        at: Positions.
        change: What happens to them.
        known: Its true effect on the loss, nats; ``None`` where it is not proven.
        sentence: From the forecast to what is said first.
        places: For the sentence and for two more; filled again once the truth is there.
        unit: Of the numbers.
    """
    forecast, record = foresee(study, explanation, at, change)
    said, trust, others = places
    said.markdown(unbroken(sentence(forecast)))
    trust.empty()
    others.empty()
    if known is None:
        with trust:
            show_trust(study, explanation, forecast, at, change)
        with others:
            show_record(explanation, forecast, record, unit)


def proven(study: Study, explanation: Explanation, at: np.ndarray, change: Change) -> float | None:
    """The true change of the loss after a change of the examples at ``at (m,)``, nats, where the model was trained again."""
    if len(at) == 1 and change.kind == "remove" and explanation.proven is not None:
        return float(explanation.proven.loss[at[0]])
    truth = take_out.recall(study, explanation, change.edit(study, at.tolist()), context=results.context())
    return None if truth is None else truth.actual


def truth_name(explanation: Explanation) -> str:
    """What is said of such a number: a network has other optima, so that one retraining proves nothing."""
    return "proven" if explanation.provenance.convex else "by real training"


def _foreseen(
    explanation: Explanation,
    forecast: GroupForecast,
    at: np.ndarray,
    known: float | None,
    word: str,
    unit: str,
) -> str:
    """What having them does to the label asked about: proven where that is known, and by forecast."""
    asked, rest = escape_markdown(explanation.label_name), alone(explanation, forecast, len(at), unit)
    foreseen = worth(explanation.probability, forecast.best, unit)
    if known is None:
        return f"Having {word} does **{foreseen}** for {asked}, by forecast{rest}."
    true = worth(explanation.probability, known, unit)
    before, came = (amount(explanation.probability, one, unit) for one in (forecast.best, known))
    after = had_said(before, came, foreseen, forecast.together is not None, unit_name(unit))
    return f"Having {word} does **{true}** for {asked}, {truth_name(explanation)}. {after}{rest}."


def foresee(
    study: Study, explanation: Explanation, at: np.ndarray, change: Change
) -> tuple[GroupForecast, TrackRecord | None]:
    """The forecast of a change of the examples at ``at (m,)``, and how others like it have come out."""
    asked = study, explanation, at.tolist(), change
    forecast = results.load("Forecasting the group together", what_if.forecast, *asked)
    return forecast, what_if.record(*asked, forecast, context=results.context())


def alone(explanation: Explanation, forecast: GroupForecast, count: int, unit: str = MADE) -> str:
    """What the influences of so many examples say, as the rest of a sentence about the forecast of all together."""
    said = worth(explanation.probability, forecast.alone, unit)
    if count == 1:
        return "" if forecast.together is None else f"; its influence alone: {said}"
    if forecast.together is None:
        return ", by the influence of each, added up"
    return f"; by the influence of each, added up: {said}"


def show_trust(
    study: Study, explanation: Explanation, forecast: GroupForecast, at: np.ndarray, change: Change
) -> None:
    """How far the forecast of a group, or of another change, may be believed: the verdict speaks of none."""
    count, ids = len(at), explanation.ids[at].tolist()
    if count == 1 and change.kind == "remove":
        return
    if forecast.together is None:
        how = "the influences of its members, added up; for large groups that can be far off"
    else:
        how = "one Newton step for all of it together"
    what = "all of them together" if count > 1 else "another change"
    flips = change.kind == "remove" and flip.is_proven(
        study, explanation.question.x, ids, context=results.context()
    )
    proof = (
        "That the answer is another without them is proven, by training again; how far it moves is not yet."
        if flips
        else "Only training again proves it."
    )
    st.caption(
        f"The verdict above is about single {explanation.examples}, each taken out alone. This number is about {what}, and a "
        f"forecast: {how}. {proof}"
    )


def show_record(
    explanation: Explanation, forecast: GroupForecast, record: TrackRecord | None, unit: str = MADE
) -> None:
    """Where the truth would lie if this forecast came out like others in this study; nothing where there are too few."""
    if record is None or forecast.together is None:
        return
    examples = f"{record.fewest} to {record.most} examples" if record.most > 1 else "single examples"
    if record.fewest == record.most > 1:
        examples = f"{record.most} examples"
    p = explanation.probability
    reach = sorted(record.reach(forecast.together), key=lambda one: amount(p, one, unit))
    low, high = (worth(p, one, unit) for one in reach)
    st.caption(
        f"In {record.count} other retrainings of this study, after the same change of {examples} with an effect at most "
        f"{ALIKE_EFFECT:g} times smaller or larger, the truth lay between {ratio(record.lowest)} and "
        f"{ratio(record.highest)} times the forecast. If this one comes out like them, the truth lies between "
        f"{low} and {high}."
    )


def load(study: Study, explanation: Explanation, train_ids: tuple[int, ...]) -> TakeOut:
    """Retraining without some training examples."""
    title = f"Training again without {len(train_ids)} {study.data.kind}{'s' if len(train_ids) > 1 else ''}"
    return results.load(title, take_out.run, study, explanation, train_ids)


def _chosen_card(study: Study, explanation: Explanation, at: int, unit: str) -> Picture:
    tone = "helpful" if explanation.shown[at] > 0 else "harmful"
    card = training_card(study, at, (effect(explanation, at, unit),), tone)
    return replace(card, alt=f"chosen {card.alt}")


def outcome(study: Study, explanation: Explanation, result: TakeOut, unit: str = MADE) -> None:
    """Forecast and truth side by side, with the proof of the training.

    Args:
        study: The trained model.
        explanation: The question.
        result: Forecast and truth.
        unit: Nats of the loss's change, or percentage points of probability: by the change, or by having what was taken out.
    """
    names, asked = study.data.class_names, escape_markdown(explanation.label_name)
    before, after = (escape_markdown(names[int(one.argmax())]) for one in (result.before, result.after))
    verdict = (
        f"**The answer flips: the model now says {after} instead of {before}.**"
        if result.flips
        else f"The model still says **{after}**."
    )
    st.markdown(verdict)
    _metrics(explanation, result, unit)
    show_chart(before_and_after(result, names, explanation.label), key="before_after")
    control = ""
    if result.control:
        said = worth(explanation.probability, result.control, unit)
        control = f" Control (nothing taken out): {said}, already subtracted."
    rule = RULES.get(unit, "What having them does to the probability of “{}”, plus = for it.").format(asked)
    st.caption(
        f"Open: before; filled: after. {rule} Retrained to a gradient norm of {proof(result)} in "
        f"{seconds(result.seconds)}.{control} {_method(explanation, result.forecast, len(result.train_ids), unit)}"
    )


def _metrics(explanation: Explanation, result: TakeOut, unit: str) -> None:
    """Truth, forecast, the probability, and how far the forecast was off."""
    p, name = explanation.probability, unit_name(unit)
    foreseen, actual = (amount(p, one, unit) for one in (result.forecast.best, result.actual))
    row = st.container(horizontal=True, gap="large")
    row.metric(f"After real training, {name}", signed(actual), width="content")
    row.metric(f"Forecast, {name}", signed(foreseen), width="content")
    before, after = (percent(float(one[explanation.label])) for one in (result.before, result.after))
    asked = f"Probability of {escape_markdown(explanation.label_name)}"
    metric(row, asked, after, f"before: {before}", width="content")
    off = abs(foreseen - actual)
    share = f"{percent(off / abs(actual))} of the truth" if actual else None
    metric(row, f"Forecast off by, {name}", three_digits(off), share, width="content")


def _method(explanation: Explanation, forecast: GroupForecast, count: int, unit: str) -> str:
    """How the forecast came about, and what the members' influences would have said."""
    if forecast.together is None:
        return (
            "The forecast of a group adds up its members, one at a time; for large groups it can be far off."
        )
    one = "The forecast is one Newton step: the edited training loss, taken as a parabola, is followed to its lowest point."
    said = worth(explanation.probability, forecast.alone, unit)
    if count == 1:
        return f"{one} The influence alone says {said}."
    return f"{one} The influences of its members, added up, say {said}; for large groups that can be far off."


def proof(result: TakeOut) -> str:
    """The gradient norm of the retrained model, and whether it is as small as was asked for."""
    reached = "reached" if result.converged else "NOT reached: do not rely on this"
    return f"{result.gradient_norm:.1e} (asked for {result.target:.1e}: {reached})"
