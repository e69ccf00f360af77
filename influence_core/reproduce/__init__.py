"""The paper's figures, computed again and held against what the paper says: one module each."""

from influence_core.reproduce import fig1, fig2, fig2_network, fig3, fig4, fig5, labels, readmission
from influence_core.reproduce.base import Figure, Reproduction
from influence_core.reproduce.checks import Check

__all__ = ["FIGURES", "Check", "Figure", "Reproduction"]

FIGURES: dict[str, Figure] = {
    module.run.name: module.run
    for module in (fig1, fig2, fig2_network, fig3, fig4, fig5, readmission, labels)
}
"""The reproducible figures by alias."""
