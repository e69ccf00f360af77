"""What is wrong with the data: copies, leaks, conflicts, outliers, thin regions, doubtful labels, twins, unneeded examples."""

from influence_core.experiments.health import contradicted, duplicates, regions, twins, unused
from influence_core.experiments.health.findings import (
    Case,
    Finding,
    in_order,
    of_contradicted,
    of_duplicates,
    of_regions,
    of_twins,
    of_unused,
    without,
)
from influence_core.experiments.health.judged import unjudged
from influence_core.experiments.health.levels import LEVELS, level

__all__ = [
    "LEVELS",
    "Case",
    "Finding",
    "contradicted",
    "duplicates",
    "in_order",
    "level",
    "of_contradicted",
    "of_duplicates",
    "of_regions",
    "of_twins",
    "of_unused",
    "regions",
    "twins",
    "unjudged",
    "unused",
    "without",
]
