"""How much each training example moved a prediction: the engine, and the self-influence in closed form."""

from influence_core.influence.closed_form import SelfInfluence, self_influence
from influence_core.influence.engine import InfluenceEngine, InfluenceScores

__all__ = ["InfluenceEngine", "InfluenceScores", "SelfInfluence", "self_influence"]
