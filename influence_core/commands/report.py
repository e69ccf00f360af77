"""``report``: an answer to take home, as a page that opens by itself and the files that belong to it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from influence_core import report, studies
from influence_core.commands.explain import MISCLASSIFIED, question_of
from influence_core.commands.terminal import add_common, add_work, print_json, work
from influence_core.context import Context
from influence_core.errors import DataError
from influence_core.experiments import all_left_out, at_hand, explain
from influence_core.report import Material
from influence_core.studies import Study, StudySpec
from influence_core.studies.changes import settled

KINDS = (".zip", ".html")


def add(commands: Any) -> None:
    """Declare it."""
    parser = commands.add_parser("report", help="an answer to take home: a page, its files, a script")
    parser.set_defaults(run=run)
    parser.add_argument(
        "--study",
        default=next(iter(studies.CATALOGUE)),
        help="a name that `studies` lists, or a version of one",
    )
    parser.add_argument(
        "--test", default=MISCLASSIFIED, metavar="ID", help=f"a test image, or {MISCLASSIFIED}"
    )
    parser.add_argument("--label", help="ask about this label instead of the model's own answer")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="a .zip for everything, or a .html for the page alone"
    )
    add_common(parser)
    add_work(parser)


def run(options: argparse.Namespace) -> int:
    """Write one report."""
    out = Path(options.out)
    if out.suffix not in KINDS:
        raise DataError(f"--out must end in {' or '.join(KINDS)}, but is {out.name!r}.")
    spec = studies.find(options.study)
    with work(options) as context:
        made = _gather(options, spec, context)
    content = report.page(made).encode() if out.suffix == ".html" else report.bundle(made)
    out.write_bytes(content)
    if options.json:
        print_json({"file": str(out), "bytes": len(content), "study": spec.address})
    else:
        print(
            f"{out} holds the answer, {len(content) / 1e3:,.0f} kB. It opens in a browser, without the app."
        )
    return 0


def _gather(options: argparse.Namespace, spec: StudySpec, context: Context) -> Material:
    study = _open(options, spec, context)
    explanation = explain.run(study, question_of(study, options.test, options.label), context=context)
    known = all_left_out.recall(study, context=context) if all_left_out.supports(spec) is None else None
    explanation = at_hand.improve(study, explanation, known, context=context)
    before = _open(options, spec.unchanged, context) if settled(spec.changes) else None
    return report.gather(study, explanation, before, study if before else None, context=context)


def _open(options: argparse.Namespace, spec: StudySpec, context: Context) -> Study:
    return studies.open_study(spec, context.store, options.data, options.device, context.progress)
