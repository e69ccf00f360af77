"""The plumbing of `peers` at a size that takes no time, with peers made here: what is measured, chosen, judged and printed."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from influence_core.losses import LogisticLoss
from influence_core.objective import LinearObjective
from influence_core.training import minimise
from tests.benchmarks import peer_libraries, peers, scores
from tests.benchmarks.peer_libraries import Peer
from tests.benchmarks.peers import Row
from tests.benchmarks.scores import Problem
from tests.problems import normal


def _made_up(given: Problem, setting: float) -> peer_libraries.Scores:
    """Exact but for a share of the answer; counts how often it is asked."""
    exact = peers.truth(peers.in_type(given, torch.float64))

    def ask(k: int) -> torch.Tensor:
        ask.asked += 1
        return (exact[:k] * (1 + setting)).to(given.theta)

    ask.asked = 0
    return ask


EXACT_PEER = Peer("torch", "torch", "made up", _made_up, settings=(1e-2, 1e-6, 1e-9))
ROUGH = Peer("torch", "torch", "rough", _made_up, settings=(1e-2,), exact=False)
ALONE = Peer("torch", "torch", "one by one", _made_up, many=False)


def test_every_way_is_measured_in_both_types_and_the_rough_one_does_not_count(tiny):
    rows = peers.measure(tiny, (EXACT_PEER, ROUGH, ALONE), rounds=1)
    by = {(row.who, row.numbers): row for row in rows}
    assert len(rows) == len(by) == 14
    for numbers in peers.TYPES:
        for who in (peers.PREPARED, peers.FACTOR, peers.UNPREPARED, EXACT_PEER.name):
            assert by[who, numbers].is_exact(many=False)
            assert by[who, numbers].is_exact(many=True)
        assert by[ROUGH.name, numbers].each_error == pytest.approx(1e-2, rel=1e-3)
        assert math.isnan(by[ALONE.name, numbers].each)
    assert by[EXACT_PEER.name, "float64"].one_error == pytest.approx(1e-6, rel=1e-3)
    quickest = min(row.one for row in rows if row.peer and row.is_exact(many=False))
    assert peers.fastest(rows, many=False) == quickest
    text = peers.table(rows).splitlines()
    assert len(text) == 16
    assert {line.count("|") for line in text} == {10}


def test_the_exact_answers_are_those_of_the_engine(tiny):
    engine = peers._engine(tiny, peers.Cholesky())
    assert_close(peers.truth(tiny), engine.score(tiny.x, tiny.y).values, rtol=1e-8, atol=1e-14)
    single = peers.in_type(tiny, torch.float32)
    assert single.objective.x.dtype == single.theta.dtype == single.x.dtype == torch.float32


def test_the_loosest_setting_that_will_do_is_taken(tiny):
    exact = peers.truth(tiny)
    ladder = [_made_up(tiny, setting) for setting in (1e-2, 1e-6, 1e-9)]
    one = peers.loosest(ladder, 1, exact)
    assert (one.scores, one.setting) == (ladder[1], 1)
    assert one.error == pytest.approx(1e-6, rel=1e-3)
    assert peers.loosest(ladder, 10, exact, first=2).setting == 2
    assert [ask.asked for ask in ladder] == [1, 1, 1]
    rough = peers.loosest(ladder[:1], 1, exact)
    assert rough.error == pytest.approx(1e-2, rel=1e-3)


def _rows(prepared: float, unprepared: float) -> list[Row]:
    return [
        row
        for numbers in peers.TYPES
        for row in (
            Row(peers.BARE_WORK, numbers, 1.0, math.nan, 0.1, math.nan),
            Row(peers.PREPARED, numbers, prepared, 1e-9, prepared / 10, 1e-9, preparation=500.0),
            Row(peers.UNPREPARED, numbers, unprepared, 1e-9, unprepared / 10, 1e-9),
            Row("exact", numbers, 60.0, 1e-6, 7.0, 1e-6, peer=True),
            Row("rough", numbers, 1.0, 1e-2, 0.1, 1e-2, peer=True),
        )
    ]


def test_what_is_judged():
    figures = {figure.name: figure for figure in peers.figures_of(_rows(1.1, 50.0))}
    assert not any(figure.short for figure in figures.values())
    assert figures["one question: quickest exact peer / ours prepared"].value == pytest.approx(60 / 1.1)
    assert sum(figure.limit is not None for figure in figures.values()) == 8
    short = {figure.name for figure in peers.figures_of(_rows(1.4, 61.0)) if figure.short}
    assert short == {
        "one question: ours prepared / quickest exact peer",
        "one question: ours unprepared / quickest exact peer",
        "each of 50: ours prepared / quickest exact peer",
    }
    assert any(
        figure.short for figure in peers.figures_of([replace(row, peer=False) for row in _rows(1.1, 50.0)])
    )


def test_from_how_many_questions_preparation_pays():
    prepared = next(line for line in peers.table(_rows(1.1, 50.0)).splitlines() if "prepared |" in line)
    assert prepared.split(" | ")[-2:] == [str(math.ceil(500 / 58.9)), f"{math.ceil(500 / 6.89)} |"]


def test_a_shortfall_is_the_exit_code_and_who_is_missing_is_said(monkeypatch, capsys, tiny):
    monkeypatch.setattr(
        peers, "PEERS", (replace(EXACT_PEER, package="no_such_module", distribution="nobody"),)
    )
    monkeypatch.setattr(peer_libraries, "has_pyinfluence", lambda: False)
    monkeypatch.setattr(peer_libraries, "quiet", lambda: None)
    monkeypatch.setattr(scores, "problem", lambda *_: tiny)
    assert peers.main(["--threads", "1", "--rounds", "1"]) == 0
    assert peers.main(["--threads", "1", "--rounds", "1", "--check"]) == 1
    said = capsys.readouterr().out
    assert "nobody is not installed: not compared." in said
    assert "pyinfluence is not installed: not compared." in said
    assert "falls short" in said


def test_the_binary_table_has_both_and_says_how_far_they_are_apart(monkeypatch):
    x, y = normal(40, 5), torch.arange(40) % 2
    objective = LinearObjective.build(x[:30], y[:30], LogisticLoss(), 0.1)
    given = Problem("binary", objective, minimise(objective).theta, x[30:], y[30:])
    engine = peers._engine(given, peers.Cholesky())

    def explain(rows, labels):
        return engine.score(rows, labels).values.numpy() * 1.5

    monkeypatch.setattr(peer_libraries, "pyinfluence", lambda *_: explain)
    text = peers.binary(objective, given.theta, given.x, given.y)
    assert text.endswith("Their scores and ours differ by 0.5 of ours.")
    assert text.count("\n| ") == 2
