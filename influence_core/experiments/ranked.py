"""The training examples by what each does to one answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.agreement import highest, lowest, strongest
from influence_core.errors import DataError


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranked:
    """The forecasts for one answer, of all ``n`` training examples in training order.

    Attributes:
        label: The label asked about; every loss and probability is of this label.
        class_names: What the labels mean.
        kind: What one example is called: "image", "row", "e-mail" or "text".
        test_id: The test example, or ``None`` for a picture of the reader's own.
        ids: ``(n,)`` training ids.
        labels: ``(n,)`` training labels.
        scores: ``(n,)`` ``D``: predicted change of the test loss on removal, positive = helpful.
        distance: ``(n,)`` Euclidean distance of the inputs; for photographs, of their pixels (`data.photos`); for rows, in the
            numbers' standard deviations.
    """

    label: int
    class_names: tuple[str, ...]
    kind: str
    test_id: int | None
    ids: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    distance: np.ndarray

    @property
    def label_name(self) -> str:
        """The name of the label asked about."""
        return self.class_names[self.label]

    @property
    def same(self) -> np.ndarray:
        """``(n,)`` whether a training example bears the label asked about."""
        return self.labels == self.label

    @property
    def shown(self) -> np.ndarray:
        """``(n,)`` by which the examples are ranked: the best number at hand, here ``D``."""
        return self.scores

    def helpful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most helpful examples, strongest first."""
        return highest(self.shown, k)

    def harmful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most harmful examples, strongest first."""
        return lowest(self.shown, k)

    def ranks(self) -> np.ndarray:
        """``(n,)`` rank by size, 1 = most influential."""
        return strongest(self.shown, len(self.shown)).argsort() + 1

    def position(self, train_id: int) -> int:
        """Training position of an id.

        Raises:
            DataError: If no training example has it.
        """
        return position_of(train_id, self.ids, self.kind)


def position_of(train_id: int, ids: np.ndarray, kind: str = "example") -> int:
    """Where a training id stands among ``ids (n,)``; raise ``DataError`` where it does not."""
    found = np.flatnonzero(ids == train_id)
    if not len(found):
        raise DataError(f"There is no training {kind} {train_id} in this study.")
    return int(found[0])
