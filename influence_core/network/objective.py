"""The objective of any ``torch.nn.Module``, through ``torch.func``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn
from torch.func import grad, jacrev, jvp, vmap

from influence_core.errors import ShapeError, UnsupportedError
from influence_core.losses import Loss
from influence_core.network import curvature
from influence_core.network.module import call_with, in_turn
from influence_core.network.trial import try_network
from influence_core.objective import LinearMap, Numbers, Objective, Span, check_objective, tensors

ROWS = 256
"""Examples that go through the network together: small enough to stay in the cache, large enough to keep it busy."""

GRADIENT_ROWS = 128
"""The same for a pass forward and back, which keeps every layer's outputs."""

FORWARD_MODE_COLUMNS = 2
"""Up to so many columns, one forward-mode pass each is cheaper than forming per-example gradients."""


@dataclass(frozen=True, eq=False)
class NetworkObjective(Objective):
    """``theta`` is the module's trained parameters, in the order of ``named_parameters``, as one flat vector.

    Attributes:
        module: A network without randomness or batch statistics in its forward pass. It is always asked in ``eval``
            mode, and left as it was.
        input_shape: The shape that one flat input ``(d,)`` takes, for example ``(1, 28, 28)``.
        trained: The names of the parameters in ``theta``. All others, and the buffers, stay what they are in the module.
    """

    module: nn.Module
    input_shape: tuple[int, ...]
    trained: tuple[str, ...]

    @classmethod
    def build(
        cls,
        module: nn.Module,
        x: Numbers,
        y: Numbers,
        loss: Loss,
        l2: float | Numbers,
        input_shape: tuple[int, ...] | None = None,
        weights: Numbers | None = None,
        trial: bool = True,
    ) -> NetworkObjective:
        """Check and assemble an objective, and try it on one example: forwards, backwards, twice backwards, in ``vmap``.

        Args:
            module: The network. What has ``requires_grad`` is trained, and part of ``theta``; what has not is frozen.
            x: ``(n, d)`` training inputs, float32 or float64.
            y: ``(n,)`` training labels, whole numbers.
            loss: Of the outputs ``(b, c)``.
            l2: The trained penalty: a number or ``(p,)``.
            input_shape: That one input ``(d,)`` takes; ``(d,)`` unless given.
            weights: ``(n,)``, none negative; ``1/n`` each where none are given.
            trial: Whether the example is tried: some passes, and seconds in a process that has not used ``vmap`` yet. A
                network that is known to work may do without.

        Raises:
            ShapeError: If these do not fit together, or the module's outputs do not fit the loss.
            DataError: If an input or output is not finite, a label unknown, or a weight or the penalty negative.
            UnsupportedError: If an output is random or depends on the batch, or a derivative is missing; the sentence
                names the layer and the remedy.

        >>> from influence_core.losses import SoftmaxLoss
        >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3))
        >>> x, y = torch.zeros(5, 16), torch.tensor([0, 1, 2, 0, 1])
        >>> objective = NetworkObjective.build(module, x, y, SoftmaxLoss(3), l2=0.01, input_shape=(1, 4, 4))
        >>> objective.dim, objective.theta().shape, objective.outputs(objective.theta(), x).shape
        (47, torch.Size([47]), torch.Size([5, 3]))

        A frozen layer is no part of ``theta``:

        >>> _ = module[0].requires_grad_(False)
        >>> NetworkObjective.build(module, x, y, SoftmaxLoss(3), l2=0.01, input_shape=(1, 4, 4)).dim
        27
        """
        parts = tensors(x, y, l2, weights)
        trained = tuple(name for name, one in module.named_parameters() if one.requires_grad)
        if not trained:
            raise UnsupportedError(
                "No parameter of the module is trained: every one has requires_grad = False; set it to True for those that were."
            )
        shape = parts.x.shape[1:] if input_shape is None else tuple(input_shape)
        if parts.x.ndim != 2 or prod(shape) != parts.x.shape[1]:
            raise ShapeError(
                f"x must have shape (n, {prod(shape)}), one flat row an example of input_shape {tuple(shape)}, but has "
                f"{tuple(parts.x.shape)}; x.flatten(1) makes rows."
            )
        made = cls(parts.x, parts.y, loss, parts.l2, parts.weights, module, tuple(shape), trained)
        check_objective(made)
        if trial:
            made._try()
        return made

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The module's trained parameters by name, in the order of ``theta``."""
        named = dict(self.module.named_parameters())
        return {name: named[name] for name in self.trained}

    @property
    def dim(self) -> int:
        """``p``."""
        return sum(p.numel() for p in self.parameters.values())

    def theta(self) -> Tensor:
        """The module's own trained parameters, ``(p,)``, in the type and on the device of the data."""
        return torch.cat([p.detach().reshape(-1) for p in self.parameters.values()]).to(self.x)

    @in_turn
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """``(b, c)``."""
        with torch.no_grad():
            return torch.cat([self.forward(theta, x[rows]) for rows in self.rows(len(x))])

    @in_turn
    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """``(b, p)`` through ``vmap(grad)``."""
        per_example = vmap(grad(self._loss_of_one), in_dims=(None, 0, 0))
        return torch.cat([per_example(theta, x[rows], y[rows]) for rows in self.rows(len(x))])

    def gradient_products(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Few columns: one forward-mode pass each. Many: a stream of per-example gradient chunks times ``v``."""
        return self._products(theta, x, y, self.loss.residuals(self.outputs(theta, x), y), v)

    @in_turn
    def output_products(self, theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """One forward-mode pass, ``(b, c)``."""
        with torch.no_grad():
            return torch.cat([self._push(theta, x[rows], v) for rows in self.rows(len(x))])

    def output_pull(self, theta: Tensor, x: Tensor, u: Tensor) -> Tensor:
        """One pass forward and one back, ``(p,)``."""
        return replace(self, x=x).pulled_back(theta, lambda f, rows: (u[rows] * f).sum())[1]

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

    @in_turn
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
            part = value(self.forward(at, self.x[rows]), rows)
            gradient += torch.autograd.grad(part, at)[0]
            total += part.detach()
        return total, gradient

    def hessian_product(self, theta: Tensor) -> LinearMap:
        """The graph of the risk's gradient is built once, or for each product where it would not fit (``curvature``)."""
        return curvature.product(self, theta, curvature.hessian_piece, curvature.hessian_piece)

    def gauss_newton_product(self, theta: Tensor) -> LinearMap:
        """``v -> J' w A (J v) + l2 v``, through graphs that are built once, or for each product where they would not fit."""
        return curvature.product(self, theta, curvature.gauss_newton_piece, curvature.gauss_newton_streamed)

    @in_turn
    def dense_gauss_newton(self, theta: Tensor, span: Span | None = None) -> Tensor:
        """``sum_i w_i J_i' A_i J_i + l2`` from the per-example Jacobians, chunk by chunk; a network knows no span."""
        dense = theta.new_zeros(self.dim, self.dim)
        jacobians = vmap(jacrev(lambda t, x: self.forward(t, x[None])[0]), in_dims=(None, 0))
        for rows in self.chunks(self.n, 2 * self.loss.outputs * self.dim):
            jacobian = jacobians(theta, self.x[rows]).detach()
            curve = self.loss.curvature(self.outputs(theta, self.x[rows]), self.y[rows])
            bent = curve(jacobian) * self.weights[rows, None, None]
            dense.addmm_(jacobian.flatten(0, 1).T, bent.flatten(0, 1))
        dense.diagonal().add_(self.l2)
        return dense

    @property
    def layers(self) -> dict[str, nn.Module]:
        """The modules that hold trained parameters themselves, by name, in the order of ``theta``."""
        holders = {name.rpartition(".")[0] for name in self.trained}
        return {name: one for name, one in self.module.named_modules() if name in holders}

    @in_turn
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
            f = self.forward(theta.detach().clone().requires_grad_(), x)
        finally:
            for hook in hooks:
                hook.remove()
        if unused := self.layers.keys() - seen.keys():
            raise UnsupportedError(
                f"The layer '{min(unused)}' is not called as a module: its inputs cannot be seen."
            )
        return f, seen

    @in_turn
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
        return torch.cat([self.gradients(theta, x[rows], y[rows]) @ v for rows in self.rows(len(x))])

    def _push(self, theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        return jvp(lambda t: self.forward(t, x), (theta,), (v,))[1]

    def forward(self, theta: Tensor, x: Tensor) -> Tensor:
        """What the module makes of inputs ``(b, d)``, ``(b, c)``, with its graph; one thread at a time may ask."""
        return call_with(self.module, self.parameters, theta, x.view(len(x), *self.input_shape))

    @in_turn
    def _try(self) -> None:
        try_network(self)

    def _loss_of_one(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return self.loss.values(self.forward(theta, x[None]), y[None])[0]

    def penalty(self, v: Tensor) -> Tensor:
        """``l2 v``, ``(p, k)``."""
        return (self.l2 if self.l2.ndim == 0 else self.l2[:, None]) * v

    def rows(self, n: int, most: int = ROWS) -> list[slice]:
        """``n`` examples in slices that go through the network together, of ``most`` examples each, at most ``ROWS``."""
        size = min(most, ROWS)
        return [slice(start, start + size) for start in range(0, n, size)]
