"""How much each training example moved a prediction: the engine, and the self-influence in closed form."""

from influence_core.influence.block_newton import Difference, changed_step, edited_step, moves_without
from influence_core.influence.closed_form import SelfInfluence, self_influence
from influence_core.influence.engine import InfluenceEngine, InfluenceScores
from influence_core.influence.leverage import largest_leverages, left_out_pulls, leverage_blocks

__all__ = [
    "Difference",
    "InfluenceEngine",
    "InfluenceScores",
    "SelfInfluence",
    "changed_step",
    "edited_step",
    "largest_leverages",
    "left_out_pulls",
    "leverage_blocks",
    "moves_without",
    "self_influence",
]
