"""``health``: is anything wrong with the data themselves?"""

from __future__ import annotations

import argparse
from typing import Any

from influence_core import studies
from influence_core.commands.explain import MISCLASSIFIED, question_of
from influence_core.commands.terminal import add_common, add_work, print_json, work
from influence_core.context import Context
from influence_core.experiments import all_left_out, at_hand, explain, health
from influence_core.experiments.health import Finding
from influence_core.studies import Study

SHOWN = 5
"""Cases of a finding that are printed; ``--json`` has all."""


def add(commands: Any) -> None:
    """Declare it."""
    parser = commands.add_parser("health", help="copies, leaks, outliers: is anything wrong with the data?")
    parser.set_defaults(run=run)
    parser.add_argument("--study", default=next(iter(studies.CATALOGUE)), help="a name that `studies` lists")
    parser.add_argument(
        "--test",
        default=MISCLASSIFIED,
        metavar="ID",
        help=f"whose answer is searched for twins: a test example, or {MISCLASSIFIED}",
    )
    add_common(parser)
    add_work(parser)


def run(options: argparse.Namespace) -> int:
    """Look for everything."""
    spec = studies.find(options.study)
    with work(options) as context:
        study = studies.open_study(spec, context.store, options.data, options.device, context.progress)
        found = list(health.of_duplicates(study, health.duplicates.run(study, context=context)))
        found += health.of_regions(study, health.regions.run(study, context=context))
        found.append(health.of_contradicted(study, health.contradicted.of_tests(study)))
        if health.twins.supports(spec) is None:
            found += _of_model(study, options.test, context)
    if options.json:
        print_json({"study": spec.address, "findings": [_as_json(one) for one in health.in_order(found)]})
    else:
        _print(study, health.in_order(found))
    return 0


def _of_model(study: Study, test: str, context: Context) -> list[Finding]:
    """What a linear model with a smooth loss says of its data."""
    known = all_left_out.recall(study, context=context)
    unused = health.unused.run(study, known is not None, context=context)
    question = question_of(study, test, None)
    answer = at_hand.improve(study, explain.run(study, question, context=context), known, context=context)
    twins = health.twins.run(study, answer, context=context)
    asked = f"the answer to test {study.data.kind} {answer.test_id}"
    proven = known is not None and known.proven
    doubted = health.contradicted.of_training(study, proven, context=context)
    return [
        health.of_contradicted(study, doubted),
        health.of_unused(study, unused),
        health.of_twins(study, twins, asked),
    ]


def _as_json(one: Finding) -> dict[str, Any]:
    return {
        "name": one.name,
        "count": one.count,
        "sentence": one.sentence,
        "cases": [
            {"train": case.train_ids, "test": case.test_ids, "words": case.words} for case in one.cases
        ],
        "leave_out": one.leave_out,
    }


def _print(study: Study, findings: tuple[Finding, ...]) -> None:
    if study.data.stand_in:
        print(study.data.stand_in)
    for one in findings:
        print(f"\n{one.sentence}")
        for case in one.cases[:SHOWN]:
            parts = {"training": case.train_ids, "test": case.test_ids}
            told = "; ".join(f"{part} {_listed(ids)}" for part, ids in parts.items() if ids)
            print(f"  {told}{f' ({case.words})' if case.words else ''}")
        if len(one.cases) > SHOWN:
            print(f"  and {len(one.cases) - SHOWN:,} more")


def _listed(ids: tuple[int, ...]) -> str:
    more = f", … ({len(ids):,})" if len(ids) > SHOWN else ""
    return ", ".join(map(str, ids[:SHOWN])) + more
