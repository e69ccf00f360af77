"""The paper's Figure 2: forecasts against leave-one-out retraining."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core import studies
from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.experiments import explain, leave_one_out, lissa_estimate, questions
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LIMIT, LeaveOneOut
from influence_core.experiments.lissa_estimate import BUDGET, OURS, TOP, Estimate
from influence_core.reproduce.base import Check, Reproduction, open_, setting
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


def run(
    folder: str | None = None, device: str = "auto", context: Context = ALONE, k: int = LIMIT
) -> Reproduction:
    """Ten digits, for one test image that the model gets wrong: the ``k`` most influential training images left out.

    Args:
        folder: The folder that holds ``MNIST/raw``; the packaged digits stand in where none is named.
        device: A name of ``devices.NAMES``.
        context: Its store keeps parameters, scores and retrained losses.
        k: How many are left out; the paper's 500.

    Raises:
        DataError: If the folder does not hold MNIST.
    """
    spec = studies.find("mnist" if folder else "digits")
    study = open_(spec, folder, device, context.part(0.0, 0.1))
    answer = _answer(study, context.part(0.1, 0.35))
    exact = leave_one_out.run(study, answer, k, context=context.part(0.35, 0.9))
    paper = lissa_estimate.run(study, answer, exact, context=context.part(0.9, 0.97))
    ours = lissa_estimate.run(study, answer, exact, OURS, context=context.part(0.97, 1.0))
    original = not study.data.stand_in
    checks = (
        *_forecasts(exact, original),
        *_proofs(exact),
        *_estimates(paper, ours, original),
        *_facts(answer, exact, paper, ours),
    )
    settings = {**setting(study, answer), "left_out": k, "lissa": f"{paper.settings}; ours: {ours.settings}"}
    title = "Figure 2: forecasts against leave-one-out retraining"
    return Reproduction("fig2", title, settings, checks, Figure2(exact, paper, ours))


def _answer(study: Study, context: Context) -> Explanation:
    """The question about the paper's test image, or the stand-in's first wrong answer."""
    test, known = study.data.test, study.predictions
    at = 8 if not study.data.stand_in else int(np.flatnonzero(known.predicted != known.labels)[0])
    question = questions.ask(study, int(test.ids[at]), label=int(test.y[at]))
    return explain.run(study, question, SolverSettings("cholesky", damping=0.0), context=context)


def _within(name: str, value: float, low: float, high: float, asked: bool = True, paper: str = "") -> Check:
    words = f"{low:g} to {high:g}" if asked else ""
    return Check(name, value, words, low <= value <= high or not asked, paper)


def _above(name: str, value: float, least: float, asked: bool = True, paper: str = "") -> Check:
    return Check(name, value, f"above {least:g}" if asked else "", value > least or not asked, paper)


def _at_most(name: str, value: float, most: float, asked: bool = True, paper: str = "") -> Check:
    return Check(name, value, f"at most {most:g}" if asked else "", value <= most or not asked, paper)


def _forecasts(exact: LeaveOneOut, original: bool) -> list[Check]:
    agreement = exact.agreement
    return [
        _above("exact: correlation with the truth", agreement.pearson, FOLLOWS, paper="on the diagonal"),
        _within("exact: slope of forecast on truth", agreement.slope, *SLOPES[original], paper="1"),
        _at_most("exact: worst error / largest truth", agreement.worst, WORST, original),
    ]


def _proofs(exact: LeaveOneOut) -> list[Check]:
    share = float((exact.gradient_norms / exact.targets).max()) * leave_one_out.GRADIENT_TOL
    control = abs(exact.control)
    return [
        _at_most("gradient norm / gradient of the left-out image, the largest", share, PROVED),
        _at_most(
            "control: change after training on everything from scratch, nats", control, QUIET, paper="about 0"
        ),
    ]


def _estimates(paper: Estimate, ours: Estimate, original: bool) -> list[Check]:
    low, high = ESTIMATED_SLOPES
    checks = [
        _above(
            "LiSSA: correlation with the truth",
            paper.agreement.pearson,
            ESTIMATED,
            original,
            "near the diagonal",
        ),
        _within("LiSSA: slope of forecast on truth", paper.agreement.slope, low, high),
        Check(f"LiSSA: of the {TOP} strongest, found", paper.top, f"at least {FOUND}", paper.top >= FOUND),
        _above(
            "LiSSA, our settings: correlation",
            ours.agreement.pearson,
            max(ESTIMATED, paper.agreement.pearson),
        ),
        _within("LiSSA, our settings: slope", ours.agreement.slope, low, high),
        Check(
            f"LiSSA, our settings: of the {TOP} strongest, found",
            ours.top,
            f"at least {FOUND}",
            ours.top >= FOUND,
        ),
        _at_most("LiSSA, our settings: relative error of s", ours.error, paper.error),
        _at_most("LiSSA, our settings: products", ours.products, BUDGET),
    ]
    return checks


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
