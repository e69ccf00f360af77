"""What a report says, as plain values that its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influence_core.experiments import before_after, groups
from influence_core.experiments.before_after import BeforeAfter, Tally
from influence_core.experiments.explanation import NUMBER_WORDS, Explanation
from influence_core.experiments.flip_set import sentence
from influence_core.exports import as_rows
from influence_core.report.faces import Face, asked_face, face
from influence_core.report.material import Compared, Material
from influence_core.studies import Study
from influence_core.studies.changes import OF_TEST
from influence_core.words import having, having_rule, moment, moved, nats, percent, seconds, sign_rule, tenths

TOP = 6
SHOWN = 12
"""Answers of each kind, and changes, that have a picture; the files have all."""


@dataclass(frozen=True)
class Card:
    """A picture with a title and lines."""

    face: Face
    title: str
    lines: tuple[str, ...]


def facts(material: Material) -> dict[str, Any]:
    """Everything that the page shows.

    Args:
        material: What the report is made of.
    """
    study, explanation, compared = material.study, material.explanation, material.compared
    return {
        "title": _title(explanation),
        "sentence": _sentence(study, explanation),
        "verdict": material.verdict,
        "asked": asked_face(study.data, explanation),
        "asked_name": _asked_name(explanation),
        "bars": [
            (name, percent(float(p)), round(100 * float(p), 2), at == explanation.label)
            for at, (name, p) in enumerate(
                zip(explanation.class_names, explanation.probabilities, strict=True)
            )
        ],
        "label": explanation.label_name,
        "helpful": [_evidence(study, explanation, int(at)) for at in explanation.helpful(TOP)],
        "harmful": [_evidence(study, explanation, int(at)) for at in explanation.harmful(TOP)],
        "rule": f"{having_rule(explanation.kind, explanation.label_name)} {_number(explanation)}.",
        "kind": explanation.kind,
        "stand_in": study.data.stand_in,
        "computed": _computed(study, explanation),
        "doubts": _doubts(material),
        "flip": "" if material.flip is None else sentence(material.flip, explanation),
        "notes": _notes(material),
        "compared": None if compared is None else _comparison(material, compared),
    }


def _notes(material: Material) -> list[Card]:
    """What somebody noted of training examples."""
    data, notes = material.unchanged.data, material.said.notes
    known = set(data.train.ids.tolist())
    cards = []
    for one in filter(known.__contains__, notes):
        at = data.train.position(one)
        shown, label = face(data, data.train, at), data.class_names[int(data.train.y[at])]
        cards.append(Card(shown, f"{one}: {label}", tuple(filter(None, (notes[one], shown.file)))))
    return cards


def _title(explanation: Explanation) -> str:
    said = explanation.class_names[explanation.predicted_label]
    if explanation.label == explanation.predicted_label:
        return f"Which {explanation.examples} made the model say {said}?"
    return f"Which {explanation.examples} speak for {explanation.label_name}, when the model says {said}?"


def _asked_name(explanation: Explanation) -> str:
    return "Your picture" if explanation.test_id is None else f"Test {explanation.kind} {explanation.test_id}"


def _sentence(study: Study, explanation: Explanation) -> str:
    names, true = explanation.class_names, explanation.true_label
    said = names[explanation.predicted_label]
    words = f"{_asked_name(explanation)}: the model says {said} ({percent(float(explanation.probabilities.max()))})"
    if true is not None and true != explanation.predicted_label:
        words += f", but it is labelled {names[true]}"
    sides = (("for", explanation.helpful(1)), ("against", explanation.harmful(1)))
    pulled = [
        f"number {explanation.ids[at]} ({_file(study, int(explanation.ids[at]))}labelled {names[explanation.labels[at]]}) "
        f"pulled most {side} it, "
        f"by {having(float(explanation.effects.probability[at]))}"
        for side, found in sides
        for at in found
    ]
    found = f" Of {len(explanation.ids):,} {explanation.examples}, {'; '.join(pulled)}." if pulled else ""
    return f"{words}. Asked about: {explanation.label_name}.{found}"


def _file(study: Study, name: int) -> str:
    """The file in which an example was brought and a comma; "" where there was none."""
    file = study.data.file(name)
    return f"{file}, " if file else ""


def _number(explanation: Explanation) -> str:
    words = NUMBER_WORDS[explanation.number]
    return words[0].upper() + words[1:]


def _evidence(study: Study, explanation: Explanation, at: int) -> Card:
    train = study.data.train
    shown = face(study.data, train, at)
    effects = explanation.effects
    lines = (
        having(float(effects.probability[at])),
        f"{nats(float(effects.loss[at]))} without it",
        shown.file,
    )
    title = f"{train.ids[at]}: {explanation.class_names[explanation.labels[at]]}"
    return Card(shown, title, tuple(filter(None, lines)))


def _computed(study: Study, explanation: Explanation) -> list[tuple[str, str]]:
    known = explanation.provenance
    return [
        ("Number", _number(explanation)),
        (
            "Sign and unit",
            f"{sign_rule(explanation.kind)} Unit: nats; of probabilities, percentage points (pp).",
        ),
        (
            "Solver of the influence",
            f"{known.solver}, {known.reason}; {known.settings}; {known.steps} steps; true relative residual "
            f"{known.residual:.1e}; {known.curvature} curvature, damping {known.damping:g}",
        ),
        (
            "Model",
            f"{study.spec.title}: n = {known.n:,}, p = {known.p:,} parameters, l2 = {known.l2}, seed {study.spec.seed}; "
            f"{known.trained_to}; convergence check {known.convergence_check:.1e} (0 at an exact optimum)",
        ),
        (
            "Time",
            f"{seconds(known.seconds)} on {known.device} in {known.dtype}; training {seconds(study.seconds)}",
        ),
        ("Study", study.spec.address),
        ("Digest of the model and its data", study.key),
    ]


def _doubts(material: Material) -> list[str]:
    """What not to believe."""
    explanation, compared = material.explanation, material.compared
    found = list(explanation.provenance.concerns())
    if material.verdict.level != "proven":
        found.append(f"{material.verdict.reason} {material.verdict.advice}".strip())
    if explanation.number != "proven":
        found.append(
            f"The numbers under the {explanation.kind}s are forecasts of taking each out alone. Only training again "
            "without it proves one; groups are not the sum of their members."
        )
    found.append(
        "An example that speaks against an answer need not be wrong, and one that speaks for it need not be right: the "
        "numbers say what this model learnt from, not what is true."
    )
    if material.study.data.stand_in:
        found.append(f"{material.study.data.stand_in} Numbers on other data will differ.")
    if compared is not None and not compared.result.total.is_clear:
        found.append("Too few answers changed to tell whether the changes made the model better or worse.")
    if compared is not None:
        found.append(
            "The interval is about test examples like these. If the changes were chosen by looking at test answers other "
            "than the one asked about, the accuracy after them looks better than it is."
        )
    return found


def _comparison(material: Material, compared: Compared) -> dict[str, Any]:
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
        "part": result.part,
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
