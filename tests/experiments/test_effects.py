"""What moved outputs do to loss and probability: against sums in 60 digits, from the tiniest changes to the largest."""

from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from influence_core.errors import UnsupportedError
from influence_core.experiments import questions
from influence_core.experiments.effects import Effects, by_output, effects_by, effects_of
from tests.problems import linear, linear_study

SIZES = (1e-300, 1e-14, 1e-9, 1e-3, 1.0, 30.0, 800.0)


def _study(kind: str, size: float):
    """Parameters so large that the outputs are of about this size."""
    study = linear_study(linear(kind))
    x = study.data.test.x[0]
    outputs = study.objective.outputs(study.theta, x[None])
    return replace(study, theta=study.theta * (size / float(outputs.abs().max())))


def _exactly(outputs: np.ndarray, label: int, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss and the probability after less those before, in 60 digits."""
    found = []
    with localcontext() as digits:
        digits.prec = 400  # a change of 1e-300 is still one
        for one in [np.zeros_like(moves[0]), *moves]:
            scores = [Decimal(float(f)) + Decimal(float(d)) for f, d in zip(outputs, one, strict=True)]
            scores = scores if len(scores) > 1 else [Decimal(0), *scores]
            total = sum((score.exp() for score in scores), Decimal(0))
            found.append((total.ln() - scores[label], scores[label].exp() / total))
        before, *after = found
        changes = [(float(loss - before[0]), float(p - before[1])) for loss, p in after]
    losses, probabilities = zip(*changes, strict=True)
    return np.array(losses), np.array(probabilities)


@pytest.mark.parametrize("size", [0.3, 8.0, 40.0, 760.0])
@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_effects_are_exact_however_small(kind, size):
    study = _study(kind, size)
    x = study.data.test.x[0]
    outputs = study.objective.outputs(study.theta, x[None])[0].numpy()
    drawn = np.random.default_rng(0).normal(size=(6, len(outputs)))
    for label in range(study.objective.loss.classes):
        question = questions.ask(study, 900, label=label)
        for scale in SIZES:
            moves = scale * drawn
            found, (loss, probability) = effects_of(study, question, moves), _exactly(outputs, label, moves)
            floor = 1e-305 if scale < 100 else 1e-12
            for one, true in ((found.loss, loss), (found.probability, probability)):
                assert_allclose(one, true, rtol=0, atol=max(1e-12 * np.abs(true).max(), floor))


@pytest.mark.parametrize("label", [0, 1])
def test_more_moved_is_never_less_changed(label):
    study = _study("logistic", 4.0)
    question = questions.ask(study, 900, label=label)
    moves = np.sort(np.concatenate([s * np.linspace(-1, 1, 101) for s in (1e-15, 1e-9, 1e-3, 5.0)]))
    found = effects_of(study, question, np.unique(moves)[:, None])
    falling = 1 if label == 0 else -1
    assert (falling * np.diff(found.loss) > 0).all()
    assert (falling * np.diff(found.probability) < 0).all()


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_effects_of_changed_parameters_are_those_of_the_outputs_they_move(kind):
    study = _study(kind, 2.0)
    question = questions.ask(study, 901)
    changes = torch.randn(7, study.objective.dim, generator=torch.Generator().manual_seed(0))
    moves = np.stack([study.objective.outputs(one.double(), question.x[None])[0].numpy() for one in changes])
    found, expected = (
        effects_by(study, question, by_output(changes, moves.shape[1]).numpy()),
        effects_of(study, question, moves),
    )
    assert_allclose(found.loss, expected.loss, rtol=1e-5, atol=1e-6)
    assert_allclose(found.probability, expected.probability, rtol=1e-5, atol=1e-6)


def test_a_margin_is_no_log_probability():
    toy = linear("smooth_hinge")
    study = replace(linear_study(linear("logistic")), objective=toy.objective, theta=toy.theta)
    with pytest.raises(UnsupportedError, match="SmoothHingeLoss is no log-probability"):
        effects_of(study, questions.Question(torch.zeros(5), 0), np.zeros((1, 1)))


def test_a_forecast_below_a_loss_of_nothing_ends_at_certainty():
    assert Effects(np.array([-1000.0, 0.0]), 800.0).probability.tolist() == [1.0, 0.0]
    assert Effects(np.array([-3.0]), 2.0).probability[0] == pytest.approx(1 - np.exp(-2.0))
