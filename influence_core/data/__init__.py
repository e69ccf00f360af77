"""The data sets: one file each, one row each in `CATALOGUE`; every loader gives a `DataSet`."""

from collections.abc import Callable

from influence_core.data import digits, mnist
from influence_core.data.examples import DataSet, Examples
from influence_core.errors import DataError
from influence_core.progress import Progress

__all__ = ["ABOUT", "CATALOGUE", "DataSet", "Examples", "load"]

CATALOGUE: dict[str, Callable[[str | None, Progress | None], DataSet]] = {
    "digits": digits.load,
    "mnist": mnist.load,
}

ABOUT: dict[str, str] = {
    "digits": "Taken from 5,000 training and 5,000 test digits that ship with the app: a stand-in for full MNIST.",
    "mnist": "All of MNIST; it does not ship with the app.",
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
