"""``explain``: which training examples made the model say that?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from influence_core import solvers, studies
from influence_core.commands.terminal import (
    MISCLASSIFIED,
    add_common,
    add_download,
    add_study,
    add_test,
    add_work,
    fetch_if_asked,
    open_study,
    print_head,
    print_json,
    print_table,
    work,
)
from influence_core.engines import CURVATURES, SolverSettings
from influence_core.errors import DataError
from influence_core.experiments import all_left_out, at_hand, explain, questions, verdict
from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import COLUMN_WORDS, SMALL
from influence_core.experiments.questions import Question
from influence_core.exports import as_csv
from influence_core.studies import Study
from influence_core.trust import Verdict
from influence_core.words import nats, percent, points, seconds, sign_rule, three_digits


def add(commands: Any) -> None:
    """Declare it."""
    question = commands.add_parser("explain", help="which training images made the model say that?")
    question.set_defaults(run=run)
    add_study(
        question,
        ", or torchvision:NAME, such as torchvision:FashionMNIST; torchvision:NAME:all takes all its pictures",
    )
    add_test(question)
    question.add_argument("--label", help="ask about this label instead of the model's own answer")
    question.add_argument("--top", type=int, default=5, help="how many images for and against (5)")
    question.add_argument("--solver", default="auto", help=f"auto, {', '.join(solvers.CATALOGUE)}")
    question.add_argument("--damping", type=float, help="added to the curvature; the study's own by default")
    question.add_argument("--curvature", default="auto", help=", ".join(CURVATURES))
    question.add_argument(
        "--prove",
        action="store_true",
        help="first train the model again without each training image, once for all questions",
    )
    question.add_argument("--csv", metavar="FILE", help="write the ranking of all training images")
    add_common(question)
    add_download(question)
    add_work(question)


def run(options: argparse.Namespace) -> int:
    """Answer one question."""
    if options.top < 1:
        raise DataError(f"--top must be at least 1, but is {options.top}.")
    settings = SolverSettings(options.solver, options.damping, options.curvature)
    spec = studies.find(options.study)
    with work(options) as context:
        fetch_if_asked(options, spec, context.progress)
        study = open_study(options, context)
        question = question_of(study, options.test, options.label)
        explanation = explain.run(study, question, settings, context=context)
        known = None
        if all_left_out.supports(spec) is None:
            prove = all_left_out.run if options.prove else all_left_out.recall
            known = prove(study, context=context)
        explanation = at_hand.improve(study, explanation, known, context=context)
        found = verdict.run(study, explanation, context=context)
    if options.csv:
        Path(options.csv).write_text(as_csv(explain.table(explanation)), encoding="utf-8", newline="")
    if options.json:
        print_json(_as_json(study, explanation, found, options.top))
    else:
        _print_explanation(study, explanation, found, options.top)
    return 0


def question_of(study: Study, test: str, label: str | None) -> Question:
    """The question that a command line names.

    Args:
        study: Who is asked.
        test: The id of a test example, or "misclassified".
        label: The name of the label asked about; the model's own answer where none is given.

    Raises:
        DataError: If there is no such test example or label.
    """
    question = questions.ask(study, test_id(study, test))
    if label is None:
        return question
    names = study.data.class_names
    if label not in names:
        raise DataError(f"There is no label {label!r}; choose one of {', '.join(names)}.")
    return questions.with_label(study, question, names.index(label))


def test_id(study: Study, test: str) -> int:
    """The id that ``--test`` names.

    Raises:
        DataError: If it is neither an id nor ``MISCLASSIFIED``, or the model makes no mistake.
    """
    if test == MISCLASSIFIED:
        known = study.predictions
        if not len(known.misclassified()):
            raise DataError("The model gets every test image right; name one by its id.")
        return int(known.ids[known.misclassified()[0]])
    try:
        return int(test)
    except ValueError:
        raise DataError(
            f"--test takes the id of a test {study.data.kind} or {MISCLASSIFIED}, but got {test!r}."
        ) from None


def _rows(explanation: Explanation, positions: np.ndarray) -> list[dict[str, Any]]:
    ranking = explain.table(explanation)
    at = explanation.ranks()[positions] - 1
    return [{name: values[i].item() for name, values in ranking.items()} for i in at]


def _as_json(study: Study, explanation: Explanation, found: Verdict, top: int) -> dict[str, Any]:
    names, true = study.data.class_names, explanation.true_label
    return {
        "study": study.spec.address,
        "data": study.data.title,
        "stand_in": study.data.stand_in,
        "seed": study.spec.seed,
        "test_id": explanation.test_id,
        "label": explanation.label_name,
        "predicted": names[explanation.predicted_label],
        "true": None if true is None else names[true],
        "probabilities": dict(zip(names, explanation.probabilities.tolist(), strict=True)),
        "sign": sign_rule(explanation.kind),
        "number": explanation.number,
        "verdict": asdict(found),
        "largest_share_of_own_loss": explanation.largest_share,
        "for": _rows(explanation, explanation.helpful(top)),
        "against": _rows(explanation, explanation.harmful(top)),
        "provenance": asdict(explanation.provenance),
        "concerns": explanation.provenance.concerns(),
        "from_store": explanation.from_store,
    }


def _print_explanation(study: Study, explanation: Explanation, found: Verdict, top: int) -> None:
    names, asked = study.data.class_names, explanation.label_name
    said = names[explanation.predicted_label]
    if asked == said:
        print(f"Which training {explanation.kind}s made the model say {said}?")
    else:
        print(f"Which training {explanation.kind}s speak for {asked}, when the model says {said}?")
    sure = percent(float(explanation.probabilities.max()))
    line = f"Test {explanation.kind} {explanation.test_id}: the model says {said} ({sure})"
    if explanation.true_label is not None and names[explanation.true_label] != said:
        line += f", but it is labelled {names[explanation.true_label]}"
    print_head(study, f"\n{line}.")
    print(f"\nVerdict: {found.level}. {found.reason} {found.advice}".rstrip())
    print(f"\n{sign_rule(explanation.kind)}")
    _print_side(study, explanation, f"Speak for {asked}", explanation.helpful(top))
    _print_side(study, explanation, f"Speak against {asked}", explanation.harmful(top))
    if explanation.small:
        print(
            f"\nEach of them alone does little: no single training {explanation.kind} moves this answer's loss by more than "
            f"{percent(SMALL)} of it."
        )
    _print_provenance(study, explanation)


def _print_side(study: Study, explanation: Explanation, title: str, positions: np.ndarray) -> None:
    print(f"\n{title}" + ("" if len(positions) else f": no training {explanation.kind}"))
    header = ["id", "label", f"loss change ({explanation.number})", "probability change", "distance", "rank"]
    word = COLUMN_WORDS[explanation.number]
    rows = [
        [
            str(row["training_id"]),
            row["label"],
            nats(row[f"{word}_loss_change_nats"]),
            points(row[f"{word}_probability_change"]),
            f"{row['distance']:.2f}",
            str(row["rank"]),
        ]
        for row in _rows(explanation, positions)
    ]
    if rows:
        print_table(header, rows)


def _print_provenance(study: Study, explanation: Explanation) -> None:
    facts = explanation.provenance
    read = "read from the store" if explanation.from_store else "computed just now"
    print(
        f"\nSolver: {facts.solver}, {facts.reason}; {facts.settings}; {facts.steps} steps, "
        f"true relative residual {three_digits(facts.residual)}; {facts.curvature} curvature, damping {facts.damping:g}."
        f"\nModel: {study.spec.title}; n = {facts.n:,}, p = {facts.p:,}, l2 = {facts.l2}, seed {study.spec.seed}; "
        f"{facts.trained_to}, convergence check {three_digits(facts.convergence_check)}."
        f"\nTime: {seconds(facts.seconds)} on {facts.device} in {facts.dtype}; {read}."
    )
    for concern in facts.concerns():
        print(f"Mind: {concern}")
