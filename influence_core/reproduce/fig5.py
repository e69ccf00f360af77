"""The paper's Figure 5: training pictures poisoned by less than half a step of brightness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from influence_core.context import Context
from influence_core.experiments import poison, poison_many
from influence_core.experiments.poison import ANSWERS, NARROW, PAPER, AfterSaving, Attack, Poisoned
from influence_core.experiments.poison_many import PAPER_SHARES, Shares
from influence_core.experiments.questions import Question, ask
from influence_core.reproduce.base import Found, Setting, figure, setting
from influence_core.reproduce.checks import Check, at_least, at_most, required
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


@figure(
    "fig5",
    "Figure 5: training pictures that poison an answer",
    "Changed by less than a step of brightness, one training image turns 57 % of the answers, two turn 77 %, ten nearly all.",
    1800,
    paper=["springer-or-tench"],
    stand_in=["dog-or-frog"],
    opened=[0.1],
)
def run(study: Study, *, context: Context, tests: int = TESTS, wide: Attack = WIDE) -> Found:
    """Springers against tench: ``tests`` test images, drawn at random, attacked one by one, and 30 at once.

    Args:
        study: Any study with a backbone.
        context: Its store keeps features, parameters and outcomes.
        tests: Test images attacked one by one.
        wide: The attack in a larger box, for which one or two pictures are enough.
    """
    ids = poison_many.answered_rightly(study)[:tests]
    narrow = poison_many.run(study, ids, NARROW, SIZES, context=context.part(0.0, 0.4))
    larger = poison_many.run(study, ids, wide, SIZES[:2], context=context.part(0.4, 0.7))
    steps = _first_steps(study, ids, context.part(0.7, 0.75))
    example, saved = _example(study, narrow, context.part(0.75, 0.85))
    alike = poison.similar_tests(study, ids[0], TOGETHER)
    as_paper = _by_the_best(study, alike, wide, context.part(0.85, 0.9))
    longer = replace(wide, goal=ANSWERS, steps=LONGER * wide.steps)
    together = _by_class(study, longer, context.part(0.9, 1.0))
    shares = {"the paper's box": narrow, f"box ± {wide.box:g}": larger}
    original = not study.data.stand_in
    fewest = TOGETHER_TURNED if original else 0
    checks = (
        *_required(narrow, larger, steps, example, saved, original),
        *(check for name, one in shares.items() for check in _shares(one, name)),
        *_many(as_paper, "alike, their mean loss attacked", 0),
        *(
            check
            for name, one in together.items()
            for check in _many(one, f"least sure {name}, p attacked", fewest)
        ),
        Check("accuracy on the test images", study.predictions.accuracy, paper="0.985"),
    )
    return _setting(study, ids, wide), checks, Figure5(example, saved, shares, together)


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
    tries, of = [*narrow.tries, *larger.tries], len(narrow.tries)
    turned = [one for one in tries if one.turned] or narrow.tries
    control = median(abs(one.control_change / one.loss_change) for one in turned)
    invisible = sum(one.invisible for one in narrow.tries)
    left = float(abs(saved.probabilities - example.before).max())
    worst, less = max(one.gradient_norm for one in tries), f"below {CONTROL}"
    rounding, png = "attacks whose pictures round to the originals", f"at most {poison.ROUNDED:g}"
    return [
        at_least(f"first steps of 0.02 whose truth is within {FORECAST:.0%} of the forecast", near, OFTEN),
        Check("truth over forecast of the first step (median)", median(steps)),
        required("random signs over attack, loss change (median)", control, less, control < CONTROL),
        required(rounding, invisible, f"all {of}", invisible == of, paper="all"),
        required("probability change left after PNG", left, png, saved.gone, paper="none"),
        at_least("turned by ten pictures, the paper's box", narrow.flipped(10), TEN, original, "0.998"),
        at_most("largest gradient norm of a retrained model", worst, poison.GRADIENT_NORM),
    ]


def _shares(found: Shares, name: str) -> list[Check]:
    return [
        *(
            Check(f"turned by {size}, {name}", found.flipped(size), paper=str(PAPER_SHARES[size]))
            for size in SIZES[:2]
        ),
        Check(f"turned by the best alone, {name}", found.flipped_by_first),
    ]


def _many(together: Poisoned, which: str, fewest: int) -> list[Check]:
    turned, tests = int(together.turned.sum()), len(together.turned)
    before, after = (float(-np.log(one).mean()) for one in (together.before, together.after))
    where = f"box ± {together.attack.box:g}"
    name = f"of {tests} {which}, turned by one, {where}"
    return [
        at_least(name, turned, fewest, asked=fewest > 0, paper="16 of 30"),
        Check(f"their mean loss before ({which})", before, paper="0.035"),
        Check(f"their mean loss afterwards ({which})", after, paper="1.360"),
    ]


def _setting(study: Study, ids: Sequence[int], wide: Attack) -> Setting:
    attacks = {
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
    }
    return setting(study, attacks, "conjugate gradient", f"gradient norm {poison.GRADIENT_NORM:g}")
