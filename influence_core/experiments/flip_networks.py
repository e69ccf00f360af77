"""What flips a network's answer: a forecast by one ranking, and one retraining that says whether it was right."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from influence_core.context import Context
from influence_core.engines import SolverSettings
from influence_core.errors import UnsupportedError
from influence_core.experiments.flip_set import FlipSet
from influence_core.experiments.take_out import NETWORK_DAMPING, NETWORK_NORM, NETWORK_TOL
from influence_core.influence import InfluenceEngine
from influence_core.network import NetworkObjective
from influence_core.retraining.contest import Contest
from influence_core.retraining.edits import Edit
from influence_core.retraining.networks import retrain_damped
from influence_core.studies import Study


def run(study: Study, contest: Contest, relabel: bool, started: float, context: Context) -> FlipSet:
    """The examples that are forecast to take the margin, first order, and one retraining with all of them edited.

    Args:
        study: A network.
        contest: The question.
        relabel: Whether the examples are relabelled, as the label that is to win, rather than taken out.
        started: ``time.perf_counter`` when the work began.
        context: Its engines' damped factor is used for the ranking and the retraining.

    Raises:
        UnsupportedError: If the study is no network.
    """
    o = study.objective
    if not isinstance(o, NetworkObjective):
        raise UnsupportedError("This forecast is for networks.")
    engine = context.engines.prepare(study, SolverSettings(), context.part(0.0, 0.4).progress).engine
    f = o.outputs(study.theta, contest.x[None])
    margin = float(contest.margins(f)[0])
    sides = contest.sides(f[0])
    label = sides[1] if relabel else None
    batch = _batch(study, margin, _pulls(engine, contest, sides, label))
    theta, norm = study.theta, study.gradient_norm
    if len(batch):
        edit = Edit.removal(batch) if label is None else Edit.relabel(batch, torch.full_like(batch, label))
        target = min(NETWORK_NORM, NETWORK_TOL * float(edit.gradient_change(o, theta).norm()))
        damping, progress = study.spec.damping or NETWORK_DAMPING, context.part(0.4, 1.0).progress
        found = retrain_damped(o, theta, [edit], engine.inverse, damping, target, progress)
        theta, norm = found.theta[0], float(found.gradient_norms[0])
    after = o.outputs(theta, contest.x[None])
    left = float(contest.margins(after)[0])
    return FlipSet(
        ids=study.data.train.ids.numpy()[batch.cpu().numpy()],
        labels=np.full(len(batch) if relabel else 0, sides[1]),
        relabel=relabel,
        x=contest.x.cpu().numpy(),
        said=contest.said,
        says=int(after[0].argmax()),
        flipped=left < 0,
        forecast=True,
        proven=False,
        minimal=False,
        margins=(margin, left),
        bound=float("inf"),
        gradient_norm=norm,
        before=o.loss.probabilities(f)[0].cpu().numpy(),
        after=o.loss.probabilities(after)[0].cpu().numpy(),
        unpruned=len(batch),
        rounds=int(len(batch) > 0),
        restored=np.zeros((0, 2)),
        n=o.n,
        seconds=time.perf_counter() - started,
    )


def _pulls(engine: InfluenceEngine, contest: Contest, sides: tuple[int, int], label: int | None) -> Tensor:
    """What each example's edit takes from the margin to first order, ``(n,)``.

    The margin's gradient is that of the loss of the label that must win, less that of the one that must lose.
    """
    o, theta, x = engine.objective, engine.theta, contest.x[None]
    losing, winning = (o.gradients(theta, x, torch.tensor([one], device=x.device))[0] for one in sides)
    s = engine.inverse.solve(winning - losing).require()
    taken = o.gradient_products(theta, o.x, o.y, s)
    given = 0.0 if label is None else o.gradient_products(theta, o.x, torch.full_like(o.y, label), s)
    return o.weights * (given - taken)


def _batch(study: Study, margin: float, pulls: Tensor) -> Tensor:
    """Positions of the strongest examples that together take the margin, leaving each class one; none if all cannot."""
    order = pulls.argsort(descending=True)
    order = order[pulls[order] > 0]
    count = int((pulls[order].cumsum(0) < margin).sum()) + 1
    y = study.objective.y
    kept = set(y.tolist()) <= set(np.delete(y.cpu().numpy(), order[:count].cpu().numpy()).tolist())
    return order[:count].cpu() if count <= len(order) and kept else order[:0].cpu()
