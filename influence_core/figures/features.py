"""The influence of every feature of one training example."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.features import FeatureInfluence
from influence_core.figures.bars import bars, plain
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.words import nats, signed


def feature_bars(
    result: FeatureInfluence, k: int = 10, strong: Collection[int] | None = None, label_name: str = ""
) -> go.Figure:
    """The ``k`` features whose rise would raise the loss most, above the ``k`` whose rise would lower it most.

    Orange: the loss would rise; blue: it would fall. Full: the features at the positions ``strong``, by default those
    that the example has (not 0); pale: the others.

    Args:
        result: What is drawn.
        k: How many on each side.
        strong: Positions of the features that stand out; ``None`` for those that are not 0.
        label_name: Name of the label whose loss it is.
    """
    at = np.concatenate([result.highest(k), result.lowest(k)[::-1]])
    chosen = set(np.flatnonzero(result.x) if strong is None else strong)
    change = result.loss_change[at]
    loss = f"loss of “{plain(label_name)}”" if label_name else "loss"
    return bars(
        [result.names[i] for i in at],
        change,
        [HARMFUL.both if one > 0 else HELPFUL.both for one in change],
        [i in chosen for i in at],
        [
            f"{plain(result.names[i], 90)}, here {signed(float(result.x[i]))}<br>{nats(float(result.loss_change[i]))} for "
            "each unit it rises"
            for i in at
        ],
        f"Change of the {loss} for each unit of the feature, nats",
    )
