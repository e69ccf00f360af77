"""A table too large to be made at once: a folder of numbered parts beside a JSON that says what they are and which are done.

A part counts once the JSON names it with its checksum, so work that is killed loses the part it was at and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from influence_core.errors import DataError
from influence_core.store.atomic import one_at_a_time, whole_file

DESCRIPTION = "table.json"
_PIECE = 2**24


class Parts:
    """Numbered files that belong together; safe for several processes that make different parts.

    Args:
        folder: Where they lie; made with the first part.
        description: JSON values: what the axes, sign, unit and digests are. A folder that says otherwise is refused.
        suffix: Of the parts' files, such as ".npy".
        count: How many parts there are to be.

    Raises:
        DataError: If the folder holds another table, or its JSON is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> parts = Parts(Path(folder.name) / "mine", {"unit": "nats"}, ".txt", 2)
    >>> parts.write(1, lambda file: file.write(b"second"))
    >>> Parts(Path(folder.name) / "mine", {"unit": "nats"}, ".txt", 2).missing()
    [0]
    >>> folder.cleanup()
    """

    def __init__(self, folder: Path, description: Mapping[str, Any], suffix: str, count: int) -> None:
        self.folder, self.suffix, self.count = folder, suffix, count
        self._description = json.loads(json.dumps(dict(description) | {"parts": count}))
        self._done()  # a folder of another table is refused at once

    @cached_property
    def _whole(self) -> set[int]:
        return {at for at, sha in self._done().items() if self._is_whole(at, sha)}

    def path(self, at: int) -> Path:
        """The file of one part."""
        return self.folder / f"part-{at:05d}{self.suffix}"

    def missing(self) -> list[int]:
        """The parts that are still to be made; a damaged one is among them."""
        return [at for at in range(self.count) if at not in self._whole]

    @property
    def told(self) -> int:
        """How many parts the JSON names; none of them is read."""
        return len(self._done())

    def write(self, at: int, fill: Callable[[BinaryIO], object]) -> None:
        """Keep one part.

        Args:
            at: Its number.
            fill: Writes it into a file.

        Raises:
            OSError: The disk refuses; all other parts stay.
        """
        with whole_file(self.path(at)) as file:
            fill(file)
        sha = _sha256(self.path(at))
        with one_at_a_time(self.folder / "table.lock"):
            self._tell(self._done() | {at: sha})
        self._whole.add(at)

    def _tell(self, done: Mapping[int, str]) -> None:
        told = self._description | {"done": {str(at): done[at] for at in sorted(done)}}
        with whole_file(self.folder / DESCRIPTION) as file:
            file.write(json.dumps(told, indent=1, ensure_ascii=False).encode())

    def _done(self) -> dict[int, str]:
        """Checksums of the parts that the JSON names."""
        try:
            told = json.loads((self.folder / DESCRIPTION).read_bytes())
            done = {int(at): str(sha) for at, sha in told.pop("done").items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, AttributeError) as error:
            raise DataError(f"{DESCRIPTION} in that folder is damaged. Choose another folder.") from error
        differs = sorted(
            name
            for name in {*told, *self._description}
            if told.get(name, "") != self._description.get(name, "")
        )
        if differs:
            raise DataError(
                f"That folder holds another table ({', '.join(differs)} differ). Choose another folder, or remove it."
            )
        return done

    def _is_whole(self, at: int, sha: str) -> bool:
        return at < self.count and self.path(at).is_file() and _sha256(self.path(at)) == sha


def _sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
    return hasher.hexdigest()
