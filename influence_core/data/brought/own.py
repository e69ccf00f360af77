"""Data of somebody's own behind a study: photographs or texts, out of a folder on this machine or an uploaded zip.

Which folders may be read is decided by the person who starts the app, never by a visitor: those inside the data folder,
and those named by INFLUENCE_EXPLORER_FOLDERS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from influence_core.data.brought import photo_folder, picture_uploads
from influence_core.data.brought.photo_folder import PhotoFolder
from influence_core.data.examples import DataSet
from influence_core.data.readers import picture_sets, text_folder
from influence_core.data.readers.text_folder import TextFolder
from influence_core.errors import DataError
from influence_core.progress import Progress
from influence_core.store import Store

PHOTOS, TEXTS = "own-photos", "own-texts"
"""Names of the data, as a `StudySpec` has them."""
IN_FOLDER, IN_ZIP = "folder:", "zip:"
"""What a source begins with; a path or the key of an upload follows."""
FOLDERS_VARIABLE = "INFLUENCE_EXPLORER_FOLDERS"
MAX_OFFERED = 200
DEEPEST = 3


@dataclass(frozen=True)
class FileNames:
    """Where each photograph lies inside its folder.

    Attributes:
        names: (m,); an example's id is its position.
    """

    names: tuple[str, ...]

    def read(self, id: int) -> Mapping[str, str]:
        """The file of the example called `id`."""
        return {"file": self.names[id]}


def load(
    data: str,
    source: str,
    store: Store,
    folder: str | None,
    seed: int = 0,
    progress: Progress | None = None,
    encoding: str = "",
) -> DataSet:
    """The data set behind a study of somebody's own.

    Args:
        data: `PHOTOS` or `TEXTS`.
        source: where they lie: `IN_FOLDER` and a path, or `IN_ZIP` and an upload's key.
        store: beside which uploads are kept.
        folder: the data folder.
        seed: of the split, where the folder has none of its own.
        progress: told while reading.
        encoding: of texts that are not UTF-8; "": the most plausible.

    Raises:
        DataError: they are gone, may not be read, or make no data set.
    """
    if data == TEXTS:
        return text_folder.read_folder(readable_folder(source, store, folder), progress, seed, encoding)
    found = survey(source, store, folder, seed, progress)
    made = picture_sets.data_set(
        PHOTOS, found.title, found.pictures, found.labels, found.is_train, found.class_names
    )
    return replace(made, records=FileNames(found.files))


def survey(
    source: str, store: Store, folder: str | None, seed: int = 0, progress: Progress | None = None
) -> PhotoFolder:
    """What the photographs are, and what of them cannot be used.

    Args:
        source: where they lie, as in `load`.
        store: beside which uploads are kept.
        folder: the data folder.
        seed: of the split, where the folder has none of its own.
        progress: told while reading.

    Raises:
        DataError: as in `load`.
    """
    return photo_folder.survey(readable_folder(source, store, folder), progress, seed, store)


def survey_texts(
    source: str,
    store: Store,
    folder: str | None,
    progress: Progress | None = None,
    encoding: str = "",
) -> TextFolder:
    """What the texts are, and what of them cannot be used.

    Args:
        source: where they lie, as in `load`.
        store: beside which uploads are kept.
        folder: the data folder.
        progress: told while reading.
        encoding: of those that are not UTF-8; "": the most plausible.

    Raises:
        DataError: as in `load`.
    """
    return text_folder.survey(readable_folder(source, store, folder), progress, encoding=encoding)


def readable_folder(source: str, store: Store, folder: str | None) -> Path:
    """The folder of a source, once it is known that it may be read.

    Args:
        source: as in `load`.
        store: beside which uploads are kept.
        folder: the data folder.

    Raises:
        DataError: it may not, or an upload is gone.
    """
    if source.startswith(IN_ZIP):
        return picture_uploads.recall(store, source.removeprefix(IN_ZIP)).folder
    path = Path(source.removeprefix(IN_FOLDER))
    inside = path.resolve()
    if not path.is_absolute() or not any(inside.is_relative_to(one) for one in roots(folder)):
        raise DataError(
            "This folder may not be read. Folders inside the data folder can be, and those that the person who starts the "
            f"app names by {FOLDERS_VARIABLE} (several with “{os.pathsep}” between them)."
        )
    return inside


def roots(folder: str | None) -> tuple[Path, ...]:
    """The folders that may be read, with all inside them."""
    named = [folder or "", *os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)]
    return tuple(dict.fromkeys(Path(one).expanduser().resolve() for one in named if one.strip()))


def offered(folder: str | None) -> tuple[Path, ...]:
    """Folders that may be read and hold at least two folders, up to three levels down."""
    found: dict[Path, None] = {}
    for root in roots(folder):
        for path in _with_classes(root, DEEPEST):
            if len(found) >= MAX_OFFERED:
                return tuple(found)
            found[path] = None
    return tuple(found)


def _with_classes(folder: Path, levels: int) -> Iterator[Path]:
    try:
        inside = sorted(
            Path(one.path)
            for one in os.scandir(folder)
            if one.is_dir(follow_symlinks=False) and not one.name.startswith(".")
        )
    except OSError:
        return
    if len(inside) >= 2:
        yield folder
    for one in inside[:MAX_OFFERED] if levels else ():
        yield from _with_classes(one, levels - 1)
