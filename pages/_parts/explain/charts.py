"""All training examples in one picture: the paper's scatter, and the anatomy of the score."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import anatomy as experiment
from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import Number
from influence_core.figures.anatomy import anatomy as draw_anatomy
from influence_core.figures.explain import clickable
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import hover_pictures
from pages._common.number import SHORT
from pages._common.scatter import show_distance
from pages._shell import results
from pages._shell.address import MAX_CHOSEN, View
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import choice

HEIGHT = 380


def distance(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The paper's influence, or the best number at hand, against distance."""
    best = number = explanation.number
    if best != "influence":
        number = _number(view, best)
    show_distance(study, view, explanation, number, "nats" if params.unit else "pp", HEIGHT)
    hover_pictures.show(study, "scatter", _drawn(explanation.by(number)))
    asked = escape_markdown(explanation.label_name)
    st.caption(
        f"Each point is a training {explanation.kind}. :blue[Blue, above the line]: speaks for {asked}. "
        f":orange[Orange, below]: speaks against. Filled: labelled {asked}; open: another label. Grey: how "
        f"all of them lie. Click a point to open it; lasso or box select (top right of the chart) to choose several "
        f"for retraining as well (at most {MAX_CHOSEN} in all, the strongest first)."
    )


def _number(view: View, best: Number) -> Number:
    """Which number is drawn: a choice, and in a clause beside it whether it is that of the cards."""
    titles = {"distance": "Influence, as in the paper", "best": SHORT[best].capitalize()}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        shown = choice("chart", view.chart, "Upwards", titles, key="upwards", label_visibility="collapsed")
        if shown == "best":
            st.caption(f"The number of the cards ({SHORT[best]}).", width="content")
            return best
        st.caption(
            f"The paper's number. That of the cards ({SHORT[best]}) can be many times larger or smaller.",
            width="content",
        )
        return "influence"


def _drawn(explanation: Explanation) -> list[int]:
    """Ids of the examples whose points can be clicked."""
    return [int(explanation.ids[one]) for at in clickable(explanation) for one in at]


def anatomy(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The paper's Figure 1 of this answer."""
    result = results.load("Taking the score apart", experiment.run, study, explanation)
    show_chart(draw_anatomy(result, explanation.label_name), key="anatomy")
    helps, harms = result.agreement()
    same, eye = (
        escape_markdown(explanation.label_name),
        f"likeness of the {explanation.kind}s to the model's eye",
    )
    st.caption(
        f"Upward the score of every training {explanation.kind}, {len(explanation.ids):,} times its influence on the loss, "
        "against what is left of it when a factor is dropped. **Without the training loss**, examples that the model already "
        "fits well would seem to matter. **Without the "
        f"curvature**, {percent(helps)} of those labelled {same} would help and {percent(harms)} of the others would harm: "
        f"little but the label is left. **Without both**, only the {eye}. Filled: the label asked about."
    )
