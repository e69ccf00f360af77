"""What work is given beside its question: where results are kept, who is told how far it is, and prepared engines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from influence_core import progress
from influence_core.engines import Engines
from influence_core.progress import Progress
from influence_core.ranks import Ranks
from influence_core.store import NO_STORE, Store


@dataclass(frozen=True)
class Context:
    """Nothing in it changes a result; it decides what is computed again and who hears of it.

    Attributes:
        store: Where results are kept between runs.
        progress: Called often; it may raise ``Cancelled``.
        engines: Prepared engines, shared by all work that is given them.
        ranks: The processes that share the work.
    """

    store: Store = NO_STORE
    progress: Progress | None = None
    engines: Engines = field(default_factory=Engines)
    ranks: Ranks = field(default_factory=Ranks)

    def part(self, start: float, stop: float) -> Context:
        """For a part of the work, whose 0 to 1 becomes ``start`` to ``stop`` of the whole."""
        return replace(self, progress=progress.part(self.progress, start, stop))

    def step(self, done: int, steps: int) -> Context:
        """For one of several equal parts, counted from 0."""
        return self.part(done / steps, (done + 1) / steps)

    def named(self, message: str) -> Context:
        """For a part whose every report says the same."""
        return replace(self, progress=progress.named(self.progress, message))

    def report(self, fraction: float, message: str) -> None:
        """Tell how far the work is, in [0, 1]."""
        progress.report(self.progress, fraction, message)


ALONE = Context()
"""Nothing is kept and nobody is told: what a function takes where no context is given."""
