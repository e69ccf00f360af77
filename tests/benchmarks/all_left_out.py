"""All leave-one-out models of a study, measured in a process of its own; ``leave_one_out --all`` runs and judges it.

Against the *bare products*: for all models together one ``X T`` and one ``X' R``, which a single gradient of each takes at
least, in blocks as large; part of them is timed before and part after, so that another load on the machine weighs on both.
Every model's gradient is recomputed in numpy by the references. Cold fits: the examples of highest leverage and some
others, minimised from zero; what they do to the losses of 100 test examples is held against the table.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

import numpy as np
import torch

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import all_left_out, corrected, questions
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.effects import by_output, effects_of
from influence_core.influence import leverage_blocks
from influence_core.retraining.leave_one_out import leave_each_out
from influence_core.retraining.side_by_side import ROUNDING, EditedModels
from influence_core.store import NO_STORE
from influence_core.studies import Study, find, open_study
from tests import references
from tests.benchmarks.scores import Figure

SECONDS = {"one-or-seven": 2.0, "dog-or-frog": 5.0, "mails": 30.0, "digits": 90.0}
"""For all models on two quiet cores, the factor and the leverages included."""
RATIO, PROVED, MEGABYTES, MISS, QUESTION = 8.0, 1e-4, 500.0, 1e-3, 1.5
BLOCK_MODELS = 200
BARE_SHARE = 0.1
"""So much of the bare work is timed before, and as much after."""
HARDEST, RANDOM = 20, 50
"""Examples whose models are fitted cold."""
TESTS = 100
REPEATS = 50


def measure(name: str, threads: int, cold: bool) -> list[Figure]:
    """The figures of one study, from a process whose memory is nobody else's."""
    words = [sys.executable, "-m", "tests.benchmarks.all_left_out", name, str(threads), str(int(cold))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [Figure(**one) for one in json.loads(done.stdout.splitlines()[-1])]


def figures_of(study: Study, cold: bool) -> Iterator[Figure]:
    """Time, memory and proof of one study."""
    o, name, context = study.objective, study.spec.name, Context(engines=Engines(1))
    few = max(1, round(BARE_SHARE * o.n))
    bare, started = bare_products(study, few), time.perf_counter()
    engine = corrected.undamped(study, context)
    factored, before = time.perf_counter(), _peak()
    blocks = leverage_blocks(o, engine.inverse)
    levered = time.perf_counter()
    table = _table(study, leave_each_out(o, study.theta, engine.inverse, None, blocks, torch.float32))
    seconds, peak = time.perf_counter() - started, _peak()
    bare = (bare + bare_products(study, few)) * o.n / (2 * few)
    n, p = len(table.ids), o.dim
    yield Figure(name, f"all {n} models of {p} parameters, seconds", seconds, SECONDS.get(name))
    yield Figure(name, "of them the factor, seconds", factored - started)
    yield Figure(name, "of them the leverages, seconds", levered - factored)
    yield Figure(name, "time / bare products", seconds / bare, RATIO)
    yield Figure(name, "bare products, seconds", bare)
    yield Figure(
        name, "memory beside table and factor, MB", peak - before - table.changes.nbytes / 1e6, MEGABYTES
    )
    largest, passed_over = largest_share(study, table)
    yield Figure(name, "largest gradient norm / left-out gradient", largest, PROVED)
    yield Figure(name, "share of examples that pull less than rounding", passed_over)
    yield from _question(study, table, context)
    if cold:
        yield Figure(name, "worst effect against cold fits / largest", cold_miss(study, table, blocks), MISS)


def _table(study: Study, models: Iterable[EditedModels]) -> AllLeftOut:
    """The models as they come, in one table."""
    n, p = study.objective.n, study.objective.dim
    c = study.objective.loss.outputs
    changes, numbers = np.empty((n, c, p // c), np.float32), np.empty((2, n))
    for one in models:
        at = one.positions.numpy()
        changes[at] = by_output(one.changes, c).numpy()
        numbers[:, at] = one.gradient_norms.numpy(), one.targets.numpy()
    return AllLeftOut(
        ids=study.data.train.ids.numpy(),
        changes=changes,
        gradient_norms=numbers[0],
        targets=numbers[1],
        seconds=0.0,
        kept=False,
    )


def _in_order(changes: np.ndarray) -> np.ndarray:
    """``(m, c, d)`` as ``theta`` has them, ``(m, p)``."""
    return changes.swapaxes(1, 2).reshape(len(changes), -1)


def _question(study: Study, table: AllLeftOut, context: Context) -> Iterator[Figure]:
    """The time of a new question, and how far the corrected forecast is from the truth."""
    name, known = study.spec.name, study.predictions
    wrong = known.misclassified()
    question = questions.ask(study, int(known.ids[wrong[len(wrong) // 2]]))
    flat = np.repeat(question.x.numpy().astype(np.float32), study.objective.loss.outputs)
    moves = np.random.default_rng(0).normal(size=(len(table.ids), study.objective.loss.outputs))
    product, whole, loss = _best(
        lambda: table.changes.reshape(len(table.ids), -1) @ flat,
        lambda: all_left_out.effects(study, table, question),
        lambda: effects_of(study, question, moves),
    )
    yield Figure(name, "true effects of a new question, ms", 1e3 * whole)
    yield Figure(name, "one product with the table, ms", 1e3 * product)
    yield Figure(name, "true effects / one product with the table", whole / product, QUESTION)
    yield Figure(name, "loss and probability of n moved outputs, ms", 1e3 * loss)
    truth = all_left_out.effects(study, table, question)
    forecast = corrected.run(study, question, context=context)
    miss = np.abs(forecast.loss - truth.loss).max() / np.abs(truth.loss).max()
    yield Figure(name, "corrected forecast: worst miss / largest effect", float(miss))
    yield Figure(name, "leave-one-out accuracy", all_left_out.without_itself(study, table).accuracy)


def bare_products(study: Study, models: int) -> float:
    """Seconds of ``X T`` and ``X' R`` for so many models, in blocks."""
    x, c = study.objective.x, study.objective.loss.outputs
    started = time.perf_counter()
    for start in range(0, models, BLOCK_MODELS):
        columns = torch.ones(x.shape[1], c * min(BLOCK_MODELS, models - start), dtype=x.dtype)
        for rows in study.objective.chunks(len(x), 3 * columns.shape[1]):
            x[rows].T @ (x[rows] @ columns)
    return time.perf_counter() - started


def largest_share(study: Study, table: AllLeftOut) -> tuple[float, float]:
    """The largest ``||grad R_without|| / ||w_i grad l_i||``, both recomputed in numpy, and the share of examples passed over.

    Those whose own gradient is so small that a ten thousandth of it is below the rounding of the sum have no such ratio.
    """
    o, kind = study.objective, study.spec.model
    x, y, w, theta = o.x.numpy(), o.y.numpy(), o.weights.numpy(), study.theta.numpy()
    residuals = references._residuals(references._outputs(theta, x), y, kind, None)
    own = w * np.linalg.norm(x, axis=1) * np.linalg.norm(residuals, axis=1)
    starts = range(0, len(x), references.TOGETHER)  # so few of the models are in float64 at a time
    blocks = [np.arange(at, min(len(x), at + references.TOGETHER)) for at in starts]
    norms = np.concatenate(
        [
            references.left_out_norms(theta + _in_order(table.changes[at]), at, x, y, w, float(o.l2), kind)
            for at in blocks
        ]
    )
    sums = own if residuals.shape[1] == 1 else w * np.linalg.norm(x, axis=1)
    above = PROVED * own > ROUNDING * np.finfo(float).eps * sums.sum()
    return float((norms[above] / own[above]).max()), 1 - float(above.mean())


def cold_miss(study: Study, table: AllLeftOut, blocks: torch.Tensor) -> float:
    """The worst effect on a test loss against models that were fitted cold, as a share of that test's largest effect."""
    o, theta, kind, known = study.objective, study.theta.numpy(), study.spec.model, study.predictions
    asked = [questions.ask(study, int(one)) for one in known.ids[:TESTS]]
    found = np.stack([all_left_out.effects(study, table, one).loss for one in asked])
    largest, (x, y) = (
        np.abs(found).max(1),
        (np.stack([one.x.numpy() for one in asked]), [one.label for one in asked]),
    )
    before, worst = references.losses(theta, x, y, kind), 0.0
    hardest = blocks.diagonal(dim1=1, dim2=2).sum(1).argsort(descending=True)[:HARDEST].tolist()
    for i in [*hardest, *np.random.default_rng(0).choice(o.n, RANDOM, replace=False).tolist()]:
        w = o.weights.numpy().copy()
        w[i] = 0
        cold = references.cold_fit(o.x.numpy(), o.y.numpy(), w, float(o.l2), kind)
        true = references.losses(cold, x, y, kind) - before
        affected = largest > 0  # a text of unknown words is affected by nothing
        worst = max(worst, float((np.abs(true - found[:, i])[affected] / largest[affected]).max()))
    return worst


def _best(*works: Callable[[], object]) -> list[float]:
    """Seconds of the best of some repeats of each; they take turns, so that another load weighs on all."""
    seconds = np.empty((REPEATS, len(works)))
    for repeat in range(REPEATS):
        for at, work in enumerate(works):
            started = time.perf_counter()
            work()
            seconds[repeat, at] = time.perf_counter() - started
    return seconds.min(axis=0).tolist()


def _peak() -> float:
    """Megabytes that this process has needed at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    opened = open_study(find(sys.argv[1]), NO_STORE, None, "cpu")
    print(json.dumps([asdict(one) for one in figures_of(opened, sys.argv[3] == "1")]))
