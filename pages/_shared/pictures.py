"""Digits as a person sees them: dark ink on white paper."""

from __future__ import annotations

import numpy as np

from influence_core.studies import Study
from pages._shared.picture_grid import data_url


def ink(study: Study, x: np.ndarray) -> np.ndarray:
    """Pixels ``(d,)`` in 0..1 as a uint8 picture ``(h, w)`` of dark ink on white."""
    return np.rint(255 * (1 - x.reshape(study.data.image_shape))).astype(np.uint8)


def training_picture(study: Study, position: int) -> np.ndarray:
    """One training example as ink on paper."""
    return ink(study, study.data.train.x[position].numpy())


def training_url(study: Study, position: int) -> str:
    """The same as a data URL."""
    return data_url(training_picture(study, position))
