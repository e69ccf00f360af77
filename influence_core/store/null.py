"""The store that keeps nothing, for work whose results nobody needs again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.store.entries import Entry
from influence_core.store.store import ENTRY, Store


class NullStore(Store):
    """A store in which nothing is ever found and nothing is ever kept; it touches no disk and has no complaints."""

    def __init__(self) -> None:
        self.folder = Path(
            os.devnull
        )  # no folder: nothing lies in it, and nothing can be put beside the store
        self.limit_bytes = 0
        self.of_program = True

    def get(self, key: str) -> Entry | None:
        """None, whatever the key."""
        return None

    def has(self, key: str) -> bool:
        """False, whatever the key."""
        return False

    def put(self, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bool:
        """False, without a notice: that it is not kept was asked for."""
        return False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else is there."""
        yield

    def path(self, key: str, suffix: str = ENTRY) -> Path:
        """A file that is not there."""
        return self.folder / f"{key}{suffix}"

    def has_room_for(self, size: int) -> bool:
        """False, without a notice."""
        return False

    def forget_oldest(self) -> None:
        """Nothing to forget."""

    def remove(self, path: Path) -> None:
        """Nothing to remove."""

    def notify(self, sentence: str) -> None:
        """Nobody is told."""

    def notices(self) -> list[str]:
        """None ever."""
        return []

    def size(self) -> int:
        """0 bytes."""
        return 0

    def clear(self) -> None:
        """Nothing to remove."""


NO_STORE = NullStore()
"""What a function takes where no store is given."""
