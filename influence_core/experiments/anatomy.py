"""What each factor of an influence does (the paper's Figure 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.experiments.explain import Explanation
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Four scores of all ``n`` training examples, without the ``1/n`` (``n D = -I_up,loss``).

    Those with the curvature are in nats; those without it are no loss changes and have no unit.

    Attributes:
        ids: ``(n,)`` training ids.
        same_label: ``(n,)`` whether the training label is the label asked about.
        full: ``(n,)`` ``s . grad l_i``.
        without_loss: ``(n,)`` the training-loss factor ``1 - p(y_i)`` set to 1; ``full = loss_factor * without_loss``.
        without_curvature: ``(n,)`` ``s`` replaced by the test gradient: ``grad l_test . grad l_i``.
        without_both: ``(n,)`` both left out: a scaled inner product of the inputs.
        loss_factor: ``(n,)`` how badly each training example is fitted, 0..1.
    """

    ids: np.ndarray
    same_label: np.ndarray
    full: np.ndarray
    without_loss: np.ndarray
    without_curvature: np.ndarray
    without_both: np.ndarray
    loss_factor: np.ndarray

    def agreement(self) -> tuple[float, float]:
        """Without the curvature: the share of like-labelled examples that help, and of the others that harm."""
        scores, same = self.without_curvature, self.same_label
        return float((scores[same] > 0).mean()), float((scores[~same] < 0).mean())


@remember("anatomy", stored=False)
def run(study: Study, explanation: Explanation) -> Anatomy:
    """Take the score apart; all gradients are those of the data, without the penalty."""
    o, theta = study.objective, study.theta
    test_gradient = o.gradients(theta, *explanation.asked(study))[0]
    f = o.outputs(theta, o.x)
    residuals, directions = o.loss.residuals(f, o.y), o.loss.directions(f, o.y)
    with_curvature = o.output_products(theta, o.x, explanation.direction(study))
    without_curvature = o.output_products(theta, o.x, test_gradient)
    return Anatomy(
        ids=explanation.ids,
        same_label=explanation.same,
        full=(residuals * with_curvature).sum(1).cpu().numpy(),
        without_loss=(directions * with_curvature).sum(1).cpu().numpy(),
        without_curvature=(residuals * without_curvature).sum(1).cpu().numpy(),
        without_both=(directions * without_curvature).sum(1).cpu().numpy(),
        loss_factor=o.loss.loss_factors(f, o.y).cpu().numpy(),
    )
