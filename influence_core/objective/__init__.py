"""What was minimised; ``base`` holds the conventions, ``linear`` the model with closed forms."""

from influence_core.objective.base import LinearMap, Objective, check_objective
from influence_core.objective.linear import LinearObjective
from influence_core.objective.numbers import Numbers, tensors

__all__ = ["LinearMap", "LinearObjective", "Numbers", "Objective", "check_objective", "tensors"]
