"""The features of one training example that matter, as bars."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.features import FeatureInfluence
from influence_core.figures.bars import bars, escape_html
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.words import nats


def feature_bars(result: FeatureInfluence, k: int = 6, strong: Collection[int] | None = None) -> go.Figure:
    """The ``k`` features whose rise would raise and the ``k`` whose rise would lower the test loss most.

    Blue: a higher value speaks for the label (the loss falls); orange: against it. Where features stand out, by their
    positions ``strong``, the others are pale.
    """
    at = np.concatenate([result.highest(k), result.lowest(k)[::-1]])
    values = result.loss_change[at]
    return bars(
        [result.names[one] for one in at],
        values,
        [HARMFUL.both if one > 0 else HELPFUL.both for one in values],
        np.ones(len(at), dtype=bool) if strong is None else np.isin(at, list(strong)),
        [
            f"{escape_html(result.names[one], 90)} is {result.x[one]:.3g}<br>one more: {nats(float(result.loss_change[one]))}"
            for one in at
        ],
        "Loss change, nats,<br>if it were one higher",
    )
