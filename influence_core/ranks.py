"""One of several processes that work together: what each has is added up, joined, or handed to the first.

``torchrun --nproc-per-node K -m influence_core …`` starts them, on one machine or many. A process alone is the first of one,
and every exchange gives back what it was given.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from influence_core.errors import LostWorkerError

T = TypeVar("T")


@dataclass(eq=False)
class Ranks:
    """This process among the others, all of which make the same exchanges in the same order.

    An exchange raises ``LostWorkerError`` where another process has ended.

    Attributes:
        rank: Which it is, from 0.
        world: How many there are.
        sent: Bytes that it gave to others so far, counted as a ring of processes sends them.
        waited: Seconds in exchanges so far, waiting for the others included.

    >>> alone = Ranks()
    >>> alone.rows(5), alone.add(torch.ones(2)), alone.any(False), alone.sent
    (slice(0, 5, None), tensor([1., 1.]), False, 0)
    >>> Ranks(1, 3).rows(5)
    slice(1, 3, None)
    """

    rank: int = 0
    world: int = 1
    sent: int = 0
    waited: float = 0.0

    @property
    def alone(self) -> bool:
        """Whether there are no others."""
        return self.world == 1

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    def rows(self, n: int) -> slice:
        """Its own of ``n`` things that are shared out in order; no two shares differ by more than one."""
        return slice(self.rank * n // self.world, (self.rank + 1) * n // self.world)

    def add(self, own: Tensor) -> Tensor:
        """The sum of what all have, bit for bit the same everywhere; ``own`` may be overwritten."""
        if self.alone:
            return own
        total = own.contiguous()
        with self._exchange(2 * total.nbytes * (self.world - 1) // self.world):
            dist.all_reduce(total)
        return total

    def any(self, own: bool) -> bool:
        """Whether it is so for any of them."""
        return bool(self.add(torch.tensor(int(own))))

    def columns(self, count: int, each: int, make: Callable[[slice], Tensor]) -> Tensor:
        """Columns that every process makes some of, and has all of then.

        Args:
            count: How many things there are to share out.
            each: Columns of one.
            make: Of own ``rows(count)``, ``m`` of them, the columns ``(p, m each)``.

        Returns:
            ``(p, count each)``.
        """
        own = make(self.rows(count))
        if self.alone:
            return own
        mine = self._padded(own.T, count, each)
        every = list(mine.new_empty(self.world, *mine.shape).unbind())
        with self._exchange(mine.nbytes * (self.world - 1)):
            dist.all_gather(every, mine)
        return self._cut(every, count, each).T

    def collected(self, own: Tensor, count: int, each: int = 1) -> Tensor | None:
        """``(count each, …)`` at the first process, ``None`` at the others.

        Args:
            own: ``(m each, …)`` of own ``rows(count)``, ``m`` of them, on the CPU.
            count: How many things there are, of all processes.
            each: Rows of one.
        """
        if self.alone:
            return own
        mine = self._padded(own, count, each)
        every = list(mine.new_empty(self.world, *mine.shape).unbind()) if self.is_first else None
        with self._exchange(0 if self.is_first else mine.nbytes):
            dist.gather(mine, every)
        return None if every is None else self._cut(every, count, each)

    def of_first(self, own: T) -> T:
        """What the first process has, for all; small things."""
        if self.alone:
            return own
        box = [own]
        sent = len(pickle.dumps(own)) * (self.world - 1) if self.is_first else 0
        with self._exchange(sent):
            dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    def of_all(self, own: T) -> list[T]:
        """What each process has, in their order, for all; small things."""
        if self.alone:
            return [own]
        every: list[T] = [own] * self.world
        with self._exchange(len(pickle.dumps(own)) * (self.world - 1)):
            dist.all_gather_object(every, own)
        return every

    def _padded(self, own: Tensor, count: int, each: int) -> Tensor:
        """To the length of the largest share, which is what an exchange takes."""
        most = -(-count // self.world) * each
        if len(own) == most:
            return own.contiguous()
        mine = own.new_zeros(most, *own.shape[1:])
        mine[: len(own)] = own
        return mine

    def _cut(self, every: list[Tensor], count: int, each: int) -> Tensor:
        """All shares one after the other, without the padding."""
        shares = [Ranks(rank, self.world).rows(count) for rank in range(self.world)]
        return torch.cat([one[: (at.stop - at.start) * each] for one, at in zip(every, shares, strict=True)])

    @contextmanager
    def _exchange(self, sent: int) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except RuntimeError as error:
            raise LostWorkerError(
                "Another process of this job has ended. Start the same command again: it goes on from the last part."
            ) from error
        self.sent += sent
        self.waited += time.perf_counter() - started


ALONE = Ranks()
"""The only process."""


@contextmanager
def together() -> Iterator[Ranks]:
    """This process among those that ``torchrun`` started with it: gloo on CPUs, nccl between GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
