"""Choosing the test image: the doubtful ones first."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.pictures import read_digit
from influence_core.errors import DataError
from influence_core.experiments.explain import Explanation
from influence_core.experiments.study_table import TOP, Overview
from influence_core.figures.confusion import confusion
from influence_core.predictions import Predictions
from influence_core.studies import Study
from influence_core.words import distance, percent
from pages._common import pictures, test_label
from pages._common.cards import example_card, show_grid
from pages._common.picture_grid import Picture
from pages._shell import whole_tables
from pages._shell.address import View, go_to
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown, show_error
from pages._shell.widgets import bound, choice, step_button

A_PAGE = 22
THUMB, WORDED = 62, 78
"""Of a card, pixels: under a digit, and under a label that is a word."""
SNIPPET_LINES = 3
SORTED = {
    "moved": "Under each: how far the probability of its answer goes without the one training {} that moves it most.",
    "held": f"Under each: the share of the {TOP} training {{}}s that matter most to its answer in the effects of all.",
}
"""What stands under the cards of a strip that a whole table has sorted."""
PHOTO_SIDE = 448
"""A photo of the reader's own is kept at this size: larger than any backbone needs."""


def show(study: Study, view: View, known: Predictions, explanation: Explanation) -> None:
    """Filters, the way to an id, a matrix cell or a picture of one's own; then a strip of test examples."""
    overview = whole_tables.known(study)
    order = _order(view, known, overview)
    pages, page = _page(study, view, known, order, explanation)
    with st.container(key="chooser", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            _filter(study, view, known, explanation, overview, (pages, page))
            _matrix(study, view, known)
            if study.data.pictured:
                _own_picture(study)
            _steps(study, known, order, explanation)
        a_page = _a_page(study)
        shown = order[(page - 1) * a_page : page * a_page]
        if not len(shown):
            st.info("There is no test example of this kind. Choose another filter.")
        show_grid(
            study,
            [_card(study, known, int(at), _sorted_by(view, overview, int(at))) for at in shown],
            key="tests",
            on_click=lambda test_id: go_to(test=test_id),
            width=THUMB if max(map(len, study.data.class_names)) <= 2 else WORDED,
            chosen=[] if explanation.test_id is None else [str(explanation.test_id)],
            strip=True,
            snippet_lines=SNIPPET_LINES,
        )
        if overview is not None and view.show in SORTED:
            st.caption(f"{SORTED[view.show].format(study.data.kind)} By the whole table ({overview.number}).")
        whole_tables.status(study)


def _a_page(study: Study) -> int:
    return A_PAGE if study.data.pictured else A_PAGE // 2


def _page(
    study: Study, view: View, known: Predictions, order: np.ndarray, explanation: Explanation
) -> tuple[int, int]:
    """How many pages there are, and which is shown: the one that was asked for, or that of the example."""
    a_page = _a_page(study)
    pages = max(1, -(-len(order) // a_page))
    place = np.flatnonzero(known.ids[order] == explanation.test_id)
    own = int(place[0]) // a_page + 1 if len(place) else 1
    return pages, min(view.page_number or own, pages)


def _filter(
    study: Study,
    view: View,
    known: Predictions,
    explanation: Explanation,
    overview: Overview | None,
    strip: tuple[int, int],
) -> None:
    """Which test examples the strip offers, or one by its number."""
    mistakes, (pages, page) = len(known.misclassified()), strip
    titles = {
        "wrong": f"Misclassified ({mistakes:,})" if mistakes else "Misclassified (0): the least confident",
        "unsure": "Least confident",
        "all": f"All ({len(known.ids):,})",
    }
    if overview is not None:
        titles |= {"moved": "Moved most by one", "held": "Hanging on fewest"}
    names = {"": "any"} | {str(label): name for label, name in enumerate(study.data.class_names)}
    kept = (
        f": {names.get(view.of, view.of)} → {names.get(view.said, view.said)}" if view.of or view.said else ""
    )
    offered = titles.get(view.show, titles["wrong"])
    with st.popover(f":material/filter_list: {offered}{escape_markdown(kept)}"):
        # keys of their own for each value: boxes in a closed popover would say later what they said when it was last open
        choice("show", view.show, f"Choose a test {study.data.kind}", titles, key=f"show_{view.show}")
        whole_tables.offer(study, "Sort by what the answers hang on", key="table_chooser")
        choice(
            "of",
            view.of,
            test_label.given(study).capitalize(),
            names,
            widget=st.selectbox,
            key=f"of_{view.of}",
        )
        choice("said", view.said, "The model says", names, widget=st.selectbox, key=f"said_{view.said}")
        shown = "" if explanation.test_id is None else str(explanation.test_id)
        bound(st.text_input, "test", shown, "Its number", key=f"test_id_{shown}", write=str.strip)
        if pages > 1:
            st.caption("Page of the strip")
            key = f"chooser_page_{page}"
            st.pagination(pages, default=page, key=key, on_change=_turn, args=(key, page, pages))


def _matrix(study: Study, view: View, known: Predictions) -> None:
    """The confusion matrix: a click on a cell keeps to its examples."""
    folded = st.popover("Confusion matrix", key="confusion_folded", on_change="rerun")
    if folded.open:
        with folded:
            kept = (view.only_label, view.only_said)
            figure = confusion(known.confusion(), study.data.class_names, kept, test_label.given(study))
            st.caption("Click a cell to keep to its examples. Grey: mistakes, the darker the more.")
            words = "how often each label gets each answer"
            show_chart(figure, key="confusion", on_select=_on_cell, alt=words)


def _on_cell() -> None:
    for point in st.session_state["confusion"].selection.points:
        true, said = point["customdata"]
        go_to(of=str(true), said=str(said), show="all" if true == said else "wrong")


def _turn(key: str, page: int, pages: int) -> None:
    """Turn the strip; what a busy browser still says of a longer strip, shown before, is no wish."""
    asked = st.session_state[key]
    if asked <= pages:
        go_to(page=str(asked))
    else:
        st.session_state[key] = page


def _steps(study: Study, known: Predictions, order: np.ndarray, explanation: Explanation) -> None:
    """To the one before and the one after, in the order of the strip."""
    place = np.flatnonzero(known.ids[order] == explanation.test_id)
    for way, words in ((-1, "before"), (1, "after")):
        at = int(place[0]) + way if len(place) else 0
        one = str(known.ids[order[at]]) if 0 <= at < len(order) else ""
        help_words = f"The test {study.data.kind} {words} this one"
        step_button(f"test_{words}", way, one, help_words, lambda one: go_to(test=one, page=""))


def _order(view: View, known: Predictions, overview: Overview | None) -> np.ndarray:
    orders = {"unsure": known.least_confident, "all": lambda: np.arange(len(known.ids))}
    if overview is not None:
        orders |= {"moved": overview.most_moved, "held": overview.hanging_on_fewest}
    order = orders.get(view.show, known.misclassified)()
    order = order if len(order) else known.least_confident()  # of a model without mistakes
    for wanted, found in ((view.only_label, known.labels), (view.only_said, known.predicted)):
        order = order if wanted is None else order[found[order] == wanted]
    return order


def _sorted_by(view: View, overview: Overview | None, at: int) -> str:
    """The number by which the strip is sorted, of one test example; "" where its answers' confidence says enough."""
    if overview is None or view.show not in SORTED:
        return ""
    return percent(float(overview.held[at])) if view.show == "held" else distance(float(overview.moved[at]))


def _card(study: Study, known: Predictions, at: int, number: str) -> Picture:
    said, true = (study.data.class_names[int(one[at])] for one in (known.predicted, known.labels))
    words = f": the model says {said}" + (f", but it is labelled {true}" if said != true else "")
    bears = test_label.bears(study, int(known.ids[at]), int(known.labels[at]))
    lines = (bears, number or percent(float(known.confidence[at])))
    return example_card(study, study.data.test, at, words, f"says {said}", lines)


def _own_picture(study: Study) -> None:
    photos = study.data.pictures is not None
    with st.popover("Your own"):
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
