"""How much of a gradient is rounding."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from influence_core.objective import Objective


def rounding(objective: Objective, theta: Tensor) -> float:
    """``||grad R(theta) - grad R(theta) in float64||``: a smaller gradient norm means nothing in the objective's type.

    Args:
        objective: What is minimised.
        theta: ``(p,)``.

    Returns:
        0 for an objective in float64, which has no sharper judge.

    >>> from influence_core.losses import LogisticLoss
    >>> from influence_core.objective import LinearObjective
    >>> x, y = torch.tensor([[1.0], [-3.0]]), torch.tensor([1, 0])
    >>> exact = LinearObjective.build(x.double(), y, LogisticLoss(), l2=0.1)
    >>> rounding(exact, torch.ones(1, dtype=torch.float64))
    0.0
    >>> 0 < rounding(exact.to("cpu", torch.float32), torch.ones(1)) < 1e-6
    True
    """
    if theta.dtype == torch.float64:
        return 0.0
    o = objective
    device = torch.device("cpu") if theta.device.type == "mps" else theta.device  # which has no float64
    at, l2 = theta.to(device, torch.float64), torch.zeros_like(o.l2)
    gradient = o.l2.to(at) * at
    for rows in o.chunks(o.n, o.x.shape[1]):
        part = replace(o, x=o.x[rows], y=o.y[rows], weights=o.weights[rows], l2=l2)
        gradient += part.to(device, torch.float64).risk_gradient(at)
    return float((o.risk_gradient(theta).to(at) - gradient).norm())
