"""How many test answers a review's first and last model have right, by the test labels that a list sets right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.experiments import suspects
from influence_core.experiments.review.session import Review
from influence_core.studies import Study
from influence_core.studies.changes import Change, settled


@dataclass(frozen=True)
class Judged:
    """Two accuracies on the same test examples.

    Attributes:
        tests: How many test examples judge.
        corrected: How many of them by a label that was set right.
        before: Accuracy of the first model.
        after: Of the last one that was trained.
    """

    tests: int
    corrected: int
    before: float
    after: float


def judged(study: Study, review: Review, right: np.ndarray | None = None) -> Judged:
    """The accuracies, both by the same labels, as those of a version are.

    Args:
        study: The study under review.
        review: So far.
        right: ``(t,)`` the test labels by which it is judged, as ``corrected_tests`` gives them; by default as they came.
    """
    rows, true = suspects.judging(study, review.method), study.data.test.y.numpy()
    labels = true if right is None else right
    tests, corrected = len(labels[rows]), int((labels != true)[rows].sum())
    first, last = review.trainings[0], review.trainings[-1]
    if not corrected:
        return Judged(tests, 0, first.accuracy, last.accuracy)
    theta = torch.as_tensor(review.theta).to(study.theta)
    before, after = (suspects.accuracy(study, one, review.method, labels) for one in (study.theta, theta))
    return Judged(tests, corrected, before, after)


def corrected_tests(study: Study, review: Review, changes: Iterable[Change]) -> np.ndarray | None:
    """``(t,)`` the test labels with those that a list sets right; ``None`` where it sets none right that counts.

    Args:
        study: The study under review.
        review: So far; where labels were flipped to practise on, none counts.
        changes: Of the list; a test example or a label that the study does not have counts for nothing.
    """
    right = [one for one in settled(changes) if one.kind == "retest"]
    if not right or review.flips is not None:
        return None
    test, classes = study.data.test, len(study.data.class_names)
    ids, true = test.ids.numpy(), test.y.numpy()
    labels = true.copy()
    for one in right:
        if one.label is not None and one.label < classes:
            labels[ids == one.example] = one.label
    return None if np.array_equal(labels, true) else labels
