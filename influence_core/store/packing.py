"""A result as arrays and JSON values, by the fields of its dataclass; and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args

import cattrs
import numpy as np

_ARRAY = "array of this name"
_PLAIN = cattrs.Converter(detailed_validation=False)
_PLAIN.register_unstructure_hook(np.ndarray, lambda array: array)
_PLAIN.register_structure_hook(np.ndarray, lambda array, _: array)


def pack(result: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, and everything else as JSON values."""
    arrays: dict[str, np.ndarray] = {}
    return arrays, {"value": _without_arrays(_PLAIN.unstructure(result), "", arrays)}


def unpack(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any], kind: Any) -> Any:
    """The result of type ``kind`` that was packed."""
    return _PLAIN.structure(_with_arrays(meta["value"], arrays), kind)


def schema(kind: Any) -> tuple[Any, ...]:
    """The names of a result's fields, those inside it too: a result of other fields is another result."""
    inside = tuple(one for argument in get_args(kind) for one in schema(argument))
    return (*(one.name for one in fields(kind)), *inside) if is_dataclass(kind) else inside


def _without_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    match value:
        case np.ndarray():
            arrays[path] = value
            return {_ARRAY: path}
        case Mapping():
            return {name: _without_arrays(one, f"{path}/{name}", arrays) for name, one in value.items()}
        case list() | tuple():
            return [_without_arrays(one, f"{path}/{at}", arrays) for at, one in enumerate(value)]
    return value


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    match value:
        case {"array of this name": path}:
            return arrays[path]
        case dict():
            return {name: _with_arrays(one, arrays) for name, one in value.items()}
        case list():
            return [_with_arrays(one, arrays) for one in value]
    return value
