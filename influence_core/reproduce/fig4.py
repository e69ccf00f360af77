"""The paper's Figure 4: two models, two reasons: deep features beside a support vector machine on pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from influence_core.context import Context
from influence_core.experiments import explain, questions, two_models
from influence_core.experiments.reasons import Reasons
from influence_core.experiments.two_models import TwoModels
from influence_core.models import rbf
from influence_core.reproduce.base import Found, figure, setting_of
from influence_core.reproduce.checks import Check, at_least, at_most, required
from influence_core.studies import Study

PAPERS = "springer-or-tench"
"""The study on the paper's classes, a dog and a fish."""
ACCURATE = 0.98
"""Share of the test images that deep features must get right."""
TIMES = 2
"""The kernel's rank correlation of strength and distance must be so many times that of deep features."""
AGREEMENT = 0.9
"""Of the nearest images, the share that must help or harm the kernel machine as their label says."""
STRONGEST = 100
"""So many of the most helpful and of the most harmful images are searched for both classes."""
IDENTITY = 1e-8
"""How far the products of the kernel features may be from the kernel of the pixels."""
SAMPLE = 60
"""Training images, and a third as many test images, whose kernel is computed again from their pixels."""


@figure(
    "fig4",
    "Figure 4: two models, two reasons",
    "A kernel on pixels counts near images, deep features do not: images of both classes help, far ones too.",
    120,
    paper=[PAPERS, f"{PAPERS}-rbf"],
    stand_in=["dog-or-frog", "dog-or-frog-rbf"],
    opened=[0.6, 0.9],
)
def run(deep: Study, kernel: Study, *, context: Context) -> Found:
    """Springers against tench, for one tench that both models get right; it is chosen by ``two_models.like_the_papers``."""
    question = questions.ask(deep, two_models.default_test(deep, kernel))
    answer = explain.run(deep, question, context=context.part(0.0, 0.3))
    result = two_models.run(deep, kernel, answer, context=context.part(0.3, 0.5))
    checks = (
        *_required(deep, result),
        *_identities(kernel),
        *_facts(deep, result),
        *_across(deep, kernel, context.part(0.5, 1.0)),
    )
    return setting_of(deep, answer) | {"kernel": kernel.spec.name}, checks, result


def _required(study: Study, result: TwoModels) -> list[Check]:
    """What the figure must show; of the packaged photos only what small, blurred pictures can show is asked."""
    deep, kernel = result.deep, result.kernel
    asked = study.spec.name == PAPERS
    accuracy, other = result.accuracies
    accurate, more = "test accuracy of deep features", f"above the kernel's {other:.3f}"
    times = abs(kernel.rank_correlation) / abs(deep.rank_correlation)
    rank = "kernel: rank correlation of |D| and pixel distance, times that of deep features"
    fewest = f"deep features: fewest of a class among the {STRONGEST} strongest of a side"
    near = "kernel: sign is label's among the 5 % nearest"
    return [
        at_least(accurate, accuracy, ACCURATE, paper="0.985")
        if asked
        else required(accurate, accuracy, more, accuracy > other, paper="0.985"),
        at_least(rank, times, TIMES, paper="much larger"),
        at_least(near, kernel.near_agreement, AGREEMENT, asked, "nearly all"),
        at_least(fewest, fewest_of_a_class(deep), 1, paper="both on both sides"),
    ]


def fewest_of_a_class(reasons: Reasons) -> int:
    """The smaller number of the two classes among the strongest for and against, whichever side has less of one."""
    sides = (reasons.helpful(STRONGEST), reasons.harmful(STRONGEST))
    same = [int(reasons.same[at].sum()) for at in sides]
    return min(min(one, len(at) - one) for one, at in zip(same, sides, strict=True))


def _identities(kernel: Study) -> list[Check]:
    """``L_tr L_tr' = K_tr,tr`` and ``L_te L_tr' = K_te,tr``, against the kernel of a sample's pixels, one by one."""
    train, test = kernel.data.train, kernel.data.test
    rows = torch.linspace(0, len(train) - 1, min(SAMPLE, len(train))).long()
    asked = torch.linspace(0, len(test) - 1, min(SAMPLE // 3, len(test))).long()
    pixels = _pixels(kernel, train.ids[rows].tolist())
    checks = []
    for name, x, ids, own in (
        ("train", train.x[rows], train.ids[rows], pixels),
        ("test", test.x[asked], test.ids[asked], None),
    ):
        other = _pixels(kernel, ids.tolist()) if own is None else own
        squared = np.array([((one - pixels) ** 2).sum(1) for one in other])
        expected = np.exp(-rbf.GAMMA * squared * (rbf.PAPER_SIDE / rbf.SIDE) ** 2)
        error = float(np.abs((x @ train.x[rows].T).numpy() - expected).max())
        checks.append(at_most(f"largest error of the kernel, {name} by train", error, IDENTITY))
    return checks


def _pixels(study: Study, ids: Sequence[int]) -> np.ndarray:
    assert study.data.pictures is not None
    bytes_ = np.stack([study.data.pictures.read(one, rbf.SIDE).reshape(-1) for one in ids])
    return bytes_ / 127.5 - 1


def _facts(study: Study, result: TwoModels) -> list[Check]:
    deep, machine = result.deep, result.kernel
    return [
        Check("training images n", len(deep.ids), paper="1,800"),
        Check("test images", len(study.data.test), paper="600"),
        Check(
            "deep features: rank of the first other-class image among the helpful",
            deep.first_other,
            paper="5 (release: 20)",
        ),
        Check("kernel: rank of the first other-class image among the helpful", machine.first_other),
        Check("deep features: rank correlation of |D| and pixel distance", deep.rank_correlation),
        Check("kernel: rank correlation of |D| and pixel distance", machine.rank_correlation),
        Check("deep features: sign is label's among the 5 % nearest", deep.near_agreement),
        Check(f"of the {two_models.SHARED} most helpful images, shared by both", result.shared),
        Check("test accuracy of the kernel machine", result.accuracies[1]),
        Check("probability by deep features", deep.certainty, paper="0.9966"),
        Check("margin of the kernel machine", machine.certainty, paper="0.990"),
        Check("deep features: largest D, nats", float(deep.scores.max()), paper="0.00040"),
        Check("kernel: largest D, hinge units", float(machine.scores.max()), paper="0.0224"),
        Check("largest relative residual of the solves", result.residual),
        Check("subgradient norm of the kernel machine", result.gradient_norm),
        Check("added to the kernel's diagonal", result.jitter),
    ]


def _across(study: Study, kernel: Study, context: Context) -> list[Check]:
    """The same figures for every test image such as the paper's: how much the choice of one matters."""
    ids = two_models.like_the_papers(study, kernel).tolist()
    found = []
    for done, one in enumerate(ids):
        each = context.step(done, len(ids)).named(f"{done} of {len(ids)} more test images")
        answer = explain.run(study, questions.ask(study, one), context=each)
        found.append(two_models.run(study, kernel, answer, context=each))
    if not found:
        return []
    checks = [Check("such test images (last class, both right, margin 0.9 to 1)", len(found))]
    for words, name in (
        ("|rank correlation|", "rank_correlation"),
        ("agreement of the nearest", "near_agreement"),
    ):
        for model in ("kernel", "deep"):
            values = [abs(getattr(getattr(one, model), name)) for one in found]
            checks.append(Check(f"over them: median {words}, {model}", float(np.median(values))))
    return checks
