"""What was minimised; ``base`` holds the conventions, ``linear`` the model with closed forms."""

from influence_core.objective.base import LinearMap, Objective, check_objective, uniform_weights
from influence_core.objective.linear import LinearObjective

__all__ = ["LinearMap", "LinearObjective", "Objective", "check_objective", "uniform_weights"]
