"""Pictures that people asked about, kept until whoever sent them removes them; whoever is given the link can ask too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from influence_core.data.brought import kept
from influence_core.data.brought.home import ASKED, PICTURE, home_of
from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.store.digest import digest


def keep(store: Store, x: np.ndarray, owner: str = "") -> str:
    """Keep a picture.

    Args:
        store: whose home keeps it.
        x: a drawing's pixels ``(d,)`` or a photo's ``(h, w, 3)``.
        owner: the browser that sent it.

    Returns:
        Its name, which nobody can guess who does not know the owner.

    Raises:
        DataError: there is no room, or the disk refuses.
    """

    def fill(folder: Path) -> dict[str, Any]:
        np.save(folder / PICTURE, x, allow_pickle=False)
        return {"owner": owner, "size": x.nbytes}

    key, home = digest("picture asked about", x, owner), home_of(store)
    kept.put(home.folder / ASKED, home, key, fill)
    return key


def recall(store: Store, key: str) -> np.ndarray:
    """A picture, for whoever knows its name.

    Args:
        store: whose home keeps it.
        key: what `keep` called it.

    Raises:
        DataError: it is not there, or no longer.
    """
    try:
        found = kept.get(home_of(store).folder / ASKED, key)
        picture: np.ndarray = np.load(found.folder / PICTURE, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            "This picture is not on the server (any more). Upload it again, or choose a test example."
        ) from error
    return picture


def of(store: Store, owner: str) -> tuple[kept.Kept, ...]:
    """Those that a browser asked about, the newest first."""
    every = kept.every(home_of(store).folder / ASKED)
    return tuple(one for one in every if one.about.get("owner") == owner)


def remove(store: Store, owner: str) -> None:
    """Remove all that a browser asked about; links to them end.

    Raises:
        DataError: the disk refuses.
    """
    for one in of(store, owner):
        kept.remove(home_of(store).folder / ASKED, one.key, owner)
