"""``ask`` about any quantity over any test examples; ``why``: the groups of training examples behind an answer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from influence_core import solvers, studies
from influence_core.commands.explain import MISCLASSIFIED, question_of
from influence_core.commands.terminal import add_common, add_work, print_json, print_table, work
from influence_core.context import Context
from influence_core.engines import CURVATURES, SolverSettings
from influence_core.errors import DataError
from influence_core.experiments import all_left_out, any_question, causes, target_edits, targets, test_sets
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.causes import STABLE, Causes
from influence_core.experiments.explanation import COLUMN_WORDS, NUMBERS
from influence_core.experiments.targets import Target
from influence_core.exports import as_csv
from influence_core.retraining.edits import Edit
from influence_core.studies import Study
from influence_core.words import ratio, seconds, three_digits


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
    reasons.add_argument("--test", metavar="ID", help=f"one test example, or {MISCLASSIFIED} (the default)")
    reasons.add_argument("--label", help="ask about this label instead of the model's own answer")
    reasons.add_argument("--retrain", action="store_true", help="train again without each group: the truth")
    reasons.add_argument("--seed", type=int, default=0, help="of the clustering (0)")


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", default=next(iter(studies.CATALOGUE)), help="a name that `studies` lists")
    parser.add_argument("--over", metavar="SET", help=f"test examples: {test_sets.FORMS}")
    parser.add_argument("--quantity", metavar="Q", default="loss", help=f"{targets.FORMS} (loss)")
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
        study = _open(options, context)
        target = _target(study, options)
        found = _effects(study, target, options, options.prove, context)
    if options.csv:
        Path(options.csv).write_text(as_csv(table(study, found)), encoding="utf-8", newline="")
    if options.json:
        print_json(_ranking_json(study, target, found, options.top))
    else:
        _print_ranking(study, target, found, options.top)
    return 0


def run_why(options: argparse.Namespace) -> int:
    """Group the examples that carry an answer."""
    with work(options) as context:
        study = _open(options, context)
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


def _open(options: argparse.Namespace, context: Context) -> Study:
    spec = studies.find(options.study)
    return studies.open_study(spec, context.store, options.data, options.device, context.progress)


def _target(study: Study, options: argparse.Namespace) -> Target:
    """One test example and its label where ``why`` is asked about no set."""
    test = getattr(options, "test", None)
    if options.over and test:
        raise DataError("Name either one test example with --test or a set with --over.")
    if options.over or options.run is run_ask:
        return targets.ask(study, options.over or "errors", options.quantity)
    return targets.of_question(study, question_of(study, test or MISCLASSIFIED, options.label))


def _effects(
    study: Study, target: Target, options: argparse.Namespace, prove: bool, context: Context
) -> TargetEffects:
    settings = SolverSettings(options.solver, options.damping, options.curvature)
    found = any_question.run(study, target, settings, context=context)
    if all_left_out.supports(study.spec):
        return found
    known = (all_left_out.run if prove else all_left_out.recall)(study, context=context)
    return any_question.improve(study, target, found, known, context=context)


def table(study: Study, found: TargetEffects) -> dict[str, Any]:
    """The ranking as columns, by the best number at hand: what having each example does."""
    order, train = np.argsort(-np.abs(found.shown), kind="stable"), study.data.train
    names = np.array(study.data.class_names)
    columns = {
        "rank": np.arange(1, len(order) + 1),
        "training_id": train.ids.numpy()[order],
        "label": names[train.y.numpy()[order]],
    }
    for name in NUMBERS:
        if (values := getattr(found, name)) is not None:
            columns[f"{COLUMN_WORDS[name]}_effect_of_having_it"] = -values[order]
    return columns


def _question_json(study: Study, target: Target, found: TargetEffects) -> dict[str, Any]:
    return {
        "study": study.spec.address,
        "asked": target.words,
        "quantity": target.kind,
        "value": found.before,
        "test_examples": len(target.y),
    }


def _ranking_json(study: Study, target: Target, found: TargetEffects, top: int) -> dict[str, Any]:
    ranking = table(study, found)
    ranks = np.argsort(np.argsort(-np.abs(found.shown), kind="stable"))

    def rows(positions: np.ndarray) -> list[dict[str, Any]]:
        return [{name: values[i].item() for name, values in ranking.items()} for i in ranks[positions]]

    sides = {"better": rows(found.helpful(top)), "worse": rows(found.harmful(top))}
    solve = {"solver": found.solver, "residual": found.residual, "seconds": found.seconds}
    return {**_question_json(study, target, found), "number": found.number, **sides, **solve}


def _print_ranking(study: Study, target: Target, found: TargetEffects, top: int) -> None:
    print(f"{target.title}: {target.text(found.before)}.")
    if study.data.stand_in:
        print(study.data.stand_in)
    train, names = study.data.train, study.data.class_names
    for title, at in (("better", found.helpful(top)), ("worse", found.harmful(top))):
        print(f"\nMake it {title}" + ("" if len(at) else f": no training {study.data.kind}"))
        rows = [
            [str(int(train.ids[i])), names[int(train.y[i])], target.change_text(float(found.having[i]))]
            for i in at
        ]
        if rows:
            print_table(["id", "label", f"effect of having it ({found.number})"], rows)
    residual = three_digits(found.residual)
    print(f"\nSolver: {found.solver}; true relative residual {residual}; {seconds(found.seconds)}.")


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
    share = f"{100 * found.carried:.0f} %"
    print(
        f"{target.title}: {target.text(effects.before)}.\n\n{members} training {study.data.kind}s carry {share} "
        f"of all effects, in {len(found.groups)} groups:"
    )
    header = ["name", "members", "medoid", "forecast without it"]
    lines = [
        [
            row["name"],
            str(len(row["members"])),
            str(row["medoid"]),
            target.change_text(row["forecast_change_without"]),
        ]
        for row in rows
    ]
    if "true_change_without" in rows[0]:
        header.append("truth")
        for line, row in zip(lines, rows, strict=True):
            line.append(target.change_text(row["true_change_without"]))
    print_table(header, lines)
    stable = (
        "" if found.stable else f" Below {STABLE}: these groups are unstable, do not read much into them."
    )
    print(f"\nUnder another seed: adjusted Rand index {ratio(found.rand)}.{stable}")
