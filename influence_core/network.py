"""The objective of any ``torch.nn.Module``, through ``torch.func``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, vmap

from influence_core.errors import UnsupportedError
from influence_core.losses import Loss
from influence_core.objective import LinearMap, Objective, check_objective, uniform_weights

ROWS = 256
"""Examples that go through the network together: small enough to stay in the cache, large enough to keep it busy."""

GRADIENT_ROWS = 128
"""The same for a pass forward and back, which keeps every layer's outputs."""

FORWARD_MODE_COLUMNS = 2
"""Up to so many columns, one forward-mode pass each is cheaper than forming per-example gradients."""

P = ParamSpec("P")
T = TypeVar("T")
_TURN = RLock()


def _in_turn(
    method: Callable[Concatenate[NetworkObjective, P], T],
) -> Callable[Concatenate[NetworkObjective, P], T]:
    """One thread at a time: ``torch.func`` swaps parameters inside the shared module and counts levels globally."""

    @wraps(method)
    def taking_turns(self: NetworkObjective, *args: P.args, **kwargs: P.kwargs) -> T:
        with _TURN:
            return method(self, *args, **kwargs)

    return taking_turns


@dataclass(frozen=True, eq=False)
class NetworkObjective(Objective):
    """``theta`` is the module's parameters, in the order of ``named_parameters``, as one flat vector.

    Attributes:
        module: A network without randomness or batch statistics in its forward pass (``eval`` mode).
        input_shape: The shape that one flat input ``(d,)`` takes, for example ``(1, 28, 28)``.
    """

    module: nn.Module
    input_shape: tuple[int, ...]

    @classmethod
    def build(
        cls,
        module: nn.Module,
        x: Tensor,
        y: Tensor,
        loss: Loss,
        l2: float | Tensor,
        input_shape: tuple[int, ...] | None = None,
        weights: Tensor | None = None,
    ) -> NetworkObjective:
        """Check and assemble an objective; ``input_shape`` is ``(d,)`` unless given.

        >>> from influence_core.losses import SoftmaxLoss
        >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3))
        >>> x, y = torch.zeros(5, 16), torch.tensor([0, 1, 2, 0, 1])
        >>> objective = NetworkObjective.build(module, x, y, SoftmaxLoss(3), l2=0.01, input_shape=(1, 4, 4))
        >>> objective.dim, objective.theta().shape, objective.outputs(objective.theta(), x).shape
        (47, torch.Size([47]), torch.Size([5, 3]))
        """
        shape = (x.shape[1],) if input_shape is None else tuple(input_shape)
        made = cls(
            x,
            y,
            loss,
            torch.as_tensor(l2, dtype=x.dtype, device=x.device),
            uniform_weights(x, weights),
            module.eval(),
            shape,
        )
        check_objective(made)
        return made

    @property
    def dim(self) -> int:
        """``p``."""
        return sum(p.numel() for p in self.module.parameters())

    def theta(self) -> Tensor:
        """The module's own parameters, ``(p,)``, in the type and on the device of the data."""
        return torch.cat([p.detach().reshape(-1) for p in self.module.parameters()]).to(self.x)

    @_in_turn
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """``(b, c)``."""
        with torch.no_grad():
            return torch.cat([self._forward(theta, x[rows]) for rows in self._rows(len(x))])

    @_in_turn
    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """``(b, p)`` through ``vmap(grad)``."""
        per_example = vmap(grad(self._loss_of_one), in_dims=(None, 0, 0))
        return torch.cat([per_example(theta, x[rows], y[rows]) for rows in self._rows(len(x))])

    def gradient_products(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Few columns: one forward-mode pass each. Many: a stream of per-example gradient chunks times ``v``."""
        return self._products(theta, x, y, self.loss.residuals(self.outputs(theta, x), y), v)

    @_in_turn
    def output_products(self, theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """One forward-mode pass, ``(b, c)``."""
        with torch.no_grad():
            return torch.cat([self._push(theta, x[rows], v) for rows in self._rows(len(x))])

    def training_products(self, theta: Tensor) -> LinearMap:
        """Residuals are computed once; each product of few columns is then one forward-mode pass a column."""
        residuals = self.loss.residuals(self.outputs(theta, self.x), self.y)
        return lambda v: self._products(theta, self.x, self.y, residuals, v)

    def risk_gradient(self, theta: Tensor) -> Tensor:
        """``(p,)``, one backward pass."""
        return self.risk_and_gradient(theta)[1]

    def risk_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """``R(theta; w)``, ``()``, and its gradient ``(p,)``, from the same passes."""
        value, gradient = self.pulled_back(
            theta, lambda f, rows: self.weights[rows] @ self.loss.values(f, self.y[rows])
        )
        return value + 0.5 * (self.l2 * theta * theta).sum(), gradient + self.l2 * theta

    @_in_turn
    def pulled_back(self, theta: Tensor, value: Callable[[Tensor, slice], Tensor]) -> tuple[Tensor, Tensor]:
        """A sum over the training examples of any function of their outputs, and its gradient.

        Args:
            theta: ``(p,)``.
            value: Of the outputs ``(b, c)`` of the training examples ``rows``: their part of the sum, ``()``.

        Returns:
            The sum ``()`` and its gradient ``(p,)``: one pass forward and one back.
        """
        total, gradient = theta.new_zeros(()), torch.zeros_like(theta)
        for start in range(0, self.n, GRADIENT_ROWS):
            rows, at = slice(start, start + GRADIENT_ROWS), theta.detach().requires_grad_()
            part = value(self._forward(at, self.x[rows]), rows)
            gradient += torch.autograd.grad(part, at)[0]
            total += part.detach()
        return total, gradient

    @_in_turn
    def hessian_product(self, theta: Tensor) -> LinearMap:
        """The graph of the risk's gradient is built once; a product is one backward pass through it."""
        graphs = []
        for rows in self._rows(self.n):
            at = theta.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self._weighted_loss(at, rows), at, create_graph=True)
            graphs.append(_vjp(gradient, at))
        return lambda v: sum((graph(v) for graph in graphs), self._penalty(v))

    @_in_turn
    def gauss_newton_product(self, theta: Tensor) -> LinearMap:
        """``v -> J' w A (J v) + l2 v``; both passes go through graphs that are built once."""
        pieces = []
        for rows in self._rows(self.n):
            at = theta.detach().clone().requires_grad_()
            f = self._forward(at, self.x[rows])
            u = torch.zeros_like(f, requires_grad=True)
            (pulled,) = torch.autograd.grad(f, at, u, create_graph=True)
            curve = self.loss.curvature(f.detach(), self.y[rows])
            pieces.append((_vjp(pulled, u), curve, self.weights[rows, None, None], _vjp(f, at)))

        def product(v: Tensor) -> Tensor:
            total = self._penalty(v)
            for push, curve, weights, pull in pieces:
                total = total + pull(curve(push(v)) * weights)
            return total

        return product

    @_in_turn
    def dense_gauss_newton(self, theta: Tensor) -> Tensor:
        """``sum_i w_i J_i' A_i J_i + l2`` from the per-example Jacobians, chunk by chunk."""
        dense = theta.new_zeros(self.dim, self.dim)
        jacobians = vmap(jacrev(lambda t, x: self._forward(t, x[None])[0]), in_dims=(None, 0))
        for rows in self.chunks(self.n, 2 * self.loss.outputs * self.dim):
            jacobian = jacobians(theta, self.x[rows]).detach()
            curve = self.loss.curvature(self.outputs(theta, self.x[rows]), self.y[rows])
            bent = curve(jacobian) * self.weights[rows, None, None]
            dense.addmm_(jacobian.flatten(0, 1).T, bent.flatten(0, 1))
        dense.diagonal().add_(self.l2)
        return dense

    @property
    def layers(self) -> dict[str, nn.Module]:
        """The modules that hold parameters themselves, by name, in the order of ``theta``."""
        modules = self.module.named_modules()
        return {name: one for name, one in modules if any(True for _ in one.parameters(recurse=False))}

    @_in_turn
    def traced(self, theta: Tensor, x: Tensor) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Outputs ``(b, c)`` with their graph, and by name each layer's input (detached) and output (in the graph).

        Raises:
            UnsupportedError: If a layer is not used exactly once, or mixes examples.
        """
        seen: dict[str, tuple[Tensor, Tensor]] = {}

        def watch(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], Tensor]:
            def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
                if name in seen or len(inputs[0]) != len(x):
                    raise UnsupportedError(f"The layer '{name}' is used more than once for the same example.")
                seen[name] = (inputs[0].detach(), output)
                return output.clone()  # what follows may work in place

            return note

        hooks = [layer.register_forward_hook(watch(name)) for name, layer in self.layers.items()]
        try:
            f = self._forward(theta.detach().clone().requires_grad_(), x)
        finally:
            for hook in hooks:
                hook.remove()
        if unused := self.layers.keys() - seen.keys():
            raise UnsupportedError(
                f"The layer '{min(unused)}' is not called as a module: its inputs cannot be seen."
            )
        return f, seen

    @_in_turn
    def input_gradient(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """``(d,)``: reverse mode over a forward-mode derivative."""

        def slope(inputs: Tensor) -> Tensor:
            return jvp(lambda t: self._loss_of_one(t, inputs, y), (theta,), (v,))[1]

        return grad(slope)(x).detach()

    def _products(self, theta: Tensor, x: Tensor, y: Tensor, residuals: Tensor, v: Tensor) -> Tensor:
        if v.ndim == 1:
            return (residuals * self.output_products(theta, x, v)).sum(1)
        if v.shape[1] <= FORWARD_MODE_COLUMNS:
            return torch.stack([self._products(theta, x, y, residuals, column) for column in v.T], 1)
        return torch.cat([self.gradients(theta, x[rows], y[rows]) @ v for rows in self._rows(len(x))])

    def _push(self, theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        return jvp(lambda t: self._forward(t, x), (theta,), (v,))[1]

    def _forward(self, theta: Tensor, x: Tensor) -> Tensor:
        named, start = {}, 0
        for name, parameter in self.module.named_parameters():
            stop = start + parameter.numel()
            named[name] = theta[start:stop].view(parameter.shape)
            start = stop
        return functional_call(self.module, named, (x.view(len(x), *self.input_shape),))

    def _loss_of_one(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return self.loss.values(self._forward(theta, x[None]), y[None])[0]

    def _weighted_loss(self, theta: Tensor, rows: slice) -> Tensor:
        return self.weights[rows] @ self.loss.values(self._forward(theta, self.x[rows]), self.y[rows])

    def _penalty(self, v: Tensor) -> Tensor:
        return (self.l2 if self.l2.ndim == 0 else self.l2[:, None]) * v

    def _rows(self, n: int) -> list[slice]:
        return [slice(start, start + ROWS) for start in range(0, n, ROWS)]


def _vjp(value: Tensor, at: Tensor) -> LinearMap:
    """``u (*value.shape, k) -> sum(u * d value / d at)``, shape ``(*at.shape, k)``, through a retained graph."""

    def pull(u: Tensor) -> Tensor:
        columns = [
            torch.autograd.grad(value, at, u[..., j], retain_graph=True)[0] for j in range(u.shape[-1])
        ]
        return torch.stack(columns, -1)

    return pull
