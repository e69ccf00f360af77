"""What can go wrong, by kind: a message says what was expected, what came, and what to do."""


class InfluenceError(Exception):
    """Any failure this library raises on purpose."""


class ShapeError(InfluenceError, ValueError):
    """A tensor has the wrong shape or element type."""


class UnsupportedError(InfluenceError, NotImplementedError):
    """The question makes sense, but not for this model, solver or installation."""


class SolveError(InfluenceError, ArithmeticError):
    """A numerical method did not reach its answer."""


class DataError(InfluenceError, ValueError):
    """Data is missing, damaged, or not what the question needs."""


class StoreError(InfluenceError, OSError):
    """The store was asked for something it can never keep."""


class LostWorkerError(InfluenceError, ConnectionError):
    """Another process of the same job has ended."""


class Cancelled(InfluenceError):  # noqa: N818 - a wish, not an error
    """The reader asked to stop; raised by a progress callback."""


def require(reason: str | None) -> None:
    """Raise `UnsupportedError` with the reason why something cannot be done, if there is one."""
    if reason:
        raise UnsupportedError(reason)
