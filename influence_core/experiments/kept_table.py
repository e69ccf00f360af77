"""A whole table as it lies on the disk: what is kept of it, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd

from influence_core.errors import DataError
from influence_core.experiments.explanation import Number
from influence_core.store.parts import Parts

Asked = Literal["model", "true"]


@dataclass(frozen=True)
class Form:
    """What is computed and kept.

    Attributes:
        number: "influence", "corrected" or "proven".
        top: So many training examples for and as many against are kept of each test example; 0 keeps all numbers.
        asked: About the model's own answers ("model") or the true labels ("true").

    Raises:
        DataError: If there is no such number or question, or ``top`` is negative.
    """

    number: Number = "influence"
    top: int = 100
    asked: Asked = "model"

    def __post_init__(self) -> None:
        for value, known in ((self.number, get_args(Number)), (self.asked, get_args(Asked))):
            if value not in known:
                raise DataError(f"There is no “{str(value)[:40]}”; choose one of {', '.join(known)}.")
        if self.top < 0:
            raise DataError(f"The number of examples on each side must be 0 or more, but is {self.top}.")


@dataclass(frozen=True, eq=False)
class WholeTable:
    """The effects of ``n`` training examples on ``t`` test answers, as they lie on the disk.

    Attributes:
        parts: The files.
        form: What is kept.
        block: Test examples a part.
        test_ids: ``(t,)``.
        train_ids: ``(n,)``.
    """

    parts: Parts
    form: Form
    block: int
    test_ids: np.ndarray
    train_ids: np.ndarray

    def effects(self, test_id: int) -> np.ndarray:
        """``(n,)`` of one test example, nats, positive = helpful; read from its place in the file, nothing else is.

        Raises:
            DataError: If there is no such test example, or only the strongest are kept.
        """
        part, row = divmod(self._position(test_id), self.block)
        return np.array(self._part(part)[row])

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Places of some test examples and their effects ``(b, n)`` as in ``effects``, a memory map, until all were there.

        Raises:
            DataError: If only the strongest are kept.
        """
        for part in range(self.parts.count):
            values = self._part(part)
            yield slice(part * self.block, part * self.block + len(values)), values

    def _part(self, at: int) -> np.ndarray:
        if self.form.top:
            raise DataError(
                "This table keeps the strongest of each test example only; read them with strongest()."
            )
        return np.load(self.parts.path(at), mmap_mode="c", allow_pickle=False)

    def strongest(self, test_id: int) -> pd.DataFrame:
        """Columns side, rank, training_id, effect_nats of one test example: those for and those against, strongest first.

        Raises:
            DataError: If there is no such test example, or all numbers are kept.
        """
        if not self.form.top:
            raise DataError("This table keeps all numbers; read them with effects().")
        part = self.parts.path(self._position(test_id) // self.block)
        found = pd.read_parquet(part, filters=[("test_id", "==", test_id)])
        return found.drop(columns="test_id").reset_index(drop=True)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {int(one): at for at, one in enumerate(self.test_ids)}

    def _position(self, test_id: int) -> int:
        if test_id not in self._places:
            raise DataError(f"There is no test example {test_id} in this table.")
        return self._places[test_id]
