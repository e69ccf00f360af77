"""A model on more features than memory should hold: ``python -m tests.benchmarks.larger_than_memory [--check]``.

A file of made-up float32 features, ``--rows`` by 2,048, with planted weights, is written once (``--folder`` keeps it) and
read as a memory map: training to the gradient norm that float32 can show, the dense factor, and the 100 strongest training
examples for and against of ten test examples. Each step is held against what it cannot do without, timed in the same run on
the same map, before and after: for every pass over the features the bare products that the pass is for (``X v`` and ``X' u``
for a gradient or a curvature product, ``X' X`` for the factor, ``X v`` for residuals and ``X V`` for scores), which read the
file too. Memory is the largest anonymous one; what the system keeps of the file in memory that nobody else needs does not
count.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from influence_core.influence import InfluenceEngine
from influence_core.losses import LogisticLoss
from influence_core.objective import LinearMap, LinearObjective, Span
from influence_core.operators import Hessian
from influence_core.solvers import Cholesky
from influence_core.training import minimise
from tests.benchmarks.table import anonymous_memory

FEATURES, TESTS, TOP = 2048, 10, 100
L2, NORM = 1e-3, 1e-6
ROWS = 4096
"""Written, read and multiplied at a time."""
LIMIT, MOST_GB = 1.5, 4.0
HEAD = (
    "| rows | step | passes over the features | seconds | bare products | ratio |\n|---|---|---|---|---|---|"
)


@dataclass(frozen=True, eq=False)
class Counted(LinearObjective):
    """Counts the passes over its features, by what each is for; some rows alone are a part of a pass."""

    passes: dict[str, float] = field(default_factory=lambda: defaultdict(float), kw_only=True)
    rows: int = field(kw_only=True)

    def count(self, what: str) -> None:
        self.passes[what] += self.n / self.rows

    def risk_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        self.count("gradient")
        return super().risk_and_gradient(theta)

    def risk_gradient(self, theta: Tensor) -> Tensor:
        self.count("gradient")
        return super().risk_gradient(theta)

    def hessian_product(self, theta: Tensor) -> LinearMap:
        product = super().hessian_product(theta)

        def counted(v: Tensor) -> Tensor:
            self.count("curvature")
            return product(v)

        return counted

    def training_products(self, theta: Tensor) -> LinearMap:
        self.count("residuals")
        return super().training_products(theta)

    def dense_gauss_newton(self, theta: Tensor, span: Span | None = None) -> Tensor:
        self.count("factor")
        return super().dense_gauss_newton(theta, span)


def make(folder: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The features, as a memory map, and the labels; written where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    features, labels = folder / f"x{rows}.npy", folder / f"y{rows}.npy"
    if not labels.exists():
        generator = np.random.default_rng(0)
        planted = generator.normal(size=FEATURES).astype(np.float32) / FEATURES**0.5
        y = np.empty(rows, dtype=np.int64)
        x = np.lib.format.open_memmap(features, "w+", np.float32, (rows, FEATURES))
        for start in range(0, rows, ROWS):
            some = generator.normal(size=x[start : start + ROWS].shape).astype(np.float32)
            x[start : start + ROWS] = some
            y[start : start + ROWS] = some @ planted + generator.logistic(size=len(some)) > 0
        x.flush()
        np.save(labels, y)
    return np.load(features, mmap_mode="r"), np.load(labels)


def steps(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[str, dict[str, float], float]]:
    """Each step's name, the passes it took, and its seconds."""
    made = LinearObjective.build(x, y, LogisticLoss(), L2)
    objective = Counted(made.x, made.y, made.loss, made.l2, made.weights, rows=len(x))
    found: dict[str, InfluenceEngine | Tensor] = {}

    def train() -> None:
        trained = minimise(objective, None, NORM)
        assert trained.converged, f"training stopped at {trained.gradient_norm:.1e}"
        found["theta"] = trained.theta

    def prepare() -> None:
        curvature = Hessian(objective, found["theta"])
        found["engine"] = InfluenceEngine(objective, found["theta"], curvature, Cholesky().prepare(curvature))

    def ask() -> None:
        objective.count("scores")
        generator = torch.Generator().manual_seed(1)
        tests = torch.randn(TESTS, FEATURES, generator=generator)
        scores = found["engine"].score(tests, torch.arange(TESTS) % 2).values
        found["strongest"] = torch.cat([scores.topk(TOP).indices, (-scores).topk(TOP).indices], 1)

    for name, step in (("training", train), ("preparation", prepare), (f"top {TOP} of {TESTS}", ask)):
        objective.passes.clear()
        started = time.perf_counter()
        step()
        yield name, dict(objective.passes), time.perf_counter() - started


def bare(x: np.ndarray) -> dict[str, float]:
    """Seconds of the products that one pass of each kind cannot do without, on the map."""
    features = torch.from_numpy(np.memmap(x.filename, x.dtype, "c", x.offset, x.shape))
    v, many = torch.randn(FEATURES), torch.randn(FEATURES, TESTS)
    gram, turned = torch.zeros(FEATURES, FEATURES), torch.zeros(FEATURES)

    def both(rows: Tensor) -> None:
        turned.addmv_(rows.T, rows @ v)

    gradient = _over(features, both)
    return {
        "gradient": gradient,
        "curvature": gradient,
        "factor": _over(features, lambda rows: gram.addmm_(rows.T, rows)),
        "residuals": _over(features, lambda rows: rows @ v),
        "scores": _over(features, lambda rows: rows @ many),
    }


def _over(features: Tensor, work: Callable[[Tensor], object]) -> float:
    started = time.perf_counter()
    for start in range(0, len(features), ROWS):
        work(features[start : start + ROWS])
    return time.perf_counter() - started


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help=f"exit with 1 above {LIMIT} times or {MOST_GB} GB"
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the file is kept; else it goes at the end")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(HEAD)
    with tempfile.TemporaryDirectory() as scratch:
        x, y = make(options.folder or Path(scratch), options.rows)
        before = bare(x)
        with anonymous_memory() as memory:
            told = list(steps(x, y))
        needed = {name: (seconds + before[name]) / 2 for name, seconds in bare(x).items()}
        ratios = []
        for name, passes, seconds in told:
            least = sum(needed[one] * count for one, count in passes.items())
            ratios.append(seconds / least)
            listed = ", ".join(f"{count:.0f} {one}" for one, count in passes.items())
            print(
                f"| {options.rows:,} | {name} | {listed} | {seconds:.1f} | {least:.1f} | {ratios[-1]:.2f} |"
            )
    print(f"\nLargest anonymous memory: {memory[-1] / 1e9:.2f} GB beside a file of {x.nbytes / 1e9:.2f} GB.")
    return 1 if options.check and (max(ratios) > LIMIT or memory[-1] > MOST_GB * 1e9) else 0


if __name__ == "__main__":
    sys.exit(main())
