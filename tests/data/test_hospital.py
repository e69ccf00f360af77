"""The hospital stays and their stand-in: the paper's preparation done a second time, counts, ids, and the download."""

import hashlib
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import requests
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes

from influence_core.data import load
from influence_core.data.sets import hospital
from influence_core.errors import Cancelled, DataError
from tests.internet import serve

LINE = dict.fromkeys(hospital.COUNTS, "0") | dict.fromkeys(hospital.CATEGORIES, "No")


def stays(readmitted: int = 10_002, others: int = 10_003, **changes: str) -> pd.DataFrame:
    """A file of the right shape and nothing else: ages cycle, the rest is constant."""
    n = readmitted + others
    frame = pd.DataFrame({name: [value] * n for name, value in LINE.items()})
    frame["age"] = [f"[{10 * (at % 10)}-{10 * (at % 10) + 10})" for at in range(n)]
    frame["readmitted"] = ["<30"] * readmitted + [">30", "NO"] * (others // 2) + ["NO"] * (others % 2)
    return frame.assign(**changes)


def write(frame: pd.DataFrame, folder) -> str:
    frame.to_csv(folder / hospital.FILE, index=False)
    return str(folder)


# ------------------------------------------------------------------------------------------------ the real file


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def real(shared_data, kept):
    if not kept:
        kept["whole"] = load("hospital", str(shared_data / "diabetes130"))
        kept["thinned"] = load("hospital-thinned", str(shared_data))
    return kept


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_papers_preparation_done_a_second_time(real, shared_data):
    """With pandas' own dummies and NumPy's global generator, as the paper's notebook did it."""
    path = shared_data / "diabetes130" / hospital.FILE
    assert hashlib.md5(path.read_bytes()).hexdigest() == hospital.ORIGINAL
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    y = np.where(frame["readmitted"] == "<30", 1, -1)
    columns = [frame[name].astype(float).rename(name) for name in hospital.COUNTS]
    for name in hospital.CATEGORIES:
        dummies = pd.get_dummies(frame[name], prefix=name, drop_first=frame[name].nunique() == 2)
        columns.append(dummies.astype(float))
    x = pd.concat(columns, axis=1)
    assert x.shape == (101_766, 127)
    np.random.seed(2)
    positive, negative = np.flatnonzero(y == 1), np.flatnonzero(y == -1)
    np.random.shuffle(positive)
    np.random.shuffle(negative)
    train = np.concatenate([positive[:10_000], negative[:10_000]])
    test = np.concatenate([positive[10_000:], negative[10_000:]])
    np.random.shuffle(train)
    np.random.shuffle(test)
    whole = real["whole"]
    renamed = [name.replace(" = ", "_") for name in whole.feature_names]
    assert sorted(renamed) == sorted(x.columns)
    for part, rows in ((whole.train, train), (whole.test, test)):
        assert_array_equal(part.x.numpy(), x[renamed].to_numpy()[rows])
        assert_array_equal(part.y.numpy(), y[rows] == 1)
    assert whole.record(int(whole.train.ids[77]))["encounter_id"] == frame["encounter_id"][train[77]]
    assert whole.record(int(whole.test.ids[77]))["encounter_id"] == frame["encounter_id"][test[77]]
    assert whole.stand_in == ""


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_papers_counts_and_numbers(real):
    whole, thinned = real["whole"], real["thinned"]
    assert (len(whole.train), len(thinned.train), len(whole.test)) == (20_000, 19_980, 81_766)
    assert whole.train.y.bincount().tolist() == [10_000, 10_000]
    counts = {}
    for name, part in (("before", whole.train), ("after", thinned.train), ("test", whole.test)):
        child = torch.from_numpy(whole.records.column("age", part.ids) == "[0-10)")
        counts[name] = (int(child.sum()), int(part.y[child].sum()))
    assert counts == {"before": (24, 3), "after": (4, 3), "test": (137, 0)}
    child = whole.records.column("age", thinned.train.ids) == "[0-10)"
    assert thinned.train.ids[torch.from_numpy(child)].tolist() == [9366, 11116, 13685, 19590]
    assert_array_equal(thinned.train.ids.numpy(), np.arange(19_980), err_msg="the paper's indices")
    assert sorted(whole.train.ids.tolist()) == list(range(20_000))
    at = whole.test.position(hospital.FIRST_TEST_ID + 1742)
    assert at == 1742
    assert whole.record(101_742)["age"] == "[0-10)"
    assert whole.record(101_742)["max_glu_serum"] == "None", "a level, not a missing value"


@pytest.mark.shared_data
@pytest.mark.slow
def test_another_file_is_said_to_differ(shared_data, tmp_path):
    content = (shared_data / "diabetes130" / hospital.FILE).read_bytes()
    (tmp_path / hospital.FILE).write_bytes(content + b"\n")
    assert "differs from the file that UCI gives" in load("hospital", str(tmp_path)).stand_in


# ---------------------------------------------------------------------------------------------- files made here


def test_a_file_of_the_right_shape_is_read(tmp_path):
    data = load("hospital-thinned", write(stays(), tmp_path))
    assert data.train.y.bincount().tolist()[1] == 10_000
    assert len(data.test) == 5
    assert "differs" in data.stand_in
    assert data.feature_names[: len(hospital.COUNTS)] == hospital.COUNTS
    assert sum(name.startswith("age = ") for name in data.feature_names) == 10
    assert "race = No" in data.feature_names, "one level keeps its column"
    child = data.records.column("age", data.train.ids) == "[0-10)"
    assert data.train.y.numpy()[child].tolist().count(0) == 1


BAD_FILES = {
    "a column missing": (
        lambda: stays().drop(columns=["race", "insulin"]),
        "lacks the columns race, insulin",
    ),
    "a count that is none": (lambda: stays(num_procedures="many"), "a count that is no number.*many"),
    "too few stays": (lambda: stays(10_000, 10_003), "more than 10,000 stays.*10,000 and 10,003"),
    "nothing": (lambda: pd.DataFrame(), "damaged or not the hospital data|lacks the columns"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_words(name, tmp_path):
    made, message = BAD_FILES[name]
    with pytest.raises(DataError, match=message):
        load("hospital", write(made(), tmp_path))


def test_other_bad_files_and_folders_are_refused_in_words(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="Name the folder that holds diabetic_data.csv"):
        load("hospital")
    with pytest.raises(DataError, match="did not find it.*download it") as caught:
        load("hospital", str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert hospital.missing_files(str(tmp_path)) == [hospital.FILE]
    path = tmp_path / hospital.FILE
    for content in (b"", b"\xff\xfe\x00", b'"open'):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged|lacks the columns"):
            load("hospital", str(tmp_path))
    with path.open("wb") as file:
        file.truncate(hospital.MAX_BYTES + 1)
    with pytest.raises(DataError, match="larger than 100 MB"):
        load("hospital", str(tmp_path))
    assert hospital.missing_files(str(tmp_path)) == []


# ----------------------------------------------------------------------------------------------- the download


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def served(monkeypatch):
    """Requests are answered with what is put here, and counted."""
    return serve(monkeypatch)


@pytest.mark.parametrize("inside", ["", "dataset_diabetes/", "../../"])
def test_a_download_puts_the_one_file_in_its_folder(tmp_path, served, inside):
    served.content = archive({inside + hospital.FILE: b"some,stays\n", "IDS_mapping.csv": b"x"})
    folder, told = tmp_path / "a" / "new folder", []
    hospital.download(str(folder), lambda fraction, message: told.append(fraction))
    assert (folder / hospital.FILE).read_bytes() == b"some,stays\n"
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == [hospital.FILE]
    assert len(served.asked) == 1 and served.asked[0].startswith("https://archive.ics.uci.edu/")
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.parametrize(
    "content",
    [b"<html>moved</html>", archive({"other.csv": b"1"}), b""],
    ids=["a web page", "another file", "nothing"],
)
def test_what_is_no_hospital_archive_leaves_nothing_behind(tmp_path, served, content):
    served.content = content
    with pytest.raises(DataError, match="could not be downloaded.*\n.*yourself"):
        hospital.download(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_bounded(tmp_path, served, monkeypatch):
    monkeypatch.setattr(hospital, "MAX_BYTES", 1_000)
    served.content = archive({hospital.FILE: bytes(5_000)})
    with pytest.raises(DataError, match="sensible size"):
        hospital.download(str(tmp_path))
    served.content = bytes(200_000)
    with pytest.raises(DataError, match="more than 0 MB came"):
        hospital.download(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_download_explains_a_failure_and_can_be_cancelled(tmp_path, served):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        hospital.download(str(tmp_path), stop)
    served.error = requests.ConnectionError("no route to host")
    with pytest.raises(DataError, match="no route to host.*\n.*internet connection"):
        hospital.download(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ the stand-in


def test_the_patients_that_stand_in():
    data, thinned = load("diabetes"), load("diabetes-thinned")
    raw = load_diabetes(scaled=False)
    ids = torch.cat([data.train.ids, data.test.ids])
    assert sorted(ids.tolist()) == list(range(1, 443))
    assert data.test.ids.tolist() == list(range(4, 443, 4))
    fast = raw.target > np.quantile(raw.target, 0.75)
    for part in (data.train, data.test):
        assert_array_equal(part.y.numpy(), fast[part.ids.numpy() - 1])
    names = [f"age group = [{one}-{one + 10})" for one in range(10, 80, 10)]
    assert data.feature_names == ("bmi", "bp", *(f"s{one}" for one in range(1, 7)), "sex = 2", *names)
    decades = data.train.x.numpy()[:, -7:].argmax(1) + 1
    assert_array_equal(decades, raw.data[data.train.ids.numpy() - 1, 0] // 10)
    assert_array_equal(data.train.x.numpy()[:, 8], raw.data[data.train.ids.numpy() - 1, 1] == 2)
    measured = raw.data[:, 2:][data.train.ids.numpy() - 1]
    np.testing.assert_allclose(
        data.train.x.numpy()[:, :8], (measured - measured.mean(0)) / measured.std(0), rtol=0, atol=1e-12
    )
    assert data.record(3)["age"] == "72" and data.record(3)["age group"] == "[70-80)"
    twenties = (raw.data[:, 0] >= 20) & (raw.data[:, 0] < 30)
    slow = [one for one in data.train.ids.tolist() if twenties[one - 1] and not fast[one - 1]]
    assert len(slow) == 26
    assert sorted(set(data.train.ids.tolist()) - set(thinned.train.ids.tolist())) == slow[:-1]
    assert all("stand-in" in one.stand_in for one in (data, thinned))
    assert data.content == load("diabetes").content != thinned.content
