"""What a report says, as plain values that its page shows."""

from __future__ import annotations

from typing import Any

from influence_core.experiments.explanation import NUMBER_WORDS, Explanation
from influence_core.experiments.flip_set import sentence
from influence_core.report.comparison import comparison
from influence_core.report.faces import Card, asked_face, face
from influence_core.report.material import Material
from influence_core.sessions.entries import State
from influence_core.studies import Study
from influence_core.words import having, having_rule, nats, percent, seconds, sign_rule

TOP = 6


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
        "kept": _kept(material),
        "compared": None if compared is None else comparison(material, compared),
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


def _kept(material: Material) -> list[str]:
    """The labels that somebody looked at and kept, each with its example."""
    data, found, kept = material.unchanged.data, [], _looked_at(material.said)
    for name, examples in (("training", data.train), ("test", data.test)):
        known = set(examples.ids.tolist())
        for one in filter(known.__contains__, kept):
            file, label = data.file(one), data.class_names[int(examples.y[examples.position(one)])]
            found.append(f"{name} {data.kind} {one} ({', '.join(filter(None, (file, label)))})")
    return found


def _looked_at(said: State) -> list[int]:
    """Examples whose label was kept; one that was added and is taken out again was not asked about its label."""
    last: dict[int, str] = {}
    taken_out = set()
    for one in (entry.said for entry in said.entries if entry.said.kind != "note"):
        if one.kind == "keep" and last.get(one.example) == "add":
            taken_out.add(one.example)
        else:
            taken_out.discard(one.example)
        last[one.example] = one.kind
    kept = (example for example, one in said.verdicts.items() if one.kind == "keep")
    return [example for example in kept if example not in taken_out]


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
