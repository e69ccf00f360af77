"""A small set of training examples without which, or with another label of which, a linear model's answer is another.

Recursive greedy: take the examples that pull the margin most, train, rank again, until the answer flips; then exchange the
set for the strongest examples as they pull *there*; then put back all that can be put back. Every ranking is a forecast;
what is claimed of the set found is proven by training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.progress import Progress, named, part
from influence_core.retraining.following import Following
from influence_core.retraining.putting_back import restore_each

SHARE = 0.5
"""Of the margin that is left, what a batch is to take: forecasts grow from batch to batch, as the others lose support."""
FEW = 4
"""Where so few examples are forecast to take the whole margin, they are taken at once."""
TAIL = 0.25
"""... or so few beside those taken already."""
LARGEST = 0.05
"""A batch has at most this share of all training examples."""
ROUGH = 0.02
"""While it searches, training ends at this share of the gradient that a batch brings in."""
EXCHANGES = 2
"""How often the set is exchanged for the strongest examples, while that makes it smaller."""
BLOCK = 8
"""Examples that are put back side by side, each on its own, to prove that none can be; four times as many each time."""
CLEAR = 3.0
"""No more are tried once all others would be needed even if they fell short of their forecasts by so many times the largest
share by which one of those did."""
REFINEMENTS = 3
"""Products with the edited curvature that sharpen the last forecasts."""


@dataclass(frozen=True, eq=False)
class Flip:
    """What the search found.

    Attributes:
        positions: ``(m,)`` of the edited training examples, the strongest pull first.
        theta: ``(p,)`` trained with the edits.
        flipped: Whether the answer changed.
        margins: Before, and with the edits: by how much the label that was to lose is ahead.
        bound: How far the second can be from that of the true optimum.
        gradient_norm: With the edits.
        unpruned: Size of the set before examples were put back.
        rounds: Batches.
        restored: ``(k, 2)`` the margins that came of putting back one example, for those of them that are least needed, and
            how far they can be from those of the true optima; each trained on its own.
        clear: Whether the forecasts of all others lie so far beyond the largest miss of these that they need no training.
    """

    positions: Tensor
    theta: Tensor
    flipped: bool
    margins: tuple[float, float]
    bound: float
    gradient_norm: float
    unpruned: int
    rounds: int
    restored: Tensor
    clear: bool

    @property
    def minimal(self) -> bool:
        """Whether no single example can be put back without undoing the flip."""
        return self.clear and bool((self.restored[:, 0] > self.restored[:, 1]).all())


def flip(model: Following, progress: Progress | None = None) -> Flip:
    """Search for a small set of edits that changes the answer.

    Args:
        model: At the optimum, nothing edited yet.
        progress: Called after every training step; may raise ``Cancelled``.

    Returns:
        The set, proven by training; with ``flipped`` ``False`` where taking all that pull does not change the answer.
    """
    before = model.margin
    search = Search(model, named(part(progress, 0.0, 0.5), "looking for a set"))
    ranked = search.ranking(model.pulls())
    search.grow()
    unpruned = model.size
    if search.flipped:
        search.exchange()
        search.progress = named(part(progress, 0.5, 0.8), "putting back what is not needed")
        search.prune()
        search.outdo(ranked)
        restored, clear = search.prove(part(progress, 0.8, 1.0))
    else:
        model.sharpen(search.progress)
        restored, clear = torch.zeros(0, 2), False
    order = torch.where(model.taken, model.pulls(), -torch.inf).argsort(descending=True)
    return Flip(
        positions=order[: model.size],
        theta=model.theta,
        flipped=model.margin < 0,
        margins=(before, model.margin),
        bound=model.bound,
        gradient_norm=model.gradient_norm,
        unpruned=unpruned,
        rounds=search.rounds,
        restored=restored,
        clear=clear,
    )


class Search:
    """The steps of the search, on one model."""

    def __init__(self, model: Following, progress: Progress | None) -> None:
        self.model, self.progress, self.rounds = model, progress, 0

    @property
    def flipped(self) -> bool:
        """Whether the answer has changed, as far as training has gone."""
        return self.model.margin < 0

    def grow(self) -> None:
        """Take batch after batch until the answer flips, or nothing is left that pulls."""
        while not self.flipped:
            batch = self._batch()
            if not len(batch):
                return
            taken = self.model.taken.clone()
            taken[batch] = True
            self._train(taken)
            self.rounds += 1

    def exchange(self) -> None:
        """The strongest examples as they pull now, in or out, in the place of the set, while that makes it smaller."""
        model = self.model
        for _ in range(EXCHANGES):
            before, mark = model.taken, model.mark()
            pulls = torch.where(self.editable() | before, model.pulls(), -torch.inf)
            order = pulls.argsort(descending=True)
            needed = pulls[before].sum() + model.margin
            taken = torch.zeros_like(before)
            taken[order[: int((pulls[order].cumsum(0) <= needed).sum()) + 1]] = True
            if int(taken.sum()) >= model.size or not self._classes_left(taken):
                return
            self._train(taken)
            self.grow()
            if not self.flipped or model.size >= int(before.sum()):
                model.back_to(mark)
                return

    def prune(self, refinements: int = 0) -> tuple[Tensor, Tensor]:
        """Put back as many as the forecast allows, the weakest first, until it allows none.

        Returns:
            Positions of what stays edited and what each takes from the margin, the least first.
        """
        model = self.model
        while True:
            before, mark = model.taken, model.mark()
            inside, pulls = self._least_needed(refinements)
            count = int((pulls.clamp_min(0).cumsum(0) < -model.margin).sum())
            while count:
                taken = before.clone()
                taken[inside[:count]] = False
                self._train(taken)
                if self.flipped:
                    break
                count //= 2
            else:
                model.back_to(mark)
                return inside, pulls

    def outdo(self, ranked: Tensor) -> None:
        """The first of one ranking instead, where fewer of them than the set has flip the answer too."""
        model = self.model
        while model.size > 1:
            before, mark = model.taken, model.mark()
            taken = torch.zeros_like(before)
            taken[ranked[: model.size - 1]] = True
            self._train(taken)
            if not self.flipped or int(taken.sum()) >= int(before.sum()):
                model.back_to(mark)
                return
            self.prune()

    def ranking(self, pulls: Tensor) -> Tensor:
        """Positions of all that have a pull ``(n,)``, the strongest first, leaving each class one."""
        pulls = torch.where(self.editable(), pulls, -torch.inf)
        order = pulls.argsort(descending=True)
        return self.sparing(order[pulls[order] > 0])

    def prove(self, progress: Progress | None) -> tuple[Tensor, bool]:
        """Train to the end, and put back the least needed examples, each with training; what is not needed stays back.

        Returns:
            ``Flip.restored`` and ``Flip.clear``.
        """
        while True:
            inside, pulls = self._settle_pruned()
            tried, needless = self._restore(inside, pulls, named(progress, "proving the set"))
            if needless is None:
                return tried, self.flipped
            taken = self.model.taken.clone()
            taken[needless] = False
            self._train(taken)

    def _restore(
        self, inside: Tensor, pulls: Tensor, progress: Progress | None
    ) -> tuple[Tensor, Tensor | None]:
        """``Flip.restored``, and the position of an example that is not needed, if there is one."""
        model, tried, miss, size = self.model, torch.zeros(0, 2, dtype=torch.float64), 0.0, BLOCK
        forecast = (model.margin + pulls).cpu().double()
        least = (model.margin + pulls * (1 - CLEAR * miss)).cpu()
        while len(tried) < len(inside) and not (len(tried) and float(least[len(tried) :].min()) > 0):
            block = slice(len(tried), len(tried) + size)
            margins, bounds = restore_each(model, inside[block], forecast[block], progress)
            if bool((margins + bounds < 0).any()):
                return tried, inside[block][margins.argmin()]
            tried, size = torch.cat([tried, torch.stack([margins, bounds], 1)]), 4 * size
            short = (forecast[block] - margins) / pulls[block].cpu()
            miss = max(miss, float(short.max()))
            least = (model.margin + pulls * (1 - CLEAR * miss)).cpu()
        return tried, None

    def _settle_pruned(self) -> tuple[Tensor, Tensor]:
        """Train to the end, and put back what the sharper forecast allows, while that makes the set smaller; as ``prune``."""
        size = self.model.unedited.n + 1
        while True:
            self._settle_flipped()
            if self.model.size >= size:
                return self._least_needed(REFINEMENTS)
            size = self.model.size
            found = self.prune(REFINEMENTS)
            if self.model.size == size:
                return found

    def _settle_flipped(self) -> None:
        """Train to the end, with a batch more where the answer has not changed after all."""
        self.model.sharpen(self.progress)
        while not self.flipped:
            size = self.model.size
            self.grow()
            self.model.sharpen(self.progress)
            if self.model.size == size:
                return

    def _least_needed(self, refinements: int) -> tuple[Tensor, Tensor]:
        """Positions of the edited examples and what each takes from the margin, the least first."""
        inside = self.model.taken.nonzero()[:, 0]
        pulls, order = self.model.returns(inside, refinements).sort()
        return inside[order], pulls

    def _train(self, taken: Tensor) -> None:
        self.model.edit(taken, ROUGH, self.progress)

    def editable(self) -> Tensor:
        """``(n,)`` which examples an edit would change, and that are not edited yet."""
        model = self.model
        changed = model.unedited.weights > 0
        return changed & ~model.taken

    def _batch(self) -> Tensor:
        """Positions of the next examples to take, the strongest first."""
        model = self.model
        pulls = torch.where(self.editable(), model.pulls(), -torch.inf)
        order = pulls.argsort(descending=True)
        order = order[pulls[order] > 0]
        total = pulls[order].cumsum(0)
        count = int((total < model.margin).sum()) + 1
        if count > max(FEW, TAIL * model.size):
            count = int((total < SHARE * model.margin).sum()) + 1
        return self.sparing(order[: min(count, max(1, int(LARGEST * model.unedited.n)))])

    def sparing(self, batch: Tensor) -> Tensor:
        """The batch without the last example of any class."""
        y, kept = self.model.unedited.y, []
        left = torch.bincount(y[self._staying()], minlength=self.model.unedited.loss.classes)
        for label in range(len(left)):
            kept.append(batch[y[batch] == label][: max(0, int(left[label]) - 1)])
        chosen = torch.zeros_like(self.model.taken)
        chosen[torch.cat(kept)] = True
        return batch[chosen[batch]]

    def _classes_left(self, taken: Tensor) -> bool:
        """Whether every class that has examples keeps one."""
        y, weights = self.model.unedited.y, self.model.unedited.weights
        return set(y[(weights > 0) & ~taken].tolist()) == set(y[weights > 0].tolist())

    def _staying(self) -> Tensor:
        return (self.model.unedited.weights > 0) & ~self.model.taken
