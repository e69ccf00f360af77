"""The paper's Figure 6: wrong labels of e-mails, looked for by influence, by loss and at random."""

from __future__ import annotations

import numpy as np

from influence_core.context import Context
from influence_core.experiments import wrong_labels
from influence_core.experiments.suspects import METHODS
from influence_core.experiments.wrong_labels import FlipSettings, WrongLabels
from influence_core.reproduce.base import Found, figure, setting
from influence_core.reproduce.checks import Check, at_most, required
from influence_core.studies import Study
from influence_core.training.refit import GRADIENT_TOL

REPEATS = 5
CHANCE = 0.03
"""A random order finds the share of the flips that it checks, up to this much."""
BUDGETS = (1, 3, 5)
"""10, 20 and 30 % checked: the budgets whose figures are listed."""
PUBLISHED = {
    "published": ((0.42, 0.62, 0.72, 0.79, 0.83, 0.86), (0.938, 0.955, 0.962, 0.967, 0.970, 0.972)),
    "loss": ((0.35, 0.52, 0.62, 0.70, 0.75, 0.80), (0.911, 0.933, 0.942, 0.950, 0.955, 0.960)),
    "random": ((0.05, 0.10, 0.15, 0.20, 0.25, 0.30), (0.894, 0.898, 0.902, 0.907, 0.912, 0.917)),
}
"""Read off the paper's figure for each budget: share of the flips found, and accuracy after repair."""


@figure(
    "labels",
    "Figure 6: wrong labels",
    "Looking where self-influence points finds wrong labels sooner than the loss does: 62 % of them among 10 % of the e-mails.",
    240,
    ["text-folder"],
    ["mails"],
    [0.05],
)
def run(study: Study, *, context: Context) -> Found:
    """A tenth of the training labels flipped, five times.

    The paper's data are a folder that holds ``texts/ham`` and ``texts/spam``, such as Enron1's.
    """
    result = wrong_labels.run(study, FlipSettings(repeats=REPEATS), context=context)
    flips = result.settings
    repeats = {"flipped": flips.share, "repeats": f"{flips.repeats} (the paper's: 40)"}
    settings = setting(study, repeats, "dense factor", f"gradient norm {GRADIENT_TOL:g}")
    checks = (*_order(result), _chance(result), *_repair(result), *_listed(result), *_facts(result))
    return settings | {"seed": flips.seed}, checks, result


def _order(result: WrongLabels) -> list[Check]:
    """Influence, either formula, finds more than the loss, and the loss more than chance, at every budget."""
    pairs, every = (("exact", "loss"), ("published", "loss"), ("loss", "random")), len(result.checked)
    checks = []
    for better, worse in pairs:
        ahead = int((result.mean_fixed(better) > result.mean_fixed(worse)).sum())
        name = f"budgets at which “{METHODS[better]}” finds more flips than “{METHODS[worse]}”"
        checks.append(required(name, ahead, f"{every} of {every}", ahead == every, paper="all"))
    return checks


def _chance(result: WrongLabels) -> Check:
    away = float(np.abs(result.mean_fixed("random") - result.budgets).max())
    name = "random order: largest distance of the share found from the share checked"
    return at_most(name, away, CHANCE, paper="0")


def _repair(result: WrongLabels) -> list[Check]:
    checks = []
    for row, method in enumerate(result.methods):
        gain = float(result.accuracy[:, row].mean(0).min() - result.flipped_accuracy.mean())
        name = f"smallest gain of accuracy by repair, {METHODS[method]}"
        checks.append(required(name, gain, "more than 0", gain > 0, paper="more than 0"))
    return checks


def _listed(result: WrongLabels) -> list[Check]:
    """The curves at three budgets, beside what the paper shows."""
    checks = []
    curves = (("flips found", result.fixed, 0), ("accuracy after repair", result.accuracy, 1))
    for words, values, at in curves:
        for method, budget in ((method, budget) for method in result.methods for budget in BUDGETS):
            mean = float(values[:, result.methods.index(method), budget].mean())
            paper = f"{PUBLISHED[method][at][budget]:.3g}" if method in PUBLISHED else ""
            share = f"{wrong_labels.BUDGETS[budget]:.0%}".replace("%", " %")
            checks.append(Check(f"{words}, {share} checked, {METHODS[method]}", mean, paper=paper))
    return checks


def _facts(result: WrongLabels) -> list[Check]:
    return [
        Check("accuracy with flipped labels", float(result.flipped_accuracy.mean()), paper="0.888"),
        Check("accuracy with clean labels", result.clean_accuracy, paper="0.976"),
        Check("flipped labels", result.flipped, paper="412"),
        Check("training e-mails n", result.n, paper="4,137"),
        Check("test e-mails", result.n_test, paper="1,035"),
        Check("words p", result.p),
        Check("largest gradient norm of all models", result.gradient_norm),
    ]
