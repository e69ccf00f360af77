"""A module as a function of its parameters that can be differentiated any number of times, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from influence_core.objective import LinearMap

_TURN = RLock()


class HasModule(Protocol):
    """What asks a module."""

    @property
    def module(self) -> nn.Module:
        """The module."""
        ...


P = ParamSpec("P")
T = TypeVar("T")
Asking = TypeVar("Asking", bound=HasModule)


def in_turn(method: Callable[Concatenate[Asking, P], T]) -> Callable[Concatenate[Asking, P], T]:
    """One thread at a time: ``torch.func`` swaps parameters inside the shared module and counts levels globally."""

    @wraps(method)
    def taking_turns(self: Asking, *args: P.args, **kwargs: P.kwargs) -> T:
        with _TURN, _differentiable(self.module):
            return method(self, *args, **kwargs)

    return taking_turns


@contextmanager
def _differentiable(module: nn.Module) -> Iterator[None]:
    """``eval`` mode, and attention in the kernels that have every derivative; afterwards all is as it was."""
    training = [one for one in module.modules() if one.training]
    if training:
        module.eval()
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for one in training:
            one.training = True


def call_with(module: nn.Module, trained: Mapping[str, Tensor], theta: Tensor, x: Tensor) -> Any:
    """What a module returns, with its graph.

    Args:
        module: Its frozen parameters and its buffers are taken in the type and on the device of ``x``.
        trained: Its parameters that stand in ``theta``, by name and in their order.
        theta: ``(p,)`` their values.
        x: ``(b, ...)`` inputs, as the module takes them.
    """
    fixed = {name: one for name, one in module.named_parameters() if name not in trained}
    values = {name: _like(x, one.detach()) for name, one in (fixed | dict(module.named_buffers())).items()}
    parts = theta.split(
        [one.numel() for one in trained.values()]
    )  # whose way back is one copy; a slice's is one each
    values |= {name: part.view(one.shape) for (name, one), part in zip(trained.items(), parts, strict=True)}
    return functional_call(module, values, (x,))


def pullback(value: Tensor, at: Tensor) -> LinearMap:
    """``u (*value.shape, k) -> sum(u * d value / d at)``, shape ``(*at.shape, k)``, through a retained graph."""

    def pull(u: Tensor) -> Tensor:
        columns = [
            torch.autograd.grad(value, at, u[..., j], retain_graph=True)[0] for j in range(u.shape[-1])
        ]
        return torch.stack(columns, -1)

    return pull


def _like(x: Tensor, fixed: Tensor) -> Tensor:
    return fixed.to(x) if fixed.is_floating_point() else fixed.to(x.device)
