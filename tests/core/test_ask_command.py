"""``ask`` and ``why`` on the command line: sets, quantities, groups, what they refuse."""

import csv
import json

import pytest

from influence_core.__main__ import main

STUDY = ("--study", "one-or-seven", "--no-store")


def run(capsys, *arguments):
    code = main([*arguments, *STUDY])
    return code, capsys.readouterr()


def found(capsys, *arguments):
    code, said = run(capsys, *arguments, "--json")
    assert code == 0, said.err
    return json.loads(said.out)


def test_ask_about_all_mistakes_and_write_the_ranking(capsys, tmp_path):
    file = tmp_path / "ranking.csv"
    code, said = run(capsys, "ask", "--csv", str(file), "--top", "3")
    assert code == 0
    assert "The mean loss of the 9 test images that the model gets wrong: 1.67 nats" in said.out
    assert "Make it better" in said.out
    assert "effect of having it (corrected)" in said.out
    rows = list(csv.DictReader(file.open()))
    assert len(rows) == 1092
    assert {"corrected_effect_of_having_it_nats", "predicted_effect_of_having_it_nats"} <= set(rows[0])
    sizes = [abs(float(row["corrected_effect_of_having_it_nats"])) for row in rows]
    assert sizes == sorted(sizes, reverse=True)


def test_ask_in_json_has_both_sides(capsys):
    answer = found(capsys, "ask", "--over", "cell=7,1", "--quantity", "margin=7,1", "--top", "4")
    assert answer["quantity"] == "margin"
    assert answer["value"] < 0
    assert answer["test_examples"] == 8
    assert all(row["corrected_effect_of_having_it_nats"] > 0 for row in answer["more"])
    assert all(row["corrected_effect_of_having_it_nats"] < 0 for row in answer["less"])
    assert len(answer["more"]) == len(answer["less"]) == 4


def test_why_finds_groups_and_takes_them_out(capsys):
    answer = found(capsys, "why", "--test", "5040", "--retrain")
    assert answer["asked"] == "the probability of 1 for test image 5040"
    assert answer["stable"] and answer["adjusted_rand"] >= 0.8
    assert 3 <= len(answer["groups"]) <= 7
    for group in answer["groups"]:
        assert group["medoid"] in group["members"]
        assert group["converged"]
    strongest = answer["groups"][0]
    assert abs(strongest["forecast_change_without"] / strongest["true_change_without"] - 1) < 0.2
    code, said = run(capsys, "why", "--test", "5040")
    assert code == 0
    assert "carry 50.3 % of all effects, in 4 groups" in said.out
    assert "adjusted Rand index" in said.out


def test_why_asks_another_quantity_of_one_test_example(capsys):
    answer = found(capsys, "why", "--test", "5040", "--quantity", "margin=7,1")
    assert answer["asked"] == "the log odds of 7 rather than 1 over test image 5040"


def test_verdict_and_stand_in_are_said(capsys):
    _, said = run(capsys, "ask", "--quantity", "probability=7", "--top", "1")
    assert "Verdict: amber." in said.out and "A stand-in for" in said.out
    assert "Make it more" in said.out and "Make it better" not in said.out


def test_why_of_a_set(capsys):
    answer = found(capsys, "why", "--over", "errors")
    assert answer["asked"].startswith("the mean loss of the 9")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ask", "--over", "mistakes"), "There is no set of test examples"),
        (("ask", "--quantity", "recall=9"), "There is no label"),
        (("ask", "--top", "0"), "--top must be at least 1"),
        (("why", "--over", "all", "--test", "5040"), "either one test example"),
        (("why", "--test", "x"), "--test takes the id of a test image"),
        (("why", "--quantity", "loss", "--label", "7"), "Name the label in --quantity"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_sentence(capsys, arguments, words):
    code, said = run(capsys, *arguments)
    assert code == 2
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
