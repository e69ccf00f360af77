"""What is wrong with the data: copies, leaks, conflicts, outliers, thin regions, twins, and examples that no answer needs."""

from influence_core.experiments.health import duplicates, regions, twins, unused
from influence_core.experiments.health.findings import (
    SERIOUS,
    Case,
    Finding,
    in_order,
    of_duplicates,
    of_regions,
    of_twins,
    of_unused,
    without,
)

__all__ = [
    "SERIOUS",
    "Case",
    "Finding",
    "duplicates",
    "in_order",
    "of_duplicates",
    "of_regions",
    "of_twins",
    "of_unused",
    "regions",
    "twins",
    "unused",
    "without",
]
