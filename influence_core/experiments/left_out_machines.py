"""The truth for a support vector machine: trained again with the hinge without each of some examples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from influence_core.context import Context
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import retrain
from influence_core.store.remember import remember
from influence_core.studies import Study

GRADIENT_TOL = 1e-3
"""Retraining is proved by a subgradient below this share of the smallest one that a removal brings in."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Machines without one example each.

    Attributes:
        theta: ``(k, p)``.
        gradient_norms: ``(k,)`` of the smallest subgradient of each, over all its examples.
        target: What those norms must not exceed.
    """

    theta: np.ndarray
    gradient_norms: np.ndarray
    target: float


def leave_out(study: Study, at: Tensor, context: Context) -> LeftOut:
    """The machine without each of the training examples ``at (k,)``, in their order.

    The models do not depend on the test example, and many test examples share their strongest training examples.
    """
    ordered, order = at.cpu().sort()
    found, back = _without_each(study, ordered, GRADIENT_TOL, context=context), order.argsort().numpy()
    return replace(found, theta=found.theta[back], gradient_norms=found.gradient_norms[back])


@remember("smooth hinge, left out")
def _without_each(study: Study, ordered: Tensor, tolerance: float, *, context: Context) -> LeftOut:
    o, at = study.objective, ordered.to(study.theta.device)
    target = tolerance * float((o.weights[at] * o.x[at].norm(dim=1)).min())
    edits = [Edit.removal(one) for one in ordered[:, None]]

    def progress(fraction: float, _: str) -> None:
        done = round(fraction * len(edits))
        context.report(fraction, f"{done} of {len(edits)} models trained again")

    models = retrain(o, study.theta, edits, gradient_norm=target, progress=progress)
    return LeftOut(models.theta.cpu().numpy(), models.gradient_norms.numpy(), target)
