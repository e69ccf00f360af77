"""Training examples that stand in for each other: without either one little happens, without both much does.

Taken out alone, an example whose twin stays looks unimportant, in every ranking there is. What shows them is the effect of
two together less the sum of each alone, by one exact Newton step on the risk without both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments.corrected import linear_objective, supports, undamped
from influence_core.experiments.explanation import Explanation
from influence_core.influence import moves_without
from influence_core.store.remember import remember
from influence_core.studies import Study

__all__ = ["MASKED", "STRONGEST", "Twins", "run", "supports"]

STRONGEST = 50
"""Every two of so many examples are taken out together."""
MASKED = 1.5
"""Two mask each other where both together do at least so many times what each alone does, added up ..."""
MATTERS = 0.1
"""... and at least this share of what the strongest example does alone."""


@dataclass(frozen=True, eq=False)
class Twins:
    """Pairs of the examples that are strongest for one answer, each two that pull the same way.

    What adds up are log-odds of the label asked about; a probability near 0 or 1 moves by more than the sum of its parts.

    Attributes:
        pairs: ``(k, 2)`` training ids; the pair whose effect together exceeds the sum most comes first.
        together: ``(k,)`` change of the log-odds if both are taken out.
        each: ``(k, 2)`` the changes without each alone.
        strongest: The largest change without a single example.
    """

    pairs: np.ndarray
    together: np.ndarray
    each: np.ndarray
    strongest: float

    @property
    def masked(self) -> np.ndarray:
        """``(k,)`` whether the two mask each other."""
        much = np.abs(self.together) >= MASKED * np.abs(self.each.sum(1))
        return much & (np.abs(self.together) >= MATTERS * self.strongest)


@remember("health: twins")
def run(study: Study, explanation: Explanation, *, context: Context = ALONE) -> Twins:
    """Take out every two of the strongest examples together.

    Args:
        study: A linear model with a smooth loss.
        explanation: The answer to one question, by the best number at hand.
        context: Its engines have the exact solver.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o, at = linear_objective(study), strongest(explanation.shown, STRONGEST)
    inverse, x = undamped(study, context.part(0.0, 0.7)).inverse, explanation.asked(study)[0][0]
    single = np.arange(len(at))[:, None]
    pairs = np.stack(np.triu_indices(len(at), 1), 1)
    rest, sets = context.part(0.7, 1.0).progress, [torch.as_tensor(one) for one in (single, pairs)]
    moved = moves_without(o, study.theta, torch.as_tensor(at), sets, x, inverse, rest)
    outputs = o.outputs(study.theta, x[None])
    alone, together = (_log_odds(outputs + one, explanation.label) for one in moved)
    before = _log_odds(outputs, explanation.label)
    alone, together = alone - before, together - before
    each = alone[pairs]
    order = np.argsort(np.abs(each.sum(1)) - np.abs(together), kind="stable")
    chosen = order[np.prod(np.sign(each[order]), 1) > 0]
    return Twins(
        explanation.ids[at[pairs[chosen]]],
        together[chosen],
        each[chosen],
        float(np.abs(alone).max(initial=0.0)),
    )


def _log_odds(outputs: Tensor, label: int) -> np.ndarray:
    """Of a label against all others, by outputs ``(m, c)``: ``(m,)``."""
    f = outputs.double().cpu()
    if f.shape[1] == 1:
        return ((2 * label - 1) * f[:, 0]).numpy()
    others = [one for one in range(f.shape[1]) if one != label]
    return (f[:, label] - f[:, others].logsumexp(1)).numpy()
