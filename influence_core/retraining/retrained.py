"""What training again gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Retrained:
    """One model an edit.

    Attributes:
        theta: ``(m, p)``.
        gradient_norms: ``(m,)``, of each edited risk at its own ``theta``, recomputed.
        converged: ``(m,)`` whether each reached the asked norm.
    """

    theta: Tensor
    gradient_norms: Tensor
    converged: Tensor
