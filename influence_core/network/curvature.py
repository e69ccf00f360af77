"""Curvature products of a network: through graphs that are kept where they fit, else made again chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from influence_core.network.module import in_turn, pullback
from influence_core.objective import LinearMap

if TYPE_CHECKING:
    from influence_core.network.objective import NetworkObjective

GRAPH_BYTES = 2**30
"""Graphs of the whole training set are kept up to so many bytes, by an estimate; each chunk's, where they are not."""

TWICE = 3
"""A graph through which is differentiated twice holds about so much of what one forward pass leaves for the way back."""

VECTORS = 3
"""Of all parameters, that a chunk's graph holds besides: the place, the gradient there, and what is on its way to it."""

Piece = Callable[["NetworkObjective", Tensor, slice], LinearMap]
"""Of some training examples: the map ``v (p, k) -> (p, k)`` of their part of a curvature, without the penalty."""

_KNOWN: WeakKeyDictionary[nn.Module, dict[tuple[object, ...], int]] = WeakKeyDictionary()


def product(objective: NetworkObjective, theta: Tensor, kept: Piece, streamed: Piece) -> LinearMap:
    """``v (p, k) -> (p, k)``: the sum of all chunks' parts, and the penalty's.

    Args:
        objective: With ``n`` training examples.
        theta: ``(p,)`` where the curvature is taken.
        kept: A chunk's part, whose graph is made once and kept for all products.
        streamed: The same part, for one product: its graph goes with it.
    """
    each, chunks = TWICE * bytes_each(objective, theta), objective.rows(objective.n)
    if objective.n * each + len(chunks) * VECTORS * theta.nbytes <= GRAPH_BYTES:
        pieces = [kept(objective, theta, rows) for rows in chunks]
        return lambda v: sum((piece(v) for piece in pieces), objective.penalty(v))
    chunks = objective.rows(objective.n, max(1, GRAPH_BYTES // each))

    def recomputed(v: Tensor) -> Tensor:
        total = objective.penalty(v)
        for rows in chunks:
            total += streamed(objective, theta, rows)(v)
        return total

    return recomputed


def bytes_each(objective: NetworkObjective, theta: Tensor) -> int:
    """What a forward pass leaves of each example for the way back, in bytes: two examples' less one's, measured once."""
    known = _KNOWN.setdefault(objective.module, {})
    key = objective.input_shape, objective.trained, theta.dtype, theta.device
    if key not in known:
        known[key] = _measured(objective, theta)
    return known[key]


@in_turn
def _measured(objective: NetworkObjective, theta: Tensor) -> int:
    one, two = (_left_behind(objective, theta, objective.x[:1].expand(b, -1)) for b in (1, 2))
    return max(1, two - one)


def _left_behind(objective: NetworkObjective, theta: Tensor, x: Tensor) -> int:
    stored: dict[int, torch.UntypedStorage] = {}  # alive, so that no two share an address

    def note(saved: Tensor) -> None:
        storage = saved.untyped_storage()
        stored[storage.data_ptr()] = storage

    with torch.enable_grad(), saved_tensors_hooks(note, _never):
        objective.forward(theta.detach().clone().requires_grad_(), x)
    return sum(storage.nbytes() for storage in stored.values())


def _never(saved: object) -> Tensor:
    raise AssertionError("nothing goes back through a graph that is only measured")


@in_turn
def hessian_piece(o: NetworkObjective, theta: Tensor, rows: slice) -> LinearMap:
    """The graph of the chunk's gradient is built once; a product is one backward pass through it."""
    at = theta.detach().clone().requires_grad_()
    loss = o.weights[rows] @ o.loss.values(o.forward(at, o.x[rows]), o.y[rows])
    (gradient,) = torch.autograd.grad(loss, at, create_graph=True)
    return pullback(gradient, at)


@in_turn
def gauss_newton_piece(o: NetworkObjective, theta: Tensor, rows: slice) -> LinearMap:
    """``v -> J' w A (J v)``; both passes go through graphs that are built once."""
    at = theta.detach().clone().requires_grad_()
    f = o.forward(at, o.x[rows])
    u = torch.zeros_like(f, requires_grad=True)
    (pulled,) = torch.autograd.grad(f, at, u, create_graph=True)
    curve, weights = o.loss.curvature(f.detach(), o.y[rows]), o.weights[rows, None, None]
    push, pull = pullback(pulled, u), pullback(f, at)
    return lambda v: pull(curve(push(v)) * weights)


def gauss_newton_streamed(o: NetworkObjective, theta: Tensor, rows: slice) -> LinearMap:
    """The same, forward mode on the way out: for a single product that is less than a graph for it."""

    def part(v: Tensor) -> Tensor:
        pushed = torch.stack([o.output_products(theta, o.x[rows], column) for column in v.T], -1)
        return _pulled(o, theta, rows, pushed)

    return part


@in_turn
def _pulled(o: NetworkObjective, theta: Tensor, rows: slice, pushed: Tensor) -> Tensor:
    """``J' w A u`` for ``u (b, c, k)``, ``(p, k)``."""
    at = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        f = o.forward(at, o.x[rows])
    bent = o.loss.curvature(f.detach(), o.y[rows])(pushed) * o.weights[rows, None, None]
    return pullback(f, at)(bent)
