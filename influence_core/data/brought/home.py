"""Where what visitors bring is kept: in a store, and beside it."""

from influence_core.store import NO_STORE, Store


def home_of(store: Store) -> Store:
    """The store itself, or the user's own where results are not kept: what was brought lies there all the same."""
    return Store() if store is NO_STORE else store
