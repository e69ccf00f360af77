"""The catalogue of model families: how each becomes an objective, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from influence_core import devices
from influence_core.data import DataSet
from influence_core.losses import HingeLoss, LogisticLoss, Loss, SoftmaxLoss
from influence_core.models import all_convolutional
from influence_core.network import NetworkObjective
from influence_core.objective import LinearObjective, Objective

Built = tuple[Objective, Tensor | None]
"""An objective on its device, and where training starts; ``None`` is zero."""


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes:
        title: In words.
        build: From data, the trained penalty l2, a seed and the name of a device to an objective and a start.
        is_network: Whether its risk is not convex.
        is_smooth_linear: Whether it is linear in its parameters, with a loss that has a curvature everywhere.
    """

    title: str
    build: Callable[[DataSet, float, int, str], Built]
    is_network: bool = False
    is_smooth_linear: bool = False


def _linear(loss: Callable[[int], Loss]) -> Callable[[DataSet, float, int, str], Built]:
    """A linear model with the loss for so many classes."""

    def build(examples: DataSet, l2: float, seed: int, device: str) -> Built:
        x, y, of_classes = examples.train.x, examples.train.y, loss(len(examples.class_names))
        chosen, dtype = devices.choose(device, x.shape[1] * of_classes.outputs, is_network=False)
        return LinearObjective.build(x.to(chosen, dtype), y.to(chosen), of_classes, l2), None

    return build


def _all_convolutional(examples: DataSet, l2: float, seed: int, device: str) -> Built:
    """The paper's network; its penalty falls on weights, not on biases."""
    classes, x, y = len(examples.class_names), examples.train.x, examples.train.y
    network = all_convolutional.build(classes, seed)
    chosen, dtype = devices.choose(device, sum(p.numel() for p in network.parameters()), is_network=True)
    objective = NetworkObjective.build(
        network.to(chosen, dtype),
        x.to(chosen, dtype),
        y.to(chosen),
        SoftmaxLoss(classes),
        all_convolutional.penalty(network, l2),
        all_convolutional.INPUT_SHAPE,
        trial=False,  # the tests have tried it
    )
    return objective, objective.theta()


FAMILIES: dict[str, Family] = {
    "softmax": Family("softmax regression", _linear(SoftmaxLoss), is_smooth_linear=True),
    "logistic": Family("logistic regression", _linear(lambda _: LogisticLoss()), is_smooth_linear=True),
    "svm": Family("support vector machine", _linear(lambda _: HingeLoss())),
    "all-convolutional": Family("the paper's network", _all_convolutional, is_network=True),
}
"""The families by the name that a spec's ``model`` has. A new one is a row here."""
