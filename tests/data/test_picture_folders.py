"""Folders of pictures as people arrange them: parts of the split by any name, wrapping, tables of labels, few pictures."""

import csv
import io
from pathlib import Path

import pytest

from influence_core.data.brought.photo_folder import survey
from influence_core.data.readers.labels import AlikeError
from influence_core.data.readers.split_names import part_of, parts_of
from influence_core.errors import DataError
from tests.data.test_image_folder import fill, picture, skipped

PETS = {"cats": 6, "dogs": 6}


def counts(found) -> dict[str, tuple[int, int]]:
    """Pictures to train on and to test on of each class."""
    return {
        name: (
            int((found.is_train & (found.labels == at)).sum()),
            int((~found.is_train & (found.labels == at)).sum()),
        )
        for at, name in enumerate(found.class_names)
    }


# ------------------------------------------------------------------------------- parts of the split


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Validation"),
        ("TRAIN", "TEST"),
        ("training", "testing"),
        ("training_set", "test_set"),
        ("trainset", "valset"),
        ("train-images", "dev"),
        ("seg_train", "seg_test"),
        ("train", "valid"),
        ("Learning Data", "holdout"),
        ("訓練用データ", "テスト用データ"),
        ("学習", "検証"),
        ("ｔｒａｉｎ", "eval"),
        ("训练集", "测试集"),
        ("훈련", "테스트"),
        ("Обучающая выборка", "Тестовая выборка"),
        ("Entraînement", "validation"),
        ("entrenamiento", "pruebas"),
        ("Trainingsdaten", "Testdaten"),
        ("Training", "Prüfung"),
        ("Trainingsdatensatz", "Validierungsdatensatz"),
        ("entrainement", "essai"),
        ("обучение", "тест"),
        ("обучающие данные", "тестовые данные"),
        ("訓練", "試験"),
    ],
)
def test_any_common_name_of_a_part_is_one(tmp_path, train, test):
    fill(tmp_path / train, {"cats": 5, "dogs": 4})
    fill(tmp_path / test, {"cats": 2, "dogs": 3}, start=50)
    assert counts(survey(tmp_path)) == {"cats": (5, 2), "dogs": (4, 3)}


@pytest.mark.parametrize(
    "names", [("학습", "검증", "시험"), ("訓練", "検証", "テスト"), ("Train", "VAL", "test")]
)
def test_three_parts_of_a_split_in_any_language(tmp_path, names):
    for at, name in enumerate(names):
        fill(tmp_path / name, {"cats": 5, "dogs": 4}, start=20 * at)
    assert counts(survey(tmp_path)) == {"cats": (5, 10), "dogs": (4, 8)}


def test_a_class_may_lack_its_part_to_test_on_which_is_said(tmp_path):
    fill(tmp_path / "cats", {"train": 6, "test": 2})
    fill(tmp_path / "dogs", {"train": 5}, start=20)
    found = survey(tmp_path)
    assert counts(found) == {"cats": (6, 2), "dogs": (5, 0)}
    assert found.notes == ("1 class has no picture to test on: “dogs”.",)


def test_parts_inside_each_class_are_the_split(tmp_path):
    for kind, n in PETS.items():
        fill(tmp_path / kind, {"train": n, "Test": 2, "drafts": 1}, start=10 * n)
    (tmp_path / "cats" / "readme.txt").write_text("cats")
    found = survey(tmp_path)
    assert counts(found) == {"cats": (6, 2), "dogs": (6, 2)}
    assert {reason: count for reason, (count, _) in skipped(found).items()} == {
        "folders beside the parts of the split": 2,
        "files outside the classes' folders": 1,
    }


@pytest.mark.parametrize(
    "name", ["trains", "testimony", "valley", "contest", "cats", "learned", "train station"]
)
def test_what_only_looks_like_a_part_is_none(name):
    assert part_of(name) == ""


@pytest.mark.parametrize(
    "names",
    [
        ("reviews_train", "reviews_test"),
        ("train2017", "val2017"),
        ("01_train", "02_test"),
        ("train_v1", "test_v2"),
        ("train", "hold-out"),
        ("教師データ", "評価データ"),
        ("Обучение", "Контроль"),
        ("학습데이터", "평가데이터"),
        ("تدريب", "اختبار"),
        ("my photos training", "my photos unseen"),
    ],
)
def test_parts_are_known_by_what_tells_them_apart(names):
    assert parts_of(names) == dict(zip(names, ("train", "test"), strict=True))


def test_shared_words_make_no_parts_of_classes():
    for names in (["train cars", "train wheels"], ["bad reviews", "good reviews"], ["cats"], []):
        assert set(parts_of(names).values()) <= {""}


def test_all_that_is_for_testing_is_tested_on_and_said(tmp_path):
    fill(tmp_path / "train", PETS)
    fill(tmp_path / "val", {"cats": 1, "dogs": 1}, start=50)
    fill(tmp_path / "test", {"cats": 7, "dogs": 5}, start=80)
    found = survey(tmp_path)
    assert counts(found) == {"cats": (6, 8), "dogs": (6, 6)}
    assert found.notes == ("“test” and “val” are for testing, together.",)


def test_a_class_spelled_otherwise_to_test_on_is_the_same(tmp_path):
    fill(tmp_path / "train", {"Äpfel": 6, "Birnen": 6})
    fill(tmp_path / "test", {"a\u0308pfel": 2, "BIRNEN": 2}, start=50)
    assert counts(survey(tmp_path)) == {"Birnen": (6, 2), "Äpfel": (6, 2)}


def test_pictures_to_test_on_without_classes_are_skipped_and_the_split_is_drawn(tmp_path):
    fill(tmp_path / "train", {"cats": 10, "dogs": 10})
    fill(tmp_path, {"test": 4}, start=50)
    found = survey(tmp_path)
    assert counts(found) == {"cats": (8, 2), "dogs": (8, 2)}
    assert skipped(found) == {"folders beside train": (1, ("test",))}
    assert found.notes == ("There is no folder of classes to test on beside “train”: the split is drawn.",)


def test_pictures_to_test_on_of_no_class_that_is_known_leave_the_split_to_be_drawn(tmp_path):
    """As in Tiny ImageNet, where a text file names the classes of `val/images`."""
    for name in PETS:
        fill(tmp_path / "train" / name, {"images": 10})
    fill(tmp_path / "val", {"images": 4}, start=50)
    found = survey(tmp_path)
    assert counts(found) == {"cats": (8, 2), "dogs": (8, 2)}
    assert skipped(found)["pictures of a class without any to train on"][0] == 4
    assert found.notes == ("“val” and “train” have no class in common: the split is drawn of “train”.",)


def test_parts_without_classes_are_no_classes(tmp_path):
    fill(tmp_path, {"Train": 8, "Test": 8})
    with pytest.raises(
        DataError, match=r"“Test” and “Train” hold pictures, but no folders of classes.*labels\.csv"
    ):
        survey(tmp_path)


# ----------------------------------------------------------------------------------------- wrapping


def test_what_only_wraps_is_stepped_into(tmp_path):
    for part, start in (("training_set", 0), ("test_set", 50)):
        fill(tmp_path / "archive" / "pets" / part / part, PETS, start)
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / "archive" / "readme.md").write_text("pets")
    (tmp_path / "archive" / "pets" / "training_set" / "notes.txt").write_text("pets")
    fill(tmp_path / "__MACOSX", {"cats": 3})
    found = survey(tmp_path)
    assert counts(found) == {"cats": (6, 6), "dogs": (6, 6)}
    assert skipped(found) == {
        "files outside the classes' folders": (3, ("LICENSE", "readme.md", "notes.txt"))
    }


def test_a_folder_of_images_inside_each_class_is_the_class(tmp_path):
    for name in PETS:
        fill(tmp_path / name, {"images": 6})
    assert counts(survey(tmp_path)) == {"cats": (5, 1), "dogs": (5, 1)}


# -------------------------------------------------------------------------------------- few pictures


@pytest.mark.parametrize(
    ("n", "expected"), [(2, (1, 1)), (3, (2, 1)), (4, (3, 1)), (5, (4, 1)), (10, (8, 2))]
)
def test_of_two_pictures_one_is_tested_on(tmp_path, n, expected):
    found = survey(fill(tmp_path, dict.fromkeys("abcdef", n)))
    assert set(counts(found).values()) == {expected} and found.notes == ()


def test_a_class_that_nothing_is_tested_of_is_said(tmp_path):
    found = survey(fill(tmp_path, {"cats": 12, "yeti": 1}))
    assert found.notes == ("1 class has no picture to test on: “yeti”.",)


# ------------------------------------------------------------------------------------------- tables


def flat(root: Path, n: int = 12, folder: str = "images") -> list[str]:
    """Pictures in a row, p00.png to p11.png."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for at in range(n):
        (root / folder / f"p{at:02d}.png").write_bytes(picture(at))
    return [f"p{at:02d}.png" for at in range(n)]


def write(path: Path, rows, separator=",", encoding="utf-8") -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


FRUIT = ["りんご", "梨"]


def _plain(names):
    return [("file", "label"), *((name, FRUIT[at % 2]) for at, name in enumerate(names))]


TABLES = {
    "plain": (_plain, ","),
    "tabs, no endings": (
        lambda names: [("breed", "id"), *((FRUIT[at % 2], name[:-4]) for at, name in enumerate(names))],
        "\t",
    ),
    "no header": (lambda names: _plain(names)[1:], ","),
    "paths": (
        lambda names: [("path", "ラベル"), *((f"./images/{n}", FRUIT[at % 2]) for at, n in enumerate(names))],
        ";",
    ),
    "paths of Windows": (
        lambda names: [("f", "x"), *((f"images\\{n.upper()}", FRUIT[at % 2]) for at, n in enumerate(names))],
        ",",
    ),
    "more columns": (
        lambda names: [
            ("name", "width", "Class", "day"),
            *((n, 24 + at, FRUIT[at % 2], at % 3) for at, n in enumerate(names)),
        ],
        ",",
    ),
    "one column a class": (
        lambda names: [("image", *FRUIT), *((n, at % 2 == 0, at % 2) for at, n in enumerate(names))],
        ",",
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_beside_pictures_names_their_classes(tmp_path, kind):
    rows, separator = TABLES[kind]
    made = [[int(cell) if isinstance(cell, bool) else cell for cell in row] for row in rows(flat(tmp_path))]
    write(tmp_path / "labels.csv", made, separator)
    found = survey(tmp_path)
    assert counts(found) == {"りんご": (5, 1), "梨": (5, 1)}
    assert [found.class_names[label] for label in found.labels] == FRUIT * 6
    assert found.notes[0].startswith("labels.csv says what is on each picture: its column “")


def test_a_table_among_the_pictures_with_a_column_of_the_split(tmp_path):
    names = flat(tmp_path, folder=".")
    rows = [(name, FRUIT[at % 2], "Train" if at < 8 else "Valid") for at, name in enumerate(names)]
    write(tmp_path / "list.tsv", [("picture", "what", "split"), *rows], "\t")
    assert counts(survey(tmp_path)) == {"りんご": (4, 2), "梨": (4, 2)}


def test_folders_of_parts_with_one_table(tmp_path):
    write(tmp_path / "labels.csv", _plain(flat(tmp_path, 8, "train") + [f"q{at}.png" for at in range(4)]))
    (tmp_path / "test").mkdir()
    for at in range(4):
        (tmp_path / "test" / f"q{at}.png").write_bytes(picture(90 + at))
    assert counts(survey(tmp_path)) == {"りんご": (4, 2), "梨": (4, 2)}


def test_what_a_table_does_not_say_or_says_twice_is_skipped(tmp_path):
    rows = _plain(flat(tmp_path, 14)[:13])
    rows[3] = (rows[3][0], "")
    rows += [("p00.png", "梨"), ("gone.png", "梨")]
    write(tmp_path / "labels.csv", rows)
    found = survey(tmp_path)
    assert len(found.files) == 11
    assert skipped(found) == {
        "files without a label in labels.csv": (2, ("images/p02.png", "images/p13.png")),
        "pictures with two labels in labels.csv": (1, ("images/p00.png",)),
    }
    assert found.notes[0].endswith("; 1 of its rows name no file that is here.")


OPEN = {
    "two columns": (
        lambda names: [("file", "colour", "size"), *((n, at % 2, at % 3) for at, n in enumerate(names))],
        "labels.csv has several columns that may be what to predict: “colour”, “size”. Call the right one “label”",
    ),
    "no column": (
        lambda names: [
            ("file", "split"),
            *((n, "test" if at % 2 else "train") for at, n in enumerate(names)),
        ],
        "labels.csv names the pictures, but has no column beside",
    ),
    "all different": (
        lambda names: [("file", "label"), *((n, f"only {n}") for n in names)],
        "Every class has a single picture",
    ),
}


@pytest.mark.parametrize("kind", OPEN)
def test_a_table_that_leaves_it_open_is_asked_about(tmp_path, kind):
    rows, words = OPEN[kind]
    write(tmp_path / "labels.csv", rows(flat(tmp_path)))
    with pytest.raises(DataError, match=words):
        survey(tmp_path)


def test_of_tables_as_of_a_competition_the_one_to_train_on_counts(tmp_path):
    write(tmp_path / "train.csv", _plain(flat(tmp_path, 12, "train")))
    (tmp_path / "test").mkdir()
    for at in range(3):
        (tmp_path / "test" / f"t{at}.png").write_bytes(picture(90 + at))
    write(tmp_path / "sample_submission.csv", [("file", "label"), *((f"t{at}.png", "梨") for at in range(3))])
    found = survey(tmp_path)
    assert counts(found) == {"りんご": (5, 1), "梨": (5, 1)}
    assert skipped(found)["files without a label in train.csv"][0] == 3


def test_two_tables_of_the_same_pictures_are_refused(tmp_path):
    names = flat(tmp_path)
    for title in ("a.csv", "b.csv"):
        write(tmp_path / title, _plain(names))
    with pytest.raises(DataError, match=r"“a\.csv” and “b\.csv” both name the pictures\. Keep one"):
        survey(tmp_path)


def test_a_table_beside_folders_of_classes_is_a_file_beside_them(tmp_path):
    write(tmp_path / "labels.csv", [("file", "label"), ("000.png", "x")])
    found = survey(fill(tmp_path, PETS))
    assert skipped(found) == {"files outside the classes' folders": (1, ("labels.csv",))}


@pytest.mark.parametrize("word", ["NA", "N/A", "nan", "null", "", "#N/A"])
def test_words_for_nothing_in_a_table_are_no_labels(tmp_path, word):
    rows = _plain(flat(tmp_path, 14))
    rows[3] = (rows[3][0], word)
    write(tmp_path / "labels.csv", rows)
    found = survey(tmp_path)
    assert counts(found) == {"りんご": (5, 1), "梨": (6, 1)}
    assert skipped(found) == {"files without a label in labels.csv": (1, ("images/p02.png",))}


def test_labels_of_a_table_that_look_alike_are_asked_about_group_by_group(tmp_path):
    names = flat(tmp_path, 24)
    written = ["yes", "YES", "Yes", "no", "No", "no"]
    write(tmp_path / "labels.csv", [("file", "ripe"), *((n, written[at % 6]) for at, n in enumerate(names))])
    with pytest.raises(AlikeError, match="'YES', 'Yes', 'yes'; 'No', 'no'") as asked:
        survey(tmp_path)
    assert asked.value.groups == (("YES", "Yes", "yes"), ("No", "no"))
    assert set(survey(tmp_path, same=("YES", "No")).class_names) == {"YES", "no"}
    assert set(survey(tmp_path, same=("YES",)).class_names) == {"YES", "no", "No"}
    assert len(survey(tmp_path, same=()).class_names) == 5


LEADING_ELSEWHERE = {
    "absolute": "/mnt/d/fruit/images/{}",
    "of Windows": "C:\\Users\\anna\\fruit\\{}",
    "upwards": "..\\..\\images\\{}",
    "an address": "https://fruit.example/raw/{}",
}


@pytest.mark.parametrize("kind", LEADING_ELSEWHERE)
def test_paths_that_lead_elsewhere_are_matched_by_their_last_parts(tmp_path, kind):
    names = flat(tmp_path)
    paths = [LEADING_ELSEWHERE[kind].format(one) for one in names]
    write(tmp_path / "labels.csv", [("file", "label"), *((n, FRUIT[at % 2]) for at, n in enumerate(paths))])
    found = survey(tmp_path)
    assert [found.class_names[label] for label in found.labels] == FRUIT * 6
    assert all(one.startswith("images/") for one in found.files)


def test_last_parts_that_two_rows_have_name_no_picture(tmp_path):
    rows = [(f"/data/train/{one}", FRUIT[at % 2]) for at, one in enumerate(flat(tmp_path, 13))]
    write(
        tmp_path / "labels.csv",
        [("file", "label"), *rows, ("/data/val/p00.png", "梨"), ("../secret.png", "梨")],
    )
    found = survey(tmp_path)
    assert skipped(found) == {"files without a label in labels.csv": (1, ("images/p00.png",))}
    assert "; 3 of its rows name no file that is here." in found.notes[0]
