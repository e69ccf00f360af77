"""The test images whose answers are attacked, one or many at once, and what a model says about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError
from influence_core.experiments.explain import Explanation
from influence_core.experiments.poison.pictures import Model
from influence_core.experiments.questions import Question, ask_truth
from influence_core.operators import Hessian
from influence_core.solvers import ConjugateGradient
from influence_core.solvers.base import Inverse
from influence_core.studies import Study

LOSS, ANSWERS = "loss", "answers"
"""Goals: raise the mean loss, as in the paper, or lower the mean probability, of which no one test image can take all."""
GOALS = (LOSS, ANSWERS)
SOLVE_RTOL = 1e-8
"""The relative residual of every solve."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says about ``t`` test images.

    Attributes:
        probabilities: ``(t,)`` of the asked label.
        turned: ``(t,)`` whether the answer is another label.
        loss: Their mean, nats.
        height: Of the goal: the mean loss, or minus the mean probability.
        gradient_norm: Of the model's risk.
    """

    probabilities: np.ndarray
    turned: np.ndarray
    loss: float
    height: float
    gradient_norm: float


@dataclass(frozen=True, eq=False)
class Target:
    """``t`` test images that are attacked together.

    Attributes:
        x: ``(t, d)`` what the model sees of them.
        y: ``(t,)`` the labels asked about.
        goal: What is to rise, of ``GOALS``.
    """

    x: Tensor
    y: Tensor
    goal: str = LOSS

    @classmethod
    def of(cls, study: Study, questions: Sequence[Question], goal: str = LOSS) -> Target:
        """The test images of some questions.

        Raises:
            DataError: If there is no question.
        """
        if not questions:
            raise DataError("Name at least one test image to attack.")
        x = study.inputs(torch.stack([one.x for one in questions]))
        return cls(x, torch.tensor([one.label for one in questions], device=x.device), goal)

    def ask(self, model: Model) -> Answers:
        """What the model says about them."""
        found = model.objective.probabilities(model.theta, self.x)
        probabilities = found.gather(1, self.y[:, None])[:, 0].cpu().numpy()
        loss = float(model.objective.losses(model.theta, self.x, self.y).mean())
        height = loss if self.goal == LOSS else -float(probabilities.mean())
        turned = (found.argmax(1) != self.y).cpu().numpy()
        return Answers(probabilities, turned, loss, height, model.gradient_norm)

    def inverse_gradient(self, model: Model) -> Tensor:
        """``s (p,)`` of the goal's mean over the test images: ``grad(-p) = p grad(-log p)``."""
        gradients = model.objective.gradients(model.theta, self.x, self.y)
        if self.goal == ANSWERS:
            p = model.objective.probabilities(model.theta, self.x).gather(1, self.y[:, None])
            gradients = gradients * p
        return inverse_of(model).solve(gradients.mean(0)).require()


def inverse_of(model: Model) -> Inverse:
    """Of the curvature at the optimum, without damping."""
    return ConjugateGradient(SOLVE_RTOL).prepare(Hessian(model.objective, model.theta))


def question_of(explanation: Explanation) -> Question:
    """What an explanation was asked."""
    one = explanation
    return Question(torch.as_tensor(one.x), one.label, one.test_id, one.true_label, one.photo)


def similar_tests(study: Study, test_id: int, count: int = 30) -> list[Question]:
    """At most ``count`` test images of a test image's label, the nearest in feature space: "one dog's photos".

    All are answered rightly, so the test image itself is among them only if it is, too.

    Raises:
        DataError: If there is no such test image, or none of its label is answered rightly.
    """
    test, first = study.data.test, study.data.test.position(test_id)
    mine = _answered_rightly(study, int(test.y[first]))
    near = torch.cdist(test.x[first][None], test.x[mine])[0].argsort().numpy()
    return [ask_truth(study, int(test.ids[i])) for i in mine[near][:count]]


def least_sure_tests(study: Study, label: int, count: int = 30) -> list[Question]:
    """At most ``count`` test images of a label that are answered rightly, those first that the model is least sure of.

    Raises:
        DataError: If no test image of the label is answered rightly.
    """
    mine = _answered_rightly(study, label)
    unsure = study.predictions.confidence[mine].argsort(kind="stable")
    return [ask_truth(study, int(study.data.test.ids[i])) for i in mine[unsure][:count]]


def _answered_rightly(study: Study, label: int) -> np.ndarray:
    """Test positions of a label that are answered rightly."""
    known = study.predictions
    mine = np.flatnonzero(~known.wrong & (known.labels == label))
    if not len(mine):
        raise DataError("No test image of this label is answered rightly: there is nothing to turn.")
    return mine
