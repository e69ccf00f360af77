"""What lies inside a folder of somebody's, level by level: nothing outside it is followed, nothing hidden is seen."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from influence_core.data.readers.skipped import BESIDE, SkipReport

_OF_SYSTEMS = frozenset(
    ("__macosx", "$recycle.bin", "system volume information", "@eadir", "thumbs.db", "desktop.ini")
)
"""Folders and files that computers make for themselves, in small letters."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is no person's: a dot hides it, or a computer made it for itself.

    >>> is_hidden(".git"), is_hidden("Thumbs.db"), is_hidden("cats")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


@dataclass(frozen=True)
class _Level:
    folders: list[str]
    files: list[str]
    others: list[tuple[str, str]]
    """Why each other thing is not used, and its name."""


@dataclass(frozen=True)
class Inside:
    """A folder; what lies in it is called by its name inside, with slashes.

    Attributes:
        root: Without links.
        most: Of more things in one folder, one more is seen.
    """

    root: Path
    most: int
    _levels: dict[str, _Level] = field(default_factory=dict)

    def folders(self, folder: str) -> list[str]:
        """The folders in a folder, in the order of their names.

        Raises:
            OSError: it cannot be opened.
        """
        return self._level(folder).folders

    def files(self, folder: str) -> list[str]:
        """The plain files in a folder, in the order of their names.

        Raises:
            OSError: it cannot be opened.
        """
        return self._level(folder).files

    def unwrapped(self, folder: str) -> str:
        """The folder that holds the folders: `folder`, or the only one in it that itself has folders, and so on."""
        while len(inner := self.folders(folder)) == 1 and self.folders(inner[0]):
            folder = inner[0]
        return folder

    def innermost(self, folder: str) -> str:
        """The folder that holds the files: `folder`, or the only one in it where it has no files, and so on."""
        while not self.files(folder) and len(inner := self.folders(folder)) == 1:
            folder = inner[0]
        return folder

    def report(self, folder: str, skipped: SkipReport, files: bool = True) -> None:
        """Count what is not used of one folder.

        Args:
            folder: Its name.
            skipped: Told.
            files: Whether its plain files are not used either.
        """
        for reason, name in self._level(folder).others:
            skipped.add(reason, "/".join(name.split("/")[-2:]))
        for name in self._level(folder).files if files else ():
            skipped.add(BESIDE, name.rsplit("/", 1)[-1])

    def _level(self, folder: str) -> _Level:
        if folder not in self._levels:
            self._levels[folder] = self._look(folder)
        return self._levels[folder]

    def _look(self, folder: str) -> _Level:
        level = _Level([], [], [])
        for one in self._scan(folder):
            name = f"{folder}/{one.name}" if folder else one.name
            if not self._is_inside(one):
                level.others.append(("links that lead out of the folder or nowhere", name))
            elif one.is_dir():
                level.folders.append(name)
            elif one.is_file():
                level.files.append(name)
            else:
                level.others.append(("no plain files", name))
        return level

    def _scan(self, folder: str) -> list[Path]:
        """What lies in a folder and is not hidden, in the order of names; one too many where there are too many."""
        found = []
        with os.scandir(self.root / folder) as entries:
            for entry in entries:
                if not is_hidden(entry.name):
                    found.append(Path(entry.path))
                if len(found) > self.most:
                    break
        return sorted(found)

    def _is_inside(self, path: Path) -> bool:
        """Whether a link leads to a place inside; a link that leads nowhere or to itself does not."""
        try:
            return not path.is_symlink() or path.resolve(strict=True).is_relative_to(self.root)
        except (OSError, RuntimeError):
            return False
