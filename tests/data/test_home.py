"""What people did: kept apart from the cache, its owner's alone, and moved over once from where it was."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from influence_core import studies
from influence_core.data.brought import asked, home, own, picture_uploads, recipes, uploads
from influence_core.data.brought.home import MOVED, home_of
from influence_core.data.brought.tables import Choices
from influence_core.errors import DataError
from influence_core.store import FOLDER_VARIABLE, HOME_VARIABLE, NO_STORE, Store
from influence_core.store.digest import digest
from tests.data.test_archives import packed, pets
from tests.data.test_own import FIELDS

TABLE = b"age,bought\n" + b"".join(b"%d,%d\n" % (20 + 7 * at % 31, at % 2) for at in range(40))
REVIEW = {"method": "exact", "flips": None, "verdicts": [{"train_id": 3}], "trainings": []}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_home_is_where_the_person_says_and_never_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    assert home_of(Store()).folder == home_of(NO_STORE).folder == tmp_path / "home"
    assert home_of(Store(tmp_path / "named")).folder == tmp_path / "named" / "home"
    monkeypatch.delenv(HOME_VARIABLE)
    assert not home_of(Store()).folder.is_relative_to(tmp_path)


def test_what_one_browser_did_another_neither_lists_nor_removes(store):
    upload = picture_uploads.keep(store, packed(pets()), "pets.zip", owner="anna")
    fields = FIELDS | {"source": own.IN_ZIP + upload.key}
    study = recipes.keep(store, fields, "anna")
    table = uploads.keep(store, TABLE, Choices("bought"), "a.csv", "anna")
    mine = [recipes.recipes, uploads.tables, picture_uploads.uploads]
    assert [len(listed(store, "anna")) for listed in mine] == [1, 1, 1]
    assert [len(listed(store, "bert")) for listed in mine] == [0, 0, 0]
    for remove, name in (
        (recipes.remove, study),
        (uploads.remove, table.key),
        (picture_uploads.remove, upload.key),
    ):
        with pytest.raises(DataError, match="Only the browser that made this can remove it"):
            remove(store, name, "bert")
    assert studies.find(study, store).title == "Cats and dogs"  # whoever has the link
    assert studies.find(studies.UPLOADED + table.key, store).title == "a.csv"


def test_names_cannot_be_guessed_from_what_was_sent(store):
    anna = picture_uploads.keep(store, packed(pets()), "pets.zip", owner="anna").key
    assert picture_uploads.keep(store, packed(pets()), "pets.zip", owner="bert").key != anna
    assert recipes.keep(store, FIELDS, "anna") not in {recipes.name_of(FIELDS, one) for one in ("", "bert")}
    tables = {uploads.keep(store, TABLE, Choices("bought"), "a.csv", one).key for one in ("anna", "bert")}
    assert len(tables) == 2


def test_removing_the_last_study_of_a_zip_removes_its_files(store, tmp_path):
    upload = picture_uploads.keep(store, packed(pets(12)), "pets.zip", owner="anna")
    source = own.IN_ZIP + upload.key
    names = [recipes.keep(store, FIELDS | {"source": source, "seed": seed}, "anna") for seed in (0, 1)]
    own.survey(source, store, str(tmp_path))
    assert store.size() == 0, "thumbnails lie beside the pictures, and go with them"
    recipes.remove(store, names[0], "anna")
    assert upload.folder.exists()
    recipes.remove(store, names[1], "anna")
    assert list((home_of(store).folder / "uploads").iterdir()) == []


def test_the_last_table_that_is_removed_leaves_no_file(store):
    kept = uploads.keep(store, TABLE, Choices("bought"), "a.csv", "anna")
    uploads.remove(store, kept.key, "anna")
    assert list((home_of(store).folder / "tables").iterdir()) == []


def test_nobody_reads_uploads_as_a_folder_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "people"))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    upload = picture_uploads.keep(Store(), packed(pets()), "pets.zip", owner="anna")
    assert own.offered(str(tmp_path)) == ()
    for path in (upload.folder, home_of(Store()).folder, tmp_path):
        with pytest.raises(DataError, match="may not be read"):
            own.readable_folder(f"{own.IN_FOLDER}{path}", Store(), str(tmp_path))


def old_cache(folder):
    """What an earlier version left: a recipe, a zip, a review, a table, and a result that can be computed again."""
    name, zipped, review = recipes.name_of(FIELDS), "a" * 64, "b" * 64
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / f"{name}.json").write_text(json.dumps(FIELDS))
    pictures = folder / "uploads" / zipped / "pictures"
    pictures.mkdir(parents=True)
    about = {"title": "pets.zip", "folder": "pictures", "size": 0, "skipped": []}
    (pictures.parent / "about.json").write_text(json.dumps(about))
    store, table = Store(folder), "c" * 32
    store.put(review, {"given": np.arange(3)}, REVIEW)
    facts = {"title": "a.csv", "choices": asdict(Choices("bought")), "classes": 2, "n": 30}
    store.put(table, {}, facts)
    store.put(digest("table's content", table), {"content": np.frombuffer(TABLE, np.uint8)}, {})
    store.put("d" * 64, {"theta": np.zeros(3)}, {"value": {}})
    store.put("e" * 64, {"picture": np.arange(4.0)}, {})
    return name, zipped, review, table


def test_what_earlier_versions_kept_in_the_cache_is_moved_over_once(tmp_path):
    name, zipped, review, table = old_cache(tmp_path)
    store = Store(tmp_path)
    assert [one.name for one in recipes.recipes(store, "anna")] == [name]
    assert recipes.recall(store, name).fields == FIELDS
    assert picture_uploads.recall(store, zipped).title == "pets.zip"
    assert home_of(store).get(review).meta == REVIEW
    (listed,) = uploads.tables(store, "anna")
    assert (listed.key, listed.choices, len(uploads.load(store, table).train)) == (
        table,
        Choices("bought"),
        30,
    )
    assert asked.recall(store, "e" * 64).tolist() == [0, 1, 2, 3], "the link of a picture still works"
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert [one for one in left if not one.startswith("home/")] == sorted([f"{'d' * 64}.npz", MOVED])


def test_what_is_in_the_making_when_a_process_dies_is_gone_at_the_next_start(tmp_path):
    folder = tmp_path / "home"
    for name in (
        "uploads/" + "a" * 64,
        "tables/" + "b" * 32,
        "asked/" + "e" * 64,
        "recipes/own-" + "c" * 32,
        "d" * 64,
    ):
        (folder / f"{name}-x1y2.tmp" / "deep").mkdir(parents=True)
    home_of(Store(tmp_path))
    assert list(folder.rglob("*.tmp")) == []


def test_a_picture_that_was_asked_about_is_kept_for_good_and_is_its_owners(store):
    x = np.linspace(0, 1, 784)
    anna, bert = (asked.keep(store, x, one) for one in ("anna", "bert"))
    assert anna != bert and asked.keep(store, x, "anna") == anna, (
        "its name cannot be guessed from the picture"
    )
    assert np.array_equal(asked.recall(store, anna), x)
    for path in store.folder.glob("*.npz"):
        path.unlink()  # the cache forgets
    assert [one.key for one in asked.of(store, "anna")] == [anna]
    asked.remove(store, "anna")
    with pytest.raises(DataError, match="not on the server"):
        asked.recall(store, anna)
    assert np.array_equal(asked.recall(store, bert), x)
    assert not (home_of(store).folder / "asked" / anna).exists()


@pytest.mark.parametrize("name", ["", "..", "../recipes", "0" * 64, "x" * 64])
def test_only_names_of_pictures_are_opened(store, name):
    with pytest.raises(DataError, match="not on the server"):
        asked.recall(store, name)


def test_a_picture_without_room_is_refused_and_leaves_nothing(tmp_path):
    store = Store(tmp_path, limit_bytes=1000)
    with pytest.raises(DataError, match="keeps at most"):
        asked.keep(store, np.zeros(784), "anna")
    assert asked.of(store, "anna") == () and list(home_of(store).folder.rglob("*.npy")) == []


def test_what_was_half_read_out_of_an_upload_is_swept_away_when_the_next_program_starts(store):
    sent = picture_uploads.keep(store, packed(pets()), "pets.zip", owner="anna")
    own.survey(own.IN_ZIP + sent.key, store, None)
    read = picture_uploads.beside(store, sent.key).folder
    (whole,) = read.iterdir()
    left = read / f"{whole.stem}-x1y2.tmp"
    left.write_bytes(b"half")
    home._home.cache_clear()
    home_of(store)
    assert list(read.iterdir()) == [whole]
