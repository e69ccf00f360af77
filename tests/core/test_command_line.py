"""The command line: what it prints, what it writes, and how it fails."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from influence_core import __main__ as command_line
from influence_core import engines, reproduce, studies
from influence_core.__main__ import main
from influence_core.commands import reproduce as reproduce_command
from influence_core.errors import DataError
from influence_core.experiments import additions, anatomy, at_hand, explain, pools, questions, verdict
from influence_core.reproduce import Check, Reproduction, fig1
from influence_core.store import Store
from influence_core.studies import own as own_studies
from influence_core.words import sign_rule
from tests.data import test_torchvision_sets

SMALL = ["explain", "--study", "one-or-seven"]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> Path:
    """Each test has a store of its own."""
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def _run(capsys, *arguments: str) -> str:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == "", "without a terminal there is no progress to show"
    return out


def _json(capsys, *arguments: str):
    return json.loads(_run(capsys, *arguments, "--json"))


# ------------------------------------------------------------------------------------------------ studies


def test_studies_lists_the_catalogue(capsys):
    rows = {row["name"]: row for row in _json(capsys, "studies")}
    assert list(rows) == list(studies.CATALOGUE)
    assert (rows["digits"]["n"], rows["digits"]["p"], rows["digits"]["l2"]) == (5_000, 7_840, 0.01)
    assert rows["digits-network"]["p"] == 2_616
    assert rows["mnist"]["n"] is None, "its data are not packaged"
    text = _run(capsys, "studies")
    assert all(name in text for name in rows)
    assert "one-or-seven" in text and "1092" in text


# ------------------------------------------------------------------------------------------------ explain


def test_explain_answers_like_the_library(capsys):
    told = _json(capsys, *SMALL, "--test", "5040", "--top", "3")
    study = studies.open_study(studies.find("one-or-seven"))
    answer = at_hand.improve(study, explain.run(study, questions.ask(study, 5040)))
    assert (told["number"], told["verdict"]["level"]) == ("corrected", verdict.run(study, answer).level)
    assert told["test_id"] == 5040
    assert told["label"] == told["predicted"] == answer.label_name
    assert [row["training_id"] for row in told["for"]] == answer.ids[answer.helpful(3)].tolist()
    assert [row["training_id"] for row in told["against"]] == answer.ids[answer.harmful(3)].tolist()
    row, at = told["for"][0], answer.helpful(1)[0]
    assert row["predicted_loss_change_nats"] == pytest.approx(answer.scores[at], rel=1e-9)
    assert row["predicted_probability_change"] == pytest.approx(answer.influence.probability[at], rel=1e-9)
    assert row["corrected_loss_change_nats"] == pytest.approx(answer.corrected.loss[at], rel=1e-9)
    assert row["label"] == study.data.class_names[answer.labels[at]]
    assert row["rank"] == answer.ranks()[at]
    facts = told["provenance"]
    assert (facts["n"], facts["p"], facts["solver"], told["seed"]) == (1_092, 784, "Cholesky", 0)
    assert facts["residual"] < 1e-10 and facts["gradient_norm"] <= 1e-10 and facts["convergence_check"] < 1e-8


def test_explain_in_words(capsys):
    text = _run(capsys, *SMALL, "--test", "misclassified", "--top", "2")
    study = studies.open_study(studies.find("one-or-seven"))
    known = study.predictions
    first = known.misclassified()[0]
    said, true = (study.data.class_names[one] for one in (known.predicted[first], known.labels[first]))
    assert text.startswith(f"Which training images made the model say {said}?\n")
    assert f"Test image {known.ids[first]}: the model says {said}" in text
    assert f"but it is labelled {true}" in text
    for part in (
        sign_rule(),
        study.data.stand_in,
        f"Speak for {said}",
        f"Speak against {said}",
        "nats",
        "pp",
    ):
        assert part in text
    for part in ("n = 1,092", "p = 784", "seed 0", "true relative residual", "convergence check", "just now"):
        assert part in text


def test_another_label_changes_the_question(capsys):
    text = _run(capsys, *SMALL, "--label", "7")
    assert text.startswith("Which training images speak for 7, when the model says 1?")
    one, seven = (_json(capsys, *SMALL, "--label", label) for label in "17")
    assert one["test_id"] == seven["test_id"]
    assert one["for"][0]["predicted_loss_change_nats"] > 0 > one["against"][0]["predicted_loss_change_nats"]
    assert one["for"][0]["training_id"] == seven["against"][0]["training_id"]


def test_proven_numbers_are_made_where_they_are_asked_for(capsys, tmp_path):
    """And found again by whoever asks next."""
    told = _json(capsys, *SMALL, "--test", "5040", "--prove")
    assert (told["number"], told["verdict"]["level"]) == ("proven", "proven")
    first = told["for"][0]
    assert first["proven_loss_change_nats"] > first["predicted_loss_change_nats"] > 0
    assert "Verdict: proven." in _run(capsys, *SMALL, "--test", "5041")


def test_the_ranking_as_csv(capsys, tmp_path):
    path = tmp_path / "ranking.csv"
    told = _json(capsys, *SMALL, "--csv", str(path))
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert len(rows) == 1_092
    assert [row["rank"] for row in rows[:3]] == ["1", "2", "3"]
    assert {row["label"] for row in rows} == {"1", "7"}
    first = next(row for row in rows if row["training_id"] == str(told["for"][0]["training_id"]))
    assert float(first["predicted_loss_change_nats"]) == told["for"][0]["predicted_loss_change_nats"]


def test_settings_reach_the_solver(capsys):
    facts = _json(capsys, *SMALL, "--solver", "cg", "--damping", "0.5", "--curvature", "gauss-newton")[
        "provenance"
    ]
    assert (facts["solver"], facts["damping"], facts["curvature"]) == (
        "conjugate gradient",
        0.5,
        "gauss-newton",
    )
    assert facts["steps"] > 0 and facts["status"] == "converged"


def test_concerns_are_printed(capsys):
    text = _run(capsys, *SMALL, "--solver", "lissa", "--damping", "0.5")
    assert "Mind: LiSSA is an approximation" in text


def test_one_question_alone_is_answered_without_a_dense_factor(capsys, monkeypatch):
    monkeypatch.setattr(engines, "QUICK_LIMIT", 100)
    facts = _json(capsys, *SMALL, "--test", "5040")["provenance"]
    assert facts["solver"] == "conjugate gradient"
    assert "no preparation" in facts["reason"]


def test_results_are_kept_unless_the_reader_says_no(capsys, store):
    assert not _json(capsys, *SMALL, "--no-store")["from_store"]
    assert not store.exists() or not list(store.glob("*.npz"))
    assert not _json(capsys, *SMALL)["from_store"]
    assert _json(capsys, *SMALL)["from_store"]


# ---------------------------------------------------------------------------------------------- reproduce


def test_reproduce_fig1_holds_on_the_packaged_digits(capsys):
    told = _json(capsys, "reproduce", "fig1", "--check")
    assert told["short"] == [] and all(figure["passed"] for figure in told["figures"])
    assert (told["study"], told["test_id"], told["label"]) == ("one-or-seven", 5022, "7")
    assert (told["n"], told["p"], told["l2"], told["seed"], told["solver"]) == (
        1_092,
        784,
        0.01,
        0,
        "Cholesky",
    )
    assert "1e-10" in told["tolerance"] and "stand-in" in told["stand_in"] and told["data"]
    figures = {figure["name"]: figure for figure in told["figures"]}
    assert sum(figure["requirement"].startswith("0 of") for figure in told["figures"]) == 4
    assert figures["training images n"]["requirement"] == "", "nothing is asked of a stand-in's size"
    text = _run(capsys, "reproduce", "fig1")
    assert "stand-in for full MNIST" in text and "11,894" in text and "falls short" not in text


def test_reproduce_all_makes_every_figure_and_falls_back_to_stand_ins(capsys, monkeypatch, tmp_path):
    asked = []

    def fake(name):
        def run(folder=None, *_):
            asked.append((name, folder))
            if name == "b" and folder:
                raise DataError("not there")
            checks = (Check("ok", 1.0, "1", name != "b"),)
            return Reproduction(name, name, {"stand_in": "" if folder else "a stand-in"}, checks, None)

        return run

    figures = {name: fake(name) for name in "ab"}
    monkeypatch.setattr(reproduce_command, "FIGURES", figures)
    assert main(["reproduce", "all", "--json", "--check", "--data", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert [one["stand_in"] for one in json.loads(told.out)] == ["", "a stand-in"]
    assert asked == [("a", str(tmp_path)), ("b", str(tmp_path)), ("b", None)]
    assert told.err.count("falls short") == 1


@pytest.mark.slow
@pytest.mark.shared_data
def test_reproduce_fig1_holds_on_mnist(capsys, shared_data):
    told = _json(capsys, "reproduce", "fig1", "--check", "--data", str(shared_data))
    figures = {figure["name"]: figure for figure in told["figures"]}
    assert told["short"] == [] and told["stand_in"] == ""
    assert (told["study"], told["test_id"], told["label"]) == ("mnist-one-or-seven", 111, "7")
    assert figures["training images n"]["value"] == 11_894
    assert figures["test images"]["value"] == 2_163
    violations = [figure for figure in told["figures"] if figure["requirement"].startswith("0 of")]
    assert [figure["value"] for figure in violations] == [0, 0, 0, 0]
    assert figures["full score: same-label images that harm"]["value"] >= 1
    assert figures["full score: other-label images that help"]["value"] >= 1
    low, high = figures["range without the training loss, nats"]["value"]
    assert (round(low, -1), round(high, -1)) == (-130, 200), "the axis of the printed figure"


def test_a_zero_is_a_violation_only_where_no_ink_is_shared():
    study = studies.open_study(studies.find("one-or-seven"))
    answer = explain.run(study, questions.ask(study, 5022))
    parts = anatomy.run(study, answer)
    zero = replace(parts, without_both=0 * parts.without_both)
    assert all(check.passed for check in fig1._signs(study, answer, zero)), "every pair shares ink"
    blank = replace(answer, x=0 * answer.x)
    same, other = fig1._signs(study, blank, zero)[2:]
    assert (same.value, other.value) == (int(parts.same_label.sum()), int((~parts.same_label).sum()))
    turned = replace(parts, without_curvature=-parts.without_curvature)
    assert not any(check.passed for check in fig1._signs(study, answer, turned)[:2])


@pytest.fixture
def shortfall(monkeypatch):
    """A figure of which one number falls short."""
    true = reproduce.FIGURES["fig1"]

    def fake(*arguments):
        found = true(*arguments)
        bad = Check("something the paper shows", 3, "0 of 5", passed=False, paper="none")
        return replace(found, checks=(bad, *found.checks))

    monkeypatch.setitem(reproduce.FIGURES, "fig1", fake)


def test_a_shortfall_is_the_last_line_and_the_exit_code(capsys, shortfall):
    assert main(["reproduce", "fig1"]) == 0
    assert "falls short" in capsys.readouterr().out
    assert main(["reproduce", "fig1", "--check"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "falls short: something the paper shows: 3, required 0 of 5"


def test_a_shortfall_leaves_the_json_whole(capsys, shortfall):
    assert main(["reproduce", "fig1", "--check", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["short"] == ["something the paper shows"]
    assert err.startswith("falls short: something the paper shows")


def test_out_writes_the_figure_and_its_numbers(capsys, tmp_path):
    pytest.importorskip("plotly")
    told = _json(capsys, "reproduce", "fig1", "--out", str(tmp_path / "new" / "folder"))
    folder = tmp_path / "new" / "folder"
    page = (folder / "fig1.html").read_text(encoding="utf-8")
    assert len(page) > 1_000_000 and 'src="http' not in page, "it needs no network"
    assert "Figure 1" in page and "test image 5022" in page
    assert json.loads((folder / "fig1.json").read_text(encoding="utf-8")) == told


def test_every_figure_has_a_picture():
    paper = pytest.importorskip("influence_core.figures.paper")
    assert list(paper.DRAWINGS) == list(reproduce.FIGURES)


# ------------------------------------------------------------------------------------------------- errors

BAD = {
    "unknown study": (["explain", "--study", "nothing"], "There is no study 'nothing'"),
    "unknown test image": ([*SMALL, "--test", "3"], "There is no example with id 3"),
    "test image that is no id": ([*SMALL, "--test", "first"], "id of a test image or misclassified"),
    "unknown label": ([*SMALL, "--label", "5"], "There is no label '5'; choose one of 7, 1"),
    "negative damping": ([*SMALL, "--damping", "-1"], "damping must be a number of at least 0"),
    "damping that is no number": ([*SMALL, "--damping", "nan"], "damping must be a number"),
    "unknown solver": ([*SMALL, "--solver", "magic"], "There is no solver 'magic'"),
    "unknown curvature": ([*SMALL, "--curvature", "flat"], "There is no curvature 'flat'"),
    "unknown device": ([*SMALL, "--device", "abacus"], "There is no device 'abacus'"),
    "none on top": ([*SMALL, "--top", "0"], "--top must be at least 1"),
    "unwritable file": ([*SMALL, "--csv", "no/such/folder/x.csv"], "No such file"),
    "data that are not named": (["explain", "--study", "mnist"], "Name the folder"),
    "data that are not there": (["reproduce", "fig1", "--data", "nowhere"], "did not find"),
    "unknown figure": (["reproduce", "fig99"], "There is no figure 'fig99'; choose one of fig1"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_is_one_line_and_exit_code_two(capsys, name):
    arguments, message = BAD[name]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1 and err.startswith("error: ")


def test_the_stores_notices_are_told(capsys, monkeypatch):
    monkeypatch.setattr(Store, "notices", lambda self: ["The disk is full."])
    assert main(SMALL) == 0
    assert "The disk is full." in capsys.readouterr().err


def test_progress_is_for_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main([*SMALL, "--json"]) == 0
    out, err = capsys.readouterr()
    json.loads(out)
    assert "%" in err and err.endswith("\r\x1b[K")


@pytest.mark.slow
def test_it_runs_without_plotly_and_streamlit():
    program = """
import runpy, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"streamlit", "plotly"}:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
sys.argv = ["influence_core", *sys.argv[1:]]
runpy.run_module("influence_core", run_name="__main__")
"""
    root = Path(command_line.__file__).parents[1]
    command = [sys.executable, "-c", program, "reproduce", "fig1", "--check"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*command, "--out", "."], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--out needs plotly" in done.stderr


def test_precompute_trains_afresh_and_keeps_the_parameters(tmp_path, capsys):
    assert main(["precompute", "one-or-seven", "--into", str(tmp_path), "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["gradient_norm"] <= 1e-10
    assert [path.name for path in tmp_path.iterdir()] == [f"{trained['key']}.npz"]
    kept = studies.open_study(studies.find("one-or-seven"), Store(tmp_path))
    assert kept.from_store and kept.key == trained["key"]


# ---------------------------------------------------------------------------------------- a set of torchvision


def test_a_data_set_of_torchvision_is_named_and_explained(capsys, tmp_path, monkeypatch):
    test_torchvision_sets.fashion(tmp_path)
    monkeypatch.setattr(own_studies, "TRAINED_ON", 60)
    monkeypatch.setattr(own_studies, "TESTED_ON", 20)
    study = ["explain", "--study", "torchvision:fashion-mnist", "--test", "121", "--data", str(tmp_path)]
    text = _run(capsys, *study)
    assert "the model says Sneaker" in text and "Fashion-MNIST, softmax regression; n = 60" in text
    assert _run(capsys, *study, "--download"), "what is there is not fetched again"


def test_nothing_is_fetched_that_nobody_asked_for(capsys, tmp_path, monkeypatch):
    asked = []

    def answer(url, *_, **__):
        asked.append(url)
        raise OSError("no route")

    monkeypatch.setattr("urllib.request.urlopen", answer)
    study = ["explain", "--study", "torchvision:CIFAR10"]
    assert main([*study, "--data", str(tmp_path)]) == 2 and not asked
    assert (
        "CIFAR-10 is not in" in (said := capsys.readouterr().err)
        and "171 MB, from the University of Toronto" in said
    )
    assert main([*study, "--download"]) == 2 and not asked
    assert (
        "--download needs --data FOLDER, into which it puts the data set CIFAR-10 (171 MB"
        in capsys.readouterr().err
    )
    assert main(["explain", "--download", "--data", str(tmp_path)]) == 2
    assert "The data of “digits” are not fetched from anywhere." in capsys.readouterr().err
    assert main([*study, "--data", str(tmp_path), "--download"]) == 2
    assert asked and "CIFAR-10 could not be downloaded" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ missing


def test_missing_ranks_adds_and_writes_what_the_library_says(capsys, tmp_path):
    told = _json(
        capsys, "missing", "--study", "one-or-seven", "--test", "5040", "--top", "3", "--prove",
        "--csv", str(tmp_path / "list.csv"),
    )  # fmt: skip
    study = studies.open_study(studies.find("one-or-seven"))
    question = questions.ask_truth(study, 5040)
    pool = pools.held_out(study, question)
    found = additions.run(study, question, pool)
    best = found.order()[:3]
    assert [row["id"] for row in told["best"]] == found.ids[best].tolist() == told["added"]["ids"]
    assert [row["corrected_loss_change_nats"] for row in told["best"]] == pytest.approx(found.loss[best])
    truth = additions.prove(study, question, pool, best.tolist())
    assert told["added"]["actual"] == pytest.approx(truth.actual, rel=1e-4)
    rows = list(csv.DictReader((tmp_path / "list.csv").open(encoding="utf-8")))
    assert [int(row["id"]) for row in rows] == found.ids[found.order()].tolist()
    text = _run(capsys, "missing", "--study", "one-or-seven", "--test", "5040", "--top", "2", "--prove")
    assert "What is missing for test image 5040 to be" in text and "With these 2 the loss changes by" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--study", "digits-network"], "linear models"),
        (["--top", "0"], "--top"),
        (["--study", "one-or-seven", "--from", "diabetes"], "same things"),
    ],
    ids=str,
)
def test_missing_refuses_in_words(capsys, arguments, words):
    assert main(["missing", *arguments]) == 2
    assert words in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------- flip


def test_flip_names_the_images_and_what_is_proven(capsys):
    found = _json(capsys, "flip", "--study", "one-or-seven", "--test", "5040")
    assert found["flipped"] and found["proven"] and found["minimal"]
    assert found["size"] == len(found["train_ids"]) <= found["size_before_pruning"]
    assert found["said"] != found["says"] and found["margin_after"] < -found["margin_bound"] < 0
    text = _run(capsys, "flip", "--study", "one-or-seven", "--test", "5040")
    assert f"Without {found['size']:,} of 1,092 training images it says {found['says']}" in text
    assert "none of them can be put back" in text and str(found["train_ids"][0]) in text


def test_flip_by_relabelling_takes_a_chosen_label(capsys):
    found = _json(capsys, "flip", "--study", "one-or-seven", "--test", "5040", "--relabel")
    assert len(found["new_labels"]) == found["size"] >= 1
    again = ["flip", "--study", "one-or-seven", "--test", "5040", "--relabel", "--to", found["says"]]
    assert _json(capsys, *again)["train_ids"] == found["train_ids"]
    assert main(["flip", "--study", "one-or-seven", "--test", "5040", "--to", found["said"]]) == 2
    assert "already" in capsys.readouterr().err
