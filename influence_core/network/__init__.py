"""The objective of any ``torch.nn.Module``, and its trial on one example before anything is computed with it."""

from influence_core.network.objective import ROWS, NetworkObjective

__all__ = ["ROWS", "NetworkObjective"]
