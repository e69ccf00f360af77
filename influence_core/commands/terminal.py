"""What every command shares: options, a context with a line of progress, and tables of text."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from influence_core import devices
from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.store import NO_STORE, Store

KEPT_ENGINES = 2


def add_common(parser: argparse.ArgumentParser) -> None:
    """Where data lie, and JSON instead of text."""
    parser.add_argument("--data", metavar="FOLDER", help="folder of data that do not ship, such as MNIST/raw")
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_work(parser: argparse.ArgumentParser) -> None:
    """Where the arithmetic happens, and whether results are kept."""
    parser.add_argument("--device", default="auto", help=", ".join(devices.NAMES))
    parser.add_argument("--no-store", action="store_true", help="neither read nor keep results on disk")


@contextmanager
def work(options: argparse.Namespace) -> Iterator[Context]:
    """The store and a line of progress; both are for a person at a terminal, so what they say goes to stderr."""
    store = NO_STORE if options.no_store else Store()
    watched = sys.stderr.isatty()
    try:
        yield Context(store, _show_progress if watched else None, Engines(KEPT_ENGINES))
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
