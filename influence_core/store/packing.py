"""A result as arrays and JSON values, by the fields of its dataclass; and back."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import cattrs
import numpy as np

_ARRAY = "array of this name"
_PLAIN = cattrs.Converter(detailed_validation=False)
_PLAIN.register_unstructure_hook(np.ndarray, lambda array: array)
_PLAIN.register_structure_hook(np.ndarray, lambda array, _: array)


def pack(result: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by number, and everything else as JSON values."""
    arrays: dict[str, np.ndarray] = {}
    return arrays, {"value": _without_arrays(_PLAIN.unstructure(result), arrays)}


def unpack(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any], kind: Any) -> Any:
    """The result of type ``kind`` that was packed."""
    return _PLAIN.structure(_with_arrays(meta["value"], arrays), kind)


@functools.cache
def schema(kind: Any) -> tuple[str, ...]:
    """The names of a result's fields, those inside it too: a result of other fields is another result."""
    names: tuple[str, ...] = ()
    inside = get_args(kind)
    if is_dataclass(kind):
        names, inside = tuple(one.name for one in fields(kind)), tuple(get_type_hints(kind).values())
    return (*names, *(name for one in inside for name in schema(one)))


def _without_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    match value:
        case np.ndarray():
            name = str(len(arrays))
            arrays[name] = value
            return {_ARRAY: name}
        case np.generic():
            return value.item()
        case Mapping():
            return {name: _without_arrays(one, arrays) for name, one in value.items()}
        case list() | tuple():
            return [_without_arrays(one, arrays) for one in value]
    return value


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    match value:
        case {"array of this name": name}:
            return arrays[name]
        case dict():
            return {name: _with_arrays(one, arrays) for name, one in value.items()}
        case list():
            return [_with_arrays(one, arrays) for one in value]
    return value
