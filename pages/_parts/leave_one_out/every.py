"""The part of the page that leaves out every training example: both forecasts against the truth, and why one fails."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.agreement import Agreement
from influence_core.experiments import forecasts
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.explain import Explanation
from influence_core.experiments.forecasts import Forecasts
from influence_core.figures.forecasts import every_forecast
from influence_core.studies import Study
from influence_core.trust import CLOSE, ORDERED, USELESS
from influence_core.words import nats, percent, points, seconds, signed, three_digits
from pages._common import judge, scatter
from pages._common.cards import opened_title, show_example, show_grid, training_card
from pages._common.picture_grid import Picture
from pages._common.table import ROWS, number, show_folded
from pages._parts.leave_one_out.left_out import column_settings, correlation, share, shown_rows, slope
from pages._shell import results
from pages._shell.address import View
from pages._shell.escape import escape_markdown

CARDS = 6
"""So many of the strongest disagreements are shown."""
CARD_WIDTH = 130
MAX_POINTS = 6_000
"""More are not drawn, or a browser would be busy with them for seconds."""


def show(
    study: Study, view: View, explanation: Explanation, left_out: AllLeftOut, verdict: DeltaGenerator
) -> None:
    """Everything, from the answer on top of the page to the table."""
    title = f"Holding the forecasts of all {len(left_out.ids):,} {explanation.examples} against the truth"
    found = results.load(title, forecasts.run, study, explanation, left_out=left_out)
    with verdict:
        _show_answer(explanation, found)
    _show_charts(view, explanation, found)
    _show_opened(study, view, explanation, found)
    _show_disagreements(study, view, explanation, found)
    _show_table(study, explanation, found)


def _show_answer(explanation: Explanation, found: Forecasts) -> None:
    """The page's question, answered for both forecasts in a sentence."""
    influence, corrected = found.influence_agreement, found.corrected_agreement
    largest = float(np.abs(found.proven.loss).max())
    st.markdown(
        f"**{_verdict(influence, corrected)}.** All {len(found.ids):,} "
        f"{explanation.examples} were truly left out, each on its own: influence misses by up to **{share(influence.worst)}** "
        f"of the largest true change ({three_digits(largest)} nats), the corrected forecast by up to "
        f"**{share(corrected.worst)}**."
    )
    if not found.is_proven:
        st.warning("Some of these models did NOT reach their optimum: do not rely on this.")


def _verdict(influence: Agreement, corrected: Agreement) -> str:
    if max(influence.worst, corrected.worst) <= CLOSE:
        return "Both forecasts come true"
    return f"Influence {_success(influence)}; the corrected forecast {_success(corrected)}"


def _success(agreement: Agreement) -> str:
    if agreement.worst <= CLOSE:
        return "comes true"
    if agreement.spearman >= ORDERED:
        return f"gets the order right, but not {'all' if agreement.worst <= USELESS else 'the'} sizes"
    return "does not come true"


def _show_charts(view: View, explanation: Explanation, found: Forecasts) -> None:
    """Influence and corrected forecast against the truth, side by side on the same axes."""
    worst, drawn = found.disagreements(CARDS).tolist(), found.drawn(MAX_POINTS)
    if view.opened is not None:
        drawn = np.union1d(drawn, [explanation.position(view.opened)])
    influence, corrected = st.columns(2, gap="medium")
    with influence:
        st.markdown("### Influence: the paper's first-order number")
        figure = every_forecast(found, explanation, "influence", worst, view.opened, drawn=drawn)
        scatter.show_points(figure, "influence_truth", alt="influence against truth")
        _show_agreement(found.influence_agreement)
    with corrected:
        st.markdown("### Corrected: one Newton step without it")
        figure = every_forecast(found, explanation, "corrected", worst, view.opened, drawn=drawn)
        scatter.show_points(figure, "corrected_truth", alt="corrected forecast against truth")
        _show_agreement(found.corrected_agreement)
    asked = escape_markdown(explanation.label_name)
    st.caption(
        f"{_selection(found, explanation)}"
        f"Each point is one left-out {explanation.kind}, the same in both charts; on the dashed line the forecast came true. "
        f"**Large: it carries much of its own curvature** (its leverage). :blue[Blue] truly helps (the loss rises without "
        f"it), :orange[orange] truly harms. Filled: labelled {asked}; open: another label. The numbers are those of the cards "
        "below, the thin lines their misses. Click a point to open it.  \nPearson: correlation of forecast and truth; Spearman: "
        "that of their ranks. Slope: forecast ÷ truth, below 1 where forecasts are too small. Worst miss: as a share of the "
        "largest true change."
    )


def _selection(found: Forecasts, explanation: Explanation) -> str:
    """Which of many points are drawn; the numbers above count all."""
    n = len(found.ids)
    if n <= MAX_POINTS:
        return ""
    half = MAX_POINTS // 2
    return (
        f"**{MAX_POINTS:,} of {n:,} {explanation.examples} are drawn**: the {half:,} of largest effect or miss, and {half:,} of "
        "the others at random. The four numbers above count all.  \n"
    )


def _show_agreement(agreement: Agreement) -> None:
    numbers = {
        "Pearson": correlation(agreement.pearson),
        "Spearman": correlation(agreement.spearman),
        "Slope": slope(agreement),
        "Worst miss": share(agreement.worst),
    }
    with st.container(horizontal=True, gap="small"):
        for name, words in numbers.items():
            st.markdown(f":small[:gray[{name}]]  \n**{words}**", width="content")


def _show_opened(study: Study, view: View, explanation: Explanation, found: Forecasts) -> None:
    """The example that is open, with its three numbers and why they differ."""
    if view.opened is None:
        return
    at = explanation.position(view.opened)
    with st.container(border=True, key="example"):
        opened_title(study, view.opened)
        judge.show(study, view.opened)
        look, words = st.columns([1, 2.2], gap="medium")
        with look:
            show_example(study, study.data.train, view.opened, 180)
        with words:
            rows = {
                "**Proven**: trained without it": found.proven,
                "Corrected forecast": found.corrected,
                "Influence": found.influence,
            }
            lines = [
                f"| {name} | {nats(float(one.loss[at]))} | {points(float(one.probability[at]))} |"
                for name, one in rows.items()
            ]
            asked = escape_markdown(explanation.label_name)
            head = f"| without this {explanation.kind} | loss | probability of {asked} |\n|---|---|---|\n"
            st.markdown(head + "\n".join(lines))
            st.markdown(_why(explanation, found, at))


def _why(explanation: Explanation, found: Forecasts, at: int) -> str:
    """The leverage of one example in plain words."""
    kind, leverage = explanation.kind, percent(float(found.leverage[at]))
    return (
        f"**Leverage {leverage}.** Where this {kind} pulls at the model, {leverage} of what holds the model in place is the "
        f"{kind}'s own. Influence takes that to stay; without the {kind} it is gone, and the model gives way about "
        f"**{_times(found, at)} times as far**."
    )


def _times(found: Forecasts, at: int) -> str:
    return f"{found.farther[at]:.1f}" if found.farther[at] < 100 else "more than 100"


def _show_disagreements(study: Study, view: View, explanation: Explanation, found: Forecasts) -> None:
    """The examples whose influence misses the truth most, each with its leverage."""
    close = found.influence_agreement.worst <= CLOSE
    st.header("Where first order misses most" if close else "Where first order fails")
    half, high = (percent(float(np.quantile(found.leverage, one))) for one in (0.5, 0.99))
    st.markdown(
        "An example of high **leverage** holds the model in place by itself. Influence assumes that this hold stays when the "
        "example goes; in truth it goes too, and the model gives way up to 1 / (1 − leverage) times as far. The loss bends on "
        "the way as well. The corrected forecast counts both."
    )
    st.caption(
        f"Half of all {explanation.examples} have a leverage below {half}, one in a hundred above {high}. On the cards: "
        f"the change of the loss without the {explanation.kind}, nats."
    )
    cards = [_card(study, found, int(at), place) for place, at in enumerate(found.disagreements(CARDS), 1)]
    chosen = () if view.opened is None else (str(view.opened),)
    show_grid(study, cards, key="disagreements", width=CARD_WIDTH, chosen=chosen)


def _card(study: Study, found: Forecasts, at: int, place: int) -> Picture:
    proven, corrected, influence = (
        signed(float(one.loss[at])) for one in (found.proven, found.corrected, found.influence)
    )
    leverage = percent(float(found.leverage[at]))
    label = study.data.class_names[int(study.data.train.y[at])]
    lines = (
        f"proven {proven}",
        f"corrected {corrected}",
        f"influence {influence}",
        f"leverage {leverage}: gives way {_times(found, at)} × as far",
    )
    tone = "helpful" if found.proven.loss[at] > 0 else "harmful"
    words = f", {', '.join(lines)}"
    return training_card(study, at, lines, tone, f"{place} · {found.ids[at]}: {label}", words)


def _show_table(study: Study, explanation: Explanation, found: Forecasts) -> None:
    """The largest true effects with both forecasts, and the download of all."""
    columns, count = forecasts.table(found), min(ROWS, len(found.ids))
    top = {name: values[:count] for name, values in columns.items()}
    titles = {
        "proven_loss_change_nats": "proven, nats",
        "corrected_loss_change_nats": "corrected forecast, nats",
        "influence_nats": "influence, nats",
    }
    show_folded(
        f"the {count} {explanation.examples} with the largest true effect",
        lambda: shown_rows(study, explanation, top),
        column_settings(
            study,
            titles,
            proven_probability_change=number("proven, probability", format="%+.5f"),
            corrected_probability_change=number("corrected, probability", format="%+.5f"),
            influence_probability_change=number("influence, probability", format="%+.5f"),
            leverage=number("leverage", format="percent"),
        ),
        f"All {len(found.ids):,} {explanation.examples} (CSV)",
        f"forecast-and-truth-{study.spec.name}-{explanation.test_id}-{explanation.label_name}",
        lambda: columns,
        key="download_forecasts",
    )
    st.caption(
        f"**Proof.** Every model was trained until its gradient was at most {three_digits(found.remaining)} of what leaving its "
        f"{explanation.kind} out had put there. **Time.** {len(found.ids):,} models in {seconds(found.seconds)}, once for all "
        "questions."
    )
