"""What was found in a folder of texts, shown before anything is trained on it, and the encoding they are read in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from influence_core.data.brought import own
from influence_core.data.readers.encodings import ENCODINGS
from influence_core.data.readers.skipped import Skipped
from influence_core.data.readers.text_folder import TextFolder, UnreadTextsError
from influence_core.progress import Progress
from influence_core.store.remember import key_of
from pages._parts.build import look, visit
from pages._shell import results
from pages._shell.escape import escape_markdown
from pages._shell.jobs import await_end, await_job, background, get_jobs

PREVIEW_LETTERS = 300
AUTOMATIC = ""
READING = "Reading every text"


@dataclass(frozen=True)
class TextSummary:
    """What was found in a folder of texts.

    Attributes:
        class_names: The classes.
        to_train: How many texts of each are trained on.
        to_test: How many of each are for testing.
        previews: The beginning of one text of each.
        says: How many words were found.
        warnings: Reasons to doubt that anything can be learnt.
        encodings: How many texts were read in each encoding but UTF-8.
        others: The other encodings in which they could be read.
        skipped: What was not used, and why.
    """

    class_names: tuple[str, ...]
    to_train: tuple[int, ...]
    to_test: tuple[int, ...]
    previews: tuple[str, ...]
    says: str
    warnings: tuple[str, ...]
    encodings: tuple[tuple[str, int], ...]
    others: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def load(source: str) -> tuple[TextSummary, str]:
    """Every text read once, in a job that can be watched and cancelled; and the encoding that was chosen."""
    store, folder = results.get_store(), results.data_folder()
    encoding = st.session_state.get(_choice_key(source), AUTOMATIC)
    key = key_of("look at texts", source, encoding)
    if source.startswith(own.IN_FOLDER):
        st.button(
            "Look again", key="build_again", on_click=get_jobs().forget, args=(key,), help="After a change."
        )

    def work(progress: Progress) -> TextSummary:
        return _summary(own.survey_texts(source, store, folder, progress, encoding))

    job = background(key, READING, work)
    await_end(job)
    if isinstance(job.error, UnreadTextsError):
        _offer_encodings(source, ENCODINGS)
    return await_job(key, READING, work), encoding


def _summary(found: TextFolder) -> TextSummary:
    labels = range(len(found.class_names))
    first = [int(found.ids[np.flatnonzero(found.labels == label)].min()) for label in labels]
    return TextSummary(
        found.class_names,
        tuple(int((found.is_train & (found.labels == label)).sum()) for label in labels),
        tuple(int((~found.is_train & (found.labels == label)).sum()) for label in labels),
        tuple(found.records.texts[id].strip()[:PREVIEW_LETTERS] for id in first),
        found.says,
        found.warnings,
        tuple(found.encodings.items()),
        found.others,
        found.skipped,
    )


def show(found: TextSummary, source: str, before: Sequence[Skipped]) -> None:
    """Its classes with a text of each, its words, the encoding, and what was skipped."""
    train, test = sum(found.to_train), sum(found.to_test)
    st.markdown(
        f"**{len(found.class_names)} classes**, **{train:,}** texts to train on and **{test:,}** to test on. {found.says}"
    )
    for warning in found.warnings:
        st.warning(escape_markdown(warning))
    st.dataframe(
        {
            "class": found.class_names,
            "to train on": found.to_train,
            "to test on": found.to_test,
            "one of them begins": found.previews,
        },
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(found.class_names), 230),
    )
    _choose_encoding(found, source)
    look.show_skipped([*before, *found.skipped])


def _choose_encoding(found: TextSummary, source: str) -> None:
    """In which encoding the texts that are not UTF-8 are read; another choice reads them again."""
    key = _choice_key(source)
    if not found.encodings and not st.session_state.get(key):
        return
    told = ", ".join(f"{count:,} as {_title(name)}" for name, count in found.encodings)
    current = [name for name, _ in found.encodings if name in ENCODINGS]
    _offer_encodings(source, [*current, *found.others, *ENCODINGS])
    st.caption(f"Read as it is now: {told or 'all as UTF-8'}.")


def _offer_encodings(source: str, likely: Iterable[str]) -> None:
    st.selectbox(
        "Encoding of the texts that are not UTF-8",
        [AUTOMATIC, *dict.fromkeys(likely)],
        format_func=lambda name: _title(name) if name else "the most plausible",
        key=visit.lasting(_choice_key(source), AUTOMATIC),
        help="Choose another one if the texts do not read right. The first ones fit best.",
    )


def _title(name: str) -> str:
    return ENCODINGS[name].title if name in ENCODINGS else name


def _choice_key(source: str) -> str:
    return f"build_encoding_{key_of('encoding of', source)[:16]}"
