"""A network is tried on one example before anything is computed with it: forwards, backwards, twice, and in ``vmap``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from influence_core.errors import DataError, InfluenceError, ShapeError, UnsupportedError
from influence_core.losses import checked_outputs
from influence_core.watch import (
    Call,
    Watch,
    alike,
    culprit,
    depends_on_the_batch,
    gives_random_outputs,
    leaves,
    quoted,
    tolerance,
)

if TYPE_CHECKING:
    from influence_core.network.objective import NetworkObjective

NEIGHBOURS = 64
"""Of so many examples the one that is least like the first is its company in a batch."""


def try_network(objective: NetworkObjective) -> None:
    """Ask the network one example in every way the library will, at its own parameters.

    Args:
        objective: With one training example at least. The caller has the turn (``module.in_turn``).

    Raises:
        ShapeError: If the outputs do not fit the loss.
        DataError: If an output or a derivative is not finite.
        UnsupportedError: If the outputs are random or depend on the batch, or a derivative is missing.
    """
    theta = objective.theta()
    _try_forwards(objective, theta)
    _try_derivatives(objective, theta)


def _try_forwards(o: NetworkObjective, theta: Tensor) -> None:
    pair = torch.stack([o.x[0], _least_alike(o.x)])
    with torch.no_grad():
        first, together = _run(o, theta, pair)
        again, repeated = _run(o, theta, pair)
        _check_outputs(o, together, 2)
        drawing = next((call.name for call in first.calls if call.drew), None)
        if drawing or not alike(together, repeated):
            raise gives_random_outputs(drawing or culprit(first, again))
        single, alone = _run(o, theta, pair[:1])
    _check_outputs(o, alone, 1)
    if not alike(alone, together[:1]):
        raise depends_on_the_batch(culprit(single, first))


def _run(o: NetworkObjective, theta: Tensor, x: Tensor) -> tuple[Watch, Any]:
    with Watch(o.module, x) as watch:
        try:
            return watch, o.forward(theta, x)
        except InfluenceError:
            raise
        except Exception as error:  # whatever the module raises
            name, _ = watch.stopped_in or ("The module", o.module)
            if len(x) == 1:
                raise depends_on_the_batch(name) from error
            shape = f"(b, {', '.join(map(str, o.input_shape))})"
            raise ShapeError(
                f"{name} stops at inputs x of shape {shape}: check x and input_shape, or the layer (PyTorch says: "
                f"{quoted(error)})."
            ) from error


def _check_outputs(o: NetworkObjective, f: Any, b: int) -> None:
    if not isinstance(f, Tensor):
        raise ShapeError(
            f"The module returns a {type(f).__name__}, but one tensor of outputs (b, {o.loss.outputs}) is needed: wrap it in "
            "a module that returns its logits alone."
        )
    if f.ndim != 2 or len(f) != b:
        raise ShapeError(
            f"The module gives outputs of shape {tuple(f.shape)} for {b} example{'s' * (b > 1)}, but ({b}, {o.loss.outputs}) is "
            "needed: one row of outputs an example."
        )
    checked_outputs(o.loss, f)
    if not bool(torch.isfinite(f).all()):
        raise DataError(
            "The module's outputs are not finite numbers: check its parameters and the scale of the inputs."
        )


def _try_derivatives(o: NetworkObjective, theta: Tensor) -> None:
    """With weight 1 and without penalty, so that the risk's gradient is the example's."""
    x, y = o.x[:1], o.y[:1]
    one = replace(o, x=x, y=y, weights=o.weights.new_ones(1), l2=torch.zeros_like(o.l2))
    with torch.enable_grad():
        if not o.forward(theta.clone().requires_grad_(), x).requires_grad:
            raise UnsupportedError(
                "The module's outputs do not depend on its trained parameters: take torch.no_grad(), detach() and .data out "
                "of its forward pass."
            )
    gradient = _attempt(one, "cannot be differentiated", lambda: one.risk_gradient(theta))
    if not bool(torch.isfinite(gradient).all()):
        raise _not_finite("gradient")
    pair = torch.stack([gradient, torch.linspace(-1, 1, o.dim).to(gradient)], 1)
    bent = _attempt(
        one,
        "cannot be differentiated twice, as curvature needs",
        lambda: one.hessian_product(theta)(pair),
    )
    if not bool(torch.isfinite(bent).all()):
        raise _not_finite("curvature")
    there, back = pair[:, 0] @ bent[:, 1], pair[:, 1] @ bent[:, 0]
    if not (there - back).abs() <= tolerance(bent) * (pair.norm(dim=0).flip(0) * bent.norm(dim=0)).sum():
        raise UnsupportedError(
            "The module's second derivative is not symmetric, so part of it is missing: give every torch.autograd.Function a "
            "backward that can itself be differentiated, without once_differentiable."
        )
    rows = _attempt(
        one,
        "cannot be asked for each example's own gradient (torch.func.vmap)",
        lambda: one.gradients(theta, x, y),
    )
    pushed = _attempt(
        one,
        "cannot be differentiated forwards (torch.func.jvp)",
        lambda: one.gradient_products(theta, x, y, gradient),
    )
    if not (alike(rows, gradient) and alike(pushed, (gradient @ gradient)[None])):
        raise UnsupportedError(
            "The module's gradient is not the same backwards, forwards and for one example at a time: look for an "
            "autograd.Function whose backward is not the derivative of its forward."
        )


def _not_finite(what: str) -> DataError:
    return DataError(
        f"The {what} of the first example's loss is not finite: look for a square root, a norm or a logarithm at 0."
    )


def _attempt(o: NetworkObjective, failure: str, ask: Callable[[], Tensor]) -> Tensor:
    with Watch(o.module, o.x, keep=False) as watch:
        try:
            return ask()
        except InfluenceError:
            raise
        except Exception as error:  # whatever the module raises
            name, layer = watch.stopped_in or _not_twice(o) or ("The module, or the loss,", o.module)
            raise UnsupportedError(f"{name} {failure}: {_remedy(layer, error)}.") from error


def _remedy(layer: nn.Module, error: Exception) -> str:
    words = str(error)
    if isinstance(layer, nn.RNNBase):
        return "write its loop over time with nn.LSTMCell or nn.GRUCell, or with linear layers"
    if "autograd.Function" in words or "vmap support" in words or "once_differentiable" in words:
        return (
            "give its torch.autograd.Function a setup_context, generate_vmap_rule = True, a jvp, and a backward that can "
            "itself be differentiated"
        )
    return f"write it with operations that PyTorch can differentiate so (PyTorch says: {quoted(error)})"


def _not_twice(o: NetworkObjective) -> tuple[str, nn.Module] | None:
    """The first layer that, alone, has no second derivative: an error in a backward pass does not say where it is."""
    with torch.no_grad(), Watch(o.module, o.x) as watch:
        o.forward(o.theta(), o.x)
    return next(((call.name, call.layer) for call in watch.calls if not _is_smooth(call, o.x)), None)


def _is_smooth(call: Call, like: Tensor) -> bool:
    state = {
        name: one.detach().to(like) if one.is_floating_point() else one
        for name, one in (*call.layer.named_parameters(), *call.layer.named_buffers())
    }
    variables = [
        one.requires_grad_() for one in (*state.values(), *leaves(call.inputs)) if one.is_floating_point()
    ]
    with torch.enable_grad():
        outputs = [
            one for one in leaves(functional_call(call.layer, state, *call.inputs)) if one.requires_grad
        ]
        if not outputs:
            return True
        try:
            first = torch.autograd.grad(_squares(outputs), variables, create_graph=True, allow_unused=True)
            bent = [one for one in first if one is not None and one.requires_grad]
            if bent:
                torch.autograd.grad(_squares(bent), variables, allow_unused=True)
        except Exception:  # whatever its backward raises
            return False
    return True


def _squares(values: list[Tensor]) -> Tensor:
    return torch.stack([one.square().sum() for one in values]).sum()


def _least_alike(x: Tensor) -> Tensor:
    near = x[:NEIGHBOURS]
    return near[(near - near[0]).abs().sum(1).argmax()]
