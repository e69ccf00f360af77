"""``compare``: what do the changes of a version do: which answers got better, and which broke?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from influence_core import studies
from influence_core.commands.explain import test_id
from influence_core.commands.terminal import add_common, add_work, print_json, print_table, work
from influence_core.context import Context
from influence_core.errors import DataError
from influence_core.experiments import before_after, explain, questions, version_forecast, withdrawal
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.tally import Tally
from influence_core.experiments.version_forecast import VersionForecast
from influence_core.exports import as_csv, as_rows
from influence_core.studies import Study
from influence_core.studies.changes import settled
from influence_core.words import percent, points, signed, tenths

SHOWN = 20
"""Changes, and answers of each list, that are printed; ``--json`` and ``--csv`` have all."""


def add(commands: Any) -> None:
    """Declare it."""
    parser = commands.add_parser(
        "compare", help="what got better and what broke with the changes of a version?"
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--study",
        required=True,
        help="a version: a name that `studies` lists and its changes, digits@r7,l12=3",
    )
    parser.add_argument(
        "--without",
        metavar="COLUMN=VALUE",
        help="withdraw all training rows of a table that have this value: a person's, a site's, an annotator's",
    )
    parser.add_argument(
        "--test", metavar="ID", help="a test image that was asked about: it is shown, and does not count"
    )
    parser.add_argument(
        "--group", metavar="COLUMN", help="count by what a table's rows have in this column, too"
    )
    parser.add_argument("--csv", metavar="FILE", help="write every answer that changed")
    add_common(parser)
    add_work(parser)


def run(options: argparse.Namespace) -> int:
    """Compare one version with the unchanged study."""
    spec = studies.find(options.study)
    if not (settled(spec.changes) or options.without):
        raise DataError(
            "Name a version to compare: a study and its changes, such as digits@r7,l12=3, or rows that go, --without site=3."
        )
    with work(options) as context:

        def opened(one: studies.StudySpec) -> Study:
            return studies.open_study(one, context.store, options.data, options.device, context.progress)

        before = opened(spec.unchanged)
        after = opened(_withdrawn(before, spec, options.without) if options.without else spec)
        asked = None if options.test is None else test_id(before, options.test)
        result = before_after.run(before, after, () if asked is None else (asked,))
        forecast = None if asked is None else _forecast(before, asked, after, context)
        groups = before_after.by_group(before, result, options.group) if options.group else ()
    if options.csv:
        Path(options.csv).write_text(as_csv(before_after.table(result)), encoding="utf-8", newline="")
    if options.json:
        print_json(_as_json(before, after, result, asked, forecast, groups))
    else:
        _print(before, after, result, asked, forecast, groups)
    return 0


def _withdrawn(before: Study, spec: studies.StudySpec, text: str) -> studies.StudySpec:
    """The version in which somebody's rows go, too."""
    column, holder = withdrawal.named(before, text)
    gone = withdrawal.changes(before, withdrawal.positions(before, column, holder.value))
    return replace(spec, changes=(*spec.changes, *gone))


def _forecast(before: Study, asked: int, after: Study, context: Context) -> VersionForecast:
    explanation = explain.run(before, questions.ask(before, asked), context=context)
    return version_forecast.run(before, explanation, after.spec.changes, context=context)


def _answer(before: Study, after: Study, asked: int) -> dict[str, Any]:
    """What both models say of the test example that was asked about, and of the label that the first gave."""
    x = before.data.test.x[[before.data.test.position(asked)]]
    was, now = (one.probabilities(x)[0] for one in (before, after))
    names, label = before.data.class_names, int(was.argmax())
    return {
        "test_id": asked,
        "label": names[label],
        "said_before": names[label],
        "said_after": names[int(now.argmax())],
        "probability_before": float(was[label]),
        "probability_after": float(now[label]),
    }


def _as_json(
    before: Study,
    after: Study,
    result: BeforeAfter,
    asked: int | None,
    forecast: VersionForecast | None,
    groups: Sequence[Tally],
) -> dict[str, Any]:
    rows = before_after.table(result)
    found: dict[str, Any] = {
        "study": after.spec.address,
        "key": after.key,
        "unchanged": before.spec.address,
        "stand_in": before.data.stand_in,
        "changes": as_rows(before_after.describe(before, settled(after.spec.changes))),
        "part": result.part,
        "all": _tally(result.total),
        "classes": [_tally(one) for one in result.by_class],
        "groups": [_tally(one) for one in groups],
        "answers": as_rows(rows),
        "gradient_norm": after.gradient_norm,
        "training_seconds": after.seconds,
    }
    if asked is not None and forecast is not None:
        foreseen = {
            "forecast_loss_change_nats": forecast.asked.best,
            "forecast_probability_change": forecast.asked.probability,
        }
        found["asked"] = _answer(before, after, asked) | foreseen
    if forecast is not None and forecast.predictions is not None:
        found["forecast"] = _tally(before_after.compare(before, forecast.predictions, _asked(asked)).total)
    return found


def _asked(asked: int | None) -> tuple[int, ...]:
    return () if asked is None else (asked,)


def _tally(one: Tally) -> dict[str, Any]:
    low, high = one.interval
    return asdict(one) | {"change": one.after - one.before, "change_from": low, "change_to": high}


def _print(
    before: Study,
    after: Study,
    result: BeforeAfter,
    asked: int | None,
    forecast: VersionForecast | None,
    groups: Sequence[Tally],
) -> None:
    made, kind, total = settled(after.spec.changes), result.kind, result.total
    print(
        f"What got better and what broke with {len(made)} change{'s' * (len(made) != 1)} of {before.spec.title}?\n"
    )
    if before.data.stand_in:
        print(before.data.stand_in)
    for row in as_rows(before_after.describe(before, made[:SHOWN])):
        print("  " + _change_words(row, kind))
    if len(made) > SHOWN:
        print(f"  and {len(made) - SHOWN:,} more")
    print(f"\n{' '.join(filter(None, (result.part, result.surer, result.unmoved)))}")
    low, high = total.interval
    print(
        f"Test accuracy, of {result.base}: {percent(total.before)} before, {percent(total.after)} after; changed by "
        f"{tenths(total.after - total.before)} (95 % interval {tenths(low)} to {tenths(high)}"
        f"{'' if total.is_clear else ': too few answers changed to tell better from worse'})."
    )
    if forecast is not None and forecast.predictions is not None:
        foreseen = before_after.compare(before, forecast.predictions, _asked(asked)).total
        print(f"Forecast before training: {percent(foreseen.after)}.")
    if asked is not None and forecast is not None:
        _print_asked(_answer(before, after, asked), forecast, kind)
    for title, at in (
        ("Got better", result.better),
        ("Broke", result.broke),
        ("Wrong before and after", result.between),
    ):
        _print_answers(result, title, at)
    _print_tallies("By class", result.by_class)
    _print_tallies("By group", groups)


def _print_asked(answer: dict[str, Any], forecast: VersionForecast, kind: str) -> None:
    change = answer["probability_after"] - answer["probability_before"]
    foreseen = forecast.asked.probability
    by = f"{signed(forecast.asked.best)} nats of its loss" if foreseen is None else points(foreseen)
    print(
        f"Test {kind} {answer['test_id']}: {answer['said_before']} before, {answer['said_after']} after; the probability of "
        f"{answer['label']} changed by {points(change)} (forecast: {by})."
    )


def _change_words(row: dict[str, Any], kind: str) -> str:
    name, old, new = row["example_id"], row["label_before"], row["label_after"]
    return {
        "remove": f"training {kind} {name} ({old}) removed",
        "relabel": f"training {kind} {name} labelled {new} instead of {old}",
        "reweight": f"training {kind} {name} ({old}) counts {row['weight']:g} times",
        "add": f"test {kind} {name} added, labelled {new}",
        "retest": f"test {kind} {name} judged as {new} instead of {old}",
    }[row["change"]]


def _print_answers(result: BeforeAfter, title: str, at: np.ndarray) -> None:
    print(f"\n{title}: {len(at):,}")
    names, rows = result.class_names, []
    for one in at[:SHOWN]:
        was, now = int(result.said_before[one]), int(result.said_after[one])
        rows.append(
            [
                str(result.ids[one]),
                names[int(result.labels[one])],
                f"{names[was]} ({percent(float(result.before[one, was]))})",
                f"{names[now]} ({percent(float(result.after[one, now]))})",
            ]
        )
    if rows:
        print_table(["id", "true", "before", "after"], rows)


def _print_tallies(title: str, tallies: Sequence[Tally]) -> None:
    changed = [one for one in tallies if one.better or one.broke or one.between]
    if not tallies:
        return
    print(f"\n{title}" + ("" if changed else ": no answer changed in any"))
    rows = [
        [one.name, f"{one.total:,}", percent(one.before), percent(one.after), str(one.better), str(one.broke)]
        for one in changed
    ]
    if rows:
        print_table(["", "tested", "before", "after", "better", "broke"], rows)
