"""The paper's figures, computed again and held against what the paper says: one module and one row of ``FIGURES`` each."""

from __future__ import annotations

from collections.abc import Callable

from influence_core.experiments.reproduce import fig1
from influence_core.experiments.reproduce.base import Check, Reproduction

__all__ = ["FIGURES", "Check", "Reproduction"]

FIGURES: dict[str, Callable[..., Reproduction]] = {"fig1": fig1.run}
"""The reproducible figures by alias; each takes ``folder``, ``store``, ``device`` and ``progress``, as ``fig1.run`` does."""
