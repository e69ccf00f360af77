"""Questions: why does the model give this label to this input?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from influence_core.data.readers.pictures import check_pixels
from influence_core.errors import DataError
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Question:
    """Why does the model give ``label`` to the input ``x``?

    Attributes:
        x: ``(d,)`` the test input.
        label: The label asked about.
        test_id: Its id, or ``None`` for an uploaded picture.
        true_label: Its true label where that is known.
        photo: ``(side, side, 3)`` uint8, the picture behind ``x`` where it is a photograph of the reader's own.
    """

    x: Tensor
    label: int
    test_id: int | None = None
    true_label: int | None = None
    photo: np.ndarray | None = None


def ask(study: Study, test_id: int, label: int | None = None) -> Question:
    """A question about a test example; the label is the model's own answer unless one is given.

    Raises:
        DataError: If there is no such test example or label.
    """
    at = study.data.test.position(test_id)
    x = study.data.test.x[at]
    return Question(x, _label(study, x, label), test_id, int(study.data.test.y[at]))


def ask_truth(study: Study, test_id: int) -> Question:
    """A question about a test example and its true label.

    Raises:
        DataError: If there is no such test example.
    """
    test = study.data.test
    return ask(study, test_id, int(test.y[test.position(test_id)]))


def ask_about(study: Study, x: Tensor, label: int | None = None) -> Question:
    """A question about a picture of the reader's own, ``x (d,)`` in 0..1.

    Raises:
        DataError: If the pixels or the label do not fit, or the study looks at photographs (``ask_about_photo``).
    """
    if study.data.pictures is not None:
        raise DataError("This study looks at photographs: ask about one by its picture, not by its features.")
    check_pixels(x, study.data.train.x.shape[1])
    return Question(x, _label(study, x, label))


def ask_about_photo(study: Study, photo: np.ndarray, label: int | None = None) -> Question:
    """A question about a photograph of the reader's own, ``(side, side, 3)`` uint8.

    Raises:
        UnsupportedError: If the study does not look at photographs.
        DataError: If there is no such label.
    """
    x = study.features(photo)
    return Question(x, _label(study, x, label), photo=photo)


def with_label(study: Study, question: Question, label: int) -> Question:
    """The same test input, asked about another label.

    Raises:
        DataError: If there is no such label.
    """
    return replace(question, label=_label(study, question.x, label))


def _label(study: Study, x: Tensor, label: int | None) -> int:
    """The label, or the model's own answer to ``x (d,)``; raise ``DataError`` where there is no such label."""
    if label is None:
        return int(study.probabilities(x[None])[0].argmax())
    if not 0 <= label < len(study.data.class_names):
        known = ", ".join(f"{one} ({name})" for one, name in enumerate(study.data.class_names))
        raise DataError(f"There is no label number {label}; choose one of {known}.")
    return label
