"""What is missing: what could be added to the training set to make this answer better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from influence_core import studies
from influence_core.data import Examples
from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.pictures import read_digit
from influence_core.data_urls import data_url, photo_url
from influence_core.errors import DataError
from influence_core.experiments import additions, pools, questions
from influence_core.experiments.additions import Additions
from influence_core.experiments.explain import Explanation
from influence_core.experiments.pools import Pool
from influence_core.experiments.questions import Question
from influence_core.exports import as_csv
from influence_core.studies import Study
from influence_core.words import nats, percent, points, seconds, three_digits
from pages._common.cards import example_card, ink, show_grid
from pages._common.chooser import PHOTO_SIDE
from pages._common.picture_grid import Picture
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown, show_error
from pages._shell.own_params import ADDED, ExplainParams
from pages._shell.widgets import choice

SHOWN = 6


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The best candidates, the list to download, and the best of them added and the model trained again."""
    question = _question(study, explanation)
    titles = {"": f"Test {explanation.kind}s that were not asked about"}
    if study.spec.whole:
        titles[study.spec.whole] = f"What “{studies.find(study.spec.whole).title}” has besides"
    if study.data.pictured:
        titles["own"] = "Pictures of your own, not labelled yet"
    source = choice("pool", params.pool, "Choose from", titles, widget=st.radio)
    found = _candidates(study, view, question, source)
    if found is not None:
        _ranking(study, params, question, *found)


Faces = Callable[[int, str, tuple[str, ...], str], Picture]
"""From a position in the pool, the name of its label, the lines and the tone to a card."""


def _candidates(study: Study, view: View, question: Question, source: str) -> tuple[Pool, Faces] | None:
    """The pool that was chosen, and how its candidates are shown; ``None`` while nothing was sent."""
    if source == "own":
        return _own(study)
    if source:
        other = results.load_spec(studies.find(source), view.device)
        pool = pools.of_study(study, other)
        return pool, _faces(other, other.data.train, pool)
    pool = pools.held_out(study, question)
    return pool, _faces(study, study.data.test, pool)


def _faces(study: Study, examples: Examples, pool: Pool) -> Faces:
    """Candidates as the study that they come from shows them."""

    def card(at: int, name: str, lines: tuple[str, ...], tone: str) -> Picture:
        one = int(pool.ids[at])
        title = f"{one}: {name}"
        return example_card(study, examples, examples.position(one), f", labelled {name}", title, lines, tone)

    return card


def _question(study: Study, explanation: Explanation) -> Question:
    """The true label is what one would have it say; where none is known, the label asked about."""
    true = explanation.true_label
    return explanation.question if true is None else questions.with_label(study, explanation.question, true)


def _ranking(
    study: Study,
    params: ExplainParams,
    question: Question,
    pool: Pool,
    face: Faces,
) -> None:
    found = results.load("Asking what is missing", additions.run, study, question, pool)
    label, kind = escape_markdown(study.data.class_names[question.label]), study.data.kind
    at = found.order()[:SHOWN]
    if found.labelled:
        st.markdown(
            f"Of {len(found.ids):,} {escape_markdown(pool.name)}, these would lower the loss of **{label}** most if each were "
            f"added to the training {kind}s, alone and with the weight of the others:"
        )
    else:
        st.markdown(
            f"Label these next: once labelled, they could move the answer about **{label}** most, up or down. (By the model's "
            "own probabilities the expected effect of every one of them is 0: it expects no surprise. So they are ranked by "
            "the expected size of the effect, the root of its mean square over the labels.)"
        )
    cards = [_card(study, found, int(one), face) for one in at]
    show_grid(study, cards, key="missing_best", on_click=lambda _: None, width=128)
    text = as_csv(additions.table(study, found))
    st.download_button(
        "Download the list: label these next", text, "missing.csv", "text/csv", key="missing_csv"
    )
    if found.labelled:
        _proof(study, params, question, pool, found)


def _card(study: Study, found: Additions, at: int, face: Faces) -> Picture:
    size = float(found.best[at])
    certainty = f"model's certainty {percent(float(found.sure[at]))}"
    if not found.labelled:
        return face(at, "", (f"± {three_digits(size)} nats", certainty), "")
    change = float(found.probability[at])
    lines = (nats(size), *(() if np.isnan(change) else (points(change),)), certainty)
    name = study.data.class_names[int(found.labels[at])]
    return face(at, name, lines, "helpful" if size < 0 else "harmful")


def _own(study: Study) -> tuple[Pool, Faces] | None:
    """Pictures that are sent now; they are looked at and not kept."""
    files = st.file_uploader(
        "Pictures of your own; they stay on this machine and are not kept",
        accept_multiple_files=True,
        key="missing_upload",
    )
    if not files:
        return None
    try:
        read = [_read(study, file.getvalue()) for file in files]
    except DataError as error:
        show_error(error)
        return None
    crisp = study.data.pictures is None

    def card(at: int, name: str, lines: tuple[str, ...], tone: str) -> Picture:
        title = f"your picture {at + 1}"
        return Picture(str(at), read[at][1], title, title, lines, tone, crisp)

    return pools.unlabelled(study, [x for x, _ in read]), card


def _read(study: Study, content: bytes) -> tuple[Any, str]:
    """A picture as the model takes it, and as it is shown."""
    if study.data.pictures is not None:
        photo = read_photo(content, PHOTO_SIDE, study.data.pictures.greys)
        return study.features(photo), photo_url(photo)
    shape = study.data.image_shape
    assert shape is not None
    x = read_digit(content, (shape[0], shape[1]))
    return x, data_url(ink(study, x.numpy()))


def _proof(study: Study, params: ExplainParams, question: Question, pool: Pool, found: Additions) -> None:
    """The best few added together, and the model trained again."""
    with st.container(horizontal=True):
        for count in (one for one in ADDED if int(one) <= len(found.ids)):
            label = "Add the best one and train again" if count == "1" else f"The best {count}"
            st.button(label, key=f"add_{count}", on_click=lambda count=count: go_to(add=count))
    if not params.add:
        return
    best = found.order()[: int(params.add)].tolist()
    added = results.load("Training again with what was missing", additions.prove, study, question, pool, best)
    name = escape_markdown(study.data.class_names[question.label])
    before, after = (float(one[question.label]) for one in (added.before, added.after))
    st.markdown(
        f"With the best {len(best)} the loss of **{name}** changes by **{nats(added.actual)}** after training again, and its "
        f"probability goes from {percent(before)} to **{percent(after)}**. Forecast: {nats(added.forecast)}; each alone, "
        f"added up: {nats(added.alone)}."
    )
    reached = "reached" if added.converged else "NOT reached: do not rely on this"
    st.caption(
        f"Gradient norm {added.gradient_norm:.1e} (asked for {added.target:.1e}: {reached}), in {seconds(added.seconds)}."
    )
