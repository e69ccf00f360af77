"""A person's own texts: a folder with one sub-folder for each of two classes, such as Enron1's ham and spam.

Files are read in the order of their names and shuffled once, with a fixed seed; the first 80 % are trained on. Only
words that stand in at least five of those are counted (the paper's section 5.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from influence_core.data.examples import DataSet, Examples
from influence_core.data.readers import bag_of_words
from influence_core.errors import DataError
from influence_core.progress import Progress, part, report

FOLDER = "texts"
MIN_TEXTS = 5
TRAIN_SHARE = 0.8
SEED = 0
MIN_FILES = 20
MAX_FILES = 10_000
MAX_WORDS = 10_000
MAX_BYTES_A_FILE = 10**6
MAX_BYTES = 200 * 10**6
DISPLAYED = 20_000
"""Characters of a text that are kept for people; all of it is counted."""

EXAMPLE = "for example texts/ham/0001.txt and texts/spam/0001.txt"


@dataclass(frozen=True)
class Texts:
    """The texts behind the word counts.

    Attributes:
        names: (m,) the files, relative to the folder.
        texts: (m,) what they hold, as far as it is kept; an example's id is its position.
    """

    names: Sequence[str]
    texts: Sequence[str]

    def read(self, id: int) -> Mapping[str, str]:
        """Subject (the first line), text and file of the example called `id`."""
        subject, _, text = self.texts[id].partition("\n")
        return {
            "subject": subject.removeprefix("Subject:").strip(),
            "text": text.strip(),
            "file": self.names[id],
        }


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Word counts x (n, d); an id is the position in the order of the files' names.

    Args:
        folder: the folder that holds `texts/<class>/<file>`.
        progress: told while reading.

    Raises:
        DataError: no such folder, not two classes, too few or too many files, or one that is no text; the message
            says which and what to do.
    """
    if not folder:
        raise DataError(f"Texts of your own are read from a folder. Name the one that holds “{FOLDER}”.")
    return read_folder(Path(folder) / FOLDER, progress)


def read_folder(root: Path, progress: Progress | None = None, seed: int = SEED) -> DataSet:
    """As `load`, of the folder that holds the two classes itself.

    Args:
        root: holds `<class>/<file>`.
        progress: told while reading.
        seed: of the shuffle before the split.

    Raises:
        DataError: as in `load`.
    """
    class_names = _class_names(root)
    files = _list_files(root, class_names)
    texts = _read_all(files, part(progress, 0.0, 0.6))
    kept = [at for at, text in enumerate(texts) if any(bag_of_words.spans(text))]
    labels = np.array([class_names.index(path.parent.name) for path in files])
    _require_enough(labels[kept], class_names)
    order = np.array(kept)[np.random.default_rng(seed).permutation(len(kept))]
    report(progress, 0.7, "Counting words")
    train_on = int(TRAIN_SHARE * len(order))
    known = bag_of_words.vocabulary([texts[at] for at in order[:train_on]], MIN_TEXTS, MAX_WORDS)
    x = bag_of_words.table([texts[at] for at in order], known)
    y, ids = torch.from_numpy(labels[order]), torch.from_numpy(order)
    report(progress, 1.0, f"{len(order):,} texts are read")
    return DataSet(
        name="text-folder",
        title=f"{len(order):,} texts of your own",
        train=Examples(x[:train_on], y[:train_on], ids[:train_on]),
        test=Examples(x[train_on:], y[train_on:], ids[train_on:]),
        class_names=class_names,
        image_shape=None,
        kind="e-mail",
        feature_names=known,
        records=Texts([_name(path, root) for path in files], [text[:DISPLAYED] for text in texts]),
    )


def _class_names(root: Path) -> tuple[str, ...]:
    """The two sub-folders, in the order of their names; a link that leads out of the folder is none."""
    try:
        inside = root.resolve(strict=True)
        names = sorted(one.name for one in root.iterdir() if _is_class(one, inside))
    except OSError as error:
        raise DataError(
            f"Expected a folder {root} with one sub-folder for each class ({EXAMPLE}), but it could not be opened: "
            f"{error.strerror}. Put the texts there, or name another folder."
        ) from error
    if len(names) != 2:
        found = ", ".join(f"“{name[:40]}”" for name in names[:5]) or "none"
        raise DataError(
            f"Expected two sub-folders in {root}, one for each class ({EXAMPLE}), but found {len(names)}: {found}. "
            "Keep two."
        )
    return tuple(names)


def _is_class(path: Path, inside: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and _is_inside(path, inside)


def _list_files(root: Path, class_names: tuple[str, ...]) -> list[Path]:
    """All files, by class and name; neither folders inside the classes nor links that lead out are followed."""
    from sklearn.datasets import load_files  # takes a second to import

    listed = load_files(str(root), categories=list(class_names), load_content=False, shuffle=False)
    inside = root.resolve()
    files = [path for path in map(Path, listed.filenames) if path.is_file() and _is_inside(path, inside)]
    if len(files) > MAX_FILES:
        raise DataError(f"{root} holds {len(files):,} files; at most {MAX_FILES:,} can be read. Keep fewer.")
    return files


def _name(path: Path, root: Path) -> str:
    """For people: bytes of a name that are no letters become question marks."""
    return str(path.relative_to(root)).encode("utf-8", "replace").decode()


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)


def _read_all(files: list[Path], progress: Progress | None) -> list[str]:
    sizes = [path.stat().st_size for path in files]
    if sum(sizes) > MAX_BYTES:
        raise DataError(
            f"The texts have {sum(sizes) / 10**6:,.0f} MB; at most {MAX_BYTES // 10**6} MB can be read. Keep fewer."
        )
    texts = []
    for at, (path, size) in enumerate(zip(files, sizes, strict=True)):
        texts.append(_read(path, size))
        if at % 100 == 0:
            report(progress, at / len(files), f"{at:,} of {len(files):,} files are read")
    return texts


def _read(path: Path, size: int) -> str:
    """One file as text; bytes that are not UTF-8 become question marks."""
    if size > MAX_BYTES_A_FILE:
        raise DataError(
            f"{path} has {size / 10**6:,.1f} MB; a text may have {MAX_BYTES_A_FILE // 10**6} MB. Cut it or remove it."
        )
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES_A_FILE)
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}. Fix or remove it.") from error
    if b"\0" in content:
        raise DataError(
            f"{path} is not plain text, or not saved as UTF-8. Save it as UTF-8 text, or remove it."
        )
    return content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")


def _require_enough(labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    for label, name in enumerate(class_names):
        if not (labels == label).any():
            raise DataError(
                f"No file in the sub-folder “{name[:40]}” holds a word: there are none, or they are empty. Put texts "
                "in plain letters there."
            )
    if len(labels) < MIN_FILES:
        raise DataError(f"Only {len(labels)} texts hold words; at least {MIN_FILES} are needed. Add more.")
