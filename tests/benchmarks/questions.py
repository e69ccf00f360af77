"""Any question: is it right, and is it quick? ``python -m tests.benchmarks.questions --check [--study NAME] [--threads 1]``.

On each packaged linear study: the mean loss of all mistakes and of all test examples, the margin of the commonest kind of
mistake over its test examples, a class's recall, and the gap between two classes.

- *slope*: first-order scores of the strongest training examples against finite differences of retraining: the weight of
  one example goes down by a thousandth of itself, the model is trained again to the end, the change of the quantity is
  divided by a thousandth (forecast / truth).
- *time*: scores and corrected forecasts of all training examples, in multiples of what a single question about one test
  example takes in the same run, the engine being prepared; the median of a few rounds, one after the other.
- *groups*: the adjusted Rand index under another seed, over a few mistakes and a set; and of each group's forecast by one
  Newton step the miss, as a share of the truth after real training, in the median.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from influence_core.agreement import Agreement, strongest
from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import (
    any_question,
    causes,
    corrected,
    explain,
    questions,
    target_edits,
    targets,
    test_sets,
)
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.targets import Target
from influence_core.experiments.test_sets import label_text
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import retrain
from influence_core.store import NO_STORE
from influence_core.studies import Study, find, open_study
from tests.benchmarks.scores import Figure

STUDIES = ("one-or-seven", "diabetes", "dog-or-frog", "mails", "digits")
STEP = 1e-3
"""The weight that an example loses, as a share of itself."""
GRADIENT = 1e-10
"""Retraining ends at this gradient norm, small beside what so small a step brings in."""
CHECKED = 8
"""Training examples whose scores are held against retraining."""
ROUNDS = 7
SLOPE = 0.05
"""A slope may be off from 1 by at most this."""
TIMES = 2.0
"""A question may take at most so many times a single one."""
MISTAKES = 3
"""Mistakes whose groups are looked at, beside those of all mistakes together."""


def asked(study: Study) -> dict[str, Target]:
    """The questions, by a short name."""
    names = study.data.class_names
    true, said = (label_text(names, one) for one in test_sets.cells(study)[0][:2])
    rows = {
        "errors": ("errors", "loss"),
        "all": ("all", "loss"),
        "margin": (f"cell={true},{said}", f"margin={true},{said}"),
        "recall": ("all", f"recall={true}"),
        "gap": (f"class={true}", f"gap=class={said}"),
    }
    return {name: targets.ask(study, *row) for name, row in rows.items()}


def measure(study: Study, rounds: int = ROUNDS) -> Iterator[Figure]:
    """All figures of one study."""
    context, name = Context(engines=Engines(2)), study.spec.name
    corrected.undamped(study, context)
    rows = asked(study)
    for title, target in rows.items():
        effects = any_question.run(study, target, context=context)
        slope = finite_differences(study, target, effects, context).slope
        yield Figure(name, f"{title}: slope", slope)
        yield Figure(name, f"{title}: |slope - 1|", abs(slope - 1), SLOPE)
    yield from timed(study, rows, rounds, context)
    yield from grouped(study, rows["errors"], context)


def finite_differences(study: Study, target: Target, effects: TargetEffects, context: Context) -> Agreement:
    """The strongest scores beside the derivative of retraining in the weights."""
    at = strongest(effects.influence, CHECKED)
    edits = [Edit(torch.tensor([one]), weight=1 - STEP) for one in at.tolist()]
    control = Edit(torch.tensor([int(at[0])]), weight=1.0)
    inverse = corrected.undamped(study, context).inverse
    models = retrain(study.objective, study.theta, [control, *edits], inverse, GRADIENT)
    values = np.array([target.value(study, one) for one in models.theta])
    return Agreement.of(effects.influence[at], (values[1:] - values[0]) / STEP)


def timed(study: Study, rows: dict[str, Target], rounds: int, context: Context) -> Iterator[Figure]:
    """Every question in multiples of a single one; the rounds take turns."""
    one = questions.ask(study, int(study.predictions.ids[study.predictions.misclassified()[0]]))

    def single() -> None:
        explain.run(study, one, context=context)
        corrected.run(study, one, context=context)

    def question(target: Target) -> Callable[[], None]:
        def run() -> None:
            any_question.run(study, target, context=context)
            any_question.corrected(study, target, context=context)

        return run

    work = {"single": single} | {name: question(target) for name, target in rows.items()}
    taken: dict[str, list[float]] = {name: [] for name in work}
    for at in range(rounds + 1):
        for name, run in work.items():
            started = time.process_time()
            run()
            if at:  # the first round makes what all of them share
                taken[name].append(time.process_time() - started)
    middle = {name: float(np.median(times)) for name, times in taken.items()}
    yield Figure(study.spec.name, "single question: seconds", middle["single"])
    for name in rows:
        yield Figure(study.spec.name, f"{name}: time / single", middle[name] / middle["single"], TIMES)


def grouped(study: Study, errors: Target, context: Context) -> Iterator[Figure]:
    """How stable groups are, and how their forecasts come out."""
    ids = study.predictions.ids[study.predictions.misclassified()[:MISTAKES]]
    singles = [targets.of_question(study, questions.ask(study, int(one))) for one in ids]
    rands, misses = [], []
    for target in (*singles, errors):
        effects = any_question.run(study, target, context=context)
        found = causes.run(study, effects)
        rands.append(found.rand)
        for group in found.groups:
            edit = Edit.removal(group.positions.tolist())
            truth = target_edits.retrain(study, target, edit, context=context)
            forecast = target_edits.forecast(study, target, effects, edit, context=context)
            misses.append(abs(forecast.best - truth.change) / abs(truth.change))
    yield Figure(study.spec.name, f"groups of {len(rands)} questions: lowest adjusted Rand", min(rands))
    yield Figure(study.spec.name, f"{len(misses)} groups: median miss / truth", float(np.median(misses)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--study", choices=STUDIES, help="this one alone")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    short = False
    for name in [options.study] if options.study else STUDIES:
        study = open_study(find(name), NO_STORE, None, "cpu")
        for one in measure(study):
            aim = "" if one.limit is None else f"at most {one.limit:.3g}"
            verdict = "falls short" if one.short else "ok" if aim else ""
            print(f"{one.case:12} {one.name:48} {one.value:10.4g}  {aim:14} {verdict}".rstrip(), flush=True)
            short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
