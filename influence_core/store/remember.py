"""The one way to a result that is stored or shared: its key is made of the function's name and arguments.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Sum:
...     value: int
>>> @remember("sum")
... def add(one: int, other: int = 2, *, context=None) -> Sum:
...     return Sum(one + other)
>>> add(1)
Sum(value=3)
>>> add.key(1) == add.key(1, other=2) != add.key(2)
True
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

import numpy as np
from torch import Tensor

from influence_core.ranks import Ranks
from influence_core.store.digest import digest
from influence_core.store.packing import pack, schema, unpack
from influence_core.store.store import Store

FORMAT = 2
"""Raised when the same arguments come to mean another result, so that what old versions stored is not read."""

_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY

P = ParamSpec("P")
T = TypeVar("T")


def remember(name: str, stored: bool = True) -> Callable[[Callable[P, T]], Remembered[P, T]]:
    """Decorate a function whose result depends on its arguments alone.

    Keyword-only arguments say how, not what: they are no part of the key. One of them is ``context``, whose ``store``
    keeps the result: a dataclass of arrays, numbers, texts and dataclasses. A result with a field ``from_store`` learns
    where it came from.

    Args:
        name: Of the result, in the key.
        stored: Whether the store keeps it; a quick result may still be shared in memory by its key.
    """
    return lambda compute: Remembered(name, compute, stored)


class Remembered(Generic[P, T]):
    """A function that looks into the store before it computes."""

    def __init__(self, name: str, compute: Callable[P, T], stored: bool) -> None:
        functools.update_wrapper(self, compute)
        self.name, self.compute, self.stored = name, compute, stored
        self._signature = inspect.signature(compute)
        asked = [one for one in self._signature.parameters.values() if one.kind != _KEYWORD_ONLY]
        self._asked = self._signature.replace(parameters=asked)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result, from the store where it has it."""
        store = self._store(kwargs)
        if store is None:
            return self.compute(*args, **kwargs)
        key = self.key(*args, **kwargs)
        found = self._read(store, key)
        ranks: Ranks = kwargs["context"].ranks  # type: ignore[attr-defined]
        if ranks.any(found is None) or found is None:  # they compute together, or none of them does
            found = self.compute(*args, **kwargs)
            store.put(key, *pack(found))
        return found

    def run(self, context: Any, *args: Any, **kwargs: Any) -> T:
        """The same, with a context where the function takes one."""
        taken = {"context": context} if "context" in self._signature.parameters else {}
        return self(*args, **kwargs, **taken)

    def recall(self, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The result if the store has it; nothing is computed."""
        store = self._store(kwargs)
        return None if store is None else self._read(store, self.key(*args, **kwargs))

    def is_stored(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether the store has the result; it is not read."""
        store = self._store(kwargs)
        return store is not None and store.path(self.key(*args, **kwargs)).exists()

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The digest of the name, every argument that is not keyword-only, and the names of the result's fields."""
        bound = self._asked.bind(
            *args, **{name: kwargs[name] for name in kwargs if name in self._asked.parameters}
        )
        bound.apply_defaults()
        parts = {name: content(one) for name, one in bound.arguments.items()}
        return digest(self.name, FORMAT, parts, schema(self._kind))

    @functools.cached_property
    def _kind(self) -> Any:
        return get_type_hints(self.compute)["return"]

    def _store(self, kwargs: Mapping[str, Any]) -> Store | None:
        """Where the result is kept, if it is."""
        context = kwargs.get("context")
        return context.store if self.stored and context is not None else None

    def _read(self, store: Store, key: str) -> T | None:
        entry = store.get(key)
        if entry is None:
            return None
        try:
            found = unpack(entry.arrays, entry.meta, self._kind)
        except Exception:  # a field of this name had another type when it was stored: computed again
            return None
        return replace(found, from_store=True) if hasattr(found, "from_store") else found


def key_of(name: str, *parts: Any) -> str:
    """The key of what is stored piece by piece, such as `StoredRows`."""
    return digest(name, FORMAT, content(parts))


def content(part: Any) -> Any:
    """A part of a key as ``digest`` takes it: what has a ``content`` is known by that, a dataclass by its fields."""
    if part is None or isinstance(part, str | bytes | int | float | np.ndarray | np.generic | Tensor):
        return part
    if hasattr(part, "content"):
        return type(part).__name__, content(part.content)
    if is_dataclass(part):
        return type(part).__name__, {one.name: content(getattr(part, one.name)) for one in fields(part)}
    if isinstance(part, Mapping):
        return {name: content(one) for name, one in part.items()}
    if isinstance(part, Sequence):
        return tuple(content(one) for one in part)
    return part
