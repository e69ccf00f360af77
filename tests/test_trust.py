"""What speaks against a number is said, and nothing else is."""

import math
from dataclasses import replace

import pytest

from influence_core.experiments import explain
from influence_core.experiments.explain import Settings
from influence_core.studies import StudySpec, open_study
from influence_core.trust import DRIFT, EXACT_RESIDUAL, Provenance

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


@pytest.mark.parametrize(("gradient_norm", "concerns"), [(0.2, 1), (1e-10, 0)])
def test_a_half_trained_model_is_noticed(gradient_norm, concerns):
    spec = StudySpec("half", "Half", "digits", "logistic", 0.01, (7, 1), 300, gradient_norm)
    study = open_study(spec)
    answer = explain.run(study, explain.ask(study, 5040), Settings("cg"))
    found = answer.provenance.concerns()
    assert len(found) == concerns
    assert all("not trained to the end" in one for one in found)
