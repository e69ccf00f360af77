"""The picture of the training example under the pointer, over the points of a chart; nothing is asked of the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from influence_core.data.readers.picture_sets import resized
from influence_core.data_urls import data_url, ink, photo_url
from influence_core.studies import Study

COLUMNS = 24
"""So many pictures stand beside each other in the one that holds them all."""
SIDE = 32
"""Of a photograph in it; a drawing has its own pixels."""

_component = st.components.v2.component(
    "hover_pictures",
    html='<div class="hover" aria-hidden="true" hidden></div>',
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def show(study: Study, chart: str, train_ids: Sequence[int]) -> None:
    """Pictures over the points of the chart of that key; nothing where examples are no pictures."""
    if study.data.pictured and len(train_ids):
        crisp = study.data.pictures is None
        pictures = all_in_one(study, train_ids)
        data = {
            "chart": chart,
            "ids": list(train_ids),
            "pictures": pictures,
            "columns": COLUMNS,
            "crisp": crisp,
        }
        _component(key=f"hover_{chart}", data=data)


def all_in_one(study: Study, train_ids: Sequence[int]) -> str:
    """Small pictures of training examples side by side, row by row, as one data URL."""
    small = _small(study, train_ids)
    h, w = small.shape[1:3]
    rows = -(-len(small) // COLUMNS)
    sheet = np.full((rows * COLUMNS, *small.shape[1:]), 255, np.uint8)
    sheet[: len(small)] = small
    sheet = sheet.reshape(rows, COLUMNS, *small.shape[1:]).swapaxes(1, 2)
    whole = sheet.reshape(rows * h, COLUMNS * w, *small.shape[3:])
    return data_url(whole) if study.data.pictures is None else photo_url(whole)


def _small(study: Study, train_ids: Sequence[int]) -> np.ndarray:
    """``(k, h, w)`` of drawings, ``(k, SIDE, SIDE, 3)`` of photographs, uint8."""
    train, pictures = study.data.train, study.data.pictures
    if pictures is None:
        assert study.data.image_shape is not None
        return ink(train.x[train.positions(train_ids)].numpy(), (len(train_ids), *study.data.image_shape))
    return np.stack([resized(one, SIDE) for one in pictures.thumbs(list(train_ids))])
