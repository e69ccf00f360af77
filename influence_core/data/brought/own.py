"""Data of somebody's own behind a study: photographs or texts, out of a folder, an uploaded zip or a set of torchvision.

Which folders may be read is decided by the person who starts the app, never by a visitor: those inside the data folder,
and those named by INFLUENCE_EXPLORER_FOLDERS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from influence_core.data.brought import photo_folder, picture_uploads, torchvision_sets
from influence_core.data.brought.home import home_of
from influence_core.data.brought.photo_folder import PhotoFolder
from influence_core.data.brought.recipes import IN_ZIP
from influence_core.data.examples import DataSet
from influence_core.data.fetching import Download
from influence_core.data.readers import picture_sets, text_folder
from influence_core.data.readers.idx_files import holds_idx
from influence_core.data.readers.labels import Same
from influence_core.data.readers.text_folder import TextFolder
from influence_core.errors import DataError
from influence_core.progress import Progress
from influence_core.store import NO_STORE, Store

PHOTOS, TEXTS = "own-photos", "own-texts"
"""Names of the data, as a `StudySpec` has them."""
IN_FOLDER = "folder:"
"""What a source begins with that is no upload; a path follows."""
IN_TORCHVISION = "torchvision:"
"""What a source begins with that is a data set of torchvision; its name follows."""
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
    most: tuple[int | None, int | None] = (None, None),
    same: Same = None,
    pixels: bool = True,
) -> DataSet:
    """The data set behind a study of somebody's own.

    Args:
        data: `PHOTOS` or `TEXTS`.
        source: where they lie: `IN_FOLDER` and a path, `IN_ZIP` and an upload's key, or `IN_TORCHVISION` and a name.
        store: whose home keeps uploads.
        folder: the data folder.
        seed: of the split, where the folder has none of its own, and of the draw where not all are wanted.
        progress: told while reading.
        encoding: of texts that are not UTF-8; "": the most plausible.
        most: how many photographs to train on and to test on are wanted; of each class its share.
        same: whether labels of a table beside photographs that look alike are one.
        pixels: whether photographs' thumbnails are their features; without them a 0 stands there, until a backbone sees them.

    Raises:
        AlikeError: nobody has said that.
        DataError: they are gone, may not be read, or make no data set.
    """
    if data == TEXTS:
        return text_folder.read_folder(readable_folder(source, store, folder), progress, seed, encoding)
    found = survey(source, store, folder, seed, progress, same)
    made = picture_sets.data_set(
        PHOTOS,
        found.title,
        found.pictures,
        found.labels,
        found.is_train,
        found.class_names,
        chosen=_drawn(found, most, seed),
        pixels=pixels,
    )
    if source.startswith(IN_TORCHVISION):
        return made  # whose pictures are no files of their own
    return replace(made, records=FileNames(found.files))


def _drawn(found: PhotoFolder, most: tuple[int | None, int | None], seed: int) -> np.ndarray | None:
    """Positions of so many photographs of each part, drawn with a seed; ``None``: all of them.

    Of each class its share, and one at least where there is room for one of each.
    """
    if most == (None, None):
        return None
    parts = []
    for is_train, count in zip((True, False), most, strict=True):
        at = np.flatnonzero(found.is_train == is_train)
        order, generator = np.empty(len(at)), np.random.default_rng(seed)
        for label in np.unique(found.labels[at]):
            same = np.flatnonzero(found.labels[at] == label)
            rank, within = generator.permutation(len(same)), generator.random(len(same))
            order[same] = np.where(rank == 0, within - 1, (rank + within) / len(same))
        parts.append(np.sort(at[np.argsort(order)[:count]]))
    return np.concatenate(parts)


def download_of(source: str) -> Download | None:
    """How the data of a source are fetched when a person asks for it; ``None`` for what is nobody's to fetch.

    Args:
        source: as in `load`.

    Raises:
        DataError: torchvision has no such data set here.
    """
    if not source.startswith(IN_TORCHVISION):
        return None
    return torchvision_sets.find(source.removeprefix(IN_TORCHVISION)).download


def survey(
    source: str,
    store: Store,
    folder: str | None,
    seed: int = 0,
    progress: Progress | None = None,
    same: Same = None,
) -> PhotoFolder:
    """What the photographs are, and what of them cannot be used.

    Args:
        source: where they lie, as in `load`.
        store: whose home keeps uploads.
        folder: the data folder.
        seed: of the split, where the folder has none of its own.
        progress: told while reading.
        same: as in `load`.

    Raises:
        DataError: as in `load`.
    """
    if source.startswith(IN_TORCHVISION):
        return torchvision_sets.find(source.removeprefix(IN_TORCHVISION)).read(folder, progress)
    root = readable_folder(source, store, folder)
    if source.startswith(IN_ZIP):
        store = picture_uploads.beside(store, source.removeprefix(IN_ZIP))
    return photo_folder.survey(root, progress, seed, store, same)


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
        store: whose home keeps uploads.
        folder: the data folder.

    Raises:
        DataError: it may not, or an upload is gone.
    """
    if source.startswith(IN_ZIP):
        return picture_uploads.recall(store, source.removeprefix(IN_ZIP)).folder
    path = Path(source.removeprefix(IN_FOLDER))
    inside = path.resolve()
    people = home_of(store).folder.resolve()
    allowed = path.is_absolute() and any(inside.is_relative_to(one) for one in roots(folder))
    if not allowed or inside.is_relative_to(people) or people.is_relative_to(inside):
        raise DataError(
            "This folder may not be read. Folders inside the data folder can be, and those that the person who starts the "
            f"app names by {FOLDERS_VARIABLE} (several with “{os.pathsep}” between them)."
        )
    return inside


def roots(folder: str | None) -> tuple[Path, ...]:
    """The folders that may be read, with all inside them."""
    named = [folder or "", *os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)]
    return tuple(dict.fromkeys(Path(one).expanduser().resolve() for one in named if one.strip()))


def offered(folder: str | None, store: Store = NO_STORE) -> tuple[Path, ...]:
    """Folders that may be read and hold at least two folders, or a data set in idx files, up to three levels down."""
    found: dict[Path, None] = {}
    people = home_of(store).folder.resolve()
    for root in roots(folder):
        for path in _with_classes(root, DEEPEST):
            if len(found) >= MAX_OFFERED:
                return tuple(found)
            if not path.is_relative_to(people):
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
    if len(inside) >= 2 or holds_idx(folder):
        yield folder
    for one in inside[:MAX_OFFERED] if levels else ():
        yield from _with_classes(one, levels - 1)
