"""Diabetes 130-US hospitals (UCI, 101,766 hospital stays), prepared as the paper's section 5.3 prepares it.

Strack et al. 2014, CC BY 4.0, https://archive.ics.uci.edu/dataset/296. The question: is the patient readmitted within
30 days? Ten thousand stays of each answer are trained on; in the thinned data all but one of the training children who
were not readmitted are missing.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import torch

from influence_core.data.examples import DataSet, Examples
from influence_core.data.fetching import Download, fetch
from influence_core.data.readers.tables import TableRecords, encode, sorted_levels, thin
from influence_core.errors import DataError
from influence_core.progress import Progress, report
from influence_core.store.atomic import whole_file

if TYPE_CHECKING:
    import pandas as pd

FILE = "diabetic_data.csv"
FOLDER = "diabetes130"
ORIGINAL = "502f0cc004e4cf71536ec2e61596e42f"
"""md5 of the file as UCI gives it."""
URL = (
    "https://archive.ics.uci.edu/static/public/296/"
    "diabetes%2B130-us%2Bhospitals%2Bfor%2Byears%2B1999-2008.zip"
)
MAX_BYTES = 100 * 10**6
USUAL_BYTES = 3.5e6

COUNTS = (
    "time_in_hospital",
    "num_lab_procedures",
    "num_procedures",
    "num_medications",
    "number_outpatient",
    "number_emergency",
    "number_inpatient",
    "number_diagnoses",
)
"""Used as they are, not standardised."""
CATEGORIES = (
    *("gender", "race", "age", "discharge_disposition_id", "max_glu_serum", "A1Cresult"),
    *(
        "metformin",
        "repaglinide",
        "nateglinide",
        "chlorpropamide",
        "glimepiride",
        "acetohexamide",
        "glipizide",
    ),
    *("glyburide", "tolbutamide", "pioglitazone", "rosiglitazone", "acarbose", "miglitol", "troglitazone"),
    *("tolazamide", "examide", "citoglipton", "insulin", "glyburide-metformin", "glipizide-metformin"),
    *(
        "glimepiride-pioglitazone",
        "metformin-rosiglitazone",
        "metformin-pioglitazone",
        "change",
        "diabetesMed",
    ),
)
LABEL = "readmitted"
READMITTED = "<30"
CHILDREN = ("age", "[0-10)")
EACH = 10_000
"""Stays of each answer that are trained on."""
SEED = 2
FIRST_TEST_ID = 100_000
"""Test stays are numbered from here, so that no number names two stays."""
PAPERS_CHILD = FIRST_TEST_ID + 1742
"""The child of the paper's story, its test index 1742."""


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """20,000 stays to train on, 81,766 to test on; 127 features.

    Training ids are the paper's: positions in the *thinned* training set, and 19,980 to 19,999 for the children it
    lacks. A test id is `FIRST_TEST_ID` and the paper's test index.

    Args:
        folder: the folder that holds diabetic_data.csv, or a folder diabetes130 with it.
        progress: told before each part.

    Raises:
        DataError: no folder named, or the file is missing or not what it should be.
    """
    path = _require_file(folder)
    report(progress, 0.0, "Reading the hospital stays")
    content = path.read_bytes()
    frame = _read(content, path)
    report(progress, 0.6, "Making the features")
    made = _prepare(frame, hashlib.md5(content, usedforsecurity=False).hexdigest() == ORIGINAL)
    report(progress, 1.0, "The hospital stays are read")
    return made


def load_thinned(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """The same without 20 of the 21 training children who were not readmitted: 19,980 stays to train on.

    Args:
        folder: as `load`.
        progress: as `load`.

    Raises:
        DataError: as `load`.
    """
    return thin(load(folder, progress), *CHILDREN, label=0, name="hospital-thinned")


def download(folder: str, progress: Progress | None = None) -> None:
    """Fetch the file from UCI into `folder`; only ever called because a person asked for it.

    Args:
        folder: the data folder.
        progress: told while downloading.

    Raises:
        DataError: the network or the disk failed, or something else came.
    """
    report(progress, 0.0, "Downloading the hospital stays, about 3 MB")
    try:
        with tempfile.TemporaryFile() as archive:
            fetch(URL, archive, USUAL_BYTES, MAX_BYTES, progress)
            _unpack(archive, Path(folder))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"The hospital data could not be downloaded into {folder}: {error}\n"
            "Check the internet connection and that the folder can be written to, or put "
            f"{FILE} from https://archive.ics.uci.edu/dataset/296 there yourself."
        ) from error
    report(progress, 1.0, "The hospital stays are downloaded")


def missing_files(folder: str) -> list[str]:
    """The file's name where it is not in the folder."""
    return [FILE] if _find(folder) is None else []


DOWNLOAD = Download(
    "Hospital readmission data",
    "the 101,766 stays of “Diabetes 130-US hospitals” (Strack et al. 2014, CC BY 4.0)",
    FILE,
    "3 MB, from the UCI repository",
    missing_files,
    download,
)


def _find(folder: str) -> Path | None:
    places = (Path(folder) / FILE, Path(folder) / FOLDER / FILE)
    return next((path for path in places if path.is_file()), None)


def _require_file(folder: str | None) -> Path:
    if not folder:
        raise DataError(f"The hospital data do not ship with the app. Name the folder that holds {FILE}.")
    path = _find(folder)
    if path is None:
        raise DataError(
            f"Expected {FILE} in {folder}, but did not find it. Name the folder that holds it, or download it "
            "(UCI, “Diabetes 130-US hospitals for years 1999-2008”)."
        )
    if path.stat().st_size > MAX_BYTES:
        raise DataError(
            f"{path} is larger than {MAX_BYTES // 10**6} MB: not the hospital data. Download them again."
        )
    return path


def _read(content: bytes, path: Path) -> pd.DataFrame:
    """The file as text, once its columns are known to be there."""
    import pandas as pd  # takes half a second to import, and pictures do not need it

    try:
        # "None" is a level of two columns, not a missing value
        frame = pd.read_csv(BytesIO(content), dtype="str", na_filter=False)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path} is damaged or not the hospital data: {error}. Download it again.") from error
    missing = [name for name in (*COUNTS, *CATEGORIES, LABEL) if name not in frame.columns]
    if missing:
        raise DataError(f"{path} lacks the columns {', '.join(missing)}. Download the hospital data again.")
    return frame


def _prepare(frame: pd.DataFrame, original: bool) -> DataSet:
    y = (frame[LABEL] == READMITTED).to_numpy()
    train, test = _split(y)
    child = (frame[CHILDREN[0]] == CHILDREN[1]).to_numpy()
    ids = np.empty(len(frame), dtype=np.int64)
    ids[train] = _thinned_numbers(child[train] & ~y[train])
    ids[test] = FIRST_TEST_ID + np.arange(len(test))
    x, names = encode(
        frame, _counts(frame), {name: sorted_levels(frame[name].unique()) for name in CATEGORIES}
    )
    labels, numbers = torch.from_numpy(y.astype(np.int64)), torch.from_numpy(ids)
    parts = [Examples(x[rows], labels[rows], numbers[rows]) for rows in map(torch.from_numpy, (train, test))]
    frame.index = ids
    differs = (
        ""
        if original
        else (f"This {FILE} differs from the file that UCI gives: the paper's numbers need not come out.")
    )
    return DataSet(
        name="hospital",
        title=f"Diabetes 130-US hospitals: {len(frame):,} stays",
        train=parts[0],
        test=parts[1],
        class_names=("not readmitted", "readmitted"),
        image_shape=None,
        stand_in=differs,
        kind="row",
        feature_names=names,
        records=TableRecords(frame),
        group=CHILDREN,
    )


def _counts(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    try:
        return {name: frame[name].to_numpy(dtype=object).astype(np.float64) for name in COUNTS}
    except ValueError as error:
        raise DataError(f"{FILE} holds a count that is no number: {error}. Download it again.") from error


def _split(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train and to test on, in the paper's order: NumPy's legacy generator, whose stream never changes."""
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    if min(len(positive), len(negative)) <= EACH:
        raise DataError(
            f"Expected more than {EACH:,} stays of each answer, got {len(positive):,} and {len(negative):,}. "
            "Download the hospital data again."
        )
    rng = np.random.RandomState(SEED)
    rng.shuffle(positive)
    rng.shuffle(negative)
    train = np.concatenate([positive[:EACH], negative[:EACH]])
    test = np.concatenate([positive[EACH:], negative[EACH:]])
    rng.shuffle(train)
    rng.shuffle(test)
    return train, test


def _thinned_numbers(candidates: np.ndarray) -> np.ndarray:
    """Positions (n,) after all candidates but the last are gone; those that go are numbered after the others."""
    gone = np.zeros(len(candidates), dtype=bool)
    gone[np.flatnonzero(candidates)[:-1]] = True
    return np.where(gone, len(gone) - gone.sum() + np.cumsum(gone) - 1, np.cumsum(~gone) - 1)


def _unpack(archive: IO[bytes], folder: Path) -> None:
    """The one file that is wanted."""
    with zipfile.ZipFile(archive) as members:
        wanted = [one for one in members.infolist() if Path(one.filename).name == FILE]
        if not wanted or wanted[0].file_size > MAX_BYTES:
            raise OSError(f"the archive does not hold {FILE} of a sensible size")
        content = members.read(wanted[0])
    with whole_file(folder / FILE) as file:
        file.write(content)
