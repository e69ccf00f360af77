"""The losses: functions of a model's outputs alone.

Shapes: ``f (b, c)`` are the outputs of ``b`` examples, ``y (b,)`` their labels ``0 .. classes - 1``. Binary losses
have one output (``c = 1``) and read label 1 as ``+1`` and label 0 as ``-1``; ``m = (2 y - 1) f`` is the margin.
Outputs of another width are a ``ShapeError``.

A loss knows its value, its residual ``dl/df`` and its curvature ``d2l/df2``; everything else is the objective's work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from influence_core.errors import ShapeError, UnsupportedError

CurvatureProduct = Callable[[Tensor], Tensor]


class Loss(Protocol):
    """A per-example loss of the outputs."""

    @property
    def outputs(self) -> int:
        """Number of model outputs ``c``."""
        ...

    @property
    def classes(self) -> int:
        """Number of labels."""
        ...

    @property
    def smooth(self) -> bool:
        """Whether gradient and curvature exist everywhere."""
        ...

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        """Losses ``(b,)``, in nats (in hinge units for the SVM losses)."""
        ...

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        """Derivatives ``dl/df (b, c)``."""
        ...

    def directions(self, f: Tensor, y: Tensor) -> Tensor:
        """Residuals with their size taken out: ``residuals = loss_factors[:, None] * directions``, ``(b, c)``."""
        ...

    def loss_factors(self, f: Tensor, y: Tensor) -> Tensor:
        """The size of each residual, ``(b,)`` in 0..1: how badly the example is still fitted."""
        ...

    def curvature(self, f: Tensor, y: Tensor) -> CurvatureProduct:
        """The map ``u (b, c, k) -> d2l/df2 u (b, c, k)``, prepared once for these outputs."""
        ...

    def probabilities(self, f: Tensor) -> Tensor:
        """Class probabilities ``(b, classes)``."""
        ...


@dataclass(frozen=True)
class SoftmaxLoss:
    """Cross-entropy of the softmax: ``l = logsumexp(f) - f_y``.

    Three outputs that are equal: each class has a third, and the residual pulls towards the label.

    >>> loss, f, y = SoftmaxLoss(classes=3), torch.zeros(1, 3), torch.tensor([2])
    >>> loss.residuals(f, y)
    tensor([[ 0.3333,  0.3333, -0.6667]])
    >>> loss.loss_factors(f, y)
    tensor([0.6667])
    """

    classes: int

    @property
    def outputs(self) -> int:
        """One output a class."""
        return self.classes

    @property
    def smooth(self) -> bool:
        """Differentiable everywhere."""
        return True

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        """``logsumexp(f) - f_y``, ``(b,)`` nats."""
        return F.cross_entropy(checked_outputs(self, f), y, reduction="none")

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        """``p - e_y``, ``(b, c)``."""
        return self.probabilities(f) - F.one_hot(y, self.classes).to(f.dtype)

    def directions(self, f: Tensor, y: Tensor) -> Tensor:
        """``-1`` for the label, the softmax over the other classes elsewhere, ``(b, c)``."""
        label = F.one_hot(y, self.classes).bool()
        others = checked_outputs(self, f).masked_fill(label, -torch.inf)
        return others.softmax(1).masked_fill(label, -1.0)

    def loss_factors(self, f: Tensor, y: Tensor) -> Tensor:
        """``1 - p_y``, ``(b,)``, computed without cancellation."""
        label = F.one_hot(y, self.classes).bool()
        others = checked_outputs(self, f).masked_fill(label, -torch.inf).logsumexp(1)
        return torch.sigmoid(others - f.gather(1, y[:, None])[:, 0])

    def curvature(self, f: Tensor, y: Tensor) -> CurvatureProduct:
        """``u -> (diag(p) - p p') u``."""
        p = self.probabilities(f).unsqueeze(2)

        def product(u: Tensor) -> Tensor:
            pu = p * u
            return torch.addcmul(pu, p, pu.sum(1, keepdim=True), value=-1)

        return product

    def probabilities(self, f: Tensor) -> Tensor:
        """The softmax, ``(b, c)``."""
        return checked_outputs(self, f).softmax(1)


class _MarginLoss(ABC):
    """A function ``g(m)`` of the margin alone; a subclass writes ``_g``, ``_slope`` (``-g'``) and ``_bend`` (``g''``)."""

    outputs = 1
    classes = 2
    smooth = True

    @abstractmethod
    def _g(self, m: Tensor) -> Tensor: ...

    @abstractmethod
    def _slope(self, m: Tensor) -> Tensor: ...

    @abstractmethod
    def _bend(self, m: Tensor) -> Tensor: ...

    def _margin(self, f: Tensor, y: Tensor) -> Tensor:
        return _sign(f, y) * checked_outputs(self, f)[:, 0]

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        """``g(m)``, ``(b,)``."""
        return self._g(self._margin(f, y))

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        """``g'(m) (2y - 1)``, ``(b, 1)``."""
        return self.loss_factors(f, y)[:, None] * self.directions(f, y)

    def directions(self, f: Tensor, y: Tensor) -> Tensor:
        """``-(2y - 1)``, ``(b, 1)``."""
        return -_sign(f, y)[:, None]

    def loss_factors(self, f: Tensor, y: Tensor) -> Tensor:
        """``-g'(m)``, ``(b,)`` in 0..1."""
        return self._slope(self._margin(f, y))

    def curvature(self, f: Tensor, y: Tensor) -> CurvatureProduct:
        """``u -> g''(m) u``."""
        bend = self._bend(self._margin(f, y))[:, None, None]
        return lambda u: bend * u

    def probabilities(self, f: Tensor) -> Tensor:
        """A margin is no probability.

        Raises:
            UnsupportedError: Always, except for the logistic loss.
        """
        raise UnsupportedError(
            f"{type(self).__name__} gives margins, not probabilities; use the sign of the output."
        )


@dataclass(frozen=True)
class LogisticLoss(_MarginLoss):
    """Logistic loss ``log(1 + exp(-m))``.

    >>> f, y = torch.tensor([[0.0], [2.0], [2.0]]), torch.tensor([1, 1, 0])
    >>> LogisticLoss().values(f, y)  # undecided, right, wrong
    tensor([0.6931, 0.1269, 2.1269])
    >>> LogisticLoss().probabilities(f)[1]
    tensor([0.1192, 0.8808])
    """

    def _g(self, m: Tensor) -> Tensor:
        return F.softplus(-m, threshold=40)

    def _slope(self, m: Tensor) -> Tensor:
        return torch.sigmoid(-m)

    def _bend(self, m: Tensor) -> Tensor:
        return torch.sigmoid(m) * torch.sigmoid(-m)

    def probabilities(self, f: Tensor) -> Tensor:
        """``(sigmoid(-f), sigmoid(f))``, ``(b, 2)``."""
        f = checked_outputs(self, f)
        return torch.cat([torch.sigmoid(-f), torch.sigmoid(f)], 1)


@dataclass(frozen=True)
class SmoothHingeLoss(_MarginLoss):
    """``t log(1 + exp((1 - m) / t))``: the hinge as the temperature ``t`` goes to 0 (the paper's section 4.3).

    >>> f, y = torch.tensor([[-1.0], [0.5], [3.0]]), torch.tensor([1, 1, 1])
    >>> SmoothHingeLoss(0.01).values(f, y)
    tensor([2.0000, 0.5000, 0.0000])
    >>> torch.equal(SmoothHingeLoss(1e-4).values(f, y), HingeLoss().values(f, y))
    True
    """

    temperature: float

    def _g(self, m: Tensor) -> Tensor:
        return self.temperature * F.softplus((1 - m) / self.temperature, threshold=40)

    def _slope(self, m: Tensor) -> Tensor:
        return torch.sigmoid((1 - m) / self.temperature)

    def _bend(self, m: Tensor) -> Tensor:
        z = (1 - m) / self.temperature
        return torch.sigmoid(z) * torch.sigmoid(-z) / self.temperature


@dataclass(frozen=True)
class HingeLoss(_MarginLoss):
    """Hinge ``max(0, 1 - m)``; for training. Its curvature is 0 wherever it exists."""

    smooth = False

    def _g(self, m: Tensor) -> Tensor:
        return torch.relu(1 - m)

    def _slope(self, m: Tensor) -> Tensor:
        return (m < 1).to(m.dtype)

    def _bend(self, m: Tensor) -> Tensor:
        return torch.zeros_like(m)


def checked_outputs(loss: Loss, f: Tensor) -> Tensor:
    """The outputs, if they are as many as the loss reads.

    Args:
        loss: ``c`` outputs an example.
        f: ``(b, c)``.

    Raises:
        ShapeError: If they are not.
    """
    if f.ndim == 2 and f.shape[1] == loss.outputs:
        return f
    name = type(loss).__name__
    if f.ndim != 2:
        remedy = "give one row of outputs an example"
    elif loss.outputs == 1:
        remedy = f"end the model with one output, or take SoftmaxLoss({f.shape[1]})"
    elif f.shape[1] == 1:
        remedy = f"end the model with {loss.outputs} outputs, or take LogisticLoss() for one"
    else:
        remedy = f"end the model with {loss.outputs} outputs, or take {name}({f.shape[1]})"
    raise ShapeError(
        f"{name} reads outputs of shape (b, {loss.outputs}), but the model gives {tuple(f.shape)}: {remedy}."
    )


def _sign(f: Tensor, y: Tensor) -> Tensor:
    return (2 * y - 1).to(f.dtype)
