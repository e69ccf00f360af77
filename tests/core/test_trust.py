"""What speaks against a number is said, and nothing else is."""

import math
from dataclasses import replace

import pytest
from numpy.testing import assert_allclose

from influence_core.context import Context
from influence_core.engines import Prepared, SolverSettings
from influence_core.errors import SolveError
from influence_core.experiments import explain, questions
from influence_core.influence import InfluenceEngine
from influence_core.operators import Hessian
from influence_core.solvers import LiSSA
from influence_core.studies import StudySpec, open_study
from influence_core.trust import (
    CLOSE,
    DRIFT,
    EXACT_RESIDUAL,
    ORDERED,
    SECOND_ORDER,
    Provenance,
    SpotCheck,
    judge,
    rank_agreement,
)
from tests.problems import network_study

SOUND = Provenance(
    solver="Cholesky",
    reason="chosen by you",
    settings="dense factor",
    exact=True,
    status="converged",
    steps=0,
    residual=1e-15,
    curvature="hessian",
    damping=0.0,
    gradient_norm=1e-12,
    convergence_check=1e-12,
    drift=1e-12,
    largest=0.01,
    n=100,
    p=10,
    l2="0.01",
    device="cpu",
    dtype="float64",
    seconds=0.1,
    convex=True,
    second_order=0.0,
)


def test_a_sound_result_raises_no_concern():
    assert SOUND.concerns() == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "negative curvature"}, ["negative curvature", "not the answer"]),
        ({"status": "diverged"}, ["diverged"]),
        ({"residual": 1.01 * EXACT_RESIDUAL}, ["claims an exact answer", "1.0e-03"]),
        ({"residual": math.nan}, ["claims an exact answer", "nan"]),
        ({"exact": False, "solver": "LiSSA", "residual": 0.12}, ["LiSSA is an approximation", "0.12"]),
        ({"drift": 1.01 * DRIFT * 0.01}, ["not trained to the end", "1.0e-03 nats", "1.0e-02"]),
        ({"drift": -1.01 * DRIFT * 0.01}, ["not trained to the end", "1.0e-03 nats"]),
        ({"drift": math.nan}, ["not trained to the end"]),
        ({"convex": False}, ["not convex", "real retraining"]),
        ({"convex": False, "damping": 1.0}, ["not convex"]),
        ({"damping": 0.1}, ["damping of 0.1", "no forecast of taking an example out"]),
    ],
    ids=str,
)
def test_each_concern_is_one_sentence_or_two(changes, words):
    (concern,) = replace(SOUND, **changes).concerns()
    for word in words:
        assert word in concern


@pytest.mark.parametrize(
    "changes",
    [
        {"residual": EXACT_RESIDUAL},
        {"drift": DRIFT * 0.01},
        {"drift": -DRIFT * 0.01},
        {"drift": 0.0, "largest": 0.0},
    ],
    ids=str,
)
def test_what_is_within_bounds_raises_none(changes):
    assert replace(SOUND, **changes).concerns() == ()


def test_concerns_add_up():
    worst = replace(SOUND, status="diverged", exact=False, drift=1.0, convex=False)
    assert len(worst.concerns()) == 4


# ---------------------------------------------------------------------------------------- a spot check by hand

PREDICTED = (1.0, 2.0, 3.0, 4.0, 5.0)


def spot(actual, predicted=PREDICTED, **changes) -> SpotCheck:
    return SpotCheck(tuple(range(len(actual))), tuple(predicted), tuple(actual), 0.1, **changes)


@pytest.mark.parametrize(
    ("actual", "error", "agreement"),
    [
        (PREDICTED, 0.0, 1.0),
        ((1, 2, 3, 4, 10), 0.5, 1.0),  # misses by 5 of 10
        ((1.4, 2, 3, 4, 5), 0.08, 1.0),  # 0.4 of 5
        ((2, 1, 4, 3, 5), 0.2, 0.8),  # 1 of 5; 1 - 6 * 4 / 120
        ((5, 4, 3, 2, 1), 0.8, -1.0),
        ((-1, -2, -3, -4, -5), 2.0, -1.0),  # 10 of 5
        ((0.0, 0.0, 0.0, 0.0, 8.0), 0.5, math.sqrt(0.5)),  # four ties share the rank 2.5
    ],
    ids=str,
)
def test_error_and_agreement_of_a_spot_check(actual, error, agreement):
    assert_allclose([spot(actual).error, spot(actual).agreement], [error, agreement], atol=1e-12)


@pytest.mark.parametrize(
    ("predicted", "actual", "error"),
    [
        (PREDICTED, (0.0,) * 5, math.inf),
        ((0.0,) * 5, (0.0,) * 5, 0.0),
        ((0.0,) * 5, PREDICTED, 1.0),
        ((2.0,) * 5, (2.0,) * 5, 0.0),
        (PREDICTED, (1.0, 2.0, 3.0, 4.0, math.nan), math.nan),
        ((1.0,), (1.25,), 0.2),
    ],
    ids=str,
)
def test_a_spot_check_without_an_order(predicted, actual, error):
    one = spot(actual, predicted)
    assert_allclose(one.error, error)
    assert math.isnan(one.agreement)


def test_the_agreement_is_of_ranks_and_not_of_sizes():
    assert_allclose(rank_agreement([1, 2, 3], [1, 10, 1e6]), 1.0)
    assert_allclose(rank_agreement([1, 1, 2], [1, 2, 3]), 1.5 / math.sqrt(3))


# --------------------------------------------------------------------------------------------------- the badge


@pytest.mark.parametrize(
    ("changes", "colour", "words"),
    [
        ({}, "green", "Exact solver, finished training"),
        ({"second_order": SECOND_ORDER}, "green", "one optimum"),
        ({"second_order": None}, "amber", "not computed whether a few"),
        ({"second_order": 1.01 * SECOND_ORDER}, "amber", "miss the size"),
        ({"exact": False, "solver": "LiSSA", "residual": 0.3}, "amber", "LiSSA is an approximation"),
        ({"convex": False}, "amber", "many optima"),
        ({"convex": False, "damping": 0.01}, "amber", "many optima"),
        ({"damping": 0.1}, "amber", "damping shrinks"),
        ({"status": "negative curvature"}, "red", "it ended with “negative curvature”"),
        ({"status": "diverged", "exact": False}, "red", "it ended with “diverged”"),
        ({"status": "too few steps"}, "red", "it ended with “too few steps”"),
        ({"residual": 1.01 * EXACT_RESIDUAL}, "red", "does not solve the equation"),
        ({"residual": math.nan}, "red", "does not solve the equation"),
        ({"drift": 1.01 * DRIFT * SOUND.largest}, "red", "only half trained"),
        ({"drift": -1.01 * DRIFT * SOUND.largest}, "red", "only half trained"),
        ({"drift": math.nan}, "red", "only half trained"),
        ({"residual": EXACT_RESIDUAL, "drift": DRIFT * SOUND.largest}, "green", "Exact solver"),
    ],
    ids=str,
)
def test_a_colour_and_its_reason_before_any_retraining(changes, colour, words):
    badge = judge(replace(SOUND, **changes))
    assert badge.colour == colour
    assert words in badge.reason
    assert badge.reason.endswith(".")


DOUBTED = replace(SOUND, exact=False, convex=False, damping=0.1, second_order=1.0)


@pytest.mark.parametrize("facts", [SOUND, DOUBTED], ids=["sound", "doubted"])
@pytest.mark.parametrize(
    ("actual", "colour", "words"),
    [
        (PREDICTED, "green", "5 real retrainings: the forecast is off by at most 0 % of the largest change."),
        ((1, 2, 3, 4, 5 / (1 - CLOSE)), "green", "10.0 %"),
        ((1, 2, 3, 4, 5.01 / (1 - CLOSE)), "amber", "10.2 % of the largest change, but the order is right."),
        ((2, 1, 4, 3, 5), "amber", "20.0 %"),  # an agreement of exactly ORDERED
        ((2, 1, 5, 3, 4), "red", "the order does not agree"),
        ((5, 4, 3, 2, 1), "red", "80.0 % of the largest change, and the order does not agree with it."),
        ((7.0,) * 5, "red", "the order does not agree"),
        ((0.0,) * 5, "red", "5 real retrainings bear out nothing of this forecast."),
        ((1, 2, 3, 4, math.nan), "red", "bear out nothing"),
    ],
    ids=str,
)
def test_a_spot_check_decides_over_every_doubt(facts, actual, colour, words):
    badge = judge(facts, spot(actual))
    assert badge.colour == colour
    assert words in badge.reason


def test_the_bounds_that_the_rows_above_stand_on():
    assert (CLOSE, ORDERED) == (0.1, 0.8)


@pytest.mark.parametrize("facts", [SOUND, DOUBTED], ids=["sound", "doubted"])
@pytest.mark.parametrize("actual", [PREDICTED, (5, 4, 3, 2, 1)], ids=["right", "wrong"])
def test_retrainings_that_did_not_end_decide_nothing(facts, actual):
    assert judge(facts, spot(actual, converged=False)) == judge(facts)


@pytest.mark.parametrize(
    "changes", [{"status": "diverged"}, {"residual": 1.0}, {"drift": SOUND.largest}], ids=str
)
@pytest.mark.parametrize("actual", [PREDICTED, (5, 4, 3, 2, 1)], ids=["right", "wrong"])
def test_a_failure_stays_red_whatever_a_spot_check_says(changes, actual):
    failed = replace(SOUND, **changes)
    assert judge(failed, spot(actual)) == judge(failed)
    assert judge(failed).colour == "red"


def test_the_first_failure_is_the_one_that_is_said():
    worst = replace(DOUBTED, status="diverged", drift=1.0)
    assert len(worst.failures()) == 2
    assert judge(worst).reason == worst.failures()[0]


# ------------------------------------------------------------------------------------ three ways to fail, really


@pytest.mark.parametrize(("gradient_norm", "colour"), [(0.2, "red"), (1e-10, "amber")])
def test_a_half_trained_model_is_noticed(gradient_norm, colour):
    spec = StudySpec("half", "Half", "digits", "logistic", 0.01, (7, 1), 300, gradient_norm)
    study = open_study(spec)
    answer = explain.run(study, questions.ask(study, 5040), SolverSettings("cg"))
    concerns, badge = answer.provenance.concerns(), judge(answer.provenance)
    assert badge.colour == colour
    assert ("half trained" in badge.reason) == (colour == "red")
    assert [("not trained to the end" in one) for one in concerns] == ([True] if colour == "red" else [])


def test_an_indefinite_hessian_without_damping_is_noticed():
    """At a random theta, where the smallest eigenvalue of this network's Hessian is -0.9 and the largest 0.8."""
    study = network_study()
    question = questions.ask(study, 100)
    answer = explain.run(study, question, SolverSettings("cg", 0.0, "hessian"))
    assert answer.provenance.status == "negative curvature"
    badge = judge(answer.provenance)
    assert (badge.colour, "negative curvature" in badge.reason) == ("red", True)
    damped = explain.run(study, question, SolverSettings("cg", 2.0, "hessian"))
    assert damped.provenance.status == "converged"


def test_an_indefinite_hessian_cannot_be_factored_and_it_is_said_what_helps():
    study = network_study()
    with pytest.raises(
        SolveError, match="not positive definite.*add damping, use the Gauss-Newton curvature"
    ):
        explain.run(study, questions.ask(study, 100), SolverSettings("cholesky", 0.0, "hessian"))


def test_a_diverged_lissa_is_noticed(one_or_seven, monkeypatch):
    study, solver = one_or_seven, LiSSA(scale=0.02)
    hessian = Hessian(study.objective, study.theta)
    assert hessian.matvec(study.theta).norm() > 0.02 * study.theta.norm()  # an eigenvalue is above the scale
    engine = InfluenceEngine(study.objective, study.theta, hessian, solver.prepare(hessian))
    prepared, context = Prepared(engine, SolverSettings("lissa").resolved(study), solver, 0.0), Context()
    monkeypatch.setattr(context.engines, "prepare", lambda *_: prepared)
    answer = explain.run(study, questions.ask(study, 5040), SolverSettings("lissa"), context=context)
    assert answer.provenance.status == "diverged"
    badge = judge(answer.provenance)
    assert (badge.colour, "diverged" in badge.reason) == ("red", True)
