"""What every command shares: options, a context with a line of progress, and tables of text."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from influence_core import devices, studies
from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.errors import DataError
from influence_core.progress import Progress
from influence_core.ranks import ALONE, Ranks
from influence_core.store import NO_STORE, Store
from influence_core.studies import Study, StudySpec, download_of

KEPT_ENGINES = 2
MISCLASSIFIED = "misclassified"
"""What ``--test`` may name instead of an id."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Where data lie, and JSON instead of text."""
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder of data that do not ship, such as MNIST/raw or cifar-10-batches-py",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_study(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Which study; its name and what else it may be."""
    help_words = f"a name that `studies` lists{more}"
    parser.add_argument("--study", default=next(iter(studies.CATALOGUE)), help=help_words)


def add_test(parser: argparse.ArgumentParser, default: str | None = MISCLASSIFIED) -> None:
    """Which test example."""
    parser.add_argument(
        "--test", default=default, metavar="ID", help=f"a test example, or {MISCLASSIFIED} (the default)"
    )


def open_study(options: argparse.Namespace, context: Context) -> Study:
    """The study that ``--study`` names, trained."""
    spec = studies.find(options.study)
    return studies.open_study(spec, context.store, options.data, options.device, context.progress)


def print_head(study: Study, sentence: str) -> None:
    """A sentence, and what the data stand in for, if anything."""
    print(sentence)
    if study.data.stand_in:
        print(study.data.stand_in)


def add_download(parser: argparse.ArgumentParser) -> None:
    """The only way to the internet, for whoever asks for it."""
    parser.add_argument(
        "--download",
        action="store_true",
        help="fetch the study's data into --data FOLDER if they are not there; nothing is fetched otherwise",
    )


def fetch_if_asked(options: argparse.Namespace, spec: StudySpec, progress: Progress | None) -> None:
    """Put a study's data into the data folder, where somebody said ``--download`` and they are not there.

    Raises:
        DataError: If no folder is named, the study's data cannot be fetched, or they did not come.
    """
    if not options.download:
        return
    known = download_of(spec)
    if known is None:
        raise DataError(f"The data of “{spec.name}” are not fetched from anywhere. Leave --download away.")
    if not options.data:
        raise DataError(f"--download needs --data FOLDER, into which it puts {known.what} ({known.source}).")
    if known.missing(options.data):
        known.fetch(options.data, progress)


def add_work(parser: argparse.ArgumentParser) -> None:
    """Where the arithmetic happens, and whether results are kept."""
    parser.add_argument("--device", default="auto", help=", ".join(devices.NAMES))
    parser.add_argument("--no-store", action="store_true", help="neither read nor keep results on disk")


@contextmanager
def work(options: argparse.Namespace, ranks: Ranks = ALONE) -> Iterator[Context]:
    """The store and a line of progress; both are for a person at a terminal, so what they say goes to stderr.

    Of several processes the first alone shows it.
    """
    store = NO_STORE if options.no_store else Store()
    watched = ranks.is_first and sys.stderr.isatty()
    try:
        yield Context(store, _show_progress if watched else None, Engines(KEPT_ENGINES), ranks)
    finally:
        if watched:
            print("\r\x1b[K", end="", file=sys.stderr)
        for notice in store.notices():
            print(notice, file=sys.stderr)


def _show_progress(fraction: float, message: str) -> None:
    print(f"\r\x1b[K{fraction:4.0%} {message}", end="", file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """JSON on stdout."""
    print(json.dumps(value, indent=2))


def print_table(header: list[str], rows: Iterable[list[str]], left: int = 1) -> None:
    """Columns side by side, the first ``left`` of them flush left, the others flush right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(line, widths, strict=True)
        print(
            "  ".join(
                f"{one:<{w}}" if at < left else f"{one:>{w}}" for at, (one, w) in enumerate(cells)
            ).rstrip()
        )
