"""A study of somebody's own in another installation: made again of the same file, its list and its numbers are the same."""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from torch.testing import assert_close

import influence_core
from influence_core import report, studies
from influence_core.context import Context
from influence_core.data.brought import picture_uploads, recipes, uploads
from influence_core.data.brought.home import home_of
from influence_core.data.brought.tables import Choices
from influence_core.errors import DataError
from influence_core.experiments import explain, questions
from influence_core.sessions import Sessions, begin, packed, unpacked
from influence_core.sessions.carried import of_study
from influence_core.store import FOLDER_VARIABLE, HOME_VARIABLE, Store
from influence_core.studies import origins
from influence_core.studies.changes import parse
from influence_core.studies.origins import Origin, origin_of
from tests.data.test_archives import packed as zipped
from tests.data.test_archives import pets
from tests.data.test_own import FIELDS
from tests.data.test_tables import as_csv, rows

PETS = pets(40)
TABLE = as_csv(rows())


@pytest.fixture
def here(tmp_path):
    return Store(tmp_path / "here")


@pytest.fixture
def there(tmp_path):
    return Store(tmp_path / "there")


def pets_study(store, owner="ada"):
    sent = picture_uploads.keep(store, zipped(PETS), "pets.zip", owner=owner)
    return recipes.keep(store, FIELDS | {"source": recipes.IN_ZIP + sent.key}, owner)


def table_study(store, owner="ada"):
    kept = uploads.keep(store, TABLE, Choices("bought", codes=("age",)), "shop.csv", owner)
    return studies.UPLOADED + kept.key


OWN = {"zip": (pets_study, zipped(PETS).getvalue()), "table": (table_study, TABLE)}


def through_json(origin):
    return origins.read(json.loads(json.dumps(asdict(origin))))


@pytest.mark.parametrize("kind", OWN)
def test_of_the_same_file_it_is_the_same_study_under_another_name(kind, here, there):
    build, content = OWN[kind]
    name = build(here)
    origin = through_json(origin_of(here, name))
    again = origins.make(origin, io.BytesIO(content), there, "bert")
    assert again != name
    first, second = (
        studies.open_study(studies.find(one, store), store) for one, store in ((name, here), (again, there))
    )
    assert_close(first.theta, second.theta, rtol=0, atol=0)
    assert first.data.class_names == second.data.class_names
    assert first.data.file(int(first.data.train.ids[0])) == second.data.file(int(second.data.train.ids[0]))
    assert origin_of(there, again) == origin_of(here, name)


def test_another_zip_of_the_same_files_will_do(here, there):
    origin = origin_of(here, pets_study(here))
    other = zipped(dict(reversed(PETS.items())), zipfile.ZIP_STORED)
    assert origins.make(origin, other, there).startswith(recipes.PREFIX)


@pytest.mark.parametrize("kind", OWN)
def test_other_data_are_refused_and_nothing_is_left_of_them(kind, here, there):
    build, _ = OWN[kind]
    origin = origin_of(here, build(here))
    other = {"zip": zipped(PETS | {"cats/more.png": PETS[min(PETS)]}).getvalue(), "table": TABLE + b"\n"}[
        kind
    ]
    with pytest.raises(DataError, match="other data than those in “(pets.zip|shop.csv)”"):
        origins.make(origin, io.BytesIO(other), there)
    assert not [one for one in home_of(there).folder.rglob("*") if one.is_file()]


def test_a_zip_that_was_there_before_stays_where_it_is_not_the_one(here, there):
    origin = origin_of(here, pets_study(here))
    other = zipped(pets(41))
    sent = picture_uploads.keep(there, other, "others.zip", owner="bert")
    with pytest.raises(DataError, match="other data"):
        origins.make(origin, other, there, "bert")
    assert [one.key for one in picture_uploads.uploads(there, "bert")] == [sent.key]


def test_what_ships_is_gone_or_lies_in_a_folder_of_the_server_is_not_told(here):
    folder = recipes.keep(here, FIELDS | {"source": "folder:somewhere/pets"})
    assert [origin_of(here, one) for one in ("digits", folder, f"own-{'0' * 32}", f"table-{'0' * 32}")] == [
        None
    ] * 4


ODD = {
    "a path": {"source": "folder:/etc"},
    "a name": {"name": "digits"},
    "no model": {"model": "pickle"},
    "a network": {"model": "all-convolutional"},
    "too much": {"l2": 10**400},
    "no penalty": {"l2": -1.0},
    "not a number": {"l2": float("nan")},
    "a text": {"l2": "1"},
    "a truth": {"l2": True},
    "letters": {"same_labels": "ab"},
    "no seed": {"seed": -1},
    "a flag": {"seed": True},
    "other data": {"data": "digits"},
    "no network": {"backbone": "../x"},
    "no list": {"same_labels": 3},
    "unhashable": {"model": ["softmax"]},
    "long": {"title": "x" * 1000},
    "half a letter": {"title": "\ud800"},
}


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_is_refused(odd, here, there):
    origin = origin_of(here, pets_study(here))
    with pytest.raises(DataError, match="does not say in a way"):
        origins.make(replace(origin, fields=origin.fields | ODD[odd]), zipped(PETS), there)


def test_a_table_told_oddly_is_refused(here, there):
    origin = origin_of(here, table_study(here))
    for fields in ({"label": 3}, {"ignored": 3}, {"eval": "x"}, {}):
        with pytest.raises(DataError):
            origins.make(replace(origin, fields=fields), io.BytesIO(TABLE), there)


@pytest.mark.parametrize(
    "fields", [{}, {"title": "Pets"}, {"title": "Pets", "data": "own-photos", "model": "softmax"}]
)
def test_where_too_little_is_said_nothing_is_made(fields, here, there):
    origin = origin_of(here, pets_study(here))
    with pytest.raises(DataError, match="does not say in a way"):
        origins.make(replace(origin, fields=fields), zipped(PETS), there)
    assert not recipes.recipes(there)


FILE = {"file": "a.zip", "contents": "0" * 64}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"file": 3, "contents": "0" * 64},
        FILE | {"x": 1},
        FILE | {"contents": "0"},
        FILE | {"file": "\ud800"},
        FILE | {"file": "x" * 1000},
        FILE | {"is_table": "yes"},
        FILE | {"fields": []},
        FILE | {"encoding": None},
    ],
)
def test_no_origin_is_read_of_anything_else(told):
    with pytest.raises(DataError, match="does not say in a way"):
        origins.read(told)


def test_its_list_is_opened_there_with_versions_and_questions(here, there):
    name = pets_study(here)
    mine = Sessions(here).create("ada", name, "Pets", ["cat", "dog"], who="Ada")
    mine.record(*parse("r3,l5=1"))
    mine.save_version("half", f"{name}@r3")
    mine.asked(f"study={name}%40r3&test=7")
    carried = unpacked(packed(mine, origin_of(here, name)))
    again = origins.make(carried.origin, zipped(PETS), there, "bert")
    opened = begin(Sessions(there), "bert", of_study(carried, again))
    assert opened.study == again and opened.state().changes == mine.state().changes
    assert opened.versions() == {"half": f"{again}@r3"}
    assert opened.questions() == (f"study={again}%40r3&test=7",)
    assert unpacked(packed(mine)).origin is None
    assert isinstance(carried.origin, Origin) and "ada" not in packed(mine, carried.origin).decode()


@pytest.mark.slow
@pytest.mark.parametrize("kind", OWN)
def test_the_script_comes_to_the_same_numbers_elsewhere(kind, here, there, tmp_path):
    build, content = OWN[kind]
    base = studies.open_study(studies.find(build(here), here), here)
    at = base.data.train
    version = studies.open_study(
        replace(base.spec, changes=parse(f"r{at.ids[0]},l{at.ids[1]}={1 - int(at.y[1])}")), here
    )
    answer = explain.run(base, questions.ask(base, int(base.predictions.ids[0])))
    material = report.gather(base, answer, base, version, context=Context(here))
    script, file = tmp_path / "repeat.py", tmp_path / "data"
    script.write_text(report.script(material), encoding="utf-8")
    file.write_bytes(content)
    env = {name: value for name, value in os.environ.items() if name not in (HOME_VARIABLE, FOLDER_VARIABLE)}
    env |= {"PYTHONPATH": str(Path(influence_core.__file__).parents[1]), "HOME": str(tmp_path / "nobody")}
    asked = {"capture_output": True, "text": True, "check": False, "env": env}
    done = subprocess.run([sys.executable, str(script), str(file)], **asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same as in the report" in done.stdout and not (tmp_path / "nobody").exists()
    without = subprocess.run([sys.executable, str(script)], **asked)
    assert without.returncode == 1 and "Say where the file is" in without.stderr
    assert np.isfinite(answer.scores).all()
