"""The paper's figures, computed again and held against what the paper says: one module and one row of ``FIGURES`` each."""

from __future__ import annotations

from collections.abc import Callable

from influence_core.reproduce import fig1, fig2, fig2_network, fig3, fig4, fig5, labels, readmission
from influence_core.reproduce.base import Check, Reproduction

__all__ = ["FIGURES", "Check", "Reproduction"]

FIGURES: dict[str, Callable[..., Reproduction]] = {
    "fig1": fig1.run,
    "fig2": fig2.run,
    "fig2-network": fig2_network.run,
    "fig3": fig3.run,
    "fig4": fig4.run,
    "fig5": fig5.run,
    "readmission": readmission.run,
    "labels": labels.run,
}
"""The reproducible figures by alias; each takes ``folder``, ``device`` and ``context``, as ``fig1.run`` does."""
