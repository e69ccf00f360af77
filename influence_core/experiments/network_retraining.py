"""A study's network trained again without single examples, in several ways; every model is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import Context
from influence_core.errors import UnsupportedError
from influence_core.network import NetworkObjective
from influence_core.progress import Progress
from influence_core.retraining.edits import Edit
from influence_core.retraining.networks import retrain_damped, retrain_with_adam
from influence_core.retraining.response import respond
from influence_core.retraining.retrained import Retrained
from influence_core.solvers.base import Inverse
from influence_core.store.remember import key_of
from influence_core.store.rows import StoredRows
from influence_core.studies import Study
from influence_core.training import AdamSchedule

NORM = 1e-4
"""The gradient norm of the left-out risk at which the damped walk ends."""
RESPONSE_NORM = 1e-5
"""The same of the proximal Bregman response, which has no way to walk."""
ADAM = AdamSchedule(steps=600, batch=100, rate=1e-4, drops=(0.8,))
"""Warm-started Adam for a thousand examples: long enough for the directions in which the risk is steep."""
PAPER_ADAM = AdamSchedule(steps=30_000, batch=500, rate=1e-6, drops=())
"""The paper's retraining."""
CONTROL = -1
"""The id under which a way's control is kept."""

WAYS = {
    "local": "Damped steps to a gradient norm",
    "adam": "Adam with identical batches",
    "pbrf": "Proximal Bregman response",
    "cold": "Adam from scratch",
}
"""The ways of training again, by name."""
WARM_WAYS = ("local", "adam", "pbrf")


@dataclass(frozen=True, eq=False)
class Trainer:
    """One way of training a study's network again.

    Attributes:
        study: The trained network.
        objective: Its own.
        way: A name of ``WAYS``.
        inverse: Of the damped curvature, for the ways that take steps with it.
        damping: Of the curvature.
        adam: The steps of the way "adam".
    """

    study: Study
    objective: NetworkObjective
    way: str
    inverse: Inverse
    damping: float
    adam: AdamSchedule

    @property
    def has_control(self) -> bool:
        """Whether a model with nothing left out moves too."""
        return self.way in ("adam", "cold")

    @property
    def target(self) -> float | None:
        """The gradient norm at which training ends; ``None`` where the number of steps is given."""
        return {"local": NORM, "pbrf": RESPONSE_NORM}.get(self.way)

    @property
    def key(self) -> str:
        """Of the models in the store."""
        steps = self.adam if self.way == "adam" else None
        return key_of("network retraining", self.study, self.way, self.damping, self.target, steps)

    def train(self, edit: Edit, progress: Progress | None) -> Retrained:
        """The network after one edit."""
        o, theta, edits = self.objective, self.study.theta, [edit]
        if self.way == "local":
            return retrain_damped(o, theta, edits, self.inverse, self.damping, NORM, progress)
        if self.way == "pbrf":
            return respond(o, theta, edits, self.inverse, self.damping, RESPONSE_NORM, progress)
        seed = self.study.spec.seed
        if self.way == "adam":
            return retrain_with_adam(o, theta, edits, self.adam, seed, progress)
        schedule = self.study.spec.schedule
        if schedule is None:
            raise UnsupportedError("This study's network was not trained by Adam, so it has no cold start.")
        return retrain_with_adam(o, o.theta(), edits, schedule, seed, progress)


def models(trainer: Trainer, ids: np.ndarray, at: np.ndarray, context: Context) -> dict[str, np.ndarray]:
    """The models without each of the examples at ``at (k,)``; what the store lacks is trained.

    Returns:
        Columns of ``k`` rows: "ids", "theta" ``(k, p)``, "gradient_norms" and "seconds"; where the way has a control,
        that is one more row in front.
    """
    wanted = [CONTROL] * trainer.has_control + ids[at].tolist()
    rows = StoredRows(context.store, trainer.key)
    missing = rows.missing(wanted)
    position = dict(zip(ids[at].tolist(), at.tolist(), strict=True))
    for done, one in enumerate(missing):
        words = f"{WAYS[trainer.way]}: {len(wanted) - len(missing) + done} of {len(wanted)} models"
        edit = Edit(torch.tensor([0])) if one == CONTROL else Edit.removal([position[one]])
        started = time.perf_counter()
        model = trainer.train(edit, context.step(done, len(missing)).named(words).progress)
        rows.add(
            {
                "ids": np.array([one]),
                "theta": model.theta.cpu().numpy(),
                "gradient_norms": model.gradient_norms.numpy(),
                "seconds": np.array([time.perf_counter() - started]),
            }
        )
    return rows.take(wanted)
