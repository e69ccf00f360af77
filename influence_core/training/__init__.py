"""How an objective is minimised, and the proof of it: the gradient norm where training stopped.

* ``minimise``: Newton's method for convex objectives, L-BFGS for networks, both to a stated gradient norm.
* ``train_network``: Adam with a schedule, for networks far from an optimum.
* ``fit_hinge``: the linear support vector machine, whose loss has a kink.
"""

from influence_core.training.adam import AdamSchedule, train_network
from influence_core.training.hinge import MARGIN, fit_hinge, gradient_norm, hinge_slopes
from influence_core.training.newton import minimise
from influence_core.training.trained import Trained

__all__ = [
    "MARGIN",
    "AdamSchedule",
    "Trained",
    "fit_hinge",
    "gradient_norm",
    "hinge_slopes",
    "minimise",
    "train_network",
]
