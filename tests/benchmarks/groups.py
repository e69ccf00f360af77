"""Do forecasts of groups come true? ``python -m tests.benchmarks.groups --check [--study NAME] [--questions 10]``.

On each packaged linear study some test examples are asked about, every other one a mistake of the model; the 5, 20 and 50
strongest for and against are taken out together and the model is trained again, to a ten thousandth of a per cent of the
gradient that they leave. Beside the truth: one Newton step without them all (``together``) and the sum of their influences
(``sum``). A miss is ``|forecast - truth| / |truth|``; slope and worst miss are those of ``agreement``, over all groups of
one size, the worst as a share of the largest truth among them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import corrected, explain, questions, what_if
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.what_if import Change
from influence_core.store import NO_STORE
from influence_core.studies import Study, find, open_study
from tests.benchmarks.scores import Figure

STUDIES = ("one-or-seven", "dog-or-frog", "mails", "digits")
SIZES = (5, 20, 50)
QUESTIONS = 10
SHARE = 1 / 3
"""The median miss of ``together``, as a share of that of ``sum``, may be at most this."""


@dataclass(frozen=True)
class Groups:
    """Groups that were taken out: their sizes ``(g,)``, both forecasts and the truth, nats."""

    size: np.ndarray
    together: np.ndarray
    alone: np.ndarray
    actual: np.ndarray

    def of(self, size: int) -> Groups:
        """Those of one size."""
        return Groups(*(one[self.size == size] for one in vars(self).values()))


def measure(study: Study, count: int = QUESTIONS, sizes: Sequence[int] = SIZES) -> Iterator[Figure]:
    """The figures of one study, over so many questions."""
    name, found = study.spec.name, take_out(study, count, sizes)
    for size in sizes:
        yield from _compare(name, f"groups of {size}", found.of(size))
    yield from _compare(name, "all groups", found, SHARE)


def take_out(study: Study, count: int, sizes: Sequence[int]) -> Groups:
    """Every group of every question, forecast and retrained."""
    context, found = Context(engines=Engines(1)), []
    corrected.undamped(study, context)
    for test_id in asked(study, count):
        answer = explain.run(study, questions.ask(study, test_id), context=context)
        for size in sizes:
            for which in ("for", "against"):
                at = what_if.group(answer, which, size).tolist()
                found.append((size, what_if.run(study, answer, at, Change(), context=context)))
    return Groups(np.array([size for size, _ in found]), *np.array([_numbers(one) for _, one in found]).T)


def asked(study: Study, count: int) -> list[int]:
    """Ids of test examples, drawn alternately among the mistakes and among the rest."""
    known, rng = study.predictions, np.random.default_rng(0)
    wrong = np.isin(np.arange(len(known.ids)), known.misclassified())
    mistakes, rest = (rng.permutation(known.ids[one]) for one in (wrong, ~wrong))
    few = mistakes[: count // 2]
    return [int(one) for one in (*few, *rest[: count - len(few)])]


def _numbers(one: TakeOut) -> tuple[float, float, float]:
    if not one.converged or one.forecast.together is None:
        raise RuntimeError(f"Without {one.train_ids} no truth or no forecast was reached.")
    return one.forecast.together, one.forecast.alone, one.actual


def _compare(name: str, words: str, groups: Groups, limit: float | None = None) -> Iterator[Figure]:
    misses = {}
    for title, forecast in (("together", groups.together), ("sum", groups.alone)):
        agreement = Agreement.of(forecast, groups.actual)
        misses[title] = float(np.median(np.abs(forecast - groups.actual) / np.abs(groups.actual)))
        yield Figure(name, f"{words}, {title}: slope", agreement.slope)
        yield Figure(name, f"{words}, {title}: worst miss / largest truth", agreement.worst)
        yield Figure(name, f"{words}, {title}: median miss / truth", misses[title])
    yield Figure(name, f"{words}: median miss, together / sum", misses["together"] / misses["sum"], limit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--study", choices=STUDIES, help="this one alone")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="test examples a study (10)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    short = False
    for name in [options.study] if options.study else STUDIES:
        study = open_study(find(name), NO_STORE, None, "cpu")
        for one in measure(study, options.questions):
            aim = "" if one.limit is None else f"at most {one.limit:.3g}"
            verdict = "falls short" if one.short else "ok" if aim else ""
            print(f"{one.case:12} {one.name:52} {one.value:10.3g}  {aim:14} {verdict}".rstrip(), flush=True)
            short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
