"""``health`` on the command line."""

import json

from influence_core.__main__ import main

STUDY = ("health", "--study", "diabetes", "--no-store")


def test_health_says_what_was_looked_for(capsys):
    assert main([*STUDY]) == 0
    said = capsys.readouterr().out
    assert "stand-in for the hospital stays" in said
    assert "No test row is a copy of a training row." in said
    assert "no two stand in for each other" in said


def test_health_in_json_has_every_finding(capsys):
    assert main([*STUDY, "--test", "288", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = {one["name"] for one in found["findings"]}
    doubtful = {"contradicted", "contradicted_tests"}
    known = {"conflicts", "leaks", "small", "repeated", "thin", "outliers", "twins", "unused"}
    assert names == known | doubtful
    assert all(one["count"] or not one["cases"] for one in found["findings"])
    assert any("test row 288" in one["sentence"] for one in found["findings"])


def test_a_test_row_that_is_not_there_is_refused(capsys):
    assert main([*STUDY, "--test", "999999"]) == 2
    assert "There is no example with id 999999" in capsys.readouterr().err
