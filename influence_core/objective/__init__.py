"""What was minimised; ``base`` holds the conventions, ``linear`` the model with closed forms."""

from influence_core.objective.base import LinearMap, Objective, check_objective
from influence_core.objective.linear import LinearObjective
from influence_core.objective.numbers import Numbers, tensors
from influence_core.objective.shard import Shard, everything_of, share
from influence_core.objective.span import Span

__all__ = [
    "LinearMap",
    "LinearObjective",
    "Numbers",
    "Objective",
    "Shard",
    "Span",
    "check_objective",
    "everything_of",
    "share",
    "tensors",
]
