"""The paper's Figure 1: what each factor of a score does."""

from __future__ import annotations

import numpy as np

from influence_core.context import Context
from influence_core.engines import SolverSettings
from influence_core.experiments import anatomy, explain, questions
from influence_core.experiments.anatomy import Anatomy
from influence_core.experiments.explain import Explanation
from influence_core.reproduce.base import Found, figure, setting_of
from influence_core.reproduce.checks import Check, at_least, at_most, exactness, required, sizes
from influence_core.studies import Study

IDENTITY = 1e-10
"""Relative error up to which two products of a few thousand float64 numbers are the same."""


@figure(
    "fig1",
    "Figure 1: the components of influence",
    "Without the curvature every image of the same label would seem to help, as if only the label counted. In truth some harm.",
    5,
    ["mnist-one-or-seven"],
    ["one-or-seven"],
    [0.7],
)
def run(study: Study, *, context: Context) -> Found:
    """Digits 1 against 7, for one test image of a seven."""
    test = study.data.test
    sevens = (test.y == study.data.class_names.index("7")).nonzero()[:, 0]
    at = int(sevens[0]) if study.data.stand_in else 30
    question = questions.ask_truth(study, int(test.ids[at]))
    answer = explain.run(study, question, SolverSettings("cholesky", damping=0.0), context=context)
    parts = anatomy.run(study, answer)
    checks = (
        *_signs(study, answer, parts),
        *_harm(parts),
        _identity(answer, parts),
        *sizes(study, 11_894, 2_163),
        *_ranges(parts),
        *exactness(answer.provenance),
    )
    return setting_of(study, answer), checks, parts


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
            found, of = int((wrong & members).sum()), int(members.sum())
            checks.append(required(name, found, f"0 of {of:,}", found == 0, paper="none"))
    return checks


def _harm(parts: Anatomy) -> list[Check]:
    """In truth some images of the same label harm, and some of the other label help."""
    harm = int((parts.same_label & (parts.full < 0)).sum())
    help_ = int((~parts.same_label & (parts.full > 0)).sum())
    return [
        at_least("full score: same-label images that harm", harm, 1, paper="some"),
        at_least("full score: other-label images that help", help_, 1, paper="some"),
    ]


def _identity(answer: Explanation, parts: Anatomy) -> Check:
    """``n D_i = (1 - p(y_i)) x the score without the training loss``, the left side as the engine computed it."""
    full = len(answer.scores) * answer.scores
    product = parts.loss_factor * parts.without_loss
    error = np.abs(full - product) / np.maximum(np.abs(full), np.finfo(full.dtype).tiny)
    name = "n D against loss factor x score without the training loss: largest relative error"
    return at_most(name, float(error.max()), IDENTITY, paper="equal")


def _ranges(parts: Anatomy) -> list[Check]:
    """What the paper's axes show."""
    ranges = (
        ("without the training loss, nats", parts.without_loss, "about -130 to 200"),
        ("without the Hessian", parts.without_curvature, "about -15 to 20"),
        ("without both", parts.without_both, "about -25 to 25"),
    )
    return [
        Check(f"range {name}", (float(v.min()), float(v.max())), paper=words) for name, v, words in ranges
    ]
