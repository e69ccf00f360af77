"""The report: it opens by itself, hostile names stay text, its script comes to the same numbers."""

import csv
import io
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

import influence_core
from influence_core import report
from influence_core.__main__ import main
from influence_core.context import Context
from influence_core.experiments import explain, flip, questions
from influence_core.sessions import Sessions, unpacked
from influence_core.store import Store
from influence_core.studies import find, open_study
from influence_core.studies.changes import Change, settled

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)> {{7*7}} \u202eevil =1+1"


class Tags(HTMLParser):
    """Every tag and attribute of a page, and its words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def base():
    return open_study(find("diabetes"))


@pytest.fixture(scope="module")
def version(base):
    train, test = base.data.train, base.data.test
    made = [
        Change("relabel", int(train.ids[i]), label=1 - int(train.y[i]), why="=why") for i in range(0, 90, 3)
    ]
    made += [Change("remove", int(train.ids[1])), Change("reweight", int(train.ids[2]), weight=2)]
    made += [Change("add", int(test.ids[5]), label=int(test.y[5]))]
    return open_study(replace(base.spec, changes=tuple(made)))


@pytest.fixture(scope="module")
def material(base, version):
    answer = explain.run(base, questions.ask(base, int(base.predictions.ids[base.predictions.first()])))
    return report.gather(base, answer, base, version)


def test_the_page_stands_alone_and_says_it_all(material, base, version):
    text = report.page(material, date(2026, 1, 2))
    found = Tags(text)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(found.tags)
    for name, value in found.attributes:
        assert not name.startswith("on") and name not in ("href", "srcset", "action")
        assert name != "src" or value.startswith("data:image/")
    assert "url(" not in text and "@import" not in text
    words = " ".join(" ".join(found.words).split())
    total = material.compared.result.total
    for said in (
        "Before and after",
        f"Got better, besides what was asked about: {total.better}",
        f"Broke, besides what was asked about: {total.broke}",
        "What not to believe",
        "true relative residual",
        base.key,
        version.key,
        "By class",
        f"Test accuracy, of {material.compared.result.base}",
        "2026-01-02",
    ):
        assert said in words
    assert text == report.page(material, date(2026, 1, 2))


def test_hostile_names_stay_text(base, material):
    data = replace(base.data, class_names=(HOSTILE, "plain"), stand_in=HOSTILE)
    odd = replace(base, data=data, spec=replace(base.spec, title=HOSTILE))
    answer = explain.run(odd, questions.ask(odd, material.explanation.test_id, 0))
    text = report.page(report.gather(odd, answer))
    found = Tags(text)
    assert not {"script", "img"} & set(found.tags)
    assert not any(name.startswith("on") for name, _ in found.attributes)
    words = " ".join(found.words)
    assert "<script>alert(1)</script>" in words and "{{7*7}}" in words
    assert "\u202e" not in text and "[U+202E]evil" in words


def test_an_example_that_was_taken_out_again_is_not_said_to_have_the_right_label(base, material, tmp_path):
    mine = Sessions(Store(tmp_path)).create("ada", "diabetes")
    added, both, kept = (int(one) for one in base.data.test.ids[:3])
    mine.record(Change("add", added, label=0), Change("add", both, label=0))
    mine.record(Change("keep", added), Change("keep", both), Change("keep", kept))
    mine.note(added, "was not needed")

    def said():
        return " ".join(Tags(report.page(replace(material, said=mine.state()))).words)

    assert f"1 label was looked at and found right: test row {kept} (" in said()
    mine.record(Change("keep", both))
    assert "2 labels were looked at and found right" in said() and f"test row {both} (" in said()
    assert f"test row {added} (" not in said()


def test_a_hostile_name_is_no_code_in_the_script(material):
    address = "x', __import__('os').abort(), '"
    odd = replace(material.study, spec=replace(material.study.spec, name=address))
    program = report.script(replace(material, study=odd))
    compile(program, "repeat.py", "exec")
    assert repr(address) in program


def test_the_zip_holds_the_list_of_changes_where_there_is_one(material, tmp_path):
    mine = Sessions(Store(tmp_path)).create("ada", material.study.spec.name)
    mine.record(Change("remove", 7))
    assert unpacked(report.bundle(material, mine)).steps == ((Change("remove", 7),),)


def test_the_page_and_the_files_say_who_said_what_and_the_notes(material, version, tmp_path):
    train, mine = (
        material.unchanged.data.train,
        Sessions(Store(tmp_path)).create("ada", "diabetes", who="Ada"),
    )
    removed, noted = int(train.ids[1]), int(train.ids[4])
    mine.record(Change("remove", removed, when="2026-01-02T03:04:05.678901+00:00"))
    kept = int(train.ids[7]), int(material.unchanged.data.test.ids[6])
    mine.record(*(Change("keep", one) for one in kept))
    mine.note(removed, "no such patient")
    mine.note(noted, "ask the ward <b>again</b>")
    mine.note(10**9, "of no example")
    with zipfile.ZipFile(io.BytesIO(report.bundle(material, mine))) as archive:
        page, rows = archive.read("report.html").decode(), archive.read("changes.csv").decode()
    words = " ".join(Tags(page).words)
    assert "Notes" in words and "ask the ward <b>again</b>" in words and "of no example" not in words
    names, tested = material.unchanged.data.class_names, material.unchanged.data.test
    assert (
        f"2 labels were looked at and found right: training row {kept[0]} ({names[int(train.y[7])]}); "
        f"test row {kept[1]} ({names[int(tested.y[6])]})." in words
    )
    assert "Looked at and kept" not in report.page(material)
    (row,) = (
        one for one in csv.DictReader(io.StringIO(rows.lstrip("\ufeff"))) if int(one["example_id"]) == removed
    )
    assert (row["who"], row["when"], row["why"]) == (
        "Ada",
        "2026-01-02T03:04:05.678901+00:00",
        "no such patient",
    )
    assert "no such patient · Ada · 2 January 2026, 03:04 UTC" in words and "03:04:05" not in words
    assert material.changes == settled(version.spec.changes) and ">Notes<" not in report.page(material)


def test_the_page_says_how_few_the_answer_hangs_on_where_that_was_found(base, tmp_path):
    answer = explain.run(base, questions.ask(base, int(base.predictions.ids[base.predictions.first()])))
    context = Context(Store(tmp_path))
    assert report.gather(base, answer, context=context).flip is None, "nothing is looked for"
    found = flip.run(base, answer.question.x, None, False, context=context)
    known = report.gather(base, answer, context=context)
    assert known.flip is not None and known.flip.size == found.size
    assert f"<strong>Without {found.size:,} of {found.n:,} training rows it would say" in report.page(known)


def test_the_zip_holds_labels_removals_and_a_script(material, version):
    made = report.bundle(material)
    assert made == report.bundle(material)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert set(files) == {
        *(
            "report.html",
            "repeat.py",
            "ranking.csv",
            "corrected-labels.csv",
            "removals.csv",
            "changes.csv",
            "answers.csv",
        )
    }
    rows = {
        name: list(csv.DictReader(io.StringIO(files[name].decode("utf-8-sig"))))
        for name in files
        if name[-3:] == "csv"
    }
    assert len(rows["corrected-labels.csv"]) == 31 and len(rows["removals.csv"]) == 1
    assert len(rows["changes.csv"]) == 33 == len(version.spec.changes)
    assert rows["changes.csv"][0]["why"] == "'=why"
    total = material.compared.result.total
    assert len(rows["answers.csv"]) == total.better + total.broke + total.between


def test_a_test_label_set_right_is_in_the_report_and_among_the_corrected_labels(base, material):
    test, names = base.data.test, base.data.class_names
    at, old = int(test.ids[8]), int(test.y[8])
    judged = open_study(replace(base.spec, changes=(Change("retest", at, label=1 - old),)))
    made = report.bundle(report.gather(base, material.explanation, base, judged))
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        words = " ".join(Tags(archive.read("report.html").decode()).words)
        (row,) = csv.DictReader(io.StringIO(archive.read("corrected-labels.csv").decode("utf-8-sig")))
    assert f"test label {names[old]} → {names[1 - old]}" in words
    assert "1 test label was set right by hand, for both models alike" in words
    assert (row["example_id"], row["label_after"]) == (str(at), names[1 - old])


def test_without_changes_there_is_an_answer_alone(base, material):
    made = report.gather(base, material.explanation)
    with zipfile.ZipFile(io.BytesIO(report.bundle(made))) as archive:
        assert set(archive.namelist()) == {"report.html", "repeat.py", "ranking.csv"}
    assert "Before and after" not in report.page(made)


@pytest.mark.slow
def test_the_script_comes_to_the_same_numbers(material, tmp_path):
    script, root = tmp_path / "repeat.py", str(Path(influence_core.__file__).parents[1])
    asked = {"capture_output": True, "text": True, "check": False, "env": os.environ | {"PYTHONPATH": root}}
    script.write_text(report.script(material), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], **asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same as in the report" in done.stdout
    spoilt = re.sub(r"'better': (\d+)", r"'better': 9\1", script.read_text(encoding="utf-8"))
    script.write_text(spoilt, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], **asked)
    assert done.returncode == 1 and "NOT as in the report: before and after" in done.stdout


def test_the_command_writes_page_or_zip(tmp_path, capsys, version):
    page, everything = tmp_path / "one.html", tmp_path / "all.zip"
    asked = ("report", "--study", version.spec.address, "--no-store", "--out")
    assert main([*asked, str(page)]) == 0
    assert "opens in a browser" in capsys.readouterr().out
    assert "Before and after" in page.read_text(encoding="utf-8")
    assert main([*asked, str(everything), "--json"]) == 0
    assert zipfile.is_zipfile(everything)
    assert main([*asked, str(tmp_path / "one.pdf")]) == 2
    assert "--out must end in .zip or .html" in capsys.readouterr().err
