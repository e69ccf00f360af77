"""The page on which people build their own studies: every way in, what is refused, and what stays."""

import io
import re
from zipfile import ZipInfo

import pytest
import streamlit as st
from PIL import Image

from influence_core import studies
from influence_core.data.brought import own, picture_uploads, recipes, torchvision_sets
from influence_core.errors import DataError
from influence_core.models import backbones
from influence_core.sessions import Sessions
from influence_core.studies.changes import Change
from pages._parts.build import bring, model, visit
from pages._shell import downloads, results
from pages._shell.jobs import get_jobs
from tests import toy_mails
from tests.data import test_idx_files, test_text_folder, test_torchvision_sets
from tests.data.test_archives import ATTACKS, RawName, packed, packed_entries, pets
from tests.data.test_image_folder import fill, picture
from tests.data.test_own import FIELDS
from tests.data.test_pictures import half, save
from tests.visits import (
    address,
    cards,
    charts,
    compared,
    keys,
    owner,
    press,
    said,
    settle,
    title,
    turn_to,
    visit_page,
)

PAGE = "build"


class File(io.BytesIO):
    """What st.file_uploader gives."""

    def __init__(self, content: bytes, name: str = "pets.zip") -> None:
        super().__init__(content)
        self.name = name
        self.file_id = str(hash(content))


@pytest.fixture
def uploaded(monkeypatch):
    held: dict = {"file": None}
    monkeypatch.setattr(st, "file_uploader", lambda *_, **__: held["file"])
    return held


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A data folder and a home of this test's, and nothing in training."""
    visit._begun().clear()
    monkeypatch.setenv("INFLUENCE_EXPLORER_HOME", str(tmp_path / "people"))
    monkeypatch.setenv(downloads.DATA_VARIABLE, str(tmp_path))
    monkeypatch.delenv(own.FOLDERS_VARIABLE, raising=False)
    return tmp_path


def shown_files(at):
    """The files that the table of the ranking names."""
    (table,) = (one.value for one in at.dataframe if "file" in one.value)
    return set(table["file"])


def choose(at, kind):
    at.button_group(key="build_kind").set_value(kind)
    return settle(at)


def from_folder(path, kind=bring.FOLDER):
    at = choose(visit_page(PAGE), kind)
    at.selectbox(key="build_folder_0").set_value(str(path))
    return settle(at)


def train(at, **inputs):
    for key, value in inputs.items():
        at.text_input(key=f"build_{key}").set_value(value)
    return press(at, "build_train")


def built():
    return recipes.recipes(results.get_store(), owner())


def test_the_empty_page_says_what_can_be_brought(uploaded):
    at = visit_page(PAGE)
    assert title(at) == "Which of your own examples matter?"
    assert list(at.button_group(key="build_kind").options) == list(bring.KINDS.values())
    for fact in (
        "at least 10 and at most 20,000 pictures",
        "up to 500 MB",
        "nothing in it is ever run",
        "None yet.",
    ):
        assert fact in said(at), fact
    assert "build_train" not in keys(at)


def test_a_zip_becomes_a_study_that_is_linked_listed_explained_and_removed(uploaded):
    page = {"cats/page.png": b"<html><script>alert(1)</script>"}
    uploaded["file"] = File(packed(pets(6) | page | {"../evil.txt": b"x"}).getvalue(), "my pets.zip")
    at = visit_page(PAGE)
    assert "**2 classes**, **10** pictures to train on and **2** to test on." in said(at)
    counts, skipped = (one.value for one in at.dataframe)
    assert counts["class"].tolist() == ["cats", "dogs"] and counts["to train on"].tolist() == [5, 5]
    assert dict(zip(skipped["why"], skipped["for example"], strict=True)) == {
        "names that lead out of the folder": "../evil.txt",
        "no readable pictures": "cats/page.png",
    }
    assert at.text_input(key="build_title").value == "my pets"
    train(at, title="Pets *of* mine")
    (kept,) = built()
    assert address(at) == {"study": kept.name}
    assert (kept.title, kept.fields["model"], kept.fields["backbone"]) == (
        "Pets of mine",
        "logistic",
        "efficientnet-lite0",
    )
    assert "**Pets of mine** is trained on 10 images" in said(at)
    assert studies.plain_name(studies.find(kept.name, results.get_store())) == "Pets of mine"
    ways = [one.proto for one in at.get("page_link") if one.proto.query_string == f"study={kept.name}"]
    assert [one.label for one in ways][:2] == ["Explain what it says", "Look for wrong labels and copies"]
    assert ways[1].page.endswith("data_health")
    assert ":small[(logistic regression, l2 0.001, seed 0)]" in said(at), "the field's words come last"
    side = at.selectbox(key="side_study")
    assert side.value == kept.name and "ready · Built here: Pets of mine" in side.options
    uploaded["file"] = None
    explained = visit_page("explain", kept.name)
    assert "training images made the model say" in title(explained)
    assert ":material/draft: cats/" in said(explained) or ":material/draft: dogs/" in said(explained)
    (points, *_) = (one for one in charts(explained)["scatter"]["data"] if one.get("hovertext"))
    assert all(re.match(r"\d\.png<br>training image \d+, labelled", text) for text in points["hovertext"])
    shown = [one for key in ("side_helpful", "tests") for one in cards(explained)[key]]
    assert all(one["lines"][0].startswith("filed as ") for one in cards(explained)["tests"])
    assert all(re.fullmatch(r"\d", one["file"]) for one in shown), "each card names its file"
    assert re.search(r"training image \d\.png \(\d+, labelled ", said(explained))
    assert re.search(r"^\d\.png \(test image \d+\): the model says", said(explained), re.M)
    assert shown_files(visit_page("explain", kept.name, chart="table")) == {
        f"{number}.png" for number in range(6)
    }
    assert "the label in your files: " in " ".join(explained.button_group(key="ask").options)
    what_if = visit_page("what_if", kept.name, k="2")
    assert all(re.fullmatch(r"\d", card["file"]) for card in cards(what_if)["group"])
    assert re.search(r"\*\*\d\.png \(test image \d+\)\*\*: the model says", said(what_if))
    opened = visit_page("explain", kept.name, open="0")
    assert "cats/0.png" in str(compared(opened)) and "**0.png (training image 0)**, labelled" in said(opened)
    press(turn_to(explained, PAGE), f"remove_{kept.name}")
    assert built() == ()
    assert "None yet." in said(explained) and "study" not in address(explained)
    gone = visit_page("explain", kept.name)
    assert "removed, or built elsewhere" in said(gone) and "start_over" in keys(gone)


def test_a_folder_with_three_classes_and_pixels(folder):
    pets_folder = fill(folder / "pets", {"cats": 6, "dogs": 6, "yetis": 6})
    at = choose(visit_page(PAGE), bring.FOLDER)
    assert at.selectbox(key="build_folder_0").options == [f"{folder.name}/pets"]
    assert own.FOLDERS_VARIABLE in said(at) and str(folder) not in said(at)
    at.selectbox(key="build_folder_0").set_value(str(pets_folder))
    settle(at)
    assert "**3 classes**" in said(
        at
    ) and "each of the 3 classes; it is trained until nothing gets better (softmax regression" in said(at)
    assert "Nothing was skipped." in said(at)
    at.selectbox(key="build_backbone").set_value("")
    train(at, seed="3")
    (kept,) = built()
    assert (kept.fields["model"], kept.fields["seed"], kept.fields["backbone"]) == ("softmax", 3, "")
    assert kept.fields["source"] == f"folder:{pets_folder}"
    assert "seen as pixels :small[(softmax regression" in said(at)


def test_labels_that_look_alike_are_asked_about_group_by_group_and_the_answers_are_trained_on(uploaded):
    rows = [f"p{at}.png,{('yes', 'YES', 'no', 'No')[at % 4]}" for at in range(20)]
    pictures = {f"p{at}.png": picture(at) for at in range(20)}
    uploaded["file"] = File(
        packed(pictures | {"labels.csv": "\n".join(["file,ripe", *rows]).encode()}).getvalue()
    )
    at = settle(visit_page(PAGE))
    asked = ["Are 'YES', 'yes' one label?", "Are 'No', 'no' one label?"]
    assert [one.label for one in at.radio if "one label?" in one.label] == asked
    for question in asked:
        assert "build_train" not in keys(at), "a group has no answer"
        next(one for one in at.radio if one.label == question).set_value(True)
        settle(at)
    assert "**2 classes**" in said(at)
    at.selectbox(key="build_backbone").set_value("")
    train(at)
    (kept,) = built()
    assert (kept.fields["same_labels"], kept.fields["model"]) == (("YES", "No"), "logistic")


def test_idx_files_in_a_zip_are_trained_on_and_explained_by_their_pixels(uploaded):
    uploaded["file"] = File(packed(test_idx_files.data_set_files()).getvalue(), "fashion.zip")
    at = visit_page(PAGE)
    assert "**2 classes**, **60** pictures to train on and **24** to test on." in said(at)
    at.selectbox(key="build_backbone").set_value("")
    train(at)
    (kept,) = built()
    assert "train-images-idx3-ubyte/7" in str(compared(visit_page("explain", kept.name, open="7")))


def test_how_pictures_were_read_is_said_to_the_letter(uploaded):
    names = [f"{at}.png" for at in range(12)]
    rows = "".join(f"{name},{'ab'[at % 2]}\n" for at, name in enumerate(names))
    files = {f"pics/{name}": picture(at) for at, name in enumerate(names)}
    uploaded["file"] = File(packed({"labels.csv": f"*f*,$x$\n{rows}".encode(), **files}).getvalue())
    at = visit_page(PAGE)
    assert "**2 classes**, **10** pictures to train on and **2** to test on." in said(at)
    (note,) = (one.value for one in at.info)
    assert note.startswith("labels.csv says what is on each picture")
    assert r"\*f\*" in note and r"\$x\$" in note


def test_texts_in_a_folder(folder):
    test_text_folder.write(folder)
    train(from_folder(folder / "texts", bring.TEXTS))
    (kept,) = built()
    assert (kept.fields["data"], kept.fields["l2"]) == (own.TEXTS, 1e-4)


def test_a_table_has_its_form():
    at = choose(visit_page(PAGE), bring.TABLE)
    assert any(one.label == "Use a table of your own" for one in at.expander)


def test_a_table_that_was_trained_on_says_where_to_go_on(uploaded):
    at = choose(visit_page(PAGE), bring.TABLE)
    rows = "\n".join(f"{at % 7},{at % 3},{'ja' if at % 7 > 3 else 'nein'}" for at in range(60))
    uploaded["file"] = File(f"a,b,urteil\n{rows}".encode(), "mine.csv")
    settle(at)
    at.button(key="table_train").click()
    at.run()
    uploaded["file"] = None
    settle(at)
    assert "**mine.csv** is kept: 45 rows to train on." in at.success[0].value
    assert address(at)["study"].startswith("table-")


def test_a_changed_folder_is_looked_at_again(folder):
    path = fill(folder / "pets", {"cats": 6, "dogs": 6})
    at = from_folder(path)
    assert "**10** pictures to train on" in said(at)
    fill(path, {"cats": 26})
    press(at, "build_again")
    assert "**26** pictures to train on" in said(at)


@pytest.mark.parametrize("path", ["/", "/etc", "pets", "../..", "~root"])
def test_other_folders_of_the_disk_are_not_read(path, monkeypatch):
    monkeypatch.setattr(own, "offered", lambda _: (path,))  # typed: AppTest chooses only what is offered
    at = from_folder(path)
    assert "This folder may not be read" in said(at)
    assert "build_train" not in keys(at)


BAD = {
    "no zip": (lambda: b"<!doctype html>", "not a zip that can be read"),
    "half a zip": (
        lambda: packed(pets()).getvalue()[:-100],
        "not a zip that can be read, or it is incomplete",
    ),
    "empty": (lambda: packed({}).getvalue(), "it is empty"),
    "names that lead out": (
        lambda: packed({"../a.png": picture(1), "/etc/b.png": picture(2)}).getvalue(),
        "2 × names that lead out of the folder",
    ),
    "one class": (
        lambda: packed({f"cats/{at}.png": picture(at) for at in range(12)}).getvalue(),
        "only one: “cats”",
    ),
    "no pictures": (lambda: packed(dict.fromkeys(pets(), b"<html>")).getvalue(), "12 × no readable pictures"),
    "cut pictures": (
        lambda: packed({name: half(one) for name, one in pets().items()}).getvalue(),
        "damaged or incomplete pictures",
    ),
    "tiny pictures": (
        lambda: packed(dict.fromkeys(pets(), save(Image.new("L", (1, 1))))).getvalue(),
        "less than 8 pixels a side",
    ),
    "few": (lambda: packed(pets(2)).getvalue(), "Only 4 pictures can be used; at least 10"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_uploads_are_said_and_the_page_goes_on(uploaded, name):
    make, message = BAD[name]
    uploaded["file"] = File(make())
    at = visit_page(PAGE)
    assert message in said(at).replace("\\", "")
    assert "build_train" not in keys(at)
    assert [one.value for one in at.header] == ["Your studies"], "what else is on the page is still there"
    uploaded["file"] = File(packed(pets()).getvalue())
    assert "build_train" in keys(settle(at))


def test_every_attack_in_one_zip(uploaded, tmp_path):
    good = [(ZipInfo(name), content) for name, content in pets().items()]
    entries = [one for attack, _ in ATTACKS.values() for one in attack]
    uploaded["file"] = File(packed_entries([*good, *entries]).getvalue())
    at = visit_page(PAGE)
    assert not at.error and "build_train" in keys(at)
    skipped = dict(zip(at.dataframe[1].value["why"], at.dataframe[1].value["how many"], strict=True))
    assert skipped["names that lead out of the folder"] == 12
    assert skipped["links and special files"] == 3
    assert [one.name for one in tmp_path.iterdir()] == ["people"]


def test_a_zip_need_not_be_sent_again_after_a_change_of_mind(uploaded):
    uploaded["file"] = File(packed(pets(7)).getvalue(), "my pets.zip")
    at = visit_page(PAGE)
    at.session_state["building"] = {
        "title": "x",
        "data": own.PHOTOS,
        "model": "logistic",
        "l2": 0.1,
        "source": "zip:",
    }
    assert "zip is not on this machine" in said(settle(at))
    uploaded["file"] = None  # the browser forgets it
    press(at, "build_back")
    assert "Sent before: my pets.zip" in said(at).replace("\\", "") and "build_train" in keys(at)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({f"l2_{own.PHOTOS}": "0"}, "l2, must be a number above 0"),
        ({f"l2_{own.PHOTOS}": "nan"}, "l2, must be a number above 0"),
        ({f"l2_{own.PHOTOS}": "much"}, "but is “much”"),
        ({"seed": "-1"}, "seed, must be a whole number"),
        ({"seed": "1e3"}, "seed, must be a whole number"),
    ],
)
def test_bad_settings_are_said(uploaded, inputs, message):
    uploaded["file"] = File(packed(pets()).getvalue())
    at = train(visit_page(PAGE), **inputs)
    assert message in said(at)
    assert built() == ()


def test_hostile_names_are_shown_to_the_letter(uploaded):
    files = {name.replace("cats", "[x](b) _c_ $d$"): content for name, content in pets().items()}
    uploaded["file"] = File(packed(files).getvalue(), "<b>*x*.zip")
    at = train(visit_page(PAGE), title="[a](javascript:b) <i>")
    (kept,) = built()
    assert kept.title == "a(javascriptb) i"
    assert not any("<i>" in str(one.value) for one in at.markdown)


def test_a_reload_finds_what_is_in_training(folder, monkeypatch):
    path = fill(folder / "pets", {"cats": 6, "dogs": 6})
    fields = FIELDS | {"title": "Pets", "source": f"{own.IN_FOLDER}{path}", "seed": 3}
    visit._begun()[owner()] = fields  # begun by the page before it was loaded again
    assert "**Pets** is trained on" in said(visit_page(PAGE))
    assert [one.title for one in built()] == ["Pets"] and visit._begun() == {}


def test_training_can_be_left_and_nothing_is_kept_of_a_failure(folder):
    path = fill(folder / "pets", {"cats": 6, "dogs": 6})
    at = from_folder(path)
    for one in (path / "dogs").iterdir():
        one.write_bytes(b"<html>")
    train(at)
    assert "only one: “cats”" in said(at).replace("\\", "")
    assert built() == ()
    (path / "dogs" / "000.png").write_bytes(picture(3))
    press(at, "build_back")
    assert at.button_group(key="build_kind").value == bring.FOLDER
    assert at.selectbox(key="build_folder_0").value == str(path)
    assert at.text_input(key="build_title").value == "pets" and "build_train" in keys(at)


def test_a_study_trained_again_looks_at_the_pictures_again(folder):
    path = fill(folder / "pets", {"cats": 5, "dogs": 5})
    train(from_folder(path))
    fill(path, {"cats": 10})
    train(from_folder(path), title="pets")
    (kept,) = built()
    study = get_jobs().result(results.study_key(kept.name, "auto"))
    assert len(study.data.train) == 12


def test_a_study_of_another_version_can_still_be_removed():
    name = recipes.keep(results.get_store(), {"title": "Old", "gone": 1})
    at = visit_page(PAGE)
    assert "built by another version" in said(at)
    press(at, f"remove_{name}")
    assert built() == ()


def test_what_goes_with_a_study_is_said_before_it_is_removed():
    name = recipes.keep(results.get_store(), {"title": "Old", "gone": 1}, owner())

    def asked():
        at = visit_page(PAGE)
        at.session_state[f"ask_remove_{name}"] = True
        return settle(at)

    assert "with it." not in said(asked()), "nothing was said of it"
    session = Sessions(results.get_store()).create(owner(), name, "Old", ("a", "b"))
    session.record(Change("remove", 1), Change("remove", 2))
    assert "for good. 2 verdicts and notes go with it." in said(asked())
    assert "with it." not in said(visit_page(PAGE)), "it is counted for who opens the question"
    session.save_version("first try", f"{name}@r1")
    at = asked()
    assert "2 verdicts and notes and 1 saved version go with it." in said(at)
    press(at, f"remove_{name}")
    assert not Sessions(results.get_store()).of(owner(), name)


def test_the_list_survives_a_recipe_that_names_a_removed_upload():
    fields = {
        "title": "Lost",
        "data": own.PHOTOS,
        "model": "logistic",
        "l2": 0.1,
        "source": "zip:" + "0" * 64,
    }
    name = recipes.keep(results.get_store(), fields)
    assert "Lost" in said(visit_page(PAGE))
    at = visit_page("explain", name)
    assert "zip is not on this machine" in said(at)


# ----------------------------------------------------------------------------------------------- other networks


def unfold_weights(at):
    at.session_state["weights_folded"] = True
    return settle(at)


def test_weights_are_downloaded_only_when_asked_to_and_then_offered(folder, monkeypatch):
    path = fill(folder / "pets", {"cats": 6, "dogs": 6})
    fetched = []

    def fetch(name, where, progress):
        fetched.append((name, where))
        file = backbones.weights_path(name, where)
        file.parent.mkdir()
        file.write_bytes(b"weights")

    monkeypatch.setattr(backbones, "download", fetch)
    at = from_folder(path)
    assert "weights_name" not in keys(at), "their names are not read before they are asked for"
    unfold_weights(at)
    assert "inception_v3" in at.selectbox(key="weights_name").options
    assert "109 MB, are fetched from PyTorch's site" in said(at) and not fetched
    assert "inception_v3" not in at.selectbox(key="build_backbone").options
    press(at, "download_weights")
    assert fetched == [("inception_v3", str(folder))]
    assert "inception_v3 (torchvision)" in at.selectbox(key="build_backbone").options
    assert "inception_v3" not in at.selectbox(key="weights_name").options


def test_a_download_that_fails_is_said_and_hides_nothing(monkeypatch):
    def fail(name, where, progress):
        raise DataError("The weights of inception_v3 could not be downloaded: no network")

    monkeypatch.setattr(backbones, "download", fail)
    at = press(unfold_weights(visit_page(PAGE)), "download_weights")
    assert any("no network" in one.value for one in at.error)
    assert any("Your studies" in one.value for one in at.header)
    monkeypatch.setattr(backbones, "download", lambda name, where, progress: None)
    assert not press(at, "job_start_again").error


def test_japanese_texts_in_a_zip_are_shown_in_their_encoding_trained_and_explained(uploaded):
    files = {
        f"レビュー/{label}/{at:03d}.txt": text.encode("cp932")
        for at, (text, label) in enumerate(toy_mails.reviews("Japanese"))
    }
    uploaded["file"] = File(packed(files | {"レビュー/はじめに.txt": b"x"}).getvalue(), "レビュー.zip")
    at = choose(visit_page(PAGE), bring.TEXTS_ZIP)
    assert "**2 classes**, **48** texts to train on and **12** to test on." in said(at)
    assert "of all texts hold none of them" in said(at) and "60 as Japanese (Shift-JIS)" in said(at)
    counts, skipped = (one.value for one in at.dataframe)
    assert counts["class"].tolist() == ["否定", "肯定"]
    assert skipped["for example"].tolist() == ["はじめに.txt"]
    first = toy_mails.reviews("Japanese")[0][0]
    assert counts["one of them begins"][0] == first
    chosen = next(one for one in at.selectbox if one.label.startswith("Encoding"))
    chosen.set_value("mac_roman")
    settle(at)
    assert at.dataframe[0].value["one of them begins"][0] != first
    next(one for one in at.selectbox if one.label.startswith("Encoding")).set_value("cp932")
    settle(at)
    train(at, title="映画レビュー")
    (kept,) = built()
    assert (kept.title, kept.fields["encoding"]) == ("映画レビュー", "cp932")
    assert "is trained on 48 texts" in said(at)
    explained = visit_page("explain", kept.name)
    assert "training texts made the model say" in title(explained)
    assert "words stand in at least 5" in said(explained)


def test_an_encoding_can_be_chosen_where_the_guess_makes_no_texts(folder):
    words = {"კარგი": "ძალიან კარგი წიგნი მომეწონა", "ცუდი": "საშინელი ფილმი არ მომეწონა"}
    for label, text in words.items():
        (folder / "texts" / label).mkdir(parents=True)
        for at in range(15):
            (folder / "texts" / label / f"{at}.txt").write_bytes(f"{text} {at}".encode("utf-16-be"))
    at = from_folder(folder / "texts", bring.TEXTS)
    assert "no text" in at.error[0].value
    next(one for one in at.selectbox if one.label.startswith("Encoding")).set_value("utf-16-be")
    settle(at)
    assert not at.error and "**2 classes**, **24** texts to train on" in said(at)
    assert at.dataframe[0].value["one of them begins"][0].startswith(words["კარგი"])


def test_texts_without_signal_say_so_where_they_are_built_and_explained(folder):
    toy_mails.write_reviews(folder / "texts", "Russian", "koi8_r", signal=False)
    at = train(from_folder(folder / "texts", bring.TEXTS))
    assert "learnt nothing that shows" in said(at)
    (kept,) = built()
    assert "learnt nothing that shows" in said(visit_page("explain", kept.name))


def test_a_folder_of_texts_that_cannot_be_split_is_refused_before_training_and_names_no_path(folder):
    test_text_folder.write(folder)
    test_text_folder.one_left(folder)
    at = from_folder(folder / "texts", bring.TEXTS)
    assert "one is needed to train on and one to test on" in said(at)
    assert "build_train" not in keys(at)
    assert not any(str(folder) in one.value for one in at.error)


# ---------------------------------------------------------------------------------------- a set of torchvision


def name_set(at, name):
    at.selectbox(key="build_set").set_value(name)
    return settle(at)


def test_a_data_set_of_torchvision_is_read_out_of_the_data_folder(folder, monkeypatch):
    test_torchvision_sets.fashion(folder)
    monkeypatch.setattr(model, "TRAINED_ON", 80)
    at = name_set(choose(visit_page(PAGE), bring.SET), "FashionMNIST")
    assert "**10 classes**, **120** pictures to train on and **40** to test on." in said(at)
    assert [one.label for one in at.number_input] == [
        "Pictures to train on, of 120",
        "Pictures to test on, of 40",
    ]
    at.number_input(key="build_n_test_torchvision:FashionMNIST").set_value(30)
    at.selectbox(key="build_backbone").set_value("")
    train(at)
    (kept,) = built()
    assert kept.fields["source"] == "torchvision:FashionMNIST"
    assert (kept.fields["n_train"], kept.fields["n_test"]) == (80, 30)
    assert "is trained on 80 images: 100.0 % of 30 test images are right" in said(at)
    assert "from torchvision's FashionMNIST" in said(at)
    drawn = own.load(own.PHOTOS, "torchvision:FashionMNIST", results.get_store(), str(folder), most=(80, 30))
    one = int(drawn.train.ids[3])
    opened = visit_page("explain", kept.name, open=str(one))
    (beside,) = (words for words in compared(opened) if words["title"] == f"Training image {one}")
    assert beside["src"] and "train/" not in str(compared(opened)) + said(opened)
    assert all(card["file"] == "" for key in ("tests", "side_helpful") for card in cards(opened)[key])


def test_a_data_set_that_is_not_there_is_fetched_by_its_button_alone(folder, monkeypatch):
    asked = []

    def fetch(_, where, progress=None):
        asked.append(where)
        test_torchvision_sets.fashion(folder)

    monkeypatch.setattr(torchvision_sets.TorchvisionSet, "fetch", fetch)
    at = choose(visit_page(PAGE), bring.SET)
    assert "Fashion-MNIST (not here yet)" in at.selectbox(key="build_set").options
    name_set(at, "FashionMNIST")
    assert "It needs the data set Fashion-MNIST in" in said(at) and "31 MB, from Zalando" in said(at)
    assert str(folder) not in said(at) and not asked and "None yet." in said(at)
    press(at, "download_torchvision:FashionMNIST")
    assert asked == [str(folder)] and "**10 classes**, **120** pictures" in said(at)


def test_a_link_to_a_data_set_of_torchvision_offers_it(folder):
    at = visit_page("explain", "torchvision:KMNIST")
    assert at.header[0].value == "KMNIST is not on this machine" and "download_torchvision:KMNIST" in keys(at)
    assert "no data set “nothing” of torchvision" in said(visit_page("explain", "torchvision:nothing"))


# ---------------------------------------------------------------------------------------- names in a zip


def zip_of_names(encoding, kinds=("ネコ", "イヌ"), count=8):
    """Pictures in folders of these names, which do not say their encoding."""
    infos = []
    for kind in kinds:
        for at in range(count):
            info = RawName(f"{kind}{at}".encode(encoding).decode("cp437"))
            info.raw = f"{kind}/{at}.png".encode(encoding)
            infos.append((info, picture(at)))
    return packed_entries(infos).getvalue()


@pytest.mark.slow
def test_the_encoding_of_names_in_a_zip_is_shown_and_changed(uploaded):
    uploaded["file"] = File(zip_of_names("cp932"), "pets.zip")
    at = visit_page(PAGE)
    (select,) = [one for one in at.selectbox if one.label == "Encoding of the names in the zip"]
    assert select.options[0] == "Japanese (Shift-JIS): ネコ, イヌ"
    assert at.dataframe[0].value["class"].tolist() == ["イヌ", "ネコ"]
    select.set_value("gb18030")
    settle(at)
    wrong = [one.encode("cp932").decode("gb18030", "replace") for one in ("ネコ", "イヌ")]
    assert at.dataframe[0].value["class"].tolist() == sorted(wrong)
    (sent,) = picture_uploads.uploads(results.get_store(), owner())
    assert sent.encoding == "gb18030", "what was unpacked under the other names is gone"
    train(at)
    (kept,) = built()
    assert kept.fields["source"] == f"zip:{sent.key}"
    assert visit_page("explain", kept.name).session_state is not None


def test_names_chosen_back_are_unpacked_again(uploaded):
    uploaded["file"] = File(zip_of_names("cp866", ("Кошки", "Собаки")), "pets.zip")
    at = visit_page(PAGE)
    for chosen, classes in (("cp1251", None), ("", ["Кошки", "Собаки"])):
        (select,) = [one for one in at.selectbox if one.label == "Encoding of the names in the zip"]
        settle(select.set_value(chosen) and at)
        assert classes is None or at.dataframe[0].value["class"].tolist() == classes


def test_a_zip_that_was_sent_before_tells_how_its_names_were_read(uploaded):
    uploaded["file"] = File(zip_of_names("gb18030", ("小猫", "小狗")), "pets.zip")
    at = visit_page(PAGE)
    uploaded["file"] = None
    settle(at)
    assert "read as Chinese (GB18030, GBK): 小猫, 小狗. To read them otherwise, send the zip again." in said(
        at
    )
    (sent,) = picture_uploads.uploads(results.get_store(), owner())
    press(at, f"remove_{sent.key}")
    assert "Sent before" not in said(at) and picture_uploads.uploads(results.get_store(), owner()) == ()


def test_plain_names_are_not_asked_about(uploaded):
    uploaded["file"] = File(packed(pets(6)).getvalue(), "pets.zip")
    assert not [one for one in visit_page(PAGE).selectbox if "names" in one.label]
