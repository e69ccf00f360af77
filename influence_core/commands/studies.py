"""``studies`` lists the built-in studies; ``precompute`` trains one and keeps its parameters in a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from influence_core import studies
from influence_core.commands.terminal import add_common, add_work, print_json, print_table, work
from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.studies import StudySpec
from influence_core.words import seconds


def add(commands: Any) -> None:
    """Declare both."""
    listing = commands.add_parser("studies", help="list the built-in studies")
    listing.set_defaults(run=run)
    add_common(listing)
    training = commands.add_parser("precompute", help="train a study and keep its parameters in a folder")
    training.set_defaults(run=precompute)
    training.add_argument("study", help="a name that `studies` lists")
    training.add_argument(
        "--into", metavar="DIR", default=str(studies.PACKAGED), help="assets/studies by default"
    )
    add_common(training)
    add_work(training)


def run(options: argparse.Namespace) -> int:
    """List the catalogue."""
    rows = [_describe(spec, options.data) for spec in studies.CATALOGUE.values()]
    if options.json:
        print_json(rows)
    else:
        cells = [["-" if one is None else str(one) for one in row.values()] for row in rows]
        print_table(list(rows[0]), cells, left=3)
    return 0


def _describe(spec: StudySpec, folder: str | None) -> dict[str, Any]:
    """One study as a row; ``n`` and ``p`` are ``None`` where the data are not at hand."""
    try:
        n, p = studies.sizes(spec, folder)
    except DataError:
        n, p = None, None
    return {"name": spec.name, "title": spec.title, "data": spec.data, "n": n, "p": p, "l2": spec.l2}


def precompute(options: argparse.Namespace) -> int:
    """Train, and keep the parameters."""
    spec, store = studies.find(options.study), Store(Path(options.into))
    with work(options) as context:
        study = studies.open_study(spec, store, options.data, options.device, context.progress, afresh=True)
    trained = {
        "study": spec.name,
        "gradient_norm": study.gradient_norm,
        "seconds": study.seconds,
        "key": study.key,
    }
    if options.json:
        print_json(trained)
    else:
        print(
            f"{spec.name}: gradient norm {study.gradient_norm:.1e} after {seconds(study.seconds)}; kept as {study.key}"
        )
    for notice in store.notices():
        print(notice, file=sys.stderr)
    return 0
