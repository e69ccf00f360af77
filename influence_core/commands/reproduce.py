"""``reproduce``: a figure of the paper, computed again and held against the paper."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from influence_core.commands.terminal import add_common, add_work, print_json, print_table, work
from influence_core.context import Context
from influence_core.errors import DataError, UnsupportedError
from influence_core.reproduce import FIGURES, Reproduction

ALL = "all"


def add(commands: Any) -> None:
    """Declare it."""
    figure = commands.add_parser("reproduce", help="compute a figure of the paper again")
    figure.set_defaults(run=run)
    figure.add_argument("figure", help=", ".join((*FIGURES, ALL)))
    figure.add_argument("--out", metavar="DIR", help="write the figure (HTML) and its numbers (JSON)")
    figure.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    add_common(figure)
    add_work(figure)


def run(options: argparse.Namespace) -> int:
    """Compute one figure or all of them."""
    if options.figure not in (*FIGURES, ALL):
        raise DataError(f"There is no figure '{options.figure}'; choose one of {', '.join(FIGURES)}, {ALL}.")
    names = list(FIGURES) if options.figure == ALL else [options.figure]
    short, numbers = 0, []
    for name in names:
        with work(options) as context:
            found = _reproduced(name, options, context)
        if options.out:
            _write_figures(Path(options.out), found)
        if not options.json:
            _print_reproduction(found)
        numbers.append(_numbers(found))
        short += _report_short(found, options) if options.check else 0
    if options.json:
        print_json(numbers if options.figure == ALL else numbers[0])
    return 1 if short else 0


def _reproduced(name: str, options: argparse.Namespace, context: Context) -> Reproduction:
    """One figure; among all of them, one whose data are not in the folder is made from its stand-in."""
    try:
        return FIGURES[name](options.data, options.device, context)
    except DataError:
        if options.figure != ALL or options.data is None:
            raise
        return FIGURES[name](None, options.device, context)


def _report_short(found: Reproduction, options: argparse.Namespace) -> int:
    for check in found.short:
        words = f"falls short: {check.name}: {check.shown}, required {check.requirement}"
        print(words, file=sys.stderr if options.json else sys.stdout)  # JSON stays alone on its stream
    return len(found.short)


def _numbers(found: Reproduction) -> dict[str, Any]:
    return {
        "figure": found.name,
        "title": found.title,
        **found.setting,
        "figures": [asdict(check) for check in found.checks],
        "short": [check.name for check in found.short],
    }


def _print_reproduction(found: Reproduction) -> None:
    print(found.title)
    print(", ".join(f"{name} {value}" for name, value in found.setting.items() if name != "stand_in"))
    print(found.setting["stand_in"] or "Real data, not a stand-in.")
    rows = [
        [check.name, check.shown, check.requirement, check.paper, check.verdict] for check in found.checks
    ]
    print_table(["", "here", "required", "paper", ""], rows)


def _write_figures(folder: Path, found: Reproduction) -> None:
    try:
        from influence_core.figures.paper import DRAWINGS  # everything else works without Plotly
    except ModuleNotFoundError as error:
        raise UnsupportedError(f"--out needs {error.name}: install it, or leave --out away.") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in DRAWINGS[found.name](found).items():
        figure.write_html(folder / f"{name}.html", include_plotlyjs=True)
    (folder / f"{found.name}.json").write_text(json.dumps(_numbers(found), indent=2) + "\n", encoding="utf-8")
