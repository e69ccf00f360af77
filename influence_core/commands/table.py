"""``table``: the effect of every training example on every test answer, in parts on the disk."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, get_args

from influence_core import solvers, studies
from influence_core.commands.terminal import add_common, add_work, print_json, print_table, work
from influence_core.context import Context
from influence_core.engines import CURVATURES, SolverSettings
from influence_core.errors import DataError, require
from influence_core.experiments import study_table, whole_table
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.explanation import Number
from influence_core.experiments.whole_table import Asked, Form
from influence_core.ranks import Ranks, together
from influence_core.store.parts import DESCRIPTION
from influence_core.studies import Study
from influence_core.words import about, storage

TOP = 100


def add(commands: Any) -> None:
    """Declare it."""
    parser = commands.add_parser(
        "table", help="every training example's effect on every test answer, on disk"
    )
    parser.set_defaults(run=run)
    parser.add_argument("--study", default=next(iter(studies.CATALOGUE)), help="as for `explain`")
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        help="where it is kept; a stopped one goes on. Without it, in the store, where the app reads it (--full alone)",
    )
    parser.add_argument(
        "--kind", default="influence", choices=get_args(Number), help="which number (influence)"
    )
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--top", type=int, default=TOP, help=f"strongest on each side, as Parquet ({TOP})")
    kept.add_argument("--full", action="store_true", help="all numbers, as NumPy files to be mapped")
    parser.add_argument("--ask", default="model", choices=get_args(Asked), help="about which label (model)")
    parser.add_argument("--estimate", action="store_true", help="make one part, and say what all would take")
    parser.add_argument("--solver", default="auto", help=f"auto, {', '.join(solvers.CATALOGUE)}")
    parser.add_argument("--damping", type=float, help="added to the curvature; the study's own by default")
    parser.add_argument("--curvature", default="auto", help=", ".join(CURVATURES))
    add_common(parser)
    add_work(parser)


def run(options: argparse.Namespace) -> int:
    """Make it, or say what it would take."""
    form = Form(options.kind, 0 if options.full else options.top, options.ask)
    settings = SolverSettings(options.solver, options.damping, options.curvature)
    spec = studies.find(options.study)
    _check_place(options, form, settings)
    with together() as ranks, work(options, ranks) as context:
        study = studies.open_study(
            spec, context.store, options.data, options.device, context.progress, ranks=ranks
        )
        require(whole_table.supports(study, form, settings, ranks))
        folder = Path(options.out or study_table.folder(study, form.number, context.store))
        if not options.estimate:
            _make(study, folder, form, settings, context)
        told = whole_table.estimate(study, folder, form, settings, context=context)
        processes = ranks.of_all(work_of(study, ranks))
    if not ranks.is_first:
        return 0
    facts = {
        "study": spec.address,
        "folder": str(folder),
        "test_examples": len(study.data.test),
        "training_examples": study.objective.n,
        "number": form.number,
        "seconds_left": told.seconds if options.estimate else 0.0,
        "memory_bytes": told.memory,
        "disk_bytes": told.disk,
        "processes": processes,
    }
    if options.json:
        print_json(facts)
        return 0
    print(
        f"{facts['test_examples']:,} test answers x {facts['training_examples']:,} training {study.data.kind}s, "
        f"{form.number}, in nats; {storage(told.disk)} on disk; what it is stands in {DESCRIPTION}."
    )
    if study.data.stand_in:
        print(study.data.stand_in)
    if not ranks.alone:
        print_table([name.replace("_", " ") for name in processes[0]], map(_cells, processes))
    if options.estimate:
        print(f"What is missing would take {about(told.seconds)} and hold {storage(told.memory)} at a time.")
    return 0


def _make(study: Study, folder: Path, form: Form, settings: SolverSettings, context: Context) -> None:
    """The table; where it is the one that the app reads, what is read off it, too."""
    if context.ranks.alone and folder == study_table.folder(study, form.number, context.store):
        study_table.run(study, form.number, context=context)
    else:
        whole_table.run(study, folder, form, settings, context=context)


def _check_place(options: argparse.Namespace, form: Form, settings: SolverSettings) -> None:
    """Without a folder it is the table that the app reads, or none."""
    is_read = not form.top and form.asked == "model" and settings == AUTOMATIC and not options.no_store
    if not (options.out or is_read):
        raise DataError(
            "Without --out FOLDER the table is kept in the store, for the app: --full, about the model's own answers, with "
            "the automatic solver. Name a folder for any other."
        )


def work_of(study: Study, ranks: Ranks) -> dict[str, float]:
    """What this process has done since it started, and what it sent to others."""
    rows = ranks.rows(study.objective.n)
    return {
        "process": ranks.rank,
        "training_examples": rows.stop - rows.start,
        "processor_seconds": round(time.process_time(), 2),
        "exchange_seconds": round(ranks.waited, 2),
        "bytes_sent": ranks.sent,
    }


def _cells(one: dict[str, float]) -> list[str]:
    return [f"{value:,}" for value in one.values()]
