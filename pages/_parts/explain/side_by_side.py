"""The test example and an opened training example beside each other: pictures, words, or columns of a table."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import features, pixels
from influence_core.experiments.explain import Explanation
from influence_core.figures.features import feature_bars
from influence_core.studies import Study
from influence_core.words import three_digits
from pages._common.cards import beginning, large_source, name_of
from pages._common.comparison import Compared, comparison, map_url
from pages._common.number import unit_name
from pages._shell import results
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import bound

PHOTO_CELL = 8
"""Rows and columns of a photograph's pixels that are one in its map."""


def pictures(study: Study, params: ExplainParams, explanation: Explanation, train_id: int) -> None:
    """Both pictures, and over them the maps of the pixels that matter where those are asked for."""
    maps = _maps(study, explanation, train_id) if params.map else {}
    train = study.data.train
    x = train.x[train.position(train_id)].numpy()
    asked = large_source(study, explanation.x, explanation.test_id, explanation.photo)
    shown = large_source(study, x, train_id, None)
    comparison(
        [
            _compared(study, name_of(explanation), asked, explanation.test_id, maps.get("test")),
            _compared(study, f"training {study.data.kind} {train_id}", shown, train_id, maps.get("train")),
        ],
        key="compared",
        crisp=study.data.pictures is None,
    )
    bound(st.toggle, "map", params.map, "Which pixels matter")
    if maps:
        _explain_map(study, params, explanation, maps["train"].strongest)


def _compared(
    study: Study, name: str, source: str, example: int | None, found: pixels.PixelMap | None
) -> Compared:
    """One of the two; where somebody brought it its file comes first, and the way there last."""
    cell = 1 if study.data.pictures is None else PHOTO_CELL
    over = "" if found is None else map_url(found.loss_change, cell)
    file = "" if example is None else study.file_name(example)
    if example is None or not file:
        return Compared(source, name, beginning(name), map=over)
    return Compared(source, name, file, f"{name}, {study.data.file(example)}", over)


def _maps(study: Study, explanation: Explanation, train_id: int) -> dict[str, pixels.PixelMap]:
    return {
        "test": results.load("Asking the test picture's pixels", pixels.of_test, study, explanation),
        "train": results.load("Asking every pixel", pixels.run, study, explanation, train_id),
    }


def _explain_map(study: Study, params: ExplainParams, explanation: Explanation, strongest: float) -> None:
    asked = escape_markdown(explanation.label_name)
    slope = strongest if params.unit else 100 * explanation.probability * strongest
    moved = f"the {'loss' if params.unit else 'probability'} by up to {three_digits(slope)} {unit_name(params.unit)}"
    inked = study.data.pictures is None
    more, full = ("ink added", "white to black") if inked else ("more light", "black to white")
    st.caption(
        f":blue[Blue]: {more} there would speak for {asked}; :orange[orange]: against it. On the training "
        f"{explanation.kind} after training again, by the paper's first order: one pixel from {full} moves {moved}. "
        f"On the test {explanation.kind} at once. Slopes: true for small changes only."
    )


def records(study: Study, explanation: Explanation, train_id: int) -> None:
    """Both rows, column by column, and what a higher value would do."""
    record = study.data.record(train_id)
    mine = {} if explanation.test_id is None else study.data.record(explanation.test_id)
    result = results.load("Asking every feature", features.run, study, explanation, train_id)
    st.dataframe(
        {
            "column": list(record),
            f"test {explanation.kind}": [mine.get(name, "") for name in record],
            f"training {explanation.kind}": list(record.values()),
        },
        hide_index=True,
        height=220,
        width="stretch",
    )
    show_chart(feature_bars(result), key="features", alt="which of its columns matter")
    st.caption(
        f":blue[Blue]: a higher value of the training {explanation.kind} would speak for "
        f"{escape_markdown(explanation.label_name)} (the loss falls); :orange[orange]: against it."
    )
