"""Studies by name: the built-in ones, those that visitors built or uploaded, and those of whoever starts the program."""

from __future__ import annotations

import os
import re
import runpy
from dataclasses import replace

from influence_core.data.brought import TABLE, own, recipes, torchvision_sets, uploads
from influence_core.errors import DataError
from influence_core.store import NO_STORE, Store
from influence_core.studies.catalogue import CATALOGUE
from influence_core.studies.changes import parse
from influence_core.studies.spec import StudySpec
from influence_core.words import plain_title

TEXT_FOLDER = "text-folder"
"""The data set of the catalogue that is somebody's own too."""
UPLOADED = "table-"
"""What the names of studies on uploaded tables begin with; the store's key follows."""

TRAINED_ON, TESTED_ON = 5_000, 1_000
"""Pictures of a data set of torchvision, unless somebody says how many ..."""
ALL = ":all"
"""... or, after its name, that all are meant."""
L2_OF_SETS = 0.01

MODULE_VARIABLE = "INFLUENCE_EXPLORER_MODULE"
"""Names a Python file that adds to the catalogues; only who starts the program can set it, never a visitor."""


def load_module(path: str | None = None) -> None:
    """Run the study module of the person who starts the program, which adds rows to the catalogues.

    Its rows go into ``studies.CATALOGUE``, ``data.CATALOGUE`` and ``backbones.OWN``.

    Args:
        path: A Python file; where none is named, that of the environment variable, if there is one.

    Raises:
        DataError: If there is no such file, or it fails.
    """
    path = path or os.environ.get(MODULE_VARIABLE)
    if not path:
        return
    try:
        runpy.run_path(path, run_name="influence_explorer_module")
    except Exception as error:  # it is anybody's code
        raise DataError(
            f"The study module {path} could not be run: {type(error).__name__}: {error}. Fix it and start the "
            f"app again, or start without {MODULE_VARIABLE}."
        ) from error


def find(name: str, store: Store = NO_STORE) -> StudySpec:
    """The spec called ``name``: a catalogue row, an uploaded table, an own study, a set of torchvision, or a version of one.

    Args:
        name: Its name; of a version "name@changes", as ``changes.parse`` reads them.
        store: Whose home keeps them; the user's own where none is given.

    Raises:
        DataError: If there is none, or a change is none.

    >>> find("digits@r7,l12=3").address
    'digits@r7,l12=3'
    """
    name, at, text = name.partition("@")
    if at:
        return replace(find(name, store), changes=parse(text))
    if re.fullmatch(f"{UPLOADED}[0-9a-f]{{32}}", name):
        return of_table(uploads.recall(store, name.removeprefix(UPLOADED)))
    if recipes.NAME.fullmatch(name):
        return of_recipe(recipes.recall(store, name))
    if name.startswith(own.IN_TORCHVISION):
        return of_torchvision(name.removeprefix(own.IN_TORCHVISION))
    if name not in CATALOGUE:
        raise DataError(f"There is no study '{name[:40]}'; choose one of {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def is_own(name: str) -> bool:
    """Whether a study of this name is an uploaded table, a data set of torchvision or built by somebody, there or not."""
    return name.startswith((UPLOADED, recipes.PREFIX, own.IN_TORCHVISION))


def plain_name(spec: StudySpec) -> str:
    """What its files are called: by the title of a study of one's own, whose name in the address says nothing."""
    return plain_title(spec.title, 40) if is_own(spec.unchanged.name) else spec.name


def is_brought(spec: StudySpec) -> bool:
    """Whether its examples are somebody's own files, whose labels nobody has checked."""
    if spec.data == TEXT_FOLDER:
        return True
    return is_own(spec.name) and not spec.name.startswith(own.IN_TORCHVISION)


def of_table(kept: uploads.UploadedTable) -> StudySpec:
    """The study on an uploaded table: logistic or softmax regression with scikit-learn's default penalty, ``1 / n``."""
    model = "logistic" if kept.classes == 2 else "softmax"
    return StudySpec(UPLOADED + kept.key, kept.title, TABLE, model, 1 / kept.n, source=kept.key)


def of_torchvision(name: str) -> StudySpec:
    """Softmax regression on the pixels of a data set of torchvision: 5,000 pictures to train on, 1,000 to test on.

    Args:
        name: Of the data set; "NAME:all" takes all its pictures.

    Raises:
        DataError: If torchvision has no such data set here.
    """
    takes_all = name.endswith(ALL)
    found = torchvision_sets.find(name.removesuffix(ALL))
    source = own.IN_TORCHVISION + found.name
    return StudySpec(
        source + ALL if takes_all else source,
        f"{found.title}, {'all pictures, ' if takes_all else ''}softmax regression",
        own.PHOTOS,
        "softmax",
        L2_OF_SETS,
        n_train=None if takes_all else TRAINED_ON,
        n_test=None if takes_all else TESTED_ON,
        source=source,
    )


def of_recipe(kept: recipes.Recipe) -> StudySpec:
    """The study that somebody built: an image folder, a zip or a folder of texts.

    Raises:
        DataError: If it was kept by another version of this app.
    """
    try:
        return StudySpec(name=kept.name, **kept.fields)
    except TypeError as error:
        raise DataError(
            f"“{kept.title}” was built by another version of this app. Build it again."
        ) from error
