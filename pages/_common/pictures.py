"""Pictures that visitors upload to ask about: the store keeps them, the address holds the digest."""

from __future__ import annotations

import numpy as np

from influence_core.errors import DataError, StoreError
from influence_core.store.digest import digest
from pages._shell.results import get_store


def keep(x: np.ndarray) -> str:
    """Keep a drawing's pixels ``(d,)`` or a photo's ``(h, w, 3)``; the result names them.

    Raises:
        DataError: If the store has no room.
    """
    key = digest("picture", x)
    if not get_store().put(key, {"picture": x}, {}):
        raise DataError(
            "The picture could not be kept: the store has no room. See INFLUENCE_EXPLORER_CACHE_MB."
        )
    return key


def recall(key: str) -> np.ndarray:
    """The picture that was kept.

    Raises:
        DataError: If it is not there any more.
    """
    try:
        kept = get_store().get(key)
    except StoreError:
        kept = None
    if kept is None or "picture" not in kept.arrays:
        raise DataError(
            "This picture is not on the server (any more). Upload it again, or choose a test example."
        )
    return kept.arrays["picture"]
