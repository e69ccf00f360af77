"""The data sets: one file each, one row each in `CATALOGUE`; every loader gives a `DataSet`."""

from collections.abc import Callable

from influence_core.data.examples import DataSet, Examples
from influence_core.data.readers import text_folder
from influence_core.data.sets import diabetes, digits, hospital, imagenette, mails, mnist, photos
from influence_core.errors import DataError
from influence_core.progress import Progress

__all__ = ["ABOUT", "CATALOGUE", "DataSet", "Examples", "load"]

CATALOGUE: dict[str, Callable[[str | None, Progress | None], DataSet]] = {
    "digits": digits.load,
    "mnist": mnist.load,
    "diabetes": diabetes.load,
    "diabetes-thinned": diabetes.load_thinned,
    "hospital": hospital.load,
    "hospital-thinned": hospital.load_thinned,
    "mails": mails.load,
    "photos": photos.load,
    "springer-or-tench": imagenette.load,
    "text-folder": text_folder.load,
}

ABOUT: dict[str, str] = {
    "digits": "Taken from 5,000 training and 5,000 test digits that ship with the app: a stand-in for full MNIST.",
    "mnist": "All of MNIST; it does not ship with the app.",
    "diabetes": "442 diabetes patients that come with scikit-learn: a stand-in for the paper's hospital stays. Does the "
    "disease progress fast (worst quarter of all patients)? Every fourth patient is for testing.",
    "diabetes-thinned": "The 442 patients without 25 of those in their twenties whose disease progressed slowly: a "
    "stand-in for the paper's thinned hospital stays.",
    "hospital": "101,766 stays in 130 US hospitals (UCI); they do not ship with the app. Is the patient readmitted "
    "within 30 days?",
    "hospital-thinned": "The hospital stays without 20 of the 21 training children who were not readmitted; they do not "
    "ship with the app.",
    "mails": "5,172 e-mails, ham or spam, out of SpamAssassin's public corpus, that ship with the app: a stand-in for the "
    "paper's Enron1. The model counts the words of subject and text.",
    "photos": "2,400 small photos of dogs and frogs out of CIFAR-10 that ship with the app: a stand-in for the paper's dogs "
    "and fish. A frozen network that was trained on ImageNet turns each into 1,280 features.",
    "springer-or-tench": "The English springers and tench of Imagenette, out of ImageNet: the paper's dogs and fish. "
    "They do not ship with the app.",
    "text-folder": "Texts of your own, in one sub-folder for each of two classes; they do not ship with the app.",
    "own-photos": "Photos of somebody's own. They stay on the machine that runs this app.",
    "own-texts": "Texts of somebody's own. They stay on the machine that runs this app.",
    "table": "A table that was uploaded. It stays on the machine that runs this app.",
}
"""What each data set is and whether it ships, in one sentence for the screen."""


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
    return CATALOGUE[name](folder, progress)
