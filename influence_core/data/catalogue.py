"""The catalogue of data sets: all that is said about each, in one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from influence_core.data import brought
from influence_core.data.examples import DataSet
from influence_core.data.fetching import Download
from influence_core.data.readers import text_folder
from influence_core.data.sets import diabetes, digits, hospital, imagenette, mails, mnist, photos
from influence_core.errors import DataError
from influence_core.progress import Progress


@dataclass(frozen=True)
class DataRow:
    """A data set of the catalogue.

    Attributes:
        name: Its short name, in a `StudySpec` and on the command line.
        load: Reads it: from the user's data folder, or from what ships with the app.
        about: What it is and whether it ships, in one sentence for the screen.
        download: Where it can be had, where that is a download.
        place: Its folder in the data folder, where only a person can put it there.
        is_table: Whether its examples are rows of a table, whose columns tell groups apart.
    """

    name: str
    load: Callable[[str | None, Progress | None], DataSet]
    about: str
    download: Download | None = None
    is_table: bool = False
    place: str = ""


CATALOGUE: dict[str, DataRow] = {
    row.name: row
    for row in (
        DataRow(
            "digits",
            digits.load,
            "Taken from 5,000 training and 5,000 test digits that ship with the app: a stand-in for full MNIST.",
        ),
        DataRow("mnist", mnist.load, "All of MNIST; it does not ship with the app.", mnist.DOWNLOAD),
        DataRow(
            "diabetes",
            diabetes.load,
            "442 diabetes patients that come with scikit-learn: a stand-in for the paper's hospital stays. Does the "
            "disease progress fast (worst quarter of all patients)? Every fourth patient is for testing.",
            is_table=True,
        ),
        DataRow(
            "diabetes-thinned",
            diabetes.load_thinned,
            "The 442 patients without 25 of those in their twenties whose disease progressed slowly: a "
            "stand-in for the paper's thinned hospital stays.",
            is_table=True,
        ),
        DataRow(
            "hospital",
            hospital.load,
            "101,766 stays in 130 US hospitals (UCI); they do not ship with the app. Is the patient readmitted "
            "within 30 days?",
            hospital.DOWNLOAD,
            is_table=True,
        ),
        DataRow(
            "hospital-thinned",
            hospital.load_thinned,
            "The hospital stays without 20 of the 21 training children who were not readmitted; they do not "
            "ship with the app.",
            hospital.DOWNLOAD,
            is_table=True,
        ),
        DataRow(
            "mails",
            mails.load,
            "5,172 e-mails, ham or spam, out of SpamAssassin's public corpus, that ship with the app: a stand-in for the "
            "paper's Enron1. The model counts the words of subject and text.",
        ),
        DataRow(
            "photos",
            photos.load,
            "2,400 small photos of dogs and frogs out of CIFAR-10 that ship with the app: a stand-in for the paper's dogs "
            "and fish. A frozen network that was trained on ImageNet turns each into 1,280 features.",
        ),
        DataRow(
            "springer-or-tench",
            imagenette.load,
            "The English springers and tench of Imagenette, out of ImageNet: the paper's dogs and fish. "
            "They do not ship with the app.",
            imagenette.DOWNLOAD,
        ),
        DataRow(
            "text-folder",
            text_folder.load,
            "Texts of your own, in one sub-folder for each class; they do not ship with the app.",
            place=text_folder.FOLDER,
        ),
    )
}
"""The data sets by name. A new one is one file in `sets` and one row here."""


def load(name: str, folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Read a data set from disk; nothing is ever downloaded.

    Args:
        name: a key of `CATALOGUE`.
        folder: where the user keeps the files, for data that does not ship with the app.
        progress: told how far the reading is.

    Raises:
        DataError: an unknown name, or files that are missing or damaged.
    """
    if name not in CATALOGUE:
        raise DataError(f"There is no data set called {name!r}. Choose one of: {', '.join(CATALOGUE)}.")
    return CATALOGUE[name].load(folder, progress)


def about(name: str) -> str:
    """What a data set is, in one sentence for the screen; "" for one that nobody knows.

    Args:
        name: of the catalogue, or of what visitors bring.
    """
    row = CATALOGUE.get(name)
    return row.about if row else brought.ABOUT.get(name, "")


def at_hand(name: str, folder: str) -> bool:
    """Whether a data set can be read: it ships, it is what a visitor brought, or its files are in the data folder.

    Args:
        name: of the catalogue, or of what visitors bring.
        folder: the data folder.
    """
    row = CATALOGUE.get(name)
    if row is None:
        return True
    if row.download is not None:
        return not row.download.missing(folder)
    return not row.place or (Path(folder) / row.place).is_dir()


def is_table(name: str) -> bool:
    """Whether the examples of a data set are rows of a table.

    Args:
        name: of the catalogue, or of what visitors bring.
    """
    row = CATALOGUE.get(name)
    return row.is_table if row else name == brought.TABLE
