"""``ask`` about any quantity over any test examples; ``why``: the groups of training examples behind an answer."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from influence_core import solvers
from influence_core.commands.explain import question_of, test_id
from influence_core.commands.terminal import (
    MISCLASSIFIED,
    add_common,
    add_study,
    add_test,
    add_work,
    open_study,
    print_head,
    print_json,
    print_table,
    work,
)
from influence_core.context import Context
from influence_core.engines import CURVATURES, SolverSettings
from influence_core.errors import DataError
from influence_core.experiments import (
    all_left_out,
    any_question,
    causes,
    target_edits,
    targets,
    test_sets,
    verdict,
)
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.causes import STABLE, Causes
from influence_core.experiments.targets import Target
from influence_core.exports import as_csv
from influence_core.retraining.edits import Edit
from influence_core.studies import Study
from influence_core.words import percent, ratio, seconds, three_digits


def add(commands: Any) -> None:
    """Declare both."""
    asking = commands.add_parser("ask", help="what did it to a class, all mistakes, a recall, a gap, ...?")
    asking.set_defaults(run=run_ask)
    _add_question(asking)
    asking.add_argument("--top", type=int, default=5, help="how many training examples on each side (5)")
    asking.add_argument("--prove", action="store_true", help="first train again without each example")
    asking.add_argument("--csv", metavar="FILE", help="write the ranking of all training examples")
    reasons = commands.add_parser("why", help="the groups of training examples that carry an answer")
    reasons.set_defaults(run=run_why)
    _add_question(reasons)
    add_test(reasons, None)
    reasons.add_argument("--label", help="ask about this label instead of the model's own answer")
    reasons.add_argument("--retrain", action="store_true", help="train again without each group: the truth")
    reasons.add_argument("--seed", type=int, default=0, help="of the clustering (0)")


def _add_question(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    parser.add_argument("--over", metavar="SET", help=f"test examples: {test_sets.FORMS}")
    parser.add_argument("--quantity", metavar="Q", help=f"{targets.FORMS} (loss)")
    parser.add_argument("--solver", default="auto", help=f"auto, {', '.join(solvers.CATALOGUE)}")
    parser.add_argument("--damping", type=float, help="added to the curvature; the study's own by default")
    parser.add_argument("--curvature", default="auto", help=", ".join(CURVATURES))
    add_common(parser)
    add_work(parser)


def run_ask(options: argparse.Namespace) -> int:
    """Rank all training examples by what they do to a quantity."""
    if options.top < 1:
        raise DataError(f"--top must be at least 1, but is {options.top}.")
    with work(options) as context:
        study = open_study(options, context)
        target = _target(study, options)
        found = _effects(study, target, options, options.prove, context)
    if options.csv:
        Path(options.csv).write_text(
            as_csv(any_question.table(study, target, found)), encoding="utf-8", newline=""
        )
    if options.json:
        print_json(_ranking_json(study, target, found, options.top))
    else:
        _print_ranking(study, target, found, options.top)
    return 0


def run_why(options: argparse.Namespace) -> int:
    """Group the examples that carry an answer."""
    with work(options) as context:
        study = open_study(options, context)
        target = _target(study, options)
        effects = _effects(study, target, options, False, context)
        found = causes.run(study, effects, options.seed, context=context)
        rows = [_group(study, target, effects, one, options.retrain, context) for one in found.groups]
    if options.json:
        stability = {"adjusted_rand": found.rand, "stable": found.stable}
        print_json(
            {**_question_json(study, target, effects), "carried": found.carried, **stability, "groups": rows}
        )
    else:
        _print_groups(study, target, effects, found, rows)
    return 0


def _target(study: Study, options: argparse.Namespace) -> Target:
    """One test example and its label where ``why`` is asked about no set."""
    test = getattr(options, "test", None)
    if options.over and test:
        raise DataError("Name either one test example with --test or a set with --over.")
    if options.over or options.run is run_ask:
        return targets.ask(study, options.over or "errors", options.quantity or "loss")
    if not options.quantity:
        return targets.of_question(study, question_of(study, test or MISCLASSIFIED, options.label))
    if options.label:
        raise DataError("Name the label in --quantity, as probability=LABEL, or leave --quantity away.")
    return targets.ask(study, f"ids={test_id(study, test or MISCLASSIFIED)}", options.quantity)


def _effects(
    study: Study, target: Target, options: argparse.Namespace, prove: bool, context: Context
) -> TargetEffects:
    settings = SolverSettings(options.solver, options.damping, options.curvature)
    found = any_question.run(study, target, settings, context=context)
    if all_left_out.supports(study.spec):
        return found
    known = (all_left_out.run if prove else all_left_out.recall)(study, context=context)
    return any_question.improve(study, target, found, known, context=context)


def _question_json(study: Study, target: Target, found: TargetEffects) -> dict[str, Any]:
    return {
        "study": study.spec.address,
        "asked": target.words,
        "quantity": target.kind,
        "value": found.before,
        "test_examples": len(target.y),
    }


def _ranking_json(study: Study, target: Target, found: TargetEffects, top: int) -> dict[str, Any]:
    ranking = any_question.table(study, target, found)
    ranks = np.argsort(np.argsort(-np.abs(found.shown), kind="stable"))

    def rows(positions: np.ndarray) -> list[dict[str, Any]]:
        return [{name: values[i].item() for name, values in ranking.items()} for i in ranks[positions]]

    sides = dict(zip(target.sides, (rows(found.helpful(top)), rows(found.harmful(top))), strict=True))
    told = {"number": found.number, "verdict": asdict(verdict.of_target(study, found))}
    return {**_question_json(study, target, found), **told, **sides, "provenance": asdict(found.provenance)}


def _print_ranking(study: Study, target: Target, found: TargetEffects, top: int) -> None:
    _print_head(study, target, found)
    train, names = study.data.train, study.data.class_names
    for title, at in zip(target.sides, (found.helpful(top), found.harmful(top)), strict=True):
        print(f"\nMake it {title}" + ("" if len(at) else f": no training {study.data.kind}"))
        rows = [
            [str(int(train.ids[i])), names[int(train.y[i])], target.change_text(float(found.having[i]))]
            for i in at
        ]
        if rows:
            print_table(["id", "label", f"effect of having it ({found.number})"], rows)
    facts = found.provenance
    print(
        f"\nSolver: {facts.solver}, {facts.settings}; true relative residual {three_digits(facts.residual)}; "
        f"{seconds(facts.seconds)}."
    )


def _print_head(study: Study, target: Target, found: TargetEffects) -> None:
    """What was asked, how far the numbers may be believed, and what the data stand in for."""
    print_head(study, f"{target.title}: {target.text(found.before)}.")
    judged = verdict.of_target(study, found)
    print(f"\nVerdict: {judged.level}. {judged.reason} {judged.advice}".rstrip())


def _group(
    study: Study, target: Target, effects: TargetEffects, one: causes.Cause, retrain: bool, context: Context
) -> dict[str, Any]:
    """One group as a row of JSON; without it."""
    edit, ids = Edit.removal(one.positions.tolist()), study.data.train.ids
    forecast = target_edits.forecast(study, target, effects, edit, context=context)
    row = {
        "name": one.name,
        "medoid": int(ids[one.medoid]),
        "members": ids[one.positions.tolist()].tolist(),
        "forecast_change_without": forecast.best,
        "each_alone_added_up": forecast.alone,
    }
    if retrain:
        truth = target_edits.retrain(study, target, edit, context=context)
        row["true_change_without"] = truth.change
        row["changed_answers"] = truth.changed_answers
        row["gradient_norm"], row["converged"] = truth.gradient_norm, truth.converged
    return row


def _print_groups(
    study: Study, target: Target, effects: TargetEffects, found: Causes, rows: list[dict[str, Any]]
) -> None:
    members = sum(len(one.positions) for one in found.groups)
    _print_head(study, target, effects)
    print(
        f"\n{members} training {study.data.kind}s carry {percent(found.carried)} of all effects, in {len(found.groups)} groups:"
    )
    header = ["name", "members", "medoid", "forecast of having it"]
    lines = [
        [
            row["name"],
            str(len(row["members"])),
            str(row["medoid"]),
            target.change_text(-row["forecast_change_without"]),
        ]
        for row in rows
    ]
    if "true_change_without" in rows[0]:
        header.append("truth")
        for line, row in zip(lines, rows, strict=True):
            line.append(target.change_text(-row["true_change_without"]))
    print_table(header, lines)
    stable = (
        "" if found.stable else f" Below {STABLE}: these groups are unstable, do not read much into them."
    )
    print(f"\nUnder another seed: adjusted Rand index {ratio(found.rand)}.{stable}")
