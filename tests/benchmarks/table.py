"""How long the whole table takes beside its bare products: ``python -m tests.benchmarks.table [--study digits] [--check]``.

The bare products are those of the whole model, ``p x p`` and ``c`` outputs, though the factor holds fewer directions.
One process, one run: after a part of the table the same block is made as bare matrix work (one contiguous ``p x p`` matrix
times the test gradients, the features times the solved block), so that whatever else the machine does meanwhile slows both
down. Opening (training, where the store has it not) and preparation are told apart. Memory is the largest anonymous one,
from opening the study on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import torch

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import whole_table
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.whole_table import Form
from influence_core.store import Store
from influence_core.studies import Study, find, open_study
from tests.memory import anonymous

LIMIT = 1.5
MOST_GB = 6.0
ROWS = 2048
"""Training examples that the bare product takes at a time: as many as run fastest."""
HEAD = (
    "| study | tests x training | kept | opened, s | prepared, s | table, s | of it compared, s | bare, s | ratio "
    + "| anonymous memory, GB |\n"
    + "|---" * 10
    + "|"
)


@dataclass
class Bare:
    """Told of every part, it times the same block as bare products; of every so many parts alone, where a table is long."""

    study: Study
    matrix: torch.Tensor
    every: int = 1
    parts: int = 0
    seconds: float = 0.0
    compared: float = 0.0
    bare: float = 0.0
    mark: float = field(default_factory=time.perf_counter)

    def __call__(self, fraction: float, message: str) -> None:
        if message.startswith("part "):
            each = time.perf_counter() - self.mark
            self.seconds += each
            if self.parts % self.every == 0:
                self.compared += each
                self.bare += self.products(int(message.split()[1]) - 1)
                print(f"{message.split(',')[0]}: {self.ratio:.2f} so far", file=sys.stderr, flush=True)
            self.parts += 1
            self.mark = time.perf_counter()

    @property
    def ratio(self) -> float:
        """Of the parts that were made as bare products too."""
        return self.compared / self.bare

    def products(self, part: int) -> float:
        """Seconds of a block's bare products."""
        o, block = self.study.objective, whole_table.block_of(self.study)
        k = min(block, len(self.study.data.test) - part * block)
        gradients = torch.randn(o.dim, k, dtype=o.x.dtype)
        products = torch.zeros(ROWS, o.loss.outputs * k, dtype=o.x.dtype)
        started = time.perf_counter()
        solved = (self.matrix @ gradients).view(o.x.shape[1], -1)
        for x in o.x.split(ROWS):
            torch.mm(x, solved, out=products[: len(x)])
        return time.perf_counter() - started


@contextmanager
def anonymous_memory():
    """A list whose last element is the largest anonymous memory of this process so far, in bytes; Linux alone tells it."""
    found, ended = [0], Event()

    def watch() -> None:
        while not ended.wait(0.05):
            found.append(max(found.pop(), anonymous()))

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def measure(name: str, top: int, data: str | None, out: Path, every: int) -> tuple[str, float, float]:
    """One row, the ratio, and gigabytes."""
    context = Context(Store(out / "store"), engines=Engines(1))
    with anonymous_memory() as memory:
        started = time.perf_counter()
        study = open_study(find(name), context.store, data, "cpu")
        _ = study.predictions
        opened = time.perf_counter()
        context.engines.prepare(study, AUTOMATIC)
        prepared = time.perf_counter()
        o = study.objective
        bare = Bare(study, torch.full((o.dim, o.dim), 1 / o.dim, dtype=o.x.dtype), every)
        context = Context(context.store, bare, context.engines)
        whole_table.run(study, out / ("table-top" if top else "table-full"), Form(top=top), context=context)
    if not bare.parts:
        raise SystemExit("That folder has the table already: there is nothing to measure.")
    kept, shape = f"{top} each side" if top else "all", f"{len(study.data.test):,} x {study.objective.n:,}"
    times = (opened - started, prepared - opened, bare.seconds, bare.compared, bare.bare)
    ratio, gigabytes = bare.ratio, memory[0] / 1e9
    cells = (name, shape, kept, *(f"{one:.1f}" for one in times), f"{ratio:.2f}", f"{gigabytes:.2f}")
    return f"| {' | '.join(cells)} |", ratio, gigabytes


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--data", metavar="FOLDER", help="of data that do not ship")
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"exit with 1 above {LIMIT} x the bare products or {MOST_GB:g} GB",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", metavar="FOLDER", help="where the tables stay; nowhere by default")
    parser.add_argument("--kept", choices=("both", "top", "full"), default="both")
    parser.add_argument(
        "--every", type=int, default=1, help="of so many parts one is made as bare products too"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{torch.get_num_threads()} threads, float64, torch {torch.__version__}\n\n{HEAD}", flush=True)
    short = False
    with tempfile.TemporaryDirectory() as folder:
        for top in {"both": (100, 0), "top": (100,), "full": (0,)}[options.kept]:
            row, ratio, gigabytes = measure(
                options.study, top, options.data, Path(options.out or folder), options.every
            )
            short = short or ratio > LIMIT or gigabytes > MOST_GB
            print(row, flush=True)
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
