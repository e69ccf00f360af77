"""A map of all examples in the plane."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.experiments import plane
from influence_core.experiments.explain import Explanation
from influence_core.figures.explain import Unit
from influence_core.figures.plane import POINTS, TESTS, drawn
from influence_core.figures.plane import plane as draw
from influence_core.studies import Study
from influence_core.words import percent
from pages._common.number import SHORT
from pages._common.scatter import show_points
from pages._shell import results
from pages._shell.address import MAX_CHOSEN, View
from pages._shell.own_params import ExplainParams


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """All training examples in two directions, and the test examples among them."""
    found = results.load("Drawing the map", plane.run, study)
    here = plane.place(study, found, explanation.question.x)
    unit: Unit = "nats" if params.unit else "pp"
    figure = draw(found, explanation, here, study.data.test.y.numpy(), view.opened, view.chosen, unit)
    show_points(figure, "plane", several=True, alt="all examples along two principal directions")
    shown, tests = len(drawn(explanation)), min(TESTS, len(found.test))
    few = (
        f" Drawn are {shown:,} of {len(explanation.ids):,} training {explanation.kind}s (the strongest, and a fixed sample of "
        f"the others, {POINTS:,} at most) and {tests:,} of {len(found.test):,} test {explanation.kind}s."
    )
    shares = percent(float(np.sum(found.share)))
    st.caption(
        f"The two directions in which the training {explanation.kind}s differ most, in what the model sees (PCA): {shares} of "
        "all their variance, so what lies together here may be far apart. Discs are training examples, coloured by label; "
        f"the larger, the more they do to this answer ({SHORT[explanation.number]}); the strongest have a rim, :blue[blue] "
        f"for, :orange[orange] against. Crosses are test examples, the star is the one asked about.{few} Click a disc to open "
        f"it; lasso or box select to choose several for retraining (at most {MAX_CHOSEN} in all, the strongest first)."
    )
