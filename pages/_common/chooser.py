"""Choosing the test image: the doubtful ones first."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.pictures import read_digit
from influence_core.errors import DataError
from influence_core.experiments.explain import Explanation
from influence_core.predictions import Predictions
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import pictures
from pages._common.cards import example_card, show_grid
from pages._common.picture_grid import Picture
from pages._shell.address import View, go_to
from pages._shell.escape import show_error
from pages._shell.widgets import bound, choice

A_PAGE = 22
PHOTO_SIDE = 448
"""A photo of the reader's own is kept at this size: larger than any backbone needs."""


def show(study: Study, view: View, known: Predictions, explanation: Explanation) -> None:
    """Filter, thumbnails and pages; or an id; or a picture of one's own."""
    with st.container(key="chooser"):
        filters, label, by_id, own = st.columns([3.6, 1.1, 1.1, 1.4], vertical_alignment="bottom")
        with filters:
            _filter(study, view, known)
        with label:
            _only_label(study, view)
        with by_id:
            _by_id(view, explanation)
        with own:
            if study.data.pictured:
                _own_picture(study)
        order = _order(view, known)
        a_page = A_PAGE if study.data.pictured else A_PAGE // 2
        pages = max(1, -(-len(order) // a_page))
        page = min(view.page_number, pages)
        shown = order[(page - 1) * a_page : page * a_page]
        if not len(shown):
            st.info("There is no test example of this kind. Choose another filter.")
        show_grid(
            study,
            [_card(study, known, int(at)) for at in shown],
            key="tests",
            on_click=lambda test_id: go_to(test=test_id),
            width=74,
            chosen=[] if explanation.test_id is None else [str(explanation.test_id)],
        )
        if pages > 1:
            key = f"chooser_page_{page}"
            st.pagination(
                pages, default=page, key=key, on_change=lambda: go_to(page=str(st.session_state[key]))
            )


def _filter(study: Study, view: View, known: Predictions) -> None:
    titles = {
        "wrong": f"Misclassified ({len(known.misclassified()):,})",
        "unsure": "Least confident",
        "all": f"All ({len(known.ids):,})",
    }
    choice("show", view.show, f"Choose a test {study.data.kind}", titles)


def _only_label(study: Study, view: View) -> None:
    titles = {"": "any"} | {str(label): name for label, name in enumerate(study.data.class_names)}
    choice("of", view.of, "True label", titles, widget=st.selectbox)


def _order(view: View, known: Predictions) -> np.ndarray:
    orders = {"unsure": known.least_confident, "all": lambda: np.arange(len(known.ids))}
    order = orders.get(view.show, known.misclassified)()
    return order if view.only_label is None else order[known.labels[order] == view.only_label]


def _card(study: Study, known: Predictions, at: int) -> Picture:
    said, true = (study.data.class_names[int(one[at])] for one in (known.predicted, known.labels))
    words = f": the model says {said}" + (f", but it is {true}" if said != true else "")
    lines = (f"is {true}", percent(float(known.confidence[at])))
    return example_card(study, study.data.test, at, words, f"says {said}", lines)


def _by_id(view: View, explanation: Explanation) -> None:
    shown = "" if explanation.test_id is None else str(explanation.test_id)
    bound(st.text_input, "test", shown, "Its number", key="test_id", write=str.strip)


def _own_picture(study: Study) -> None:
    photos = study.data.pictures is not None
    with st.popover("Your own picture", width="stretch"):
        what = (
            "Any photo; its middle square is looked at" if photos else "A photo or drawing of **one digit**"
        )
        st.markdown(f"{what}. {pictures.PRIVATE}")
        file = st.file_uploader(
            "A picture", key="upload", max_upload_size=50 if photos else 10, label_visibility="collapsed"
        )
        if file is not None and st.session_state.get("upload_seen") != file.file_id:
            try:
                go_to(picture=pictures.keep(_read(study, file.getvalue())))
                st.session_state["upload_seen"] = file.file_id
                st.rerun()
            except DataError as error:
                show_error(error)


def _read(study: Study, content: bytes) -> np.ndarray:
    if study.data.pictures is not None:
        return read_photo(content, PHOTO_SIDE, study.data.pictures.greys)
    shape = study.data.image_shape
    assert shape is not None
    return read_digit(content, (shape[0], shape[1])).numpy()
