"""What the layers of a module do while it runs, so that an error can name the one it comes from, and what it says then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from influence_core.errors import UnsupportedError

ALIKE = 5.0
"""Two answers are the same if they differ by at most so many times the root of the type's rounding, of their size."""
WORDS = 160
"""Letters of PyTorch's own words that a sentence quotes."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes:
        name: The layer's, in words.
        layer: The layer.
        inputs: Its arguments, positional and by keyword.
        output: What it gave.
        drew: Whether a random number was drawn meanwhile.
    """

    name: str
    layer: nn.Module
    inputs: tuple[tuple[Any, ...], dict[str, Any]]
    output: Any
    drew: bool


class Watch:
    """Hooks on all layers of a module, while it is entered.

    Args:
        module: What is watched.
        like: A tensor on the device of its inputs.
        keep: Whether inputs and outputs are kept.

    Attributes:
        calls: Of all layers, in the order in which they ended: the inner ones before the outer.
    """

    def __init__(self, module: nn.Module, like: Tensor, keep: bool = True) -> None:
        self.module, self.like, self.keep = module, like, keep
        self.calls: list[Call] = []
        self._draws = _Draws(like)
        self._running: list[tuple[str, nn.Module, int]] = []

    def __enter__(self) -> Watch:
        if self.keep:
            self._draws.__enter__()
        self._hooks = []
        for path, layer in self.module.named_modules():
            if isinstance(layer, torch.jit.RecursiveScriptModule):
                continue  # takes no hooks
            kind = type(layer).__name__
            name = f"The layer '{path}' ({kind})" if path else f"The module itself ({kind})"
            self._hooks.append(layer.register_forward_pre_hook(self._begin(name)))
            self._hooks.append(layer.register_forward_hook(self._end, with_kwargs=True))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        if self.keep:
            self._draws.__exit__(None, None, None)

    @property
    def stopped_in(self) -> tuple[str, nn.Module] | None:
        """The innermost layer that began and did not end."""
        return self._running[-1][:2] if self._running else None

    def _begin(self, name: str) -> Any:
        def begin(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._running.append((name, layer, self._draws.count))

        return begin

    def _end(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        name, _, before = self._running.pop()
        if self.keep:
            self.calls.append(Call(name, layer, (args, kwargs), output, self._draws.count > before))


def leaves(value: Any) -> list[Tensor]:
    """The tensors in tuples, lists and dictionaries, in their order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, tuple | list) else []


class _Draws(TorchDispatchMode):
    """Counts the operations of this thread that draw random numbers; what other threads draw meanwhile is none of it.

    Only of an operation that can draw is it asked whether it did: attention can, and does without dropout not.
    """

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.like, self.count = like, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        before = _dice(self.like)
        found = func(*args, **(kwargs or {}))
        self.count += not torch.equal(before, _dice(self.like))
        return found


def _dice(like: Tensor) -> Tensor:
    """The state of the generators that a module may draw from."""
    state = torch.get_rng_state()
    return torch.cat([state, torch.cuda.get_rng_state(like.device)]) if like.is_cuda else state


def tolerance(like: Tensor) -> float:
    """How far two answers of one type may be apart, of their size."""
    return ALIKE * torch.finfo(like.dtype).eps ** 0.5


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether two answers are the same but for rounding."""
    difference, size = (one - other).abs().max(), torch.maximum(one.abs().max(), other.abs().max())
    return bool(difference <= tolerance(one) * size)


def culprit(one: Watch, other: Watch) -> str:
    """The first layer that makes different outputs of the same inputs, as far as a first row can tell."""
    for ours, theirs in zip(one.calls, other.calls, strict=False):
        if _same_rows(ours.inputs, theirs.inputs) and not _same_rows(ours.output, theirs.output):
            return ours.name
    return "The module"


def _same_rows(one: Any, other: Any) -> bool:
    pairs = [
        pair
        for pair in zip(leaves(one), leaves(other), strict=False)
        if pair[0].ndim and pair[0].is_floating_point()
    ]
    return all(ours[0].shape == theirs[0].shape and alike(ours[0], theirs[0]) for ours, theirs in pairs)


def gives_random_outputs(name: str) -> UnsupportedError:
    """What is said of a layer that does."""
    return UnsupportedError(
        f"{name} gives random outputs, the same example another answer each time: "
        "take the randomness out of its forward pass (nn.Dropout is off in eval mode, F.dropout is not)."
    )


def depends_on_the_batch(name: str) -> UnsupportedError:
    """What is said of a layer that does."""
    return UnsupportedError(
        f"{name} does not look at each example by itself, but at the batch it comes in: normalise with running statistics or "
        "within the example, and give attention and recurrent layers batch_first=True."
    )


def quoted(error: Exception) -> str:
    """PyTorch's own words, on one line and not too many."""
    words = " ".join(str(error).split())
    return words if len(words) <= WORDS else f"{words[:WORDS]}…"
