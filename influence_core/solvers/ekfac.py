"""EK-FAC: a Gauss-Newton curvature that is diagonal in a Kronecker basis of each layer.

George et al. 2018, "Fast approximate natural gradient descent in a Kronecker-factored eigenbasis"; used for influence by
Grosse et al. 2023.

A layer with weight ``W (o, i)`` (a bias is one more input that is always 1) maps ``a`` to ``W a``, at ``T`` positions where it
is a convolution. With ``d2l/df2 = sum_m r_m r_m'`` and ``g_m`` the gradient of ``r_m . f`` with respect to ``W a``, the
layer's block of the Gauss-Newton curvature is ``sum_i w_i sum_m vec(P) vec(P)'`` with ``P = sum_T g_m a'``: exactly,
without drawing labels at random. EK-FAC keeps its diagonal in the basis of the eigenvectors of ``sum g g'`` and
``sum a a'``, and drops the rest, the blocks between layers included. For one linear layer with squared loss there is no rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import SolveError, UnsupportedError
from influence_core.operators import Curvature, LinearOperator
from influence_core.progress import Progress, part
from influence_core.solvers.base import REMEDIES, Solution, check_rhs
from influence_core.solvers.layers import Layers, layers_of


@dataclass(frozen=True)
class EKFAC:
    """Eigenvectors from the layers' Kronecker factors, eigenvalues from the examples; nothing to set.

    The eigenvalues are the diagonal of the whole operator in that basis. So the damping is added to each, and so is the
    penalty where it is the same for a whole layer; where it is not (no penalty on biases), its own diagonal is.
    """

    name = "EK-FAC"
    exact = False

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> EKFACInverse:
        """Two passes over the training examples, each with one backward pass per output.

        Raises:
            UnsupportedError: If the operator is no curvature of an objective, or a layer is neither linear nor a plain
                convolution, is not used exactly once, or shares its parameters.
            SolveError: If an eigenvalue is not positive.
        """
        return EKFACInverse(operator, self.build(operator, progress))

    def build(self, operator: LinearOperator, progress: Progress | None = None) -> BlockInverse:
        """The same as a preconditioner.

        Raises:
            UnsupportedError: As ``prepare``.
            SolveError: As ``prepare``.
        """
        curvature = _curvature(operator)
        layers, theta, known = layers_of(curvature.objective), curvature.theta, curvature.known_diagonal
        bases = _bases(layers, theta, part(progress, 0.0, 0.5))
        squares = _squares(layers, theta, bases, part(progress, 0.5, 1.0))
        blocks = []
        for at, (left, right), values in zip(layers.positions, bases, squares, strict=True):
            values = values + left.square().T @ known[at] @ right.square()
            if not bool(values.min() > torch.finfo(values.dtype).eps * values.max()):
                raise SolveError(f"The curvature is not positive definite. {REMEDIES['negative curvature']}")
            blocks.append(Block(at, left, right, values))
        return BlockInverse(tuple(blocks))

    def memory(self, operator: LinearOperator) -> int:
        """Each layer's second moments and bases, its eigenvalues and the positions of its parameters."""
        return sum(
            2 * (o * o + i * i) + 2 * o * i
            for o, i in (at.shape for at in layers_of(_curvature(operator).objective).positions)
        )


@dataclass(frozen=True, eq=False)
class Block:
    """One layer: the positions of its parameters ``(o, i)``, its bases ``(o, o)`` and ``(i, i)``, its eigenvalues ``(o, i)``."""

    at: Tensor
    left: Tensor
    right: Tensor
    values: Tensor

    def solve(self, v: Tensor) -> Tensor:
        """``(o, i, k) -> (o, i, k)``."""
        turned = torch.einsum("oj,oik,il->jlk", self.left, v, self.right) / self.values[..., None]
        return torch.einsum("oj,jlk,il->oik", self.left, turned, self.right)


@dataclass(frozen=True, eq=False)
class BlockInverse:
    """The inverse, layer by layer."""

    blocks: tuple[Block, ...]

    def __call__(self, v: Tensor) -> Tensor:
        """``(p, k) -> (p, k)``."""
        out = torch.empty_like(v)
        for block in self.blocks:
            out[block.at] = block.solve(v[block.at])
        return out


@dataclass(frozen=True, eq=False)
class EKFACInverse:
    """Solves with one operator."""

    operator: LinearOperator
    apply: BlockInverse

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """A few small matrix products a layer; the residual is taken against the exact operator."""
        value = self.apply(check_rhs(self.operator, rhs)).view(rhs.shape)
        finite = bool(torch.isfinite(value).all())
        words = f"layers: {len(self.apply.blocks)}, exact expectation over the labels"
        return Solution(value, rhs, self.operator, "converged" if finite else "not finite", 0, settings=words)


def _curvature(operator: LinearOperator) -> Curvature:
    if not isinstance(operator, Curvature):
        raise UnsupportedError("EK-FAC needs the curvature of an objective, whose layers it reads.")
    return operator


def _bases(layers: Layers, theta: Tensor, progress: Progress | None) -> list[tuple[Tensor, Tensor]]:
    """Eigenvectors of ``sum g g' (o, o)`` and ``sum a a' (i, i)`` of each layer."""
    moments = [[theta.new_zeros(size, size) for size in at.shape] for at in layers.positions]
    for weights, inputs, gradients in layers.flows(theta, progress):
        for (_, right), a in zip(moments, inputs, strict=True):
            right += _second_moment(a, weights)
        for each in gradients:
            for (left, _), g in zip(moments, each, strict=True):
                left += _second_moment(g, weights)
    return [
        (torch.linalg.eigh(left).eigenvectors, torch.linalg.eigh(right).eigenvectors)
        for left, right in moments
    ]


def _second_moment(v: Tensor, weights: Tensor) -> Tensor:
    """``sum_i w_i sum_T v v' (s, s)`` for ``v (b, T, s)``."""
    return (v * weights[:, None, None]).flatten(0, 1).T @ v.flatten(0, 1)


def _squares(
    layers: Layers, theta: Tensor, bases: list[tuple[Tensor, Tensor]], progress: Progress | None
) -> list[Tensor]:
    """``sum_i w_i sum_m (left' P right)^2 (o, i)`` of each layer: the curvature's diagonal in the basis."""
    squares = [theta.new_zeros(at.shape) for at in layers.positions]
    for weights, inputs, gradients in layers.flows(theta, progress):
        turned = [a @ right for a, (_, right) in zip(inputs, bases, strict=True)]
        for each in gradients:
            for total, g, (left, _), a in zip(squares, each, bases, turned, strict=True):
                if a.shape[1] == 1:  # one position: the square of the product is the product of the squares
                    total += ((g @ left)[:, 0].square() * weights[:, None]).T @ a[:, 0].square()
                else:
                    total += torch.tensordot(weights, ((g @ left).mT @ a).square(), 1)
    return squares
