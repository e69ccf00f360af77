"""Data of somebody's own: uploads kept beside the store, recipes of studies, and which folders may be read."""

import io
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from influence_core import studies
from influence_core.data.brought import own, picture_uploads, recipes, uploads
from influence_core.data.brought.home import home_of
from influence_core.data.brought.tables import Choices
from influence_core.data.readers.labels import AlikeError
from influence_core.errors import Cancelled, DataError
from influence_core.models import backbones
from influence_core.store import FOLDER_VARIABLE, HOME_VARIABLE, Store
from tests.data import test_text_folder
from tests.data.test_archives import packed, packed_raw, pets
from tests.data.test_image_folder import fill, skipped
from tests.data.test_picture_folders import flat, write
from tests.data.test_tables import as_csv, rows

FIELDS = {
    "title": "Cats and dogs",
    "data": own.PHOTOS,
    "model": "logistic",
    "l2": 0.01,
    "seed": 0,
    "source": "",
    "backbone": "",
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def uploads_of(store):
    home = home_of(store).folder / "uploads"
    return sorted(one.name for one in home.iterdir()) if home.exists() else []


# ---------------------------------------------------------------------------------------------------- uploads


def test_an_upload_is_kept_once_under_its_content(store):
    first = picture_uploads.keep(store, packed(pets() | {"../a": b"x"}), "my <pets>.zip")
    again = picture_uploads.keep(store, packed(pets() | {"../a": b"x"}), "other.zip")
    assert first == again == picture_uploads.recall(store, first.key)
    assert first.title == "my _pets_.zip"
    assert skipped(first) == {"names that lead out of the folder": (1, ("../a",))}
    assert uploads_of(store) == [first.key]
    assert sorted(one.name for one in first.folder.iterdir()) == ["cats", "dogs"]


def test_other_names_are_another_upload_and_so_another_study(store):
    raw = [f"{kind}/{at}.png".encode("cp932") for kind in ("ネコ", "イヌ") for at in range(6)]
    zip_ = packed_raw(raw)
    guessed = picture_uploads.keep(store, zip_, "a.zip", owner="me")
    chosen = picture_uploads.keep(store, zip_, "a.zip", owner="me", encoding="gb18030")
    assert guessed.key != chosen.key and (guessed.encoding, chosen.encoding) == ("cp932", "gb18030")
    assert sorted(one.name for one in guessed.folder.iterdir()) == ["イヌ", "ネコ"]
    assert picture_uploads.recall(store, chosen.key) == chosen and dict(chosen.readings)["cp932"].startswith(
        "ネコ"
    )
    names = [recipes.name_of(FIELDS | {"source": f"zip:{one.key}"}, "me") for one in (guessed, chosen)]
    assert names[0] != names[1]
    kept = recipes.keep(store, FIELDS | {"source": f"zip:{guessed.key}"}, "me")
    recipes.discard(store, guessed.key, "me")
    recipes.discard(store, chosen.key, "me")
    assert uploads_of(store) == [guessed.key], "a study is built from it"
    recipes.remove(store, kept, "me")
    assert uploads_of(store) == []


def test_two_people_may_send_the_same_at_once(store):
    content = packed(pets(20)).getvalue()
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda at: picture_uploads.keep(store, io.BytesIO(content), "a"), range(8)))
    assert len({one.key for one in kept}) == 1
    assert uploads_of(store) == [kept[0].key]


def test_what_does_not_fit_is_refused_and_nobodys_pictures_make_room(tmp_path):
    store, made = Store(tmp_path, limit_bytes=100_000), []
    for at in range(2):
        files = {f"{label}/{at}.png": os.urandom(20_000) for label in ("cats", "dogs")}
        made.append(picture_uploads.keep(store, packed(files), f"{at}.zip").key)
    table = (
        pd.DataFrame({"a": [at % 1500 for at in range(2000)], "b": [0, 1] * 1000})
        .to_csv(index=False)
        .encode()
    )
    uploads.keep(store, table, Choices("b"), "a.csv")
    with pytest.raises(DataError, match="at most 0 MB of uploads, .* Remove what you no longer need"):
        picture_uploads.keep(store, packed({"cats/1.png": os.urandom(15_000)}), "large.zip")
    assert uploads_of(store) == sorted(made)
    picture_uploads.remove(store, made[0], "")
    picture_uploads.remove(store, made[0], "")
    assert picture_uploads.keep(store, packed({"cats/1.png": os.urandom(15_000)}), "large.zip")
    with pytest.raises(DataError, match="zip is not on this machine.*Upload it again"):
        picture_uploads.recall(store, made[0])


def test_what_fails_or_is_cancelled_leaves_nothing(store, monkeypatch):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        picture_uploads.keep(store, packed(pets()), "a", stop)
    with pytest.raises(DataError, match="not a zip"):
        picture_uploads.keep(store, io.BytesIO(b"<html>"), "a")
    monkeypatch.setattr(picture_uploads, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="zip has more than"):
        picture_uploads.keep(store, packed(pets()), "a")
    assert uploads_of(store) == []


@pytest.mark.parametrize("key", ["", "..", "../../etc", "0" * 64, "A" * 64, "/etc"])
def test_other_keys_are_not_there(store, key):
    with pytest.raises(DataError, match="zip is not on this machine"):
        picture_uploads.recall(store, key)


# ---------------------------------------------------------------------------------------------------- recipes


def test_a_recipe_is_kept_listed_and_removed(store):
    first = recipes.keep(store, FIELDS)
    time.sleep(0.02)
    second = recipes.keep(store, FIELDS | {"seed": 1, "title": "Others"})
    assert recipes.keep(store, FIELDS) == first == recipes.name_of(FIELDS) != second
    assert {one.title for one in recipes.recipes(store)} == {"Cats and dogs", "Others"}
    assert recipes.recall(store, first).fields == FIELDS
    assert studies.find(first, store) == studies.StudySpec(name=first, **FIELDS)
    recipes.remove(store, first)
    recipes.remove(store, first)
    assert [one.name for one in recipes.recipes(store)] == [second]
    with pytest.raises(DataError, match="removed, or built elsewhere"):
        studies.find(first, store)


def test_many_people_keep_recipes_at_once(store):
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda seed: recipes.keep(store, FIELDS | {"seed": seed}), range(40)))
    assert {one.name for one in recipes.recipes(store)} == set(names)


def test_bad_recipes_are_refused_or_left_out(store, monkeypatch):
    name = recipes.keep(store, FIELDS | {"unknown": 1})
    with pytest.raises(DataError, match="another version"):
        studies.find(name, store)
    folder = home_of(store).folder / "recipes"
    (folder / f"{name}.json").write_text("{")
    (folder / "own-x.json").write_text("{}")
    assert recipes.recipes(store) == ()
    for bad in ("own-x", "../own", "own-" + "0" * 31, "own-" + "0" * 32 + "/../../x"):
        with pytest.raises(DataError):
            recipes.recall(store, bad)
        with pytest.raises(DataError):
            recipes.remove(store, bad)
    monkeypatch.setattr(recipes, "MAX_RECIPES", 1)
    recipes.keep(store, FIELDS)
    with pytest.raises(DataError, match="1 own studies at most"):
        recipes.keep(store, FIELDS | {"seed": 5})
    assert recipes.keep(store, FIELDS) == recipes.name_of(FIELDS)  # it is there already


# ---------------------------------------------------------------------------------------------------- which folders


@pytest.fixture
def allowed(tmp_path, monkeypatch):
    root = tmp_path / "allowed"
    fill(root / "pets", {"cats": 8, "dogs": 8})
    fill(root / "deep" / "er", {"a": 1, "b": 1})
    monkeypatch.delenv(own.FOLDERS_VARIABLE, raising=False)
    return root


def test_only_folders_that_were_allowed_are_read(allowed, store, tmp_path, monkeypatch):
    elsewhere = fill(tmp_path / "elsewhere", {"cats": 8, "dogs": 8})
    (allowed / "link").symlink_to(elsewhere)
    folder = str(allowed)
    assert own.readable_folder(f"{own.IN_FOLDER}{allowed}/pets", store, folder) == allowed / "pets"
    for bad in (
        elsewhere,
        allowed / "link",
        allowed / ".." / "elsewhere",
        "pets",
        "",
        "/",
        tmp_path / "allowed2",
    ):
        with pytest.raises(DataError, match="may not be read.*INFLUENCE_EXPLORER_FOLDERS"):
            own.readable_folder(f"{own.IN_FOLDER}{bad}", store, folder)
    monkeypatch.setenv(own.FOLDERS_VARIABLE, f"{tmp_path / 'none'}{os.pathsep}{elsewhere}")
    assert own.readable_folder(f"{own.IN_FOLDER}{allowed / 'link'}", store, folder) == elsewhere
    assert own.offered(folder) == (allowed, allowed / "deep/er", allowed / "pets", elsewhere)


def test_no_data_folder_allows_nothing(store):
    with pytest.raises(DataError, match="may not be read"):
        own.readable_folder(f"{own.IN_FOLDER}{os.getcwd()}", store, None)


# ---------------------------------------------------------------------------------------------------- the studies


def test_a_folder_becomes_a_study(allowed, store):
    fields = FIELDS | {"source": f"{own.IN_FOLDER}{allowed / 'pets'}", "backbone": "efficientnet-lite0"}
    spec = studies.StudySpec(name="own-x", **fields)
    study = studies.open_study(spec, store, str(allowed), "cpu")
    found = own.survey(spec.source, store, str(allowed))
    assert study.gradient_norm <= 1e-10
    assert study.data.class_names == ("cats", "dogs")
    ids = study.data.train.ids.numpy()
    assert_array_equal(found.is_train[ids], True)
    assert_array_equal(study.data.train.y.numpy(), found.labels[ids])
    assert_array_equal(study.data.pictures.read(int(ids[3]), 64), found.thumbs[ids[3]])
    assert study.data.record(int(ids[3])) == {"file": found.files[ids[3]]}
    other = own.load(own.PHOTOS, spec.source, store, str(allowed), seed=1)
    assert set(other.train.ids.tolist()) != set(ids.tolist())
    unseen = own.load(own.PHOTOS, spec.source, store, str(allowed), pixels=False)
    assert unseen.train.x.shape == (len(ids), 1) and unseen.train.ids.tolist() == ids.tolist()
    shutil.rmtree(allowed / "pets")
    with pytest.raises(DataError, match="could not be opened"):
        studies.open_study(spec, store, str(allowed), "cpu")


def test_no_thumbnail_is_a_feature_where_a_backbone_sees_the_pictures(allowed, store, monkeypatch):
    fields = FIELDS | {"source": f"{own.IN_FOLDER}{allowed / 'pets'}"}
    asked, load = [], own.load
    monkeypatch.setattr(own, "load", lambda *args: asked.append(args[-1]) or load(*args))
    for backbone in ("", "efficientnet-lite0"):
        studies.open_study(
            studies.StudySpec(name="own-x", **fields | {"backbone": backbone}), store, str(allowed), "cpu"
        )
    assert asked == [True, False]


def test_a_draw_loses_no_rare_class(allowed, store):
    fill(allowed / "pets", {"yetis": 2}, start=90)
    source = f"{own.IN_FOLDER}{allowed / 'pets'}"
    for seed in range(10):
        drawn = own.load(own.PHOTOS, source, store, str(allowed), seed, most=(4, 3))
        assert sorted(set(drawn.train.y.tolist())) == sorted(set(drawn.test.y.tolist())) == [0, 1, 2]
        assert (len(drawn.train), len(drawn.test)) == (4, 3)


def test_labels_that_look_alike_become_a_study_as_was_answered(allowed, store):
    names = flat(allowed / "fruit", 20)
    written = [("yes", "YES", "no", "No")[at % 4] for at in range(20)]
    write(allowed / "fruit" / "labels.csv", [("file", "ripe"), *zip(names, written, strict=True)])
    fields = FIELDS | {"source": f"{own.IN_FOLDER}{allowed / 'fruit'}", "model": "softmax"}
    spec = studies.find(recipes.keep(store, fields | {"same_labels": ("YES",)}), store)
    assert spec.same_labels == ("YES",)
    assert studies.open_study(spec, store, str(allowed), "cpu").data.class_names == ("No", "YES", "no")
    unanswered = studies.find(recipes.keep(store, fields), store)
    with pytest.raises(AlikeError, match="look alike"):
        studies.open_study(unanswered, store, str(allowed), "cpu")


def test_texts_become_a_study(store, tmp_path):
    root = test_text_folder.write(tmp_path)
    fields = FIELDS | {"data": own.TEXTS, "source": f"{own.IN_FOLDER}{root / 'texts'}", "l2": 1e-4}
    study = studies.open_study(studies.find(recipes.keep(store, fields), store), store, str(tmp_path), "cpu")
    assert (study.data.kind, study.data.class_names) == ("e-mail", ("ham", "spam"))


def test_what_was_brought_is_found_where_results_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    upload = picture_uploads.keep(Store(), packed(pets(20)), "pets.zip")
    fields = FIELDS | {"source": own.IN_ZIP + upload.key}
    spec = studies.find(recipes.keep(Store(), fields))
    study = studies.open_study(spec, folder=str(tmp_path), device="cpu")
    assert study.data.name == own.PHOTOS
    assert Store().get(study.key) is None, "what was trained is not kept"


@pytest.mark.parametrize("kind", ["photos", "table"])
def test_what_was_computed_of_an_upload_goes_with_it(store, kind):
    """Features and parameters lie beside the data, never in the cache, and nothing is kept of what was removed meanwhile."""
    if kind == "photos":
        sent = picture_uploads.keep(store, packed(pets()), "pets.zip", owner="anna")
        fields = FIELDS | {"source": own.IN_ZIP + sent.key, "backbone": backbones.PACKAGED}
        spec, remove = studies.StudySpec(name=recipes.name_of(fields), **fields), picture_uploads.remove
        near = picture_uploads.beside(store, sent.key)
    else:
        sent = uploads.keep(store, as_csv(rows()), Choices("bought"), "a.csv", "anna")
        spec, remove, near = studies.of_table(sent), uploads.remove, uploads.beside(store, sent.key)
    assert not studies.open_study(spec, store).from_store and studies.open_study(spec, store).from_store
    kept = list(store.folder.rglob("*.npz"))
    assert kept and all(path.is_relative_to(near.folder) for path in kept)
    remove(store, sent.key, "anna")
    assert not near.put("0" * 32, {"x": np.zeros(3)}, {})
    assert [path for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".txt"] == []
