"""What a report says of a version: its changes, and what became of the answers, as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np

from influence_core.experiments import before_after, groups
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.tally import Tally
from influence_core.exports import as_rows
from influence_core.report.faces import Card, face
from influence_core.report.material import Compared, Material
from influence_core.studies import Study
from influence_core.studies.changes import OF_TEST
from influence_core.words import moment, moved, nats, percent, seconds, tenths

SHOWN = 12
"""Answers of each kind that have a picture; the files have all."""


def comparison(material: Material, compared: Compared) -> dict[str, Any]:
    """Everything that the page shows of a version.

    Args:
        material: What the report is made of.
        compared: The version beside the study that it is one of.
    """
    result, before, explanation = compared.result, compared.before, material.explanation
    total = result.total
    low, high = total.interval
    aside = ", besides what was asked about" if result.asked else ""
    lists = (
        (f"Got better{aside}", result.better),
        (f"Broke{aside}", result.broke),
        (f"Wrong before and after{aside}", result.between),
    )
    return {
        "changes": [_change(before, row) for row in as_rows(before_after.describe(before, material.changes))],
        "before": percent(total.before),
        "after": percent(total.after),
        "change": tenths(total.after - total.before),
        "interval": f"{tenths(low)} to {tenths(high)}",
        "clear": total.is_clear,
        "base": result.base,
        "part": " ".join(filter(None, (result.surer, result.part, result.unmoved))),
        "asked": _asked(compared, explanation),
        "lists": [
            (
                f"{title}: {len(at):,}",
                [_answer(before, result, int(one)) for one in at[:SHOWN]],
                len(at) - SHOWN,
            )
            for title, at in lists
        ],
        "tables": [("By class", _tallies(result.by_class)), *_group_tables(before, result)],
        "norm": f"{compared.after.gradient_norm:.1e}",
        "seconds": seconds(compared.after.seconds),
        "version": compared.after.spec.address,
        "key": compared.after.key,
    }


def _change(before: Study, row: dict[str, Any]) -> Card:
    of = before.data.test if row["change"] in OF_TEST else before.data.train
    shown = face(before.data, of, of.position(int(row["example_id"])))
    what = {
        "remove": "removed",
        "relabel": f"{row['label_before']} → {row['label_after']}",
        "reweight": f"counts {row['weight']:g} times",
        "add": f"added as {row['label_after']}",
        "retest": f"test label {row['label_before']} → {row['label_after']}",
    }[row["change"]]
    note = " · ".join(filter(None, (row["why"], row["who"], moment(row["when"]))))
    lines = (f"{row['example_id']}, labelled {row['label_before']}", shown.file, note)
    return Card(shown, what, tuple(filter(None, lines)))


def _asked(compared: Compared, explanation: Explanation) -> dict[str, str]:
    """The probability asked about: before, forecast and after."""
    x = compared.before.data.test.x.new_tensor(explanation.x)[None]
    was, now = (
        float(one.probabilities(x)[0, explanation.label]) for one in (compared.before, compared.after)
    )
    forecast = compared.forecast
    foreseen = None if forecast is None else forecast.asked.probability
    loss = "" if forecast is None else f"{nats(forecast.asked.best)} of its loss"
    return {
        "before": percent(was),
        "after": percent(now),
        "change": moved(now - was),
        "forecast": loss if foreseen is None else moved(foreseen),
        "accuracy": _foreseen_accuracy(compared),
    }


def _foreseen_accuracy(compared: Compared) -> str:
    if compared.forecast is None or compared.forecast.predictions is None:
        return ""
    known = np.isin(compared.before.data.test.ids.numpy(), compared.result.ids)
    asked = compared.before.data.test.ids.numpy()[~known]
    return percent(
        before_after.compare(compared.before, compared.forecast.predictions, asked.tolist()).total.after
    )


def _answer(before: Study, result: BeforeAfter, at: int) -> Card:
    names, name = result.class_names, int(result.ids[at])
    was, now = int(result.said_before[at]), int(result.said_after[at])
    test = before.data.test
    shown = face(before.data, test, test.position(name))
    chances = f"{percent(float(result.before[at, was]))} → {percent(float(result.after[at, now]))}"
    lines = (chances, f"test {result.kind} {name}, it is {names[int(result.labels[at])]}", shown.file)
    return Card(shown, f"{names[was]} → {names[now]}", tuple(filter(None, lines)))


def _group_tables(before: Study, result: BeforeAfter) -> list[tuple[str, list[list[str]]]]:
    """By the column that the data's story is about, or the first that tells groups apart."""
    if before.data.kind != "row":
        return []
    known = groups.columns(before)
    if not known:
        return []
    column = before.data.group[0] if before.data.group else known[0]
    return [(f"By {column}", _tallies(before_after.by_group(before, result, column)))]


def _tallies(rows: tuple[Tally, ...]) -> list[list[str]]:
    return [
        [
            one.name,
            f"{one.total:,}",
            percent(one.before),
            percent(one.after),
            tenths(one.after - one.before),
            " to ".join(map(tenths, one.interval)),
            f"{one.better:,}",
            f"{one.broke:,}",
        ]
        for one in rows
    ]
