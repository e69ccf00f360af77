"""Do forecasts of additions come true? ``python -m tests.benchmarks.additions --check [--study NAME] [--questions 3]``.

On packaged linear studies the most confident mistakes are asked about, for their true label. Of 100 test examples that were
not asked about, drawn once a question, twenty are added to the training set one by one and the model is trained again: the ten
that are forecast to lower the loss most and ten others. Beside the truth: one Newton step (``corrected``) and first order
(``influence``); slope and worst miss are those of ``agreement``. Then the best five of the hundred are added together, and
five drawn by chance, ten times over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import additions, corrected, pools, questions
from influence_core.experiments.additions import Added
from influence_core.experiments.pools import Pool
from influence_core.experiments.questions import Question
from influence_core.store import NO_STORE
from influence_core.studies import Study, find, open_study
from tests.benchmarks.scores import Figure

STUDIES = ("one-or-seven", "diabetes", "dog-or-frog")
QUESTIONS, POOL, EACH, TOGETHER, DRAWS = 3, 100, 20, 5, 10
SHARE = 1 / 3
"""The corrected forecast's worst miss, as a share of the influence's, may be at most this (as for groups)."""


def measure(study: Study, count: int = QUESTIONS) -> Iterator[Figure]:
    """The figures of one study, over so many questions."""
    name, context = study.spec.name, Context(engines=Engines(1))
    corrected.undamped(study, context)
    forecast, first, truth, beaten = [], [], [], []
    for number, test_id in enumerate(study.predictions.ids[study.predictions.misclassified()[:count]]):
        question = questions.ask_truth(study, int(test_id))
        pool, rng = _drawn(study, question, number), np.random.default_rng(number)
        found = additions.run(study, question, pool, context=context)
        order = found.order()
        few = np.concatenate([order[: EACH // 2], rng.choice(order[EACH // 2 :], EACH // 2, replace=False)])
        each = [_proven(study, question, pool, [int(one)], context) for one in few]
        forecast += [one.forecast for one in each]
        first += [one.alone for one in each]
        truth += [one.actual for one in each]
        best = _proven(study, question, pool, order[:TOGETHER].tolist(), context)
        draws = [rng.choice(len(order), TOGETHER, replace=False).tolist() for _ in range(DRAWS)]
        chance = [_proven(study, question, pool, one, context).actual for one in draws]
        beaten.append(np.mean([one > best.actual for one in chance]))
        yield Figure(name, f"test {test_id}: best five together, nats", best.actual)
        yield Figure(name, f"test {test_id}: five by chance, mean, nats", float(np.mean(chance)))
    compared = {"corrected": Agreement.of(forecast, truth), "influence": Agreement.of(first, truth)}
    for title, one in compared.items():
        yield Figure(name, f"{title}: slope", one.slope)
        yield Figure(name, f"{title}: worst miss / largest truth", one.worst)
    yield Figure(
        name,
        "worst miss, corrected / influence",
        compared["corrected"].worst / compared["influence"].worst,
        SHARE,
    )
    yield Figure(name, "draws of five that lower the loss as much", 1 - float(np.mean(beaten)), 0.0)


def _drawn(study: Study, question: Question, seed: int) -> Pool:
    everything = pools.held_out(study, question)
    at = np.random.default_rng(100 + seed).permutation(len(everything.x))[:POOL]
    labels = everything.y
    assert labels is not None
    return Pool(everything.name, everything.x[at], labels[at], everything.ids[at])


def _proven(study: Study, question: Question, pool: Pool, at: Sequence[int], context: Context) -> Added:
    found = additions.prove(study, question, pool, at, context=context)
    if not found.converged:
        raise RuntimeError(f"With {found.ids.tolist()} no truth was reached.")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--study", choices=STUDIES, help="this one alone")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="mistakes a study (3)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    short = False
    for name in [options.study] if options.study else STUDIES:
        for one in measure(open_study(find(name), NO_STORE, None, "cpu"), options.questions):
            aim = "" if one.limit is None else f"at most {one.limit:.3g}"
            verdict = "falls short" if one.short else "ok" if aim else ""
            print(f"{one.case:12} {one.name:52} {one.value:10.3g}  {aim:14} {verdict}".rstrip(), flush=True)
            short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
