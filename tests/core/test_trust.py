"""What speaks against a number is said, and nothing else is."""

import math
from dataclasses import replace

import pytest

from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.engines import Prepared, SolverSettings
from influence_core.errors import SolveError
from influence_core.experiments import explain, questions, verdict
from influence_core.influence import InfluenceEngine
from influence_core.operators import Hessian
from influence_core.solvers import LiSSA
from influence_core.studies import StudySpec, open_study
from influence_core.trust import (
    CLOSE,
    DRIFT,
    EXACT_RESIDUAL,
    FEW,
    FINISHED,
    MEASURED,
    ORDERED,
    USELESS,
    Evidence,
    Provenance,
    judge,
    judge_by_truth,
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


# ------------------------------------------------------------------------------------------------- the verdict

RIGHT = Agreement(1.0, 1.0, 1.0, 0.0)
SEEN = Evidence(
    "corrected", 100, "training images", 0.01, doubt=0.0, retrained=RIGHT, retrainings=20, covered=True
)
INFLUENCE = Evidence("influence", 100, "training images", 0.01)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"number": "proven"}, "proven", "trained again without each of the 100 training images"),
        (
            {},
            "green",
            "hardest to forecast, by training again without them: the forecast is off by at most 0.0 %",
        ),
        ({"doubt": MEASURED}, "green", "8.0 % of the largest change"),
        ({"doubt": 1.01 * MEASURED}, "amber", "8.1 % of the largest change"),
        ({"doubt": USELESS}, "amber", "50.0 %"),
        ({"doubt": 1.01 * USELESS}, "red", "50.5 %"),
        ({"doubt": None}, "amber", "not been measured yet"),
        ({"doubt": math.nan}, "amber", "did not come to their end"),
        ({"covered": False}, "amber", "Those strongest here are still to be checked"),
        ({"retrained": None, "retrainings": 0}, "amber", "still to be checked"),
        ({"retrained": replace(RIGHT, worst=1.01 * MEASURED)}, "amber", "still to be checked"),
        ({"left_open": FINISHED * 0.01}, "green", "hardest"),
        ({"left_open": 1.01 * FINISHED * 0.01}, "red", "half trained"),
        ({"left_open": math.nan}, "red", "half trained"),
        ({"left_open": 1e-30, "largest": 0.0}, "amber", "by more than rounding"),
        ({"left_open": 1e-30, "largest": 0.0, "number": "proven"}, "proven", "trained again"),
    ],
    ids=str,
)
def test_the_verdict_on_the_better_numbers(changes, level, words):
    found = judge(SOUND, replace(SEEN, **changes))
    assert found.level == level
    assert words in found.reason
    assert found.reason.endswith(".")


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "amber", "first-order number"),
        ({"exact": False, "solver": "LiSSA", "residual": 0.3}, "amber", "LiSSA is an approximation"),
        ({"convex": False}, "amber", "many optima"),
        ({"convex": False, "damping": 0.01}, "amber", "many optima"),
        ({"damping": 0.1}, "amber", "damping shrinks"),
        ({"status": "negative curvature"}, "red", "it ended with “negative curvature”"),
        ({"status": "diverged", "exact": False}, "red", "it ended with “diverged”"),
        ({"status": "too few steps"}, "red", "it ended with “too few steps”"),
        ({"residual": 1.01 * EXACT_RESIDUAL}, "red", "does not solve the equation"),
        ({"residual": math.nan}, "red", "does not solve the equation"),
    ],
    ids=str,
)
def test_the_verdict_on_the_first_order_is_never_green_by_itself(changes, level, words):
    found = judge(replace(SOUND, **changes), INFLUENCE)
    assert found.level == level
    assert words in found.reason


@pytest.mark.parametrize(
    "seen", [SEEN, INFLUENCE, replace(SEEN, number="proven")], ids=lambda one: one.number
)
@pytest.mark.parametrize("drift", [1.01 * DRIFT * 0.01, -1.01 * DRIFT * 0.01, math.nan])
def test_a_half_trained_model_has_no_effects_whatever_the_number(seen, drift):
    found = judge(replace(SOUND, drift=drift), seen)
    assert (found.level, "half trained" in found.reason) == ("red", True)
    assert judge(replace(SOUND, drift=DRIFT * 0.01), seen).level != "red"


@pytest.mark.parametrize("changes", [{"status": "diverged"}, {"residual": 1.0}], ids=str)
def test_a_failed_solve_says_nothing_of_numbers_that_it_did_not_make(changes):
    failed = replace(SOUND, **changes)
    assert judge(failed, SEEN).level == "green"
    assert judge(failed, replace(SEEN, number="proven")).level == "proven"


@pytest.mark.parametrize(
    ("miss", "level"),
    [(0.0, "green"), (CLOSE, "green"), (1.01 * CLOSE, "amber"), (USELESS, "amber"), (1.01 * USELESS, "red")],
)
def test_a_number_beside_a_better_one_of_all_examples(miss, level):
    found = judge(SOUND, replace(INFLUENCE, better="proven", miss=miss))
    assert found.level == level
    assert "Held against the proven numbers of all training images" in found.reason
    by_forecast = judge(SOUND, replace(INFLUENCE, better="corrected", miss=miss))
    assert by_forecast.level == ("amber" if level == "green" else level), (
        "two forecasts may be wrong together"
    )


def agreement(actual, forecast=(1.0, 2.0, 3.0, 4.0, 5.0)) -> Agreement:
    return Agreement.of(forecast, actual)


@pytest.mark.parametrize(
    ("actual", "level", "words"),
    [
        ((1, 2, 3, 4, 5), "green", "5 real retrainings: the forecast is off by at most 0.0 % of the largest"),
        ((1, 2, 3, 4, 5 / (1 - CLOSE)), "green", "10.0 %"),
        ((1, 2, 3, 4, 5.01 / (1 - CLOSE)), "amber", "10.2 % of the largest change."),
        ((2, 1, 4, 3, 5), "amber", "20.0 %"),  # an agreement of exactly ORDERED
        ((2, 1, 5, 3, 4), "red", "of the largest change"),
        ((1, 2, 3, 4, 10.1), "red", "50.5 %"),
        ((5, 4, 3, 2, 1), "red", "80.0 %"),
        ((0.0,) * 5, "red", "5 real retrainings bear out nothing of this forecast."),
        ((1, 2, 3, 4, math.nan), "red", "bear out nothing"),
    ],
    ids=str,
)
def test_a_forecast_beside_a_few_real_retrainings(actual, level, words):
    found = judge_by_truth(agreement(actual), 5)
    assert found.level == level
    assert words in found.reason
    seen = replace(SEEN, retrained=agreement(actual), retrainings=5)
    strict = "amber" if level == "green" and seen.retrained.worst > MEASURED else level
    assert judge(SOUND, seen).level == strict
    of_influence = judge(SOUND, replace(INFLUENCE, retrained=agreement(actual), retrainings=5))
    assert of_influence.level == ("amber" if level == "green" else level), "a few of many prove nothing"


def test_the_bounds_that_the_rows_above_stand_on():
    assert (CLOSE, ORDERED, USELESS) == (0.1, 0.8, 0.5)


def test_one_retraining_is_too_few_to_judge_by():
    alone = replace(SEEN, retrained=agreement([2.0], [1.0]), retrainings=FEW - 1)
    assert judge(SOUND, alone) == judge(SOUND, replace(SEEN, retrained=None, retrainings=0))


def test_retrainings_count_for_nothing_beside_the_truth():
    wrong = {"retrained": agreement([5, 4, 3, 2, 1]), "retrainings": 5}
    proven = replace(SEEN, number="proven")
    assert judge(SOUND, replace(proven, **wrong)) == judge(SOUND, proven)


# ------------------------------------------------------------------------------------ three ways to fail, really


@pytest.mark.parametrize(("gradient_norm", "level"), [(0.2, "red"), (1e-10, "amber")])
def test_a_half_trained_model_is_noticed(gradient_norm, level):
    spec = StudySpec("half", "Half", "digits", "logistic", 0.01, (7, 1), 300, gradient_norm)
    study = open_study(spec)
    answer = explain.run(study, questions.ask(study, 5040), SolverSettings("cg"))
    concerns, badge = answer.provenance.concerns(), verdict.run(study, answer)
    assert badge.level == level
    assert ("half trained" in badge.reason) == (level == "red")
    assert [("not trained to the end" in one) for one in concerns] == ([True] if level == "red" else [])


def test_an_indefinite_hessian_without_damping_is_noticed():
    """At a random theta, where the smallest eigenvalue of this network's Hessian is -0.9 and the largest 0.8."""
    study = network_study()
    question = questions.ask(study, 100)
    answer = explain.run(study, question, SolverSettings("cg", 0.0, "hessian"))
    assert answer.provenance.status == "negative curvature"
    badge = verdict.run(study, answer)
    assert (badge.level, "negative curvature" in badge.reason) == ("red", True)
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
    badge = verdict.run(study, answer)
    assert (badge.level, "diverged" in badge.reason) == ("red", True)
