"""Do the forecasts come true? ``python -m tests.benchmarks.forecasts --check [--study NAME] [--questions 110] [--data FOLDER]``.

Test examples of each packaged linear study, evenly spaced, each asked about the model's own answer. Every training example
has its influence, its corrected forecast and its true effect (``all_left_out``), and each question its own slope, Pearson,
Spearman and worst miss, the largest ``|forecast - truth|`` as a share of the largest ``|truth|`` of all ``n``. Printed are
quantiles over the questions, influence and corrected forecast side by side. A question whose answer no example moves is
counted and passed over.

The time of a new question, prepared: corrected forecasts of all ``n`` against the plain scores of one test example with a
right-hand side for each output, which is what they need at least. The two take turns, and the best of many counts.

On full MNIST, where its folder is named: the 500 strongest of the paper's test image, each left out and proven, and the
corrected forecasts of those 500 alone; the leverages of all 55,000 would take several times as long.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import Agreement, strongest
from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import all_left_out, corrected, explain, leave_one_out, questions
from influence_core.experiments.effects import Effects, effects_of
from influence_core.experiments.questions import Question
from influence_core.influence import left_out_pulls, leverage_blocks
from influence_core.store import NO_STORE, Store
from influence_core.studies import Study, find, open_study
from tests.benchmarks.scores import Figure, race

STUDIES = ("one-or-seven", "diabetes", "dog-or-frog", "mails", "digits")
MNIST, PAPERS = "mnist", 8
"""The study of the paper's Figure 2, and the position of its test image."""
QUESTIONS = 110
MEASURES = ("slope", "pearson", "spearman", "worst")
_WIDTH = 9
QUANTILES = {"least": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "most": 1.0}
SLOPES = {"digits": 0.03, MNIST: 0.02}
"""What ``|slope - 1|`` of the corrected forecast may be, for any of the questions."""
RACES = 5
MISS, TIMES = 0.02, 2.0
"""What may be missed on MNIST, and how many times as long as the plain scores it may take."""


@dataclass
class Compared:
    """Both forecasts held against the truth, a question at a time.

    Attributes:
        influence: Of the paper's first-order number.
        corrected: Of the corrected forecast.
        unmoved: Questions whose answer no training example moves.
    """

    influence: list[Agreement] = field(default_factory=list)
    corrected: list[Agreement] = field(default_factory=list)
    unmoved: int = 0

    def add(self, influence: np.ndarray, forecast: np.ndarray, truth: np.ndarray) -> None:
        """One question more."""
        if not truth.any():
            self.unmoved += 1
            return
        self.influence.append(Agreement.of(influence, truth))
        self.corrected.append(Agreement.of(forecast, truth))

    def lines(self, name: str) -> Iterator[str]:
        """For reading: a line a measure, its quantiles over the questions for either forecast."""
        yield f"{name}: {len(self.corrected)} questions; {self.unmoved} more whose answer no example moves"
        yield " " * 10 + "".join(
            f"{title:>{_WIDTH * len(QUANTILES)}}" for title in ("influence", "corrected")
        )
        yield " " * 10 + 2 * "".join(f"{title:>{_WIDTH}}" for title in QUANTILES)
        for measure in MEASURES:
            both = (_quantiles(one, measure) for one in (self.influence, self.corrected))
            yield f"{measure:10}" + "".join(f"{value:{_WIDTH}.4f}" for one in both for value in one)

    def slope_error(self, name: str) -> Figure:
        """How far any question's corrected forecast is from a slope of 1."""
        largest = max(abs(one.slope - 1) for one in self.corrected)
        return Figure(name, "corrected: largest |slope - 1|", largest, SLOPES.get(name))


def compare(study: Study, count: int, context: Context) -> Compared:
    """Both forecasts of every training example for so many questions."""
    table = all_left_out.run(study, context=context)
    engine, found = corrected.undamped(study, context), Compared()
    for question in asked(study, count):
        influence = engine.score(*study.example(question.x, question.label)).values[0].numpy()
        forecast = corrected.run(study, question, context=context)
        found.add(influence, forecast.loss, all_left_out.effects(study, table, question).loss)
    return found


def asked(study: Study, count: int) -> list[Question]:
    """Questions about so many test examples, or all of them, evenly spaced; the label is the model's own answer."""
    ids = study.data.test.ids
    at = np.linspace(0, len(ids) - 1, min(count, len(ids))).round().astype(int)
    return [questions.ask(study, int(one)) for one in ids[at]]


def times(study: Study, context: Context) -> tuple[float, float]:
    """Seconds of a new question, prepared: corrected forecasts of all ``n``, and plain scores with ``c`` right-hand sides."""
    engine, question = corrected.undamped(study, context), asked(study, 1)[0]
    x, c = study.inputs(question.x), study.objective.loss.outputs
    together, labels = x.expand(c, -1).contiguous(), torch.arange(c)
    forecast = corrected.run.compute  # never read from the store
    ways = {
        "corrected": lambda: forecast(study, question, context=context),
        "plain": lambda: engine.score(together, labels),
    }
    best = [race(ways) for _ in range(RACES)]
    return min(one["corrected"] for one in best), min(one["plain"] for one in best)


def measure(study: Study, count: int) -> tuple[Compared, list[Figure]]:
    """One study: what was compared, and the figures that have limits."""
    name = study.spec.name
    with TemporaryDirectory() as folder:
        context = Context(store=Store(Path(folder)), engines=Engines(1))
        found = compare(study, count, context)
        forecast, plain = times(study, context)
    return found, [
        found.slope_error(name),
        Figure(name, "corrected of all n / plain scores, time", forecast / plain, TIMES),
        Figure(name, "corrected of all n, ms", 1e3 * forecast),
        Figure(name, "plain scores, a right-hand side an output, ms", 1e3 * plain),
    ]


def measure_strongest(
    study: Study, test_position: int, k: int = leave_one_out.LIMIT
) -> tuple[Compared, list[Figure]]:
    """The ``k`` strongest of one wrongly classified test example, each left out and proven."""
    name, context, found = study.spec.name, Context(engines=Engines(1)), Compared()
    question = questions.ask_truth(study, int(study.data.test.ids[test_position]))
    corrected.undamped(study, context)  # so that the explanation has the exact factor as well
    answer = explain.run(study, question, corrected.UNDAMPED, context=context)
    proven = leave_one_out.run(study, answer, k, context=context)
    at = torch.from_numpy(strongest(answer.scores, k))
    forecast = corrected_of(study, question, at, context).loss
    found.add(proven.predicted, forecast, proven.actual)
    share = float((proven.gradient_norms / proven.targets).max()) * leave_one_out.GRADIENT_TOL
    return found, [
        found.slope_error(name),
        Figure(name, "corrected: worst miss / largest effect", found.corrected[0].worst, MISS),
        Figure(name, "largest gradient norm / gradient of the example", share, leave_one_out.GRADIENT_TOL),
        Figure(name, f"{len(at)} models, seconds", proven.seconds),
    ]


def corrected_of(study: Study, question: Question, at: Tensor, context: Context) -> Effects:
    """The corrected forecasts of the training positions ``at (m,)`` alone."""
    o, inverse = corrected.linear_objective(study), corrected.undamped(study, context).inverse
    c, x = o.loss.outputs, study.inputs(question.x)
    pulls = left_out_pulls(o, study.theta, leverage_blocks(o, inverse, at), at)
    solved = inverse.solve(torch.kron(x[:, None], torch.eye(c).to(x))).require()
    return effects_of(study, question, o.weighted_products(o.x[at], pulls, solved).cpu().numpy())


def _quantiles(agreements: Sequence[Agreement], measure: str) -> np.ndarray:
    return np.quantile([getattr(one, measure) for one in agreements], list(QUANTILES.values()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--study", choices=(*STUDIES, MNIST), help="this one alone")
    parser.add_argument("--questions", type=int, default=QUESTIONS, metavar="N")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        default=os.environ.get("SHARED_DATA"),
        help="folder that holds MNIST/raw; SHARED_DATA where none is named",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(f"threads {torch.get_num_threads()}, torch {torch.__version__}, float64")
    names = [options.study] if options.study else [*STUDIES, *([MNIST] if options.data else [])]
    short = False
    for name in names:
        study = open_study(find(name), NO_STORE, options.data, "cpu")
        strong = name == MNIST
        found, figures = measure_strongest(study, PAPERS) if strong else measure(study, options.questions)
        print("", *found.lines(name), sep="\n")
        for one in figures:
            print(_judged(one), flush=True)
            short |= one.short
    return 1 if options.check and short else 0


def _judged(one: Figure) -> str:
    aim = "" if one.limit is None else f"at most {one.limit:g}"
    verdict = "falls short" if one.short else "ok" if aim else ""
    return f"{one.case:12} {one.name:50} {one.value:10.4g}  {aim:14} {verdict}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
