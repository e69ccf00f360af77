"""The paper's Figure 1: what each factor of a score does."""

from __future__ import annotations

import numpy as np

from influence_core import studies
from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.experiments import anatomy, explain, questions
from influence_core.experiments.anatomy import Anatomy
from influence_core.experiments.explain import Explanation
from influence_core.reproduce.base import Check, Reproduction, open_, setting
from influence_core.studies import Study

IDENTITY = 1e-10
"""Relative error up to which two products of a few thousand float64 numbers are the same."""


def run(folder: str | None = None, device: str = "auto", context: Context = ALONE) -> Reproduction:
    """Digits 1 against 7, for one test image of a seven.

    Args:
        folder: The folder that holds ``MNIST/raw``; the packaged digits stand in where none is named.
        device: A name of ``devices.NAMES``.
        context: Its store keeps the trained parameters and the scores.

    Raises:
        DataError: If the folder does not hold MNIST.
    """
    spec = studies.find("mnist-one-or-seven" if folder else "one-or-seven")
    study = open_(spec, folder, device, context.part(0.0, 0.7))
    test = study.data.test
    at = 30 if folder else int((test.y == study.data.class_names.index("7")).nonzero()[0])
    question = questions.ask(study, int(test.ids[at]), label=int(test.y[at]))
    settings = SolverSettings("cholesky", damping=0.0)
    answer = explain.run(study, question, settings, context=context.part(0.7, 1.0))
    parts = anatomy.run(study, answer)
    checks = (
        *_signs(study, answer, parts),
        *_harm(parts),
        _identity(answer, parts),
        *_sizes(study),
        *_facts(answer, parts),
    )
    return Reproduction(
        "fig1", "Figure 1: the components of influence", setting(study, answer), checks, parts
    )


def _signs(study: Study, answer: Explanation, parts: Anatomy) -> list[Check]:
    """Without the Hessian, the sign of a score is that of the label agreement, because pixels are not negative.

    Exactly zero is a violation only where the pictures share no ink: elsewhere it is a loss factor too small to hold.
    """
    share_ink = study.data.train.x.numpy() @ answer.x > 0
    scores = {"the Hessian": parts.without_curvature, "both": parts.without_both}
    checks = []
    for words, values in scores.items():
        for kind, members, sign in (("same", parts.same_label, 1), ("other", ~parts.same_label, -1)):
            wrong = (sign * values < 0) | ((values == 0) & ~share_ink)
            name = f"without {words}: {kind}-label images that {'harm' if sign > 0 else 'help'} or do nothing"
            checks.append(_none(name, int((wrong & members).sum()), int(members.sum())))
    return checks


def _none(name: str, count: int, of: int) -> Check:
    return Check(name, count, f"0 of {of:,}", count == 0, "none")


def _harm(parts: Anatomy) -> list[Check]:
    """In truth some images of the same label harm, and some of the other label help."""
    harm = int((parts.same_label & (parts.full < 0)).sum())
    help_ = int((~parts.same_label & (parts.full > 0)).sum())
    return [
        Check("full score: same-label images that harm", harm, "at least 1", harm > 0, "some"),
        Check("full score: other-label images that help", help_, "at least 1", help_ > 0, "some"),
    ]


def _identity(answer: Explanation, parts: Anatomy) -> Check:
    """``n D_i = (1 - p(y_i)) x the score without the training loss``, the left side as the engine computed it."""
    full = len(answer.scores) * answer.scores
    product = parts.loss_factor * parts.without_loss
    error = np.abs(full - product) / np.maximum(np.abs(full), np.finfo(full.dtype).tiny)
    largest = float(error.max())
    return Check(
        "n D against loss factor x score without the training loss: largest relative error",
        largest,
        f"at most {IDENTITY:g}",
        largest <= IDENTITY,
        "equal",
    )


def _sizes(study: Study) -> list[Check]:
    """The paper's numbers of images; there is nothing to ask of a stand-in."""
    paper = {"training images n": (study.objective.n, 11_894), "test images": (len(study.data.test), 2_163)}
    asked = not study.data.stand_in
    return [
        Check(name, value, f"{wanted:,}" if asked else "", value == wanted or not asked, f"{wanted:,}")
        for name, (value, wanted) in paper.items()
    ]


def _facts(answer: Explanation, parts: Anatomy) -> list[Check]:
    """What the paper's axes show, and how exact the solve and the training were."""
    ranges = (
        ("without the training loss, nats", parts.without_loss, "about -130 to 200"),
        ("without the Hessian", parts.without_curvature, "about -15 to 20"),
        ("without both", parts.without_both, "about -25 to 25"),
    )
    return [
        *(Check(f"range {name}", (float(v.min()), float(v.max())), paper=words) for name, v, words in ranges),
        Check("relative residual of the solve", answer.provenance.residual),
        Check("gradient norm at the optimum", answer.provenance.gradient_norm),
        Check("convergence check", answer.provenance.convergence_check),
    ]
