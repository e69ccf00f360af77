"""Results kept on disk by what they were computed from."""

from influence_core.store.entries import Entry, read_only
from influence_core.store.home import HOME_VARIABLE, Home
from influence_core.store.null import NO_STORE, NullStore
from influence_core.store.store import (
    DEFAULT_LIMIT,
    FOLDER_VARIABLE,
    LIMIT_VARIABLE,
    Store,
)

__all__ = [
    "DEFAULT_LIMIT",
    "FOLDER_VARIABLE",
    "HOME_VARIABLE",
    "LIMIT_VARIABLE",
    "NO_STORE",
    "Entry",
    "Home",
    "NullStore",
    "Store",
    "read_only",
]
