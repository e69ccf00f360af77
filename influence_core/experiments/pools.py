"""Where examples that could be added to a training set come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import DataError
from influence_core.experiments.questions import Question
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Pool:
    """Examples that could be added.

    Attributes:
        name: What they are, in words.
        x: ``(m, d)`` inputs as the model takes them.
        y: ``(m,)`` labels; ``None`` where nobody has labelled them yet.
        ids: ``(m,)`` their names where they come from.
    """

    name: str
    x: Tensor
    y: Tensor | None
    ids: Tensor


def held_out(study: Study, question: Question) -> Pool:
    """The test examples that are not asked about."""
    test = study.data.test
    others = test.take(
        torch.arange(len(test))[test.ids != (-1 if question.test_id is None else question.test_id)]
    )
    return Pool(f"test {study.data.kind}s that were not asked about", others.x, others.y, others.ids)


def of_study(study: Study, other: Study) -> Pool:
    """The training examples of another study of the same kind that this one has not learnt from.

    Raises:
        DataError: If the two do not look at the same things, or nothing is left.
    """
    mine, theirs = study.data, other.data
    same = (mine.kind, mine.image_shape, mine.feature_names, study.spec.backbone)
    if same != (theirs.kind, theirs.image_shape, theirs.feature_names, other.spec.backbone):
        raise DataError(
            f"“{other.spec.title}” does not look at the same things as “{study.spec.title}”. Choose a study of the "
            "same kind of examples."
        )
    known = {row.numpy().tobytes() for row in mine.train.x}
    numbers = {name: label for label, name in enumerate(mine.class_names)}
    at = [
        one
        for one, (row, label) in enumerate(zip(theirs.train.x, theirs.train.y.tolist(), strict=True))
        if theirs.class_names[label] in numbers and row.numpy().tobytes() not in known
    ]
    if not at:
        raise DataError(f"“{other.spec.title}” has no {mine.kind} that this study has not learnt from.")
    kept = theirs.train.take(at)
    labels = torch.tensor([numbers[theirs.class_names[label]] for label in kept.y.tolist()])
    return Pool(f"training {mine.kind}s of “{other.spec.title}”", kept.x, labels, kept.ids)


def unlabelled(study: Study, inputs: Sequence[Tensor]) -> Pool:
    """Inputs ``(d,)`` of the reader's own, which nobody has labelled yet.

    Raises:
        DataError: If there are none.
    """
    if not inputs:
        raise DataError(f"Bring at least one {study.data.kind} to choose from.")
    x = torch.stack(list(inputs)).to(study.data.train.x)
    return Pool(f"{study.data.kind}s of your own, without labels", x, None, torch.arange(len(x)))
