"""The e-mails that ship with the app: 5,172 ham and spam mails out of SpamAssassin's public corpus."""

import lzma
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from influence_core.data.examples import DataSet, Examples
from influence_core.data.packaged import ASSETS
from influence_core.data.readers import bag_of_words
from influence_core.errors import DataError
from influence_core.progress import Progress, report

PACKAGED = ASSETS / "mails.npz"
TRAINED_ON = 4137
"""As many as the paper trains on; the words are those of these mails."""
CLASS_NAMES = ("ham", "spam")


class Mails:
    """The texts behind the word counts, subject in the first line; unpacked when one is first read.

    Args:
        packed: (bytes,) uint8, the texts in the order of their ids.
    """

    def __init__(self, packed: np.ndarray) -> None:
        self._packed = packed

    @cached_property
    def _texts(self) -> Sequence[str]:
        return lzma.decompress(self._packed.tobytes()).decode().split("\0")

    def read(self, id: int) -> Mapping[str, str]:
        """The mail called `id`: exactly what the model reads."""
        subject, _, text = self._texts[id].partition("\n")
        return {"subject": subject, "text": text}

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """The words that were counted when the mails were packaged: plain letters alone."""
        return bag_of_words.plain_spans(text)


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Ids 0..4136 to train on, 4137..5171 to test on; x (n, 2,936) counts the words of subject and text.

    Args:
        folder: not needed; the file ships with the app.
        progress: told before and after.

    Raises:
        DataError: the packaged file is missing or damaged.
    """
    report(progress, 0.0, "Reading the packaged e-mails")
    kept = _read(PACKAGED)
    labels, vocabulary, ends = kept["labels"], kept["vocabulary"], kept["ends"]
    x = torch.zeros(len(labels), len(vocabulary), dtype=torch.float64)
    rows = torch.from_numpy(np.repeat(np.arange(len(labels)), np.diff(ends, prepend=0)))
    x[rows, torch.from_numpy(kept["words"].astype(np.int64))] = torch.from_numpy(kept["counts"]).double()
    y, ids = torch.from_numpy(labels).long(), torch.arange(len(labels))
    report(progress, 1.0, "The packaged e-mails are read")
    return DataSet(
        name="mails",
        title="5,172 packaged e-mails",
        train=Examples(x[:TRAINED_ON], y[:TRAINED_ON], ids[:TRAINED_ON]),
        test=Examples(x[TRAINED_ON:], y[TRAINED_ON:], ids[TRAINED_ON:]),
        class_names=CLASS_NAMES,
        image_shape=None,
        stand_in="A stand-in for Enron1: as many e-mails, out of SpamAssassin's public corpus, shipped with the app.",
        kind="e-mail",
        feature_names=tuple(vocabulary.tolist()),
        records=Mails(kept["texts"]),
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `assets/README.md` describes."""
    names = ("labels", "vocabulary", "ends", "words", "counts", "texts")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except Exception as error:  # a damaged archive makes numpy and zipfile raise nearly anything
        raise DataError(
            f"The packaged e-mails could not be read from assets/{path.name}: the file is missing or damaged. "
            "Install the app again, or make the file as assets/README.md says."
        ) from error
