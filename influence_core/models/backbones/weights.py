"""The weights of torchvision's classifiers: where they lie, how they are read, and the download a person asks for."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch import nn

from influence_core.data.fetching import fetch
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError
from influence_core.models.backbones.backbone import PACKAGED
from influence_core.models.backbones.weight_files import SUFFIXES, load_into
from influence_core.progress import Progress, report
from influence_core.store.atomic import remove_abandoned, whole_file

WEIGHTS_FOLDER = "weights"
"""Inside the data folder: where weights that were downloaded or put there by hand are looked for."""
MAX_OVER = 1.2
"""A download may be larger than announced by this factor, and no more."""
ROOM = 2
"""A download needs so many times its size on the disk, so that it never fills it."""
MEBIBYTE = 2**20
"""torchvision counts in these."""


def default_weights(name: str) -> Any:
    """What torchvision knows of the weights that it would choose: their address, their size, their pictures."""
    return import_torchvision().models.get_model_weights(name).DEFAULT


def weights_path(name: str, folder: str | None) -> Path:
    """Where the weights of a torchvision classifier lie, with any suffix of `SUFFIXES`, or would: ``weights/<name>.pth``."""
    home = Path(folder or ".") / WEIGHTS_FOLDER
    there = (home / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((one for one in there if one.is_file()), home / f"{name}.pth")


def download_size(name: str) -> float:
    """Megabytes that the weights of a torchvision classifier take."""
    return float(default_weights(name).meta["_file_size"]) * MEBIBYTE / 1e6


def download(name: str, folder: str, progress: Progress | None = None) -> None:
    """Fetch the weights of a torchvision classifier into the data folder; only ever called because a person asked for it.

    Nothing is left behind unless the file is whole: the start of its sha256 is part of its address.

    Args:
        name: What torchvision calls it.
        folder: The data folder.
        progress: Called after every piece.

    Raises:
        DataError: The network or the disk failed, or the file is not the one that was meant.
    """
    address, path, size = default_weights(name).url, weights_path(name, folder), 1e6 * download_size(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < ROOM * size:
            raise OSError(f"the disk has less than {ROOM * size / 1e6:,.0f} MB free")
        remove_abandoned(path.parent, re.compile(re.escape(name)))
        with whole_file(path, mode=0o644) as file:
            fetch(address, file, size, int(MAX_OVER * size), progress, _start_of_sha256(address))
    except OSError as error:
        raise DataError(
            f"The weights of {name} could not be downloaded: {error}\n"
            f"Check the internet connection and the disk, or put the file of {address} into {WEIGHTS_FOLDER} in the data "
            f"folder yourself, as {path.name}."
        ) from error
    report(progress, 1.0, f"The weights of {name} are downloaded")


def _start_of_sha256(address: str) -> str:
    return address.rsplit("-", 1)[1].removesuffix(".pth")


def load_weights(network: nn.Module, name: str, folder: str | None, taken_off: Collection[str] = ()) -> None:
    """Read the weights of a torchvision classifier into its network.

    Args:
        network: As torchvision builds it, its last layer taken off.
        name: What torchvision calls it.
        folder: The data folder.
        taken_off: Weights of the last layer, which may be in the file or not, for any number of classes.

    Raises:
        DataError: They are missing, damaged, or another network's; the message names the file and the remedy.
    """
    path = weights_path(name, folder)
    remedy = (
        f"Put torchvision's weights for {name} there, as {name}.pth or {name}.safetensors with a state dict, download them on "
        f"the page Build, or choose {PACKAGED}, which ships with the app."
    )
    if not path.is_file():
        raise DataError(
            f"The weights of {name} are not on this machine: expected the file {WEIGHTS_FOLDER}/{path.name} in the data folder. "
            f"{remedy}"
        )
    try:
        load_into(network, path, taken_off)
    except DataError as error:
        raise DataError(f"{error} {remedy}") from error
