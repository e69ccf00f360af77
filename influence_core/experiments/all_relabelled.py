"""Every training example relabelled to its runner-up, alone: the models are trained once, for every question after that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.experiments.corrected import linear_objective, supports, undamped
from influence_core.experiments.edited_models import Making, ModelTable, Training, effects
from influence_core.retraining.leave_one_out import relabel_each, runner_up
from influence_core.store.remember import remember
from influence_core.studies import Study

__all__ = ["AllRelabelled", "effects", "is_begun", "recall", "run", "supports"]


@dataclass(frozen=True, eq=False, kw_only=True)
class AllRelabelled(ModelTable):
    """The models in which one training example bears another label.

    Attributes:
        labels: ``(n,)`` the other label: of all but its own the one that the model holds for the likeliest.
    """

    labels: np.ndarray


@remember("all relabelled", stored=False)
def run(study: Study, *, context: Context = ALONE) -> AllRelabelled:
    """Train the models in which one example bears its runner-up label, those that are not in the store yet.

    Args:
        study: A linear model with a smooth loss.
        context: As for ``all_left_out.run``.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    labels = runner_up(linear_objective(study), study.theta)
    return AllRelabelled(**vars(_MAKING.table(study, context)), labels=labels.cpu().numpy())


def recall(study: Study, *, context: Context) -> AllRelabelled | None:
    """The table if the store has it whole; nothing is trained."""
    return None if len(_MAKING.rows(study, context).missing()) else run(study, context=context)


def is_begun(study: Study, *, context: Context) -> bool:
    """Whether it is worth while to ``recall`` the table; nothing is read."""
    return supports(study.spec) is None and _MAKING.is_begun(study, context)


def _training(study: Study, context: Context, dtype: torch.dtype) -> Training:
    """What trains the models in which the examples at some positions bear another label."""
    o, inverse = linear_objective(study), undamped(study, context).inverse
    labels = runner_up(o, study.theta)
    return lambda at, progress: relabel_each(o, study.theta, inverse, labels, at, dtype, progress=progress)


_MAKING = Making(
    "all relabelled, by output",
    ("training example that is relabelled", "change of the parameter, by output"),
    0.1,
    _training,
)
