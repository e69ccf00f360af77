"""How long the whole table takes beside its bare products: ``python -m tests.benchmarks.table [--study digits] [--check]``.

One process, one run: the table's parts are made, all of them, and then the same blocks as bare matrix work: one contiguous
``p x p`` matrix times the test gradients, one product of the features with the solved blocks. Preparation is told apart.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import whole_table
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.whole_table import Form
from influence_core.store import Store
from influence_core.studies import Study, find, open_study

LIMIT = 1.5
HEAD = (
    "| study | tests x training | kept | prepared, s | table, s | bare, s | ratio | peak memory, MB |\n"
    + "|---" * 8
    + "|"
)


def bare(study: Study) -> float:
    """Seconds of the bare products for all test examples, in the table's own blocks."""
    o, test = study.objective, study.data.test
    block = whole_table.block_of(study)
    inverse = torch.randn(o.dim, o.dim, dtype=study.theta.dtype)
    features = study.inputs(study.data.train.x)
    seconds = 0.0
    for start in range(0, len(test), block):
        gradients = torch.randn(o.dim, min(block, len(test) - start), dtype=study.theta.dtype)
        started = time.perf_counter()
        solved = inverse @ gradients
        _ = features @ solved.view(len(features.T), -1)
        seconds += time.perf_counter() - started
    return seconds


def measure(name: str, top: int, data: str | None) -> tuple[str, float]:
    """One row, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        context = Context(Store(Path(folder) / "store"), engines=Engines(1))
        study = open_study(find(name), context.store, data, "cpu")
        _ = study.predictions
        started = time.perf_counter()
        context.engines.prepare(study, AUTOMATIC)
        prepared = time.perf_counter() - started
        started = time.perf_counter()
        whole_table.run(study, Path(folder) / "table", Form(top=top), context=context)
        seconds = time.perf_counter() - started
    peak, least = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, bare(study)
    kept, shape = f"{top} each side" if top else "all", f"{len(study.data.test):,} x {study.objective.n:,}"
    cells = (name, shape, kept, f"{prepared:.1f}", f"{seconds:.1f}", f"{least:.1f}", f"{seconds / least:.2f}")
    return f"| {' | '.join(cells)} | {peak:.0f} |", seconds / least


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--data", metavar="FOLDER", help="of data that do not ship")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 above {LIMIT} x the bare products")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(HEAD)
    ratios = []
    for top in (100, 0):
        row, ratio = measure(options.study, top, options.data)
        ratios.append(ratio)
        print(row, flush=True)
    return 1 if options.check and max(ratios) > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
