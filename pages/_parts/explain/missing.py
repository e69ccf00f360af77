"""What is missing: what could be added to the training set to make this answer better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from influence_core import studies
from influence_core.data import Examples
from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.pictures import read_digit
from influence_core.data_urls import data_url, photo_url
from influence_core.errors import DataError
from influence_core.experiments import additions, pools, questions
from influence_core.experiments.additions import Added, Additions
from influence_core.experiments.effects import probability_change
from influence_core.experiments.explain import Explanation
from influence_core.experiments.pools import Pool
from influence_core.experiments.questions import Question
from influence_core.progress import Progress
from influence_core.store.digest import digest
from influence_core.store.remember import key_of
from influence_core.studies import Study
from influence_core.words import POINTS, UNIT, nats, percent, points, seconds, three_digits
from pages._common.cards import example_card, ink, show_grid
from pages._common.chooser import PHOTO_SIDE
from pages._common.picture_grid import Picture
from pages._common.table import download_csv
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown, show_error
from pages._shell.jobs import Job, background, job_status
from pages._shell.own_params import ADDED, ExplainParams
from pages._shell.widgets import choice

SHOWN = 6
QUICK = 0.5
"""So many seconds the page waits for what is made beside it."""
MAX_FILES = 50
MAX_MEGABYTES = 10
"""Of pictures that are sent, and of each of them."""
Faces = Callable[[int, str, tuple[str, ...], str], Picture]
"""From a position in the pool, the name of its label, the lines and the tone to a card."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """Candidates, what each would do, and how each is shown."""

    pool: Pool
    found: Additions
    face: Faces


@dataclass(frozen=True)
class Asked:
    """Whose answer is to get better, how likely it is by now, and the unit on show."""

    study: Study
    question: Question
    probability: float
    unit: str

    @property
    def name(self) -> str:
        """The label that it is to say."""
        return escape_markdown(self.study.data.class_names[self.question.label])

    def text(self, loss_change: float) -> str:
        """What adding does to the label, by the change of its loss; plus: for it."""
        if self.unit == UNIT:
            return nats(-loss_change)
        return points(float(probability_change(self.probability, loss_change)))


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The best candidates, the list to download, and the best of them added and the model trained again."""
    question = _question(study, explanation)
    titles = {"": f"Test {explanation.kind}s that were not asked about"}
    if study.spec.whole:
        titles[study.spec.whole] = f"What “{studies.find(study.spec.whole).title}” has besides"
    if study.data.pictured:
        titles["own"] = "Pictures of your own, not labelled yet"
    source = choice("pool", params.pool, "Choose from", titles, widget=st.radio)
    try:
        job = _ranking_of_own(study, question) if source == "own" else _ranking(study, view, question, source)
    except DataError as error:
        show_error(error)
        return
    if job is None:
        return
    job.wait(QUICK)
    if job.result is None:
        job_status(job, cancel=True)
        return
    asked = Asked(study, question, float(explanation.probabilities[question.label]), params.unit)
    _show_ranking(asked, job.result)
    if job.result.found.labelled:
        _proof(asked, params, job.result)


def _question(study: Study, explanation: Explanation) -> Question:
    """The true label is what one would have it say; where none is known, the label asked about."""
    true = explanation.true_label
    return explanation.question if true is None else questions.with_label(study, explanation.question, true)


def _ranking(study: Study, view: View, question: Question, source: str) -> Job[Ranked]:
    """The candidates of a data set, ranked beside the page."""
    other = results.load_spec(studies.find(source), view.device) if source else None

    def work(progress: Progress) -> Ranked:
        pool = pools.of_study(study, other) if other else pools.held_out(study, question)
        found = additions.run(study, question, pool, context=results.context(progress))
        examples = other.data.train if other else study.data.test
        return Ranked(pool, found, _faces(other or study, examples, pool))

    return background(key_of("what is missing", study, question, source), "Asking what is missing", work)


def _faces(study: Study, examples: Examples, pool: Pool) -> Faces:
    """Candidates as the study that they come from shows them."""

    def card(at: int, name: str, lines: tuple[str, ...], tone: str) -> Picture:
        one = int(pool.ids[at])
        title = f"{one}: {name}"
        return example_card(study, examples, examples.position(one), f", labelled {name}", title, lines, tone)

    return card


def _ranking_of_own(study: Study, question: Question) -> Job[Ranked] | None:
    """Pictures that are sent now, read and ranked beside the page; they are not kept. ``None`` while there are none."""
    files = st.file_uploader(
        f"Up to {MAX_FILES} pictures of your own, {MAX_MEGABYTES} MB each; they stay on this machine and are not kept",
        accept_multiple_files=True,
        max_upload_size=MAX_MEGABYTES,
        key="missing_upload",
    )
    if not files:
        return None
    check_number(len(files))
    contents = [file.getvalue() for file in files]

    def work(progress: Progress) -> Ranked:
        return rank_own(study, question, contents, progress)

    key = key_of("what is missing, own", study, question, digest(*contents))
    return background(key, "Asking what is missing", work)


def check_number(count: int) -> None:
    """Refuse more pictures than are read at a time.

    Raises:
        DataError: If they are more.
    """
    if count > MAX_FILES:
        raise DataError(f"These are {count} pictures; choose at most {MAX_FILES}.")


def rank_own(study: Study, question: Question, contents: Sequence[bytes], progress: Progress) -> Ranked:
    """Pictures as they were sent, ranked by how much they could move the answer.

    Raises:
        DataError: If one of them is no picture.
    """
    read = []
    for at, content in enumerate(contents):
        progress(0.5 * at / len(contents), f"reading picture {at + 1} of {len(contents)}")
        read.append(_read(study, content))
    pool = pools.unlabelled(study, [x for x, _ in read])
    found = additions.run(study, question, pool, context=results.context(progress).part(0.5, 1.0))
    crisp = study.data.pictures is None

    def card(at: int, name: str, lines: tuple[str, ...], tone: str) -> Picture:
        title = f"your picture {at + 1}"
        return Picture(str(at), read[at][1], title, title, lines, tone, crisp)

    return Ranked(pool, found, card)


def _read(study: Study, content: bytes) -> tuple[Any, str]:
    """A picture as the model takes it, and as it is shown."""
    if study.data.pictures is not None:
        photo = read_photo(content, PHOTO_SIDE, study.data.pictures.greys)
        return study.features(photo), photo_url(photo)
    shape = study.data.image_shape
    assert shape is not None
    x = read_digit(content, (shape[0], shape[1]))
    return x, data_url(ink(study, x.numpy()))


def _show_ranking(asked: Asked, ranked: Ranked) -> None:
    """The first of them, what their numbers mean, and the download of all."""
    study, found = asked.study, ranked.found
    if found.labelled:
        st.markdown(
            f"Of {len(found.ids):,} {escape_markdown(ranked.pool.name)}, these would do most for **{asked.name}** if each were "
            f"added to the training {study.data.kind}s, alone and with the weight of the others:"
        )
    else:
        st.markdown(
            f"Label these next: once labelled, they could move the answer about **{asked.name}** most, up or down. (By the "
            "model's own probabilities the expected effect of every one of them is 0: it expects no surprise. So they are ranked "
            "by the expected size of the effect, the root of its mean square over the labels.)"
        )
    cards = [_card(asked, found, int(one), ranked.face) for one in found.order()[:SHOWN]]
    show_grid(study, cards, key="missing_best", on_click=lambda _: None, width=128, marked=False)
    number = "log-probability" if asked.unit == UNIT else "probability"
    rule = f"On each card, by forecast: what adding it does to the {number} of {asked.name}"
    st.caption(f"{rule}, plus: for it." if found.labelled else f"{rule}, up or down.")
    download_csv(
        "Download the list: label these next (CSV)",
        f"missing-{study.spec.name}-{asked.question.test_id}",
        lambda: additions.table(study, found),
        key="missing_csv",
    )


def _card(asked: Asked, found: Additions, at: int, face: Faces) -> Picture:
    size = float(found.best[at])
    certainty = f"model's certainty {percent(float(found.sure[at]))}"
    if not found.labelled:
        return face(at, "", (f"± {_size(asked, size)}", certainty), "")
    name = asked.study.data.class_names[int(found.labels[at])]
    return face(at, name, (asked.text(size), certainty), "helpful" if size < 0 else "harmful")


def _size(asked: Asked, size: float) -> str:
    """The size of a first-order effect, which has no sign."""
    if asked.unit == UNIT:
        return f"{three_digits(size)} {UNIT}"
    return f"{three_digits(100 * asked.probability * size)} {POINTS}"


def _proof(asked: Asked, params: ExplainParams, ranked: Ranked) -> None:
    """The best few added together, and the model trained again beside the page."""
    study, found = asked.study, ranked.found
    with st.container(horizontal=True):
        for count in (one for one in ADDED if int(one) <= len(found.ids)):
            label = "Add the best one and train again" if count == "1" else f"The best {count}"
            st.button(label, key=f"add_{count}", on_click=lambda count=count: go_to(add=count))
    if not params.add:
        return
    best = found.order()[: int(params.add)].tolist()
    work, given = additions.prove, (study, asked.question, ranked.pool, best)
    job = background(
        work.key(*given),
        "Training again with what was missing",
        lambda progress: work(*given, context=results.context(progress)),
    )
    job.wait(QUICK)
    if job.result is None:
        job_status(job, cancel=True)
    else:
        _added(asked, job.result)


def _added(asked: Asked, added: Added) -> None:
    """Forecast and truth of those that were added together."""
    before, after = (percent(float(one[asked.question.label])) for one in (added.before, added.after))
    st.markdown(
        f"Adding the best {len(added.ids)} does **{asked.text(added.actual)}** for **{asked.name}** after training again: its "
        f"probability goes from {before} to **{after}**. Forecast: {asked.text(added.forecast)}; "
        f"by the influence of each, added up: {asked.text(added.alone)}."
    )
    reached = "reached" if added.converged else "NOT reached: do not rely on this"
    st.caption(
        f"Gradient norm {added.gradient_norm:.1e} (asked for {added.target:.1e}: {reached}), in {seconds(added.seconds)}."
    )
