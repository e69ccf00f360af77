"""The paper's Figure 2: forecasts against leave-one-out retraining."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.context import Context
from influence_core.engines import SolverSettings
from influence_core.experiments import explain, leave_one_out, lissa_estimate, questions
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LIMIT, LeaveOneOut
from influence_core.experiments.lissa_estimate import BUDGET, OURS, TOP, Estimate
from influence_core.reproduce.base import Found, figure, setting_of
from influence_core.reproduce.checks import Check, above, at_least, at_most, within
from influence_core.studies import Study

FOLLOWS = 0.999
"""Correlation of the exact forecasts with the truth."""
SLOPES = {True: (0.98, 1.01), False: (0.9, 1.02)}
"""Of the exact forecasts on the truth, on the paper's data and on a stand-in, whose fewer examples weigh more each."""
WORST = 0.05
"""Largest error of a forecast, as a share of the largest truth; asked of the paper's data."""
PROVED = 1e-4
"""Largest gradient norm of a left-out model, as a share of the gradient that leaving the example out brings in."""
QUIET = 1e-6
"""What the control may change, nats."""
ESTIMATED = 0.99
"""Correlation of LiSSA's forecasts with the truth; asked of the paper's data."""
ESTIMATED_SLOPES = (0.85, 1.1)
FOUND = 8
"""Of the ten most influential examples."""


@dataclass(frozen=True, eq=False)
class Figure2:
    """The panels of the linear model: the truth with exact forecasts, and two estimates.

    Attributes:
        exact: Truth and exact forecasts.
        paper: LiSSA with the paper's settings.
        ours: LiSSA at the same cost with larger batches.
    """

    exact: LeaveOneOut
    paper: Estimate
    ours: Estimate


@figure(
    "fig2",
    "Figure 2: forecasts against leave-one-out retraining",
    "The forecasts of the 500 most influential images lie on the diagonal, those of the stochastic solver (LiSSA) near it.",
    60,
    ["mnist"],
    ["digits"],
    [0.1],
)
def run(study: Study, *, context: Context) -> Found:
    """Ten digits, for one test image that the model gets wrong: the most influential training images left out."""
    original = not study.data.stand_in
    at = 8 if original else int(study.predictions.wrong.argmax())
    question = questions.ask_truth(study, int(study.data.test.ids[at]))
    settings = SolverSettings("cholesky", damping=0.0)
    answer = explain.run(study, question, settings, context=context.part(0.0, 0.28))
    exact = leave_one_out.run(study, answer, LIMIT, context=context.part(0.28, 0.89))
    paper = lissa_estimate.run(study, answer, exact, context=context.part(0.89, 0.97))
    ours = lissa_estimate.run(study, answer, exact, OURS, context=context.part(0.97, 1.0))
    checks = (
        *_forecasts(exact, original),
        *_proofs(exact),
        *_estimates(paper, ours, original),
        *_facts(answer, exact, paper, ours),
    )
    sizes = {"left_out": LIMIT, "lissa": f"{paper.settings}; ours: {ours.settings}"}
    return setting_of(study, answer) | sizes, checks, Figure2(exact, paper, ours)


def _forecasts(exact: LeaveOneOut, original: bool) -> list[Check]:
    agreement = exact.agreement
    return [
        above("exact: correlation with the truth", agreement.pearson, FOLLOWS, paper="on the diagonal"),
        within("exact: slope of forecast on truth", agreement.slope, *SLOPES[original], paper="1"),
        at_most("exact: worst error / largest truth", agreement.worst, WORST, original),
    ]


def _proofs(exact: LeaveOneOut) -> list[Check]:
    share = float((exact.gradient_norms / exact.targets).max()) * leave_one_out.GRADIENT_TOL
    name = "control: change after training on everything from scratch, nats"
    return [
        at_most("gradient norm / gradient of the left-out image, the largest", share, PROVED),
        at_most(name, abs(exact.control), QUIET, paper="about 0"),
    ]


def _estimates(paper: Estimate, ours: Estimate, original: bool) -> list[Check]:
    r, better = paper.agreement.pearson, max(ESTIMATED, paper.agreement.pearson)
    return [
        above("LiSSA: correlation with the truth", r, ESTIMATED, original, "near the diagonal"),
        within("LiSSA: slope of forecast on truth", paper.agreement.slope, *ESTIMATED_SLOPES),
        at_least(f"LiSSA: of the {TOP} strongest, found", paper.top, FOUND),
        above("LiSSA, our settings: correlation", ours.agreement.pearson, better),
        within("LiSSA, our settings: slope", ours.agreement.slope, *ESTIMATED_SLOPES),
        at_least(f"LiSSA, our settings: of the {TOP} strongest, found", ours.top, FOUND),
        at_most("LiSSA, our settings: relative error of s", ours.error, paper.error),
        at_most("LiSSA, our settings: products", ours.products, BUDGET),
    ]


def _facts(answer: Explanation, exact: LeaveOneOut, paper: Estimate, ours: Estimate) -> list[Check]:
    """What the paper's axes show, and what else there is to know."""
    newton = exact.newton_agreement
    assert newton is not None, "a linear model has Newton forecasts"
    actual, predicted = exact.actual, exact.predicted
    return [
        Check(
            "range of the truth, nats",
            (float(actual.min()), float(actual.max())),
            paper="about -0.023 to 0.032",
        ),
        Check(
            "range of the forecasts, nats",
            (float(predicted.min()), float(predicted.max())),
            paper="-0.024 to 0.031",
        ),
        Check("exact: rank correlation", exact.agreement.spearman),
        Check("Newton: correlation with the truth", newton.pearson),
        Check("Newton: slope", newton.slope),
        Check("Newton: worst error / largest truth", newton.worst),
        Check("LiSSA: relative error of s", paper.error),
        Check("LiSSA: cut off in the weakest direction", paper.truncation, paper="0.135, from its settings"),
        Check("LiSSA: relative residual", paper.residual),
        Check("LiSSA, our settings: cut off in the weakest direction", ours.truncation),
        Check("LiSSA, our settings: relative residual", ours.residual),
        Check("relative residual of the exact solve", answer.provenance.residual),
        Check("gradient norm at the optimum", answer.provenance.gradient_norm),
        Check("retraining, seconds", exact.seconds),
        Check("LiSSA, seconds", paper.seconds),
        Check("LiSSA, our settings: seconds", ours.seconds),
    ]
