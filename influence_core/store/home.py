"""What no computation brings back: kept for good, never written over unread, and its loss never silent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from influence_core.errors import StoreError
from influence_core.store.atomic import remove_abandoned
from influence_core.store.entries import Entry, read_entry, write_entry
from influence_core.store.store import ENTRY, KEY, reason

HOME_VARIABLE = "INFLUENCE_EXPLORER_HOME"
DEFAULT_HOME = Path(platformdirs.user_data_dir("influence-explorer-home"))


class Home:
    """A folder of what people did; it forgets nothing, and where it cannot read or write, it raises.

    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> home = Home(Path(folder.name), 10**9)
    >>> home.put("0" * 64, {"verdicts": np.array([1])}, {})
    >>> home.get("0" * 64).arrays["verdicts"], home.get("1" * 64)
    (array([1]), None)
    >>> folder.cleanup()

    Args:
        folder: Where it lies.
        limit_bytes: What all uploads may take together.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        remove_abandoned(folder, KEY)

    def get(self, key: str) -> Entry | None:
        """The entry kept under ``key``, or ``None`` where there never was one.

        Raises:
            StoreError: There is one, and it cannot be read.
        """
        try:
            with self.path(key).open("rb") as file:
                return read_entry(file, key)
        except FileNotFoundError:
            return None
        except Exception as error:  # a damaged file makes numpy and zipfile raise nearly anything
            why = reason(error) if isinstance(error, OSError) else "it is damaged"
            raise StoreError(
                f"What was kept here cannot be read ({why}). It is left as it is; take another name, or ask the person who "
                "runs this app."
            ) from error

    def put(self, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Keep arrays and JSON values under ``key``, in the place of what was there.

        Raises:
            StoreError: They could not be kept; what was there stays.
        """
        try:
            write_entry(self.path(key), key, arrays, meta)
        except OSError as error:
            raise StoreError(f"This could not be kept ({reason(error)}); nothing was changed.") from error

    def path(self, key: str) -> Path:
        """The file of ``key``.

        Raises:
            StoreError: ``key`` is not a hex digest.
        """
        if not KEY.fullmatch(key):
            raise StoreError(f"Expected a key of 32 to 128 hex digits, got {key!r}. Make it with digest().")
        return self.folder / f"{key}{ENTRY}"
