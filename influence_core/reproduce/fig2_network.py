"""The right panel of the paper's Figure 2: a network's forecasts against training it again."""

from __future__ import annotations

import numpy as np

from influence_core.context import Context
from influence_core.experiments import explain, network_leave_one_out, questions
from influence_core.experiments.network_leave_one_out import NetworkLeaveOneOut, Retrainings
from influence_core.experiments.network_retraining import ADAM, WAYS
from influence_core.reproduce.base import Found, figure, setting_of
from influence_core.reproduce.checks import Check, above, at_least, at_most, same
from influence_core.studies import Study

LEFT_OUT = 40
FOLLOWS = 0.7
"""Correlation of forecast and truth that is asked for; the paper has 0.86."""
PARAMETERS = 2_616
NOTHING = 0.35
"""Nineteen of twenty random forecasts of forty examples correlate less with any truth."""
ASKED_WAYS = ("local", "adam")


@figure(
    "fig2-network",
    "Figure 2, right: a network's forecasts against training it again",
    "A network that has not converged, trained on without an image: forecast and truth correlate with 0.86.",
    600,
    paper=(),
    stand_in=["digits-network"],
    opened=[0.02],
)
def run(study: Study, *, context: Context) -> Found:
    """The paper's network on packaged digits, asked about the first test image that it gets wrong.

    The paper's own training of 500,000 steps is the study ``mnist-network``; this figure is the stand-in's in any case.
    """
    first_wrong = int(study.predictions.wrong.argmax())
    question = questions.ask_truth(study, int(study.data.test.ids[first_wrong]))
    answer = explain.run(study, question, context=context.part(0.0, 0.08))
    found = network_leave_one_out.run(study, answer, LEFT_OUT, context=context.part(0.08, 1.0))
    sizes = {"left_out": LEFT_OUT, "adam": str(ADAM)}
    return setting_of(study, answer) | sizes, (*_asked(found), *_facts(found)), found


def _asked(found: NetworkLeaveOneOut) -> list[Check]:
    checks = [same("parameters", found.p, PARAMETERS)]
    for way in ASKED_WAYS:
        name, r, truth = WAYS[way], found.agreement(way).pearson, found.retrainings[way]
        chance = float(np.quantile(np.abs(truth.random_pearson()), 0.95))
        checks += [
            at_least(f"{name}: correlation with the truth", r, FOLLOWS, paper="0.86"),
            at_most(f"{name}: 95 % of random forecasts correlate less than", chance, NOTHING),
            _proof(name, truth),
        ]
    return checks


def _proof(name: str, truth: Retrainings) -> Check:
    worst = float(truth.gradient_norms.max())
    asked = "" if truth.target is None else f"at most {truth.target:g}"
    return Check(f"{name}: largest gradient norm of a left-out network", worst, asked, truth.proved)


def _facts(found: NetworkLeaveOneOut) -> list[Check]:
    """What else there is to know: the other way, other test images, drift, and the curvature against the damping."""
    facts = []
    for way, truth in found.retrainings.items():
        name, agreement = WAYS[way], found.agreement(way)
        facts += [
            Check(f"{name}: correlation, rank correlation", (agreement.pearson, agreement.spearman)),
            Check(f"{name}: slope of forecast on truth", agreement.slope),
            Check(f"{name}: correlation for other test images, median", float(np.median(truth.others))),
            Check(f"{name}: the least of them", float(truth.others.min())),
            Check(f"{name}: drift of the control, nats", truth.control),
            Check(f"{name}: seconds", truth.seconds),
        ]
    low, high = found.eigenvalues.smallest, found.eigenvalues.largest
    return [
        *facts,
        Check("eigenvalues of the Hessian, without damping", (low, high)),
        Check("damping", found.damping, paper="0.01"),
        above("smallest eigenvalue with damping", low + found.damping, 0),
    ]
