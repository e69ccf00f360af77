"""Which answer to one input is to become which other, and by how much the first is ahead."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Contest:
    """One input, the label that it gets, and the label that it is to get.

    A label's score is its output; of a model with one output label 0 has the score 0, and label 1 the output.

    Attributes:
        x: ``(d,)`` the input.
        outputs: Of the model, ``c``.
        said: The label with the highest score now.
        wanted: The label that is to have it; any other than ``said`` where none is named.

    Three outputs; label 0 leads label 2 by 1:

    >>> contest = Contest(torch.ones(1), outputs=3, said=0)
    >>> f = torch.tensor([[3.0, 1.0, 2.0]])
    >>> contest.sides(f[0]), contest.margins(f)
    ((0, 2), tensor([1.]))
    >>> Contest(torch.ones(1), 3, said=0, wanted=1).margins(f)
    tensor([2.])
    """

    x: Tensor
    outputs: int
    said: int
    wanted: int | None = None

    def scores(self, f: Tensor) -> Tensor:
        """``(m, labels)`` of outputs ``(m, c)``."""
        return torch.cat([torch.zeros_like(f), f], 1) if self.outputs == 1 else f

    def sides(self, f: Tensor) -> tuple[int, int]:
        """The label that must lose, and the one that must win, at the outputs ``(c,)``."""
        others = self._others(self.scores(f[None]))[0]
        best = int(others.argmax())
        return (self.said, best) if self.wanted is None else (best, self.wanted)

    def margins(self, f: Tensor) -> Tensor:
        """``(m,)`` of outputs ``(m, c)``: the score of the label that must lose, less that of the one that must win.

        Below 0 the answer is what it was to become. For probabilities these are log-odds, in nats.
        """
        scores = self.scores(f)
        best = self._others(scores).amax(1)
        return scores[:, self.said] - best if self.wanted is None else best - scores[:, self.wanted]

    def gradient(self, f: Tensor) -> Tensor:
        """``(p,)`` of the margin by a linear model's parameters, at the outputs ``(c,)``."""
        losing, winning = self.sides(f)
        signs = self.x.new_zeros(self.outputs)
        if self.outputs == 1:
            signs[0] = 1.0 if losing == 1 else -1.0
        else:
            signs[losing], signs[winning] = 1.0, -1.0
        return (self.x[:, None] * signs).flatten()

    @property
    def steepness(self) -> float:
        """``||grad margin||``, whichever labels compete."""
        return float(self.x.norm()) * (1.0 if self.outputs == 1 else 2**0.5)

    def _others(self, scores: Tensor) -> Tensor:
        """Scores without that of the label whose fate is asked."""
        others = scores.clone()
        others[:, self.said if self.wanted is None else self.wanted] = -torch.inf
        return others
