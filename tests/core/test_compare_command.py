"""``compare`` on the command line: before and after in words and in JSON, and what it refuses."""

import csv
import json

import pytest

from influence_core.__main__ import main
from influence_core.studies import find, open_study

PLAIN = "diabetes"


@pytest.fixture(scope="module")
def address():
    train, test = open_study(find(PLAIN)).data.train, open_study(find(PLAIN)).data.test
    flipped = [f"l{train.ids[i]}={1 - int(train.y[i])}" for i in range(0, 120, 3)]
    return f"{PLAIN}@" + ",".join([*flipped, f"r{train.ids[1]}", f"a{test.ids[5]}={int(test.y[5])}"])


def test_before_and_after_in_words_and_in_json_agree(address, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path))
    file = tmp_path / "answers.csv"
    asked = ("--study", address, "--test", "misclassified", "--group", "sex")
    assert main(["compare", *asked, "--json", "--csv", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["unchanged"] == PLAIN and find(told["study"]).unchanged.name == PLAIN
    total = told["all"]
    assert total["change_from"] <= total["change"] <= total["change_to"]
    assert len(told["answers"]) == total["better"] + total["broke"] + total["between"] > 0
    assert len(list(csv.DictReader(file.open()))) == len(told["answers"])
    assert sum(one["total"] for one in told["groups"]) == total["total"]
    assert len(told["changes"]) == 42
    assert "asked about and the 1 that is added" in told["part"]
    assert main(["compare", *asked]) == 0
    words = capsys.readouterr().out
    assert "What got better and what broke with 42 changes" in words
    assert f"Broke: {total['broke']}" in words
    assert "By group" in words and "Forecast before training" in words


def test_a_test_label_set_right_is_said(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path))
    test = open_study(find(PLAIN)).data.test
    assert main(["compare", "--study", f"{PLAIN}@t{test.ids[8]}={1 - int(test.y[8])}"]) == 0
    words = capsys.readouterr().out
    names = [("slow", "fast")[int(one)] for one in (1 - test.y[8], test.y[8])]
    assert f"test row {test.ids[8]} judged as {names[0]} instead of {names[1]}" in words
    assert "1 test label was set right by hand, for both models alike" in words


def test_rows_of_one_value_are_withdrawn(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path))
    assert main(["compare", "--study", PLAIN, "--without", "sex=2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    study = open_study(find(PLAIN))
    gone = [int(one) for one in study.data.train.ids if study.data.record(int(one))["sex"] == "2"]
    assert [one["example_id"] for one in told["changes"]] == sorted(gone)
    assert find(told["study"]).changes == tuple(
        find(f"{PLAIN}@" + ",".join(f"r{one}" for one in gone)).changes
    )
    assert main(["compare", "--study", PLAIN, "--without", "sex=2"]) == 0
    words = capsys.readouterr().out
    assert f"with {len(gone)} changes" in words and f"and {len(gone) - 20} more" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--study", PLAIN), "Name a version to compare"),
        (("--study", f"{PLAIN}@r99999999"), "no example with id"),
        (("--study", f"{PLAIN}@x"), "is no change"),
        (("--study", PLAIN, "--without", "sex=9"), "No training row has “9”"),
        (("--study", "one-or-seven", "--without", "sex=9"), "a column of a table"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(arguments, words, capsys):
    assert main(["compare", *arguments, "--no-store"]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
