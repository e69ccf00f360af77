"""The paper's Figure 3: forecasts for a support vector machine, through a smoothed hinge."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.context import Context
from influence_core.experiments import smooth_hinge
from influence_core.experiments.hinge_curves import Curves, curves
from influence_core.experiments.smooth_hinge import SmoothHinge
from influence_core.reproduce.base import Found, figure, setting
from influence_core.reproduce.checks import Check, at_least, required, sizes
from influence_core.studies import Study

OVERESTIMATE = 5
"""The hinge itself must forecast changes at least so many times too large ..."""
GAIN = 0.2
"""... and smoothing must raise the correlation by at least this much."""
PUBLISHED = {0.0: "0.63 (notebook)", 0.001: "0.95", 0.1: "0.91"}
"""The paper's correlations."""
FOLLOWS = 0.9
"""The correlation that the paper's data must give at t = 0.001 and t = 0.1 ..."""
BLURRED = 1.0
"""... and from this temperature on it must be lower."""


@dataclass(frozen=True, eq=False)
class Figure3:
    """The paper's row of panels: the loss curves, and what the scatters show."""

    loss: Curves
    forecasts: SmoothHinge


@figure(
    "fig3",
    "Figure 3: a loss that is not differentiable",
    "The hinge itself forecasts about 20 times too much; smoothed, its forecasts correlate with the truth by 0.95.",
    20,
    paper=["mnist-one-or-seven-svm"],
    stand_in=["one-or-seven-svm"],
    opened=[0.2],
)
def run(study: Study, *, context: Context) -> Found:
    """Digits 1 against 7, for one test image that the machine gets wrong."""
    result = smooth_hinge.run(study, smooth_hinge.default_test(study), context=context)
    checks = (*sizes(study, 11_800, 2_100), *_shapes(study, result), *_facts(study, result))
    question = {"test_id": result.test_id, "label": study.data.class_names[result.label]}
    settings = setting(study, question, "Cholesky", f"subgradient norm {result.target:.1e}")
    return settings, checks, Figure3(curves(), result)


def _shapes(study: Study, result: SmoothHinge) -> list[Check]:
    """What the figure must show: the hinge itself forecasts far too much, smoothing mends it, and blurs in the end."""
    r = {t: float(result.pearson[result.index(t)]) for t in (0.0, 0.001, 0.1, BLURRED)}
    ratio, gain = float(result.size_ratio[0]), r[0.001] - r[0.0]
    original, name = not study.data.stand_in, "t = 0: largest forecast over largest true change"
    falls, less = r[BLURRED] < r[0.1], f"below r(t = 0.1) = {r[0.1]:.3f}"
    return [
        required(name, ratio, f"more than {OVERESTIMATE}", ratio > OVERESTIMATE, paper="about 20"),
        required("r(t = 0.001) - r(t = 0)", gain, f"more than {GAIN}", gain > GAIN, paper="0.32"),
        *(at_least(f"correlation r(t = {t:g})", r[t], FOLLOWS, original, PUBLISHED[t]) for t in (0.001, 0.1)),
        required(f"correlation r(t = {BLURRED:g})", r[BLURRED], less, falls, paper="lower"),
    ]


def _facts(study: Study, result: SmoothHinge) -> list[Check]:
    norm, asked = float(result.gradient_norms.max()), f"at most {result.target:.1e}"
    return [
        required("largest subgradient norm of a left-out model", norm, asked, result.proved),
        Check("correlation r(t = 0)", float(result.pearson[0]), paper=PUBLISHED[0.0]),
        Check("left-out training images", len(result.ids), paper="100"),
        Check("of them on the kink", int(result.on_kink.sum())),
        Check("margin of the test image", result.margin),
        Check("largest relative residual of the solves", result.residual),
        Check("subgradient norm at the optimum", study.gradient_norm),
    ]
