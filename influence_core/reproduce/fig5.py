"""The paper's Figure 5: training pictures poisoned by less than half a step of brightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from influence_core import studies
from influence_core.context import ALONE, Context
from influence_core.experiments import poison, poison_many
from influence_core.experiments.poison import ANSWERS, NARROW, PAPER, AfterSaving, Attack, Poisoned
from influence_core.experiments.poison_many import PAPER_SHARES, Shares
from influence_core.experiments.questions import Question, ask
from influence_core.reproduce.base import Check, Reproduction, open_
from influence_core.studies import Study

TESTS = 10
TOGETHER = 30
SIZES = (1, 2, 10)
WIDE = Attack(box=4.0, alpha=0.2, steps=60)
"""With this backbone and the springers and tench, of which it is very sure, half a step is too little for one or two pictures."""
LONGER = 5
"""Many answers turn one after the other: so many times the steps of the wide attack."""
FORECAST = 0.2
"""The first step's forecast must be this close to the truth, as a share of it, with the paper's step ..."""
OFTEN = 0.9
"""... for this share of the test images."""
TOGETHER_TURNED = 5
"""Of the thirty least sure test images of either class, one picture must turn so many on the paper's kind of data."""
TEN = 0.9
"""Ten pictures in the paper's box must turn this share of the answers on the paper's kind of data."""
CONTROL = 0.05
"""Random signs of the same size must do less than this share of what the attack does."""


@dataclass(frozen=True, eq=False)
class Figure5:
    """One attack in pictures, and how often attacks work.

    Attributes:
        example: One test image, turned by ten pictures in the paper's box (or the last try).
        saved: What is left of it after saving with 8 bits.
        shares: The paper's box, and the wide one.
        together: By class, one picture against the test images of it that the model is least sure of, in the wide box:
            their mean probability is attacked.
    """

    example: Poisoned
    saved: AfterSaving
    shares: dict[str, Shares]
    together: dict[str, Poisoned]


def run(
    folder: str | None = None,
    device: str = "auto",
    context: Context = ALONE,
    tests: int = TESTS,
    wide: Attack = WIDE,
) -> Reproduction:
    """Springers against tench: ``tests`` test images, drawn at random, attacked one by one, and 30 at once.

    Args:
        folder: The folder that holds Imagenette's ``train`` and ``val``; the packaged dogs and frogs stand in where none is
            named.
        device: A name of ``devices.NAMES``.
        context: Its store keeps features, parameters and outcomes; a second run goes on where the first was stopped.
        tests: Test images attacked one by one.
        wide: The attack in a larger box, for which one or two pictures are enough.

    Raises:
        DataError: If the folder does not hold Imagenette.
    """
    spec = studies.CATALOGUE["springer-or-tench" if folder else "dog-or-frog"]
    study = open_(spec, folder, device, context.part(0.0, 0.1))
    return of_study(study, context.part(0.1, 1.0), tests, wide)


def of_study(study: Study, context: Context = ALONE, tests: int = TESTS, wide: Attack = WIDE) -> Reproduction:
    """The figure on any study with a backbone."""
    ids = poison_many.answered_rightly(study)[:tests]
    narrow = poison_many.run(study, ids, NARROW, SIZES, context=context.part(0.0, 0.4))
    larger = poison_many.run(study, ids, wide, SIZES[:2], context=context.part(0.4, 0.7))
    steps = _first_steps(study, ids, context.part(0.7, 0.75))
    example, saved = _example(study, narrow, context.part(0.75, 0.85))
    alike = poison.similar_tests(study, ids[0], TOGETHER)
    as_paper = _by_the_best(study, alike, wide, context.part(0.85, 0.9))
    together = _by_class(
        study, replace(wide, goal=ANSWERS, steps=LONGER * wide.steps), context.part(0.9, 1.0)
    )
    shares = {"the paper's box": narrow, f"box ± {wide.box:g}": larger}
    checks = (
        *_required(narrow, larger, steps, example, saved, not study.data.stand_in),
        *_shares(narrow, larger, wide),
        *_many(as_paper, "alike, their mean loss attacked", 0),
        *(
            check
            for name, one in together.items()
            for check in _many(
                one, f"least sure {name}, p attacked", 0 if study.data.stand_in else TOGETHER_TURNED
            )
        ),
        Check("accuracy on the test images", study.predictions.accuracy, paper="0.985"),
    )
    return Reproduction(
        "fig5",
        "Figure 5: training pictures that poison an answer",
        _setting(study, ids, wide),
        checks,
        Figure5(example, saved, shares, together),
    )


def _first_steps(study: Study, ids: Sequence[int], context: Context) -> list[float]:
    """Truth over forecast of the first step of the paper's size, through the best picture, for each test image."""
    found, attack = [], Attack(alpha=PAPER.stride, steps=1)
    for done, test_id in enumerate(ids):
        result = _by_the_best(study, [ask(study, test_id)], attack, context.step(done, len(ids)))
        found.append(result.actual / result.predicted)
    return found


def _example(study: Study, shares: Shares, context: Context) -> tuple[Poisoned, AfterSaving]:
    """The first test image that turned, or the first at all, once more with its last set of pictures."""
    outcomes = shares.outcomes
    shown = next((one for one in outcomes if one.tries[-1].turned), outcomes[0])
    questions = [ask(study, shown.test_id)]
    result = poison.run(study, questions, shown.tries[-1].ids, shares.attack, context=context)
    return result, poison.after_saving(study, questions, result)


def _by_class(study: Study, attack: Attack, context: Context) -> dict[str, Poisoned]:
    """For each class, the best picture against the test images of it that the model is least sure of."""
    names = study.data.class_names
    return {
        name: _by_the_best(
            study, poison.least_sure_tests(study, label, TOGETHER), attack, context.step(label, len(names))
        )
        for label, name in enumerate(names)
    }


def _by_the_best(study: Study, questions: list[Question], attack: Attack, context: Context) -> Poisoned:
    """The best picture against some test images at once."""
    known = poison.shortlist(study, questions, goal=attack.goal, context=context.part(0.0, 0.1))
    return poison.run(study, questions, known.ids[:1].tolist(), attack, context=context.part(0.1, 1.0))


def _required(
    narrow: Shares, larger: Shares, steps: list[float], example: Poisoned, saved: AfterSaving, original: bool
) -> list[Check]:
    near = float(np.mean([abs(one - 1) <= FORECAST for one in steps]))
    worst = max(one.gradient_norm for one in (*narrow.tries, *larger.tries))
    turned = [one for one in (*narrow.tries, *larger.tries) if one.turned]
    control = median(abs(one.control_change / one.loss_change) for one in turned or narrow.tries)
    invisible = sum(one.invisible for one in narrow.tries)
    left = float(abs(saved.probabilities - example.before).max())
    ten = narrow.flipped(10)
    asked = f"at least {TEN}" if original else ""
    return [
        Check(
            f"first steps of 0.02 whose truth is within {FORECAST:.0%} of the forecast",
            near,
            f"at least {OFTEN}",
            near >= OFTEN,
        ),
        Check("truth over forecast of the first step (median)", median(steps)),
        Check(
            "random signs over attack, loss change (median)", control, f"below {CONTROL}", control < CONTROL
        ),
        Check(
            "attacks whose pictures round to the originals",
            invisible,
            f"all {len(narrow.tries)}",
            invisible == len(narrow.tries),
            "all",
        ),
        Check("probability change left after PNG", left, f"at most {poison.ROUNDED:g}", saved.gone, "none"),
        Check("turned by ten pictures, the paper's box", ten, asked, ten >= TEN or not asked, "0.998"),
        Check(
            "largest gradient norm of a retrained model",
            worst,
            f"at most {poison.GRADIENT_NORM:g}",
            worst <= poison.GRADIENT_NORM,
        ),
    ]


def _shares(narrow: Shares, larger: Shares, wide: Attack) -> list[Check]:
    found = []
    for name, run, sizes in (
        ("the paper's box", narrow, SIZES[:2]),
        (f"box ± {wide.box:g}", larger, SIZES[:2]),
    ):
        found += [
            Check(f"turned by {size}, {name}", run.flipped(size), paper=str(PAPER_SHARES[size]))
            for size in sizes
        ]
        found.append(Check(f"turned by the best alone, {name}", run.flipped_by_first))
    return found


def _many(together: Poisoned, which: str, fewest: int) -> list[Check]:
    turned, tests = int(together.turned.sum()), len(together.turned)
    before, after = (float(-np.log(one).mean()) for one in (together.before, together.after))
    where = f"box ± {together.attack.box:g}"
    return [
        Check(
            f"of {tests} {which}, turned by one, {where}",
            turned,
            f"at least {fewest}" if fewest else "",
            turned >= fewest,
            "16 of 30",
        ),
        Check(f"their mean loss before ({which})", before, paper="0.035"),
        Check(f"their mean loss afterwards ({which})", after, paper="1.360"),
    ]


def _setting(study: Study, ids: Sequence[int], wide: Attack) -> dict[str, Any]:
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "stand_in": study.data.stand_in,
        "class_names": study.data.class_names,
        "backbone": study.spec.backbone,
        "test_images": len(ids),
        "box": NARROW.box,
        "alpha": NARROW.stride,
        "steps": NARROW.steps,
        "wide_box": wide.box,
        "wide_alpha": wide.stride,
        "wide_steps": wide.steps,
        "together_steps": LONGER * wide.steps,
        "together_goal": ANSWERS,
        "shortlist": poison.SHORTLIST,
        "n": study.objective.n,
        "p": study.objective.dim,
        "l2": study.spec.l2,
        "seed": study.spec.seed,
        "solver": "conjugate gradient",
        "tolerance": f"gradient norm {poison.GRADIENT_NORM:g}",
        "device": study.theta.device.type,
        "dtype": str(study.theta.dtype).removeprefix("torch."),
    }
