"""How inputs are scaled before distances between them are measured."""

from __future__ import annotations

from torch import Tensor

from influence_core.data.readers.tables import distance_scale
from influence_core.studies import Study


def scaled(study: Study, x: Tensor) -> Tensor:
    """Inputs ``(m, d)``: the numbers of rows in standard deviations of the training rows, all else as it is.

    Args:
        study: Whose training examples set the scale.
        x: ``(m, d)`` inputs.

    Returns:
        ``(m, d)`` without a unit for rows, else in that of ``x``.
    """
    return x / distance_scale(study.data.train.x).to(x) if study.data.kind == "row" else x
