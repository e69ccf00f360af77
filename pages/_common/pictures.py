"""Pictures that visitors upload to ask about: the server keeps them with all that people did, the address holds the name."""

from __future__ import annotations

import numpy as np

from influence_core.data.brought import asked
from pages._shell import browser
from pages._shell.results import get_store

PRIVATE = (
    "It stays on the machine that runs this app until you remove it (at the end of *Build*), and only whoever "
    "has the link of this page then can see it."
)
"""Said before it is sent."""


def keep(x: np.ndarray) -> str:
    """Keep a drawing's pixels ``(d,)`` or a photo's ``(h, w, 3)`` for this browser; the result names them.

    Raises:
        DataError: If the server has no room.
    """
    return asked.keep(get_store(), x, browser.owner())


def recall(key: str) -> np.ndarray:
    """The picture that was kept.

    Raises:
        DataError: If it is not there any more.
    """
    return asked.recall(get_store(), key)
