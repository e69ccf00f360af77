"""How long work tells where it stands: a callback, which may raise `Cancelled` to stop the work."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the fraction done, in [0, 1], and a message of one line."""


def report(progress: Progress | None, fraction: float, message: str) -> None:
    """Tell `progress` that `fraction` of the work is done; nobody listening is fine."""
    if progress is not None:
        progress(min(max(fraction, 0.0), 1.0), message)


def part(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """The callback for a sub-task: its 0 to 1 becomes `start` to `stop` of the whole.

    >>> half = part(lambda fraction, message: print(f"{fraction:.0%} {message}"), 0.5, 1.0)
    >>> report(half, 0.2, "factoring")
    60% factoring
    """
    if progress is None:
        return None
    return lambda fraction, message: report(progress, start + fraction * (stop - start), message)


def named(progress: Progress | None, message: str) -> Progress | None:
    """The callback for a sub-task whose every report bears the same message."""
    if progress is None:
        return None
    return lambda fraction, _: report(progress, fraction, message)
