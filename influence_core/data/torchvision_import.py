"""The one door to torchvision, opened only when somebody needs it.

Beside a CPU build of torch, torchvision's compiled part may fail to load, and then its import stops with
"operator torchvision::nms does not exist": it describes an operator nobody declared. Declaring the two
operators first lets the import through. Nothing here calls them.
"""

import importlib
import importlib.util
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from threading import Lock
from types import ModuleType

import torch

from influence_core.errors import UnsupportedError

_ONE_AT_A_TIME = Lock()


def import_torchvision() -> ModuleType:
    """The `torchvision` package, with `datasets`, `models` and `transforms`.

    Raises:
        UnsupportedError: torchvision is not installed, or does not go with this torch.
    """
    with _ONE_AT_A_TIME:
        try:
            _declare_missing_operators()
            return importlib.import_module("torchvision")
        except (ImportError, OSError, RuntimeError) as error:
            raise UnsupportedError(
                f"This needs torchvision, which could not be imported: {error}. "
                "Install the versions named in requirements.txt: pip install -r requirements.txt"
            ) from error


@cache
def _declare_missing_operators() -> torch.library.Library | None:
    """Declare `nms` and `qnms` where the compiled part is missing; the cache keeps the declaration alive."""
    if _compiled_part_loads():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def _compiled_part_loads() -> bool:
    """Whether torch can load torchvision's operators."""
    spec = importlib.util.find_spec("torchvision")
    folders = spec.submodule_search_locations if spec else None
    files = [Path(folder) / f"_C{suffix}" for folder in folders or () for suffix in EXTENSION_SUFFIXES]
    try:
        torch.ops.load_library(str(next(file for file in files if file.is_file())))
    except (StopIteration, OSError):
        return False
    return True
