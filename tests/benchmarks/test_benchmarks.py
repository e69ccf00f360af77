"""The plumbing of the benchmarks, at sizes that take no time: what is measured, judged and printed."""

import json
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.data import load
from influence_core.engines import Engines
from influence_core.experiments import all_left_out as every
from influence_core.experiments import corrected, explain
from influence_core.experiments import leave_one_out as left_out
from influence_core.experiments.effects import Effects
from influence_core.experiments.health.contradicted import contradicted
from influence_core.experiments.suspects import METHODS
from influence_core.influence import InfluenceEngine
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.solvers import Cholesky
from influence_core.store import Store
from influence_core.trust import Verdict
from tests import references, toy_mails
from tests.benchmarks import (
    additions,
    all_left_out,
    flips,
    forecasts,
    groups,
    leave_one_out,
    planted,
    questions,
    records,
    scores,
    verdicts,
    wrong_labels,
)
from tests.benchmarks.scores import Figure, Problem
from tests.experiments.test_wrong_labels import made_up
from tests.problems import linear, linear_study, network_study, ready


def _engine(given: Problem, damping: float = 0.0) -> InfluenceEngine:
    operator = Hessian(given.objective, given.theta, damping)
    return InfluenceEngine(given.objective, given.theta, operator, Cholesky().prepare(operator))


def test_the_independent_scores_are_the_dense_answer(tiny):
    o, at = tiny.objective, tiny.theta.numpy()
    x, y, w = o.x.numpy(), o.y.numpy(), references.uniform(60)
    h = references.hessian(at, x, y, w, scores.L2, "softmax", None)
    s = np.linalg.solve(h, references.gradients(at, tiny.x.numpy(), tiny.y.numpy(), "softmax", None).T)
    expected = (references.gradients(at, x, y, "softmax", None) @ s).T / 60
    engine = _engine(tiny)
    exact = scores.exact_scores(tiny, lambda rhs: engine.inverse.solve(torch.from_numpy(rhs)).value.numpy())
    assert_allclose(np.stack(exact), expected, rtol=1e-8, atol=1e-14)


def test_a_wrong_solve_is_noticed(tiny):
    assert max(scores._errors(tiny, _engine(tiny))) < 1e-9
    assert min(scores._errors(tiny, _engine(tiny, damping=1e-3))) > scores.LIMITS["error"]


def test_the_linear_and_the_cg_case_measure_what_they_say(tiny):
    figures = {figure.name: figure for figure in scores.measure_linear("a", tiny) + scores.measure_cg(tiny)}
    limits = {name: figure.limit for name, figure in figures.items() if figure.limit is not None}
    assert sorted(limits.values()) == [1e-5, 1.2, 1.5, 1.5, 70]
    assert all(figure.value > 0 for figure in figures.values())


def test_the_network_case_measures_what_it_says():
    one, many, forward = scores.measure_network(images=20)
    assert (one.limit, many.limit, forward.limit) == (4, 8, None)
    assert min(one.value, many.value, forward.value) > 0


def test_memory_is_measured_in_a_process_of_its_own(monkeypatch):
    def run(command, **_):
        assert command[-4:] == ["--memory", "b", "--data", "folder"]
        return type("Done", (), {"stdout": "12.5\n"})

    monkeypatch.setattr(scores.subprocess, "run", run)
    assert scores.measure_memory("b", "folder") == Figure(
        "b", "memory beyond data and one factor, MB", 12.5, 300
    )


def test_variants_take_turns():
    turns = []
    best = scores.race({name: lambda name=name: turns.append(name) for name in "ab"})
    assert turns == ["a", "b", "a", "b"]
    assert set(best) == {"a", "b"}


FIGURES = [Figure("a", "good", 1.0, 1.5), Figure("a", "bad", 2.0, 1.5), Figure("a", "seconds", 9.0)]


@pytest.mark.parametrize("value", [1.6, float("nan")])
def test_what_falls_short(value):
    assert Figure("a", "ratio", value, 1.5).short
    assert not Figure("a", "ratio", value).short


def test_a_shortfall_is_the_last_line_and_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(scores, "measure", lambda only, folder: (FIGURES, {"a": "data"}))
    assert scores.main([]) == 0
    capsys.readouterr()
    assert scores.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "falls short: a: bad: 2, at most 1.5"
    monkeypatch.setattr(scores, "measure", lambda only, folder: (FIGURES[:1], {"a": "data"}))
    assert scores.main(["--check"]) == 0
    assert "falls short" not in capsys.readouterr().out


def test_json_holds_the_figures_and_the_setting(monkeypatch, capsys):
    chosen = {}

    def measure(only, folder):
        chosen.update(only=only, folder=folder)
        return FIGURES, {"a": "data"}

    monkeypatch.setattr(scores, "measure", measure)
    assert scores.main(["--check", "--json", "--only", "a", "--data", "folder"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert [figure["short"] for figure in told["figures"]] == [False, True, False]
    assert {"threads", "dtype", "seed", "solver", "tolerance"} <= set(told)
    assert told["cases"] == {"a": "n 4,500, p 7,840, data"}
    assert err.startswith("falls short: a: bad")
    assert chosen == {"only": ["a"], "folder": "folder"}


def test_the_leave_one_out_case_measures_what_it_says(one_or_seven):
    figures = leave_one_out.measure(one_or_seven, leave_one_out.first_wrong(one_or_seven), k=5)
    assert [figure.limit for figure in figures if figure.limit is not None] == [leave_one_out.PROVED]
    ratio, seconds, proof, bare, *rest = (figure.value for figure in figures)
    assert ratio == pytest.approx(seconds / bare)
    assert 0 < proof <= leave_one_out.PROVED
    assert min(rest) > 0


def test_leaving_out_too_slowly_falls_short(monkeypatch, capsys, one_or_seven):
    monkeypatch.setattr(leave_one_out, "open_study", lambda *_: one_or_seven)
    monkeypatch.setattr(leave_one_out, "measure", lambda study, at: [Figure("digits", "seconds", 41.0, 40.0)])
    assert leave_one_out.main(["--threads", "1"]) == 0
    assert leave_one_out.main(["--threads", "1", "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("falls short")


def test_the_case_of_every_example_measures_what_it_says(monkeypatch, one_or_seven):
    monkeypatch.setattr(all_left_out, "HARDEST", 2)
    monkeypatch.setattr(all_left_out, "RANDOM", 2)
    found = list(all_left_out.figures_of(one_or_seven, cold=True))
    limits = [figure.limit for figure in found if figure.limit is not None]
    assert limits == [2.0, 8.0, 500.0, 1e-4, 1.5, 1e-3]
    named = {figure.name: figure.value for figure in found}
    assert named["largest gradient norm / left-out gradient"] <= 1e-4
    assert named["worst effect against cold fits / largest"] <= 1e-3
    assert named.pop("share of examples that pull less than rounding") == 0
    named.pop("memory beside table and factor, MB")  # here other tests have needed more before
    assert all(value > 0 for value in named.values())


def test_every_example_is_left_out_in_a_process_of_its_own(monkeypatch, capsys):
    def run(command, **_):
        assert command[-3:] == ["mails", "1", "0"]
        return type("Done", (), {"stdout": '[{"case": "mails", "name": "a", "value": 31, "limit": 30}]\n'})

    monkeypatch.setattr(all_left_out.subprocess, "run", run)
    arguments = ["--all", "--study", "mails", "--threads", "1"]
    assert leave_one_out.main(arguments) == 0
    assert leave_one_out.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("falls short")


def test_the_forecasts_case_measures_what_it_says(one_or_seven):
    found, figures = forecasts.measure(one_or_seven, 3)
    assert [one.limit for one in figures] == [None, forecasts.TIMES, None, None]
    slope, ratio, *milliseconds = (one.value for one in figures)
    assert ratio == pytest.approx(milliseconds[0] / milliseconds[1])
    for first, sharper in zip(found.influence, found.corrected, strict=True):
        assert sharper.worst < first.worst / 2
        assert abs(sharper.slope - 1) <= slope < abs(first.slope - 1)
    ids = one_or_seven.data.test.ids
    asked = forecasts.asked(one_or_seven, 3)
    assert [one.test_id for one in asked] == ids[[0, (len(ids) - 1) // 2, -1]].tolist()
    context = ready(one_or_seven, corrected.UNDAMPED)
    truth = every.effects(one_or_seven, every.run(one_or_seven, context=context), asked[0]).loss
    influence = explain.run(one_or_seven, asked[0], context=context).scores
    first = influence, corrected.run(one_or_seven, asked[0], context=context).loss
    for mine, forecast in zip((found.influence[0], found.corrected[0]), first, strict=True):
        assert astuple(mine) == pytest.approx(astuple(Agreement.of(forecast, truth)), rel=1e-9)
    lines = list(found.lines("toy"))
    assert lines[0] == "toy: 3 questions; 0 more whose answer no example moves"
    worst = sorted(one.worst for one in found.corrected)
    assert lines[-1].split()[6:] == [f"{x:.4f}" for x in np.quantile(worst, [0, 0.1, 0.5, 0.9, 1])]


def test_the_strongest_are_forecast_and_proven_alone(one_or_seven):
    found, figures = forecasts.measure_strongest(one_or_seven, leave_one_out.first_wrong(one_or_seven), k=5)
    slope, miss, proof, seconds = figures
    assert [one.limit for one in figures] == [None, forecasts.MISS, left_out.GRADIENT_TOL, None]
    assert slope.value == abs(found.corrected[0].slope - 1) < abs(found.influence[0].slope - 1)
    assert miss.value == found.corrected[0].worst < found.influence[0].worst
    assert 0 < proof.value <= left_out.GRADIENT_TOL
    assert seconds.value > 0
    question, context = forecasts.asked(one_or_seven, 1)[0], ready(one_or_seven, corrected.UNDAMPED)
    few = forecasts.corrected_of(one_or_seven, question, torch.tensor([7, 3]), context)
    assert_allclose(few.loss, corrected.run(one_or_seven, question, context=context).loss[[7, 3]], rtol=1e-8)


def test_an_answer_that_nothing_moves_is_counted_and_passed_over():
    found = forecasts.Compared()
    found.add(np.zeros(3), np.zeros(3), np.zeros(3))
    found.add(np.array([1.0, 3.0]), np.array([2.0, 3.96]), np.array([2.0, 4.0]))
    assert (found.unmoved, len(found.influence), len(found.corrected)) == (1, 1, 1)
    assert found.slope_error("mails") == Figure(
        "mails", "corrected: largest |slope - 1|", pytest.approx(0.02), None
    )
    assert found.slope_error("digits").limit == 0.03


def test_forecasts_that_take_too_long_fall_short(monkeypatch, capsys, one_or_seven):
    monkeypatch.delenv("SHARED_DATA", raising=False)
    few = forecasts.Compared()
    few.add(np.array([1.0, 3.0]), np.array([2.0, 3.96]), np.array([2.0, 4.0]))
    measured = []

    def measure(study, count):
        measured.append(count)
        return few, [Figure("mails", "time", 2.1, forecasts.TIMES)]

    monkeypatch.setattr(forecasts, "open_study", lambda *_: one_or_seven)
    monkeypatch.setattr(forecasts, "measure", measure)
    assert forecasts.main(["--study", "mails", "--questions", "7", "--threads", "1"]) == 0
    assert forecasts.main(["--check", "--threads", "1"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("falls short")
    assert measured == [7] + [forecasts.QUESTIONS] * len(forecasts.STUDIES)


def test_the_rankings_stand_side_by_side(monkeypatch, capsys):
    toy = toy_mails.study()
    opened = []
    monkeypatch.setattr(wrong_labels.studies, "open_study", lambda spec, *_: opened.append(spec.name) or toy)
    arguments = ["--study", "mails", "--threads", "1", "--repeats", "2"]
    assert wrong_labels.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert opened == ["mails"]
    assert "n 160, p 32, 16 flips, 2 repeats" in lines[1]
    shown = {one[:42].strip(): one[42:].split()[::2] for one in lines[3:8]}
    assert list(shown) == [title for method, title in METHODS.items() if method != "corrected"]
    (again,) = (one[42:].split() for one in lines if one.startswith("leave-one-out loss, proven"))
    assert again == shown[METHODS["proven"]], "the same flips"
    monkeypatch.setattr(wrong_labels, "is_ahead", lambda _: False)
    assert wrong_labels.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "falls short"


def test_what_a_queue_finds_of_the_planted_labels_is_counted(monkeypatch):
    kind, ranked = planted.Kind(60, 5, planted.made_up_table), []
    monkeypatch.setattr(planted, "has_cleanlab", lambda: True)
    monkeypatch.setattr(planted, "by_cleanlab", lambda o, labels: ranked.append(labels) or np.arange(60.0))
    found = planted.run(kind, seed=3)
    study = planted.made_up_table(60, 3)
    (labels,) = ranked
    wrong = np.flatnonzero(labels != study.data.train.y.numpy())
    assert len(wrong) == 5
    from_the_end = found.queues[planted.CLEANLAB]
    assert from_the_end.early == (wrong >= 50).sum()
    assert from_the_end.last == 60 - wrong.min()
    mended = labels.copy()
    mended[50:] = study.data.train.y.numpy()[50:]
    x, test = study.data.train.x.numpy(), study.data.test
    for given, told in (
        (labels, found.planted),
        (study.data.train.y.numpy(), found.clean),
        (mended, from_the_end.accuracy),
    ):
        theta = references.cold_fit(x, given, references.uniform(60), study.spec.l2, "logistic")
        assert told == ((test.x.numpy() @ theta > 0) == test.y.numpy())[1::2].mean()
    unseen = []
    for at in range(60):
        weights = references.uniform(60)
        weights[at] = 0
        theta = references.cold_fit(x, labels, weights, study.spec.l2, "logistic")
        unseen.append(1 / (1 + np.exp(-x[at] @ theta)))
    named = contradicted(np.arange(60), labels, np.column_stack([1 - np.array(unseen), unseen])).ids
    assert found.contradicted == (np.isin(named, wrong).sum(), (~np.isin(named, wrong)).sum())
    assert found.contradicted[0] > 0
    assert set(found.queues) == {*METHODS, "harm", "gain", planted.CLEANLAB} - {"corrected"}


def test_planted_labels_are_a_table_and_a_judgement(monkeypatch, capsys):
    monkeypatch.setattr(planted, "has_cleanlab", lambda: False)
    monkeypatch.setitem(planted.KINDS, "table", planted.Kind(60, 5, planted.made_up_table))
    monkeypatch.setattr(planted, "shortfalls", lambda found: ["too few"] if len(found) == 1 else [])
    assert planted.main(["--kind", "table", "--repeats", "2", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cleanlab is not installed: it is left out"
    assert "table: 5 of 60 labels planted wrong, 2 repeats" in lines[2]
    assert sum(one.startswith(f"| {METHODS['proven']} |") for one in lines) == 1
    assert planted.main(["--kind", "table", "--repeats", "1"]) == 0
    assert planted.main(["--kind", "table", "--repeats", "1", "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "falls short: table: too few"


def test_a_queue_that_finds_less_or_does_harm_falls_short():
    found = planted.Found(3, 10, 0.9)
    good = planted.Repeat(0.8, 0.95, {"proven": found, "loss": found}, (3, 1))
    assert planted.shortfalls([good]) == []
    more = replace(good, queues={"proven": found, "loss": replace(found, early=4)})
    assert planted.shortfalls([more, good]) == [
        "6 found early by the leave-one-out loss, 7 by the training loss"
    ]
    assert planted.shortfalls([replace(good, planted=0.91)]) == ["accuracy 0.900 after mending, 0.910 before"]


def test_the_kinds_of_planted_data_are_what_they_say():
    for name, n in (("photos", 60), ("table", 400), ("texts", 600)):
        assert planted.KINDS[name].n == n
    first, second = (planted.some_of("dog-or-frog")(60, seed) for seed in (0, 1))
    assert (len(first.data.train), len(first.data.test)) == (60, 600)
    assert first.data.train.ids.tolist() != second.data.train.ids.tolist()
    assert first.gradient_norm < 1e-7


def test_who_finds_more_is_judged_at_every_budget():
    result = made_up()
    assert wrong_labels.is_ahead(result)
    fixed = result.fixed.copy()
    fixed[:, result.methods.index("loss"), 4] += 0.1
    assert not wrong_labels.is_ahead(made_up(fixed=fixed))


def test_made_up_mails_stand_in_for_texts(tmp_path):
    data = load("text-folder", str(wrong_labels.made_up(tmp_path, ham=60, spam=30)))
    assert data.class_names == ("ham", "spam")
    assert (len(data.train), len(data.test)) == (72, 18)
    assert len({wrong_labels._word(one) for one in range(wrong_labels.WORDS)}) == wrong_labels.WORDS
    x, y = data.train.x.numpy(), data.train.y.numpy()
    known = np.abs(x[y == 0].mean(0) - x[y == 1].mean(0))
    assert known.max() > 5 * np.median(known), "some words tell them apart"


def test_the_groups_case_measures_what_it_says(one_or_seven):
    found = groups.take_out(one_or_seven, 4, (5, 20))
    known = one_or_seven.predictions
    wrong = set(known.ids[known.misclassified()].tolist())
    assert [one in wrong for one in groups.asked(one_or_seven, 4)] == [True, True, False, False]
    assert found.size.tolist() == [5, 5, 20, 20] * 4
    assert (found.actual * found.alone > 0).all()
    figures = {one.name: one for one in groups.measure(one_or_seven, 4, (5, 20))}
    assert [one.limit for one in figures.values() if one.limit is not None] == [groups.SHARE]
    last = figures["all groups: median miss, together / sum"]
    assert not last.short
    misses = [np.median(np.abs(one / found.actual - 1)) for one in (found.together, found.alone)]
    assert last.value == pytest.approx(misses[0] / misses[1])
    worst = [np.abs(one - found.actual).max() for one in (found.together, found.alone)]
    assert worst[0] < worst[1] / 3
    assert figures["all groups, sum: worst miss / largest truth"].value == pytest.approx(
        worst[1] / np.abs(found.actual).max()
    )


def test_groups_that_are_forecast_no_better_fall_short(monkeypatch, capsys, one_or_seven):
    monkeypatch.setattr(groups, "open_study", lambda *_: one_or_seven)
    monkeypatch.setattr(groups, "measure", lambda *_: [Figure("mails", "share", 0.34, groups.SHARE)])
    arguments = ["--study", "mails", "--threads", "1"]
    assert groups.main(arguments) == 0
    assert groups.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("falls short")


@pytest.mark.slow
def test_the_flips_case_measures_what_it_says(one_or_seven):
    rows = list(flips.measure(one_or_seven, 1, 1, Context(engines=Engines(1))))
    assert [one.mistake for one in rows] == [True, False]
    assert all(one.found.minimal and one.needless == 0 for one in rows)
    assert [flips.short("one-or-seven", one) for one in rows] == [[], []]
    assert flips.short("digits", replace(rows[0], seconds=6.0)) == ["6.0 s"]
    larger = replace(rows[0], one_shot=rows[0].found.size - 1, needless=2)
    assert len(flips.short("one-or-seven", larger)) == 2
    lines = list(flips.table("one-or-seven", rows))
    assert [line.count("|") for line in lines] == [14, 14] == [flips.HEAD.split("\n")[0].count("|")] * 2
    assert f"| {rows[0].found.size}, {rows[0].found.size} |" in lines[0]


@pytest.mark.slow
def test_flips_that_fall_short_are_named(monkeypatch, capsys, one_or_seven):
    (row,) = list(flips.measure(one_or_seven, 1, 0, Context(engines=Engines(1))))[:1]
    monkeypatch.setattr(flips, "open_study", lambda *_: one_or_seven)
    monkeypatch.setattr(flips, "measure", lambda *_: [replace(row, needless=1)])
    arguments = ["--study", "mails", "--threads", "1"]
    assert flips.main(arguments) == 0
    assert flips.main([*arguments, "--check"]) == 1
    assert "1 members can be put back" in capsys.readouterr().err


def test_the_verdicts_case_measures_what_it_says(one_or_seven):
    figures = {one.name: one for one in verdicts.measure(one_or_seven, 8)}
    assert [one.limit for one in figures.values() if one.limit is not None] == [0.1, 0.01, 0.01, 0.01, 0.0]
    assert not any(one.short for one in figures.values())
    assert figures["answers"].value == 8
    for state in (verdicts.TABLE, verdicts.CHECKED, verdicts.FRESH):
        assert sum(figures[f"{state}: {level}"].value for level in verdicts.LEVELS) == pytest.approx(1)
    assert figures["with the table: proven"].value == 1
    assert figures["checked, no table: green"].value > 0
    assert figures["nothing retrained: amber"].value == 1
    asked, answers = verdicts.choose(one_or_seven, 8), one_or_seven.predictions
    own = [one.label == answers.probabilities[list(answers.ids).index(one.test_id)].argmax() for one in asked]
    assert own == [True] * 6 + [False] * 2


def test_a_wrong_number_and_a_contradicted_claim_are_counted(monkeypatch, one_or_seven):
    truth = Effects(np.array([1.0, 0.0, -0.5]), 2.0)
    assert not verdicts.is_wrong(replace(truth, loss=truth.loss + 0.04), truth)
    for off in ({"loss": truth.loss + 0.11}, {"before": truth.before - np.log(0.8)}):
        assert verdicts.is_wrong(replace(truth, **off), truth)
    assert verdicts.is_wrong(replace(truth, loss=truth.loss * np.nan), truth)
    rounding = Effects(np.full(3, 1e-15), 2.0)
    assert not verdicts.is_wrong(rounding, Effects(-rounding.loss, 2.0))
    study = one_or_seven
    answer = explain.run(study, verdicts.choose(study, 4)[3])
    o, theta = study.objective, study.theta
    assert verdicts.contradicted(study, [answer], lambda at: theta) == [False]
    assert verdicts.contradicted(study, [answer], lambda at: 0 * theta) == [True]
    strongest, asked = int(np.abs(answer.scores).argmax()), []
    verdicts.contradicted(study, [answer], lambda at: asked.append(at) or theta)
    assert asked == [strongest]
    refit = verdicts._Refits(study)(strongest)
    keep = torch.arange(o.n) != strongest
    without = LinearObjective.build(o.x[keep], o.y[keep], o.loss, float(o.l2) * o.n / (o.n - 1))
    assert float(without.risk_gradient(refit).norm()) < 1e-9


@pytest.mark.slow
def test_a_network_whose_answer_is_believed_falls_short(monkeypatch):
    study = network_study()
    found = list(verdicts.measure_network(study, 2))
    assert [(one.value, one.limit) for one in found if one.limit is not None] == [(0, 0.0), (0, 0.0)]
    monkeypatch.setattr(verdicts.verdict, "run", lambda *_, **__: Verdict("green", "so it is"))
    assert all(one.short for one in verdicts.measure_network(study, 2) if one.limit is not None)


def test_verdicts_that_are_wrong_fall_short(monkeypatch, capsys):
    monkeypatch.setattr(verdicts, "figures_of", lambda *_: [Figure("mails", "wrong", 0.02, verdicts.WRONG)])
    arguments = ["--study", "mails", "--threads", "1"]
    assert verdicts.main(arguments) == 0
    assert verdicts.main([*arguments, "--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("falls short")


@pytest.mark.slow
def test_photographs_are_written_into_a_folder_and_opened_as_somebodys_own(monkeypatch, tmp_path):
    monkeypatch.setattr(verdicts, "PHOTOGRAPHS", 20)
    study = verdicts.photo_folder(tmp_path / "photos", Store(tmp_path / "store"))
    assert (study.objective.n, len(study.data.test.ids)) == (20, 20)
    assert sorted(path.name for path in (tmp_path / "photos" / "train").iterdir()) == sorted(
        study.data.class_names
    )


RECORDED = Path(__file__).parent


def test_a_run_is_written_one_line_a_record(tmp_path):
    out, run = tmp_path / "run.json", {"study": "toy", "share": 1 / 3, "found": [{"id": 1}, {"p": [2 / 3]}]}
    records.write(out, run, "found")
    assert json.loads(out.read_text()) == run | {"share": 1 / 3, "found": [{"id": 1}, {"p": [0.666667]}]}
    assert len(out.read_text().splitlines()) == 8


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("poisoned_springers", {"1": "0%", "2": "9%", "10": "86%"}),
        ("poisoned_springers_box4", {"1": "61%", "2": "78%", "10": "100%"}),
    ],
)
def test_the_recorded_shares_are_those_of_the_outcomes(name, shares):
    run = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    tries = [one["tries"] for one in run["outcomes"]]
    assert len(tries) == run["test_images"] == 104
    for size, share in shares.items():
        turned = [any(one["turned"] and len(one["ids"]) <= int(size) for one in few) for few in tries]
        assert np.mean(turned) == run["flipped"][size]
        assert f"{np.mean(turned):.0%}" == share
    worst = max(one["gradient_norm"] for few in tries for one in few)
    assert_allclose(worst, run["largest_gradient_norm"], rtol=1e-5)


@pytest.mark.parametrize(("name", "turned"), [("poisoned_thirty", [1, 4]), ("poisoned_thirty_box4", [8, 15])])
def test_the_recorded_counts_of_thirty_are_those_of_the_probabilities(name, turned):
    run = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    assert [one["turned"] for one in run["together"]] == turned
    for one in run["together"]:
        assert len(one["test_ids"]) == 30
        assert sum(p < 0.5 for p in one["after"]) - sum(p < 0.5 for p in one["before"]) == one["turned"]


# ---------------------------------------------------------------------------------------------- additions


def test_additions_are_added_one_by_one_and_together(monkeypatch, one_or_seven):
    monkeypatch.setattr(additions, "EACH", 6)
    monkeypatch.setattr(additions, "DRAWS", 2)
    found = {one.name: one for one in additions.measure(one_or_seven, 1)}
    assert not any(one.short for one in found.values())
    assert found["draws of five that lower the loss as much"].value == 0
    assert (
        found["corrected: worst miss / largest truth"].value
        < found["influence: worst miss / largest truth"].value
    )


def test_any_question_is_measured_by_slope_time_and_groups(monkeypatch):
    monkeypatch.setattr(questions, "MISTAKES", 1)
    study = linear_study(linear("softmax", tests=24))
    found = {one.name: one for one in questions.measure(study, rounds=1)}
    slopes = [one for name, one in found.items() if name.endswith("slope")]
    assert len(slopes) == len(questions.asked(study)) == 5
    assert_allclose([one.value for one in slopes], 1, atol=0.01)
    assert all(one.limit == questions.TIMES for name, one in found.items() if name.endswith("time / single"))
    assert found["groups of 2 questions: lowest adjusted Rand"].value <= 1


def test_a_slope_that_is_off_falls_short(monkeypatch, capsys):
    monkeypatch.setattr(
        questions, "measure", lambda _: iter([Figure("toy", "all: |slope - 1|", 0.2, questions.SLOPE)])
    )
    assert questions.main(["--check", "--study", "one-or-seven", "--threads", "1"]) == 1
    assert "falls short" in capsys.readouterr().out
