"""How long leaving 500 examples out takes: ``python -m tests.benchmarks.leave_one_out --check [--data FOLDER]``.

The 500 most influential training images of one wrongly classified test image, each left out, the model trained again and
its gradient proved; on the packaged digits, and on full MNIST where its folder is named. Against the *bare products*: for
every model one ``X W`` and one ``X' R`` for ten columns, which a single gradient takes at least; part of them is timed before
and part after, so that another load on the machine weighs on both. Preparing the factor is timed on its own, and so are the
Newton forecasts with the control.

``--all [--study NAME] [--cold]``: instead, *every* training example of the packaged linear studies left out
(``all_left_out``), against cold fits too where asked, which takes long.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from influence_core.context import Context
from influence_core.engines import Engines, SolverSettings
from influence_core.experiments import explain, leave_one_out, questions
from influence_core.experiments.leave_one_out import GRADIENT_TOL, LIMIT
from influence_core.store import NO_STORE
from influence_core.studies import Study, find, open_study
from tests.benchmarks import all_left_out
from tests.benchmarks.scores import Figure

STUDIES = ("digits", "mnist")
SECONDS = {"digits": 40.0, "mnist": 360.0}
"""For 500 models on two quiet cores."""
RATIO = {"digits": 3.0, "mnist": 1.0}
"""Of the bare products' time: below 1 because models side by side keep the products busier than one alone."""
PROVED = 1e-4
BARE_SHARE = 0.05
"""So much of the bare work is timed before, and as much after."""


def measure(study: Study, test_position: int, k: int = LIMIT) -> list[Figure]:
    """The figures of one study and test example."""
    name, test = study.spec.name, study.data.test
    context = Context(engines=Engines(1))
    prepared = context.engines.prepare(study, SolverSettings(damping=0.0))
    question = questions.ask(study, int(test.ids[test_position]), label=int(test.y[test_position]))
    answer = explain.run(study, question, SolverSettings(damping=0.0), context=context)
    few = max(1, round(BARE_SHARE * k))
    bare = bare_products(study, few)
    started = time.perf_counter()
    result = leave_one_out.run(study, answer, k, context=context)
    whole = time.perf_counter() - started
    bare = (bare + bare_products(study, few)) * k / (2 * few)
    proof = float((result.gradient_norms / result.targets).max()) * GRADIENT_TOL
    return [
        Figure(name, f"{k} models: time / bare products", result.seconds / bare, RATIO.get(name)),
        Figure(name, f"{k} models, seconds", result.seconds, SECONDS.get(name)),
        Figure(name, "largest gradient norm / gradient of the example", proof, PROVED),
        Figure(name, "bare products, seconds", bare),
        Figure(name, "preparing the factor, seconds", prepared.seconds),
        Figure(name, "Newton forecasts and control, seconds", whole - result.seconds),
    ]


def bare_products(study: Study, models: int) -> float:
    """Seconds of ``X W`` and ``X' R`` for so many models."""
    x = study.objective.x
    w = torch.ones(x.shape[1], study.objective.loss.outputs, dtype=x.dtype)
    x.T @ (x @ w)
    started = time.perf_counter()
    for _ in range(models):
        x.T @ (x @ w)
    return time.perf_counter() - started


def first_wrong(study: Study) -> int:
    """Position of the first test example that the model gets wrong; on MNIST the paper's, 8."""
    test = study.data.test
    return int(np.flatnonzero(study.probabilities(test.x).argmax(1) != test.y.numpy())[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--all", action="store_true", help="every training example of the packaged studies")
    parser.add_argument("--study", choices=all_left_out.SECONDS, help="of --all, this one alone")
    parser.add_argument("--cold", action="store_true", help="of --all, some models fitted cold as well")
    parser.add_argument("--data", metavar="FOLDER", help="folder that holds MNIST/raw")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(f"threads {torch.get_num_threads()}, torch {torch.__version__}, float64")
    short = False
    for one in _every(options) if options.all else _strongest(options.data):
        aim = "" if one.limit is None else f"at most {one.limit:g}"
        verdict = "falls short" if one.short else "ok" if aim else ""
        print(f"{one.case:12} {one.name:50} {one.value:10.4g}  {aim:14} {verdict}".rstrip(), flush=True)
        short |= one.short
    return 1 if options.check and short else 0


def _strongest(folder: str | None) -> Iterator[Figure]:
    for name in STUDIES if folder else STUDIES[:1]:
        study = open_study(find(name), NO_STORE, folder, "cpu")
        yield from measure(study, first_wrong(study))


def _every(options: argparse.Namespace) -> Iterator[Figure]:
    for name in [options.study] if options.study else all_left_out.SECONDS:
        yield from all_left_out.measure(name, options.threads, options.cold)


if __name__ == "__main__":
    sys.exit(main())
