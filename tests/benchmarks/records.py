"""Recorded runs as JSON that a person can read: one line a record, six significant digits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(path: Path, run: Mapping[str, Any], records: str) -> None:
    """Write a run; what stands under the name `records` takes one line each."""
    head = {name: value for name, value in run.items() if name != records}
    lines = ",\n".join(json.dumps(_short(one)) for one in run[records])
    text = json.dumps(head, indent=1).removesuffix("\n}")
    path.write_text(f'{text},\n "{records}": [\n{lines}\n ]\n}}\n', encoding="utf-8")


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {name: _short(one) for name, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list | tuple) else value
