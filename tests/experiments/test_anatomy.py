"""The anatomy of a score: each factor against its formula. Its picture is tested in `test_figures`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influence_core.engines import SolverSettings
from influence_core.experiments import anatomy, explain, questions
from influence_core.studies import Study, StudySpec, find, open_study
from tests.problems import ready


@pytest.fixture(scope="module")
def one_or_seven() -> Study:
    return open_study(find("one-or-seven"))


def _asked(study: Study, test_id: int, settings: SolverSettings = explain.AUTOMATIC):
    question = questions.ask(study, test_id, label=int(study.data.test.y[study.data.test.position(test_id)]))
    answer = explain.run(study, question, settings)
    return answer, anatomy.run(study, answer)


def test_every_factor_is_the_papers_formula(one_or_seven):
    """``I_up,loss = - y_t y sigma(-y_t th'x_t) sigma(-y th'x) x_t' H^-1 x``, and what is left of it."""
    study = one_or_seven
    answer, parts = _asked(study, 5022)
    x, xt, theta = study.data.train.x.numpy(), answer.x, study.theta.numpy()
    y, yt = 2 * study.data.train.y.numpy() - 1, 2 * answer.label - 1
    sigma = 1 / (1 + np.exp(y * (x @ theta)))
    pull = y * yt / (1 + np.exp(yt * (xt @ theta)))
    bend = sigma * (1 - sigma) / len(x)
    h = x.T @ (x * bend[:, None]) + 0.01 * np.eye(len(theta))
    inner, bent = x @ xt, x @ np.linalg.solve(h, xt)

    assert_allclose(parts.full, pull * sigma * bent, rtol=1e-8, atol=1e-14)
    assert_allclose(parts.without_loss, pull * bent, rtol=1e-8, atol=1e-14)
    assert_allclose(parts.without_curvature, pull * sigma * inner, rtol=1e-10)
    assert_allclose(parts.without_both, pull * inner, rtol=1e-10)
    assert_allclose(parts.loss_factor, sigma, rtol=1e-10)
    assert_allclose(parts.full, len(x) * answer.scores, rtol=1e-12)
    assert (np.abs(parts.full) <= np.abs(parts.without_loss)).all()
    assert (parts.same_label == (y == yt)).all()
    assert (parts.ids == study.data.train.ids.numpy()).all()


def test_signs_hold_for_every_seven(one_or_seven):
    study = one_or_seven
    settings = SolverSettings("cholesky")
    context = ready(study, settings)
    sevens = study.data.test.ids[study.data.test.y == 0]
    for test_id in sevens[::25].tolist():
        answer = explain.run(study, questions.ask(study, test_id, label=0), settings, context=context)
        parts = anatomy.run(study, answer)
        sign = np.where(parts.same_label, 1, -1)
        assert (sign * parts.without_curvature > 0).all()
        assert (sign * parts.without_both > 0).all()
        assert (sign * parts.full < 0).any()


def test_the_identity_holds_for_several_classes():
    study = open_study(StudySpec("three", "Three digits", "digits", "softmax", 0.01, (7, 1, 3), n_train=150))
    answer, parts = _asked(study, int(study.data.test.ids[0]), SolverSettings("cg"))
    assert_allclose(parts.full, parts.loss_factor * parts.without_loss, rtol=1e-10)
    assert_allclose(parts.full, len(answer.scores) * answer.scores, rtol=1e-10, atol=1e-15)
    assert (parts.without_loss[parts.loss_factor == 0] != 0).all()
