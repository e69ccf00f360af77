"""What is read off a whole table: the same as question by question, once, and from what the store keeps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.__main__ import main
from influence_core.context import Context
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import (
    all_left_out,
    corrected,
    explain,
    foils,
    health,
    questions,
    study_table,
    whole_table,
)
from influence_core.experiments.effects import probability_change
from influence_core.store import NO_STORE, Store
from influence_core.store.parts import DESCRIPTION
from influence_core.studies import find, open_study
from tests.problems import linear, linear_study, network_study, ready

TESTS = 24


@pytest.fixture(scope="module", params=["logistic", "softmax"])
def study(request):
    return linear_study(linear(request.param, tests=TESTS))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(whole_table, "LARGEST_BLOCK", 5)


@pytest.fixture
def context(tmp_path):
    return Context(Store(tmp_path / "store"))


def one_by_one(study, number):
    """``(t, n)`` effects on the loss of the model's own answers, a question at a time, and the answers' probabilities."""
    asked = [questions.ask(study, one) for one in study.data.test.ids.tolist()]
    if number == "influence":
        found = [explain.run(study, one).scores for one in asked]
    elif number == "corrected":
        context = ready(study, corrected.UNDAMPED)
        found = [corrected.run(study, one, context=context).loss for one in asked]
    else:
        models = all_left_out.run(study)
        found = [all_left_out.effects(study, models, one).loss for one in asked]
    return np.stack(found).astype(float), study.predictions.confidence


@pytest.mark.parametrize("number", ["influence", "corrected", "proven"])
def test_it_is_what_single_questions_give(study, context, number):
    seen, (effects, sure) = study_table.run(study, number, context=context), one_by_one(study, number)
    changes = np.stack([probability_change(p, row) for p, row in zip(sure, effects, strict=True)])
    near = {"rtol": 1e-4 if number == "proven" else 1e-8}  # one proven question at a time is float32
    assert_allclose(seen.moved, np.abs(changes).max(1), **near)
    assert_allclose(seen.moves, np.abs(changes).max(0), **near)
    sizes = -np.sort(-np.abs(effects), axis=1)
    assert_allclose(seen.held, sizes[:, : study_table.TOP].sum(1) / sizes.sum(1), **near)
    assert_array_equal(np.sort(-seen.moved), -seen.moved[seen.most_moved()])
    assert_array_equal(np.sort(-seen.held), -seen.held[seen.hanging_on_fewest()])
    assert seen.number == number and set(seen.often.names) <= {"influence", "relative"}


def test_it_counts_what_is_on_top_as_all_questions_do(study, context):
    every, seen = foils.often(study), study_table.run(study, context=context).often
    assert every.questions == seen.questions == seen.tests == TESTS  # so few that the sample is all of them
    assert seen.names == ("influence", "relative")
    for row, name in enumerate(seen.names):
        assert_array_equal(seen.counts[row], every.counts[every.names.index(name)])
        assert seen.most(name) == every.most(name) and seen.different(name) == every.different(name)


def test_it_is_read_once_and_outlives_its_table(study, context):
    assert not study_table.is_made(study, context=context)
    assert study_table.run.recall(study, context=context) is None
    first = study_table.run(study, context=context)
    assert study_table.is_made(study, context=context)
    where = study_table.folder(study, "influence", context.store)
    assert context.store.size() > sum(one.stat().st_size for one in where.glob("part-*")) > 0
    context.store.remove(where)
    assert not where.exists() and study_table.is_made(study, context=context)
    assert_array_equal(study_table.run(study, context=context).moved, first.moved)


def test_a_table_that_is_there_is_read_and_not_made_again(study, context, monkeypatch):
    where = study_table.folder(study, "influence", context.store)
    whole_table.run(study, where, whole_table.Form(top=0))
    assert study_table.is_made(study, context=context) and not study_table.run.is_stored(
        study, context=context
    )
    monkeypatch.setattr(whole_table, "_make", None)
    assert study_table.run(study, context=context).moved.shape == (TESTS,)


def test_a_stopped_one_goes_on_and_a_damaged_one_is_made_again(study, context):
    where = study_table.folder(study, "influence", context.store)
    whole_table.estimate(study, where, whole_table.Form(top=0))
    begun = study_table.expected(study, context=context)
    whole = study_table.expected(study, context=Context(NO_STORE))
    assert 0 < begun.seconds < whole.seconds
    n = study.objective.n
    assert whole.disk == TESTS * n * 8 and whole.memory >= 3 * 5 * n * 8
    study_table.run(study, context=context)
    expected = study_table.run.recall(study, context=context).held
    context.store.remove(context.store.path(study_table.run.key(study)))
    (where / DESCRIPTION).write_text("{")
    assert not study_table.is_made(study, context=context)
    assert study_table.expected(study, context=context).seconds > 0
    assert_allclose(study_table.run(study, context=context).held, expected, rtol=1e-12)
    assert any("damaged" in one for one in context.store.notices())


def test_what_cannot_be_kept_or_asked_is_said(study, tmp_path):
    with pytest.raises(DataError, match="Raise INFLUENCE_EXPLORER_CACHE_MB"):
        study_table.run(study, context=Context(Store(tmp_path / "small", limit_bytes=100)))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="could not be kept"):
        study_table.run(study, context=Context(Store(tmp_path / "file")))
    with pytest.raises(UnsupportedError):
        study_table.run(network_study(), context=Context(Store(tmp_path / "other")))


@pytest.mark.parametrize("proven", [True, False])
def test_examples_that_no_answer_needs_are_the_same_with_and_without_a_table(study, context, proven):
    without = health.unused.run(study, proven, context=ready(study))
    assert health.unused.estimate(study, proven, context=context) > 0
    study_table.run(study, "proven" if proven else "influence", context=context)
    assert health.unused.estimate(study, proven, context=context) == 0
    found = health.unused.run(study, proven, context=context)
    assert_array_equal(found.ids, without.ids)
    assert_allclose(found.largest, without.largest, rtol=1e-7)
    assert (found.number, found.changed) == (without.number, without.changed)


@pytest.mark.slow
def test_the_command_makes_the_table_that_the_app_reads(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(whole_table, "LARGEST_BLOCK", 600)
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path))
    assert main(["table", "--study", "one-or-seven", "--full"]) == 0
    capsys.readouterr()
    study, context = open_study(find("one-or-seven")), Context(Store())
    assert study_table.run.recall(study, context=context) is not None
    for wrong in (
        ["--top", "3"],
        ["--full", "--ask", "true"],
        ["--full", "--damping", "1"],
        ["--full", "--no-store"],
    ):
        assert main(["table", "--study", "one-or-seven", *wrong]) == 2
        assert "--out FOLDER" in capsys.readouterr().err
