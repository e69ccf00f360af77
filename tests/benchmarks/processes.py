"""One table made by several processes: ``python -m tests.benchmarks.processes [--check] [--study digits] [--tests 1000]``.

For each number, ``torchrun`` makes the whole table of the study's first test examples with 1, 2 and 4 processes, each time in a
store and a folder of its own. Where there are several, one of them is killed (SIGKILL) once two parts are there, which ends
all, and the same command is started again. Printed: what every process of the last start did and sent, and the largest
difference from the table of one process, as a share of the largest effect of all, which is judged, and of the largest one on
the same answer. (The studies are trained by each job anew: where they end a little apart, all effects on an answer do.)
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from influence_core.commands.table import work_of
from influence_core.context import Context
from influence_core.experiments import whole_table
from influence_core.experiments.explanation import Number
from influence_core.experiments.whole_table import Form, WholeTable
from influence_core.ranks import together
from influence_core.store import Store
from influence_core.studies import Study, find, open_study

WORLDS = (1, 2, 4)
LIMIT = 1e-10
KILLED_AT = 2
"""Parts that are there when a process is killed."""
PIDS = "pids"
HEAD = (
    "| number | processes | killed | seconds | processor seconds of each | MB sent by each "
    + "| apart, of the largest | of an answer's |\n"
    + "|---" * 8
    + "|"
)


@dataclass(frozen=True)
class Job:
    """One table to be made.

    Attributes:
        study: Its name.
        tests: The first of its test examples.
        number: Which number.
        world: Processes.
        folder: Where everything of it lies.
    """

    study: str
    tests: int
    number: Number
    world: int
    folder: Path

    def open(self, context: Context) -> Study:
        """The study as all processes have it."""
        spec = replace(find(self.study), n_test=self.tests)
        return open_study(spec, context.store, device="cpu", ranks=context.ranks)

    def table(self, study: Study) -> WholeTable:
        """As far as it is there."""
        return whole_table.place(study, self.folder / "table", Form(self.number, top=0))

    def command(self) -> list[str]:
        """What starts all its processes."""
        run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(self.world), "-m"]
        what = ["--study", self.study, "--tests", str(self.tests), "--worker", self.number]
        return [*run, "tests.benchmarks.processes", *what, "--out", str(self.folder)]


def work(job: Job) -> None:
    """One process's part of a job; the first writes down what each of them did."""
    with together() as ranks:
        (job.folder / f"{PIDS}-{ranks.rank}").write_text(str(os.getpid()))
        context = Context(Store(job.folder / "store"), ranks=ranks)
        study = job.open(context)
        whole_table.run(study, job.folder / "table", Form(job.number, top=0), context=context)
        did = ranks.of_all(work_of(study, ranks))
        if ranks.is_first:
            (job.folder / "did.json").write_text(json.dumps(did))


def made(job: Job) -> tuple[float, int]:
    """Seconds that all starts took, and how often a process was killed."""
    job.folder.mkdir()
    started, killed = time.perf_counter(), 0
    if job.world > 1:
        killed += _killed(job)
    subprocess.run(job.command(), env=_environment(), check=True)
    return time.perf_counter() - started, killed


def _killed(job: Job) -> bool:
    """Start it, kill the last process once some parts are there, and wait for the end of all."""
    with subprocess.Popen(job.command(), env=_environment(), stderr=subprocess.DEVNULL) as all_of_them:
        while all_of_them.poll() is None and len(list(job.folder.glob("table/part-*"))) < KILLED_AT:
            time.sleep(0.02)
        if all_of_them.poll() is None:
            os.kill(int((job.folder / f"{PIDS}-{job.world - 1}").read_text()), signal.SIGKILL)
    return all_of_them.returncode != 0


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def apart(one: WholeTable, other: WholeTable) -> tuple[float, float]:
    """The largest difference of two tables, as a share of the largest effect of all, and on the same answer."""
    off, size = [], []
    for test_id in one.test_ids.tolist():
        expected = one.effects(test_id)
        off.append(np.abs(other.effects(test_id) - expected).max())
        size.append(np.abs(expected).max())
    return float(max(off) / max(size)), float((np.array(off) / size).max())


def measure(study: str, tests: int, number: Number, folder: Path) -> float:
    """Print the rows of one number; the largest difference, NaN where there is one or nobody was killed."""
    every, first = [0.0], None
    for world in WORLDS:
        job = Job(study, tests, number, world, folder / f"{number}-{world}")
        seconds, killed = made(job)
        found = job.table(job.open(Context(Store(job.folder / "store"))))
        first = first or found
        off, of_an_answer = apart(first, found)
        did = json.loads((job.folder / "did.json").read_text())
        cells = (
            number,
            str(world),
            f"{killed} time" if killed else "–",
            f"{seconds:.0f}",
            ", ".join(f"{one['processor_seconds']:.0f}" for one in did),
            ", ".join(f"{one['bytes_sent'] / 1e6:,.0f}" for one in did),
            *((f"{off:.1g}", f"{of_an_answer:.1g}") if world > 1 else ("–", "–")),
        )
        print(f"| {' | '.join(cells)} |", flush=True)
        every.append(off if killed or world == 1 else float("nan"))
    return float(np.max(every))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--tests", type=int, default=1000)
    parser.add_argument("--check", action="store_true", help=f"exit with 1 where tables are {LIMIT} apart")
    parser.add_argument("--worker", choices=get_args(Number), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        work(Job(options.study, options.tests, options.worker, 0, options.out))
        return 0
    print(f"one thread a process, torch {torch.__version__}\n\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        most = [measure(options.study, options.tests, one, Path(folder)) for one in get_args(Number)]
    return 1 if options.check and not float(np.max(most)) <= LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
