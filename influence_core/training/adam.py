"""Adam with a schedule, for networks far from an optimum."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.objective import Objective
from influence_core.progress import Progress, report
from influence_core.training.trained import Trained


@dataclass(frozen=True)
class AdamSchedule:
    """Adam with batches in shuffled epochs and a learning rate that falls in steps.

    Attributes:
        steps: Optimiser steps.
        batch: Examples a step.
        rate: First learning rate.
        drops: Fractions of ``steps`` after which the rate is divided by ten.

    >>> schedule = AdamSchedule(steps=100, batch=32, rate=0.001)
    >>> [f"{schedule.rate_at(step):g}" for step in (0, 50, 80)]
    ['0.001', '0.0001', '1e-05']
    """

    steps: int
    batch: int
    rate: float
    drops: tuple[float, ...] = (0.5, 0.8)

    def rate_at(self, step: int) -> float:
        """The learning rate of one step, counted from 0."""
        return self.rate * 0.1 ** sum(step >= drop * self.steps for drop in self.drops)


def train_network(
    objective: Objective, theta: Tensor, schedule: AdamSchedule, seed: int, progress: Progress | None = None
) -> Trained:
    """Adam on mini-batches of the whole risk, penalty included; the same seed gives the same batches.

    Args:
        objective: What is trained.
        theta: ``(p,)`` the start, which stays the caller's.
        schedule: Steps, batch and learning rate.
        seed: Of the batches.
        progress: Called every ten steps.

    Returns:
        ``theta (p,)`` where Adam stops; no gradient norm is asked for, so it never counts as converged.
    """
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    theta = theta.detach().clone()
    optimiser = torch.optim.Adam([theta], lr=schedule.rate)
    epoch: Tensor = torch.empty(0, dtype=torch.long)
    for step in range(schedule.steps):
        if len(epoch) < schedule.batch:
            epoch = torch.cat([epoch, torch.randperm(objective.n, generator=generator)])
        batch, epoch = epoch[: schedule.batch].to(objective.x.device), epoch[schedule.batch :]
        theta.grad = objective.subset(batch).risk_gradient(theta)
        optimiser.param_groups[0]["lr"] = schedule.rate_at(step)
        optimiser.step()
        if step % 10 == 0:
            report(progress, step / schedule.steps, f"step {step:,} of {schedule.steps:,}")
    theta.grad = None
    norm = float(objective.risk_gradient(theta).norm())
    return Trained(theta, norm, schedule.steps, time.perf_counter() - started, False, 0.0)
