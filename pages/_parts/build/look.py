"""What was found in a folder of photos, shown before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from influence_core.data.brought import own
from influence_core.data.brought.photo_folder import PhotoFolder
from influence_core.data.readers.labels import AlikeError
from influence_core.data.readers.skipped import Skipped
from influence_core.progress import Progress
from influence_core.store.remember import key_of
from pages._common import alike
from pages._parts.build import visit
from pages._shell import results
from pages._shell.escape import escape_markdown
from pages._shell.jobs import await_job, get_jobs

MAX_SHOWN = 8


@dataclass(frozen=True)
class PhotoSummary:
    """What was found in a folder of photos.

    Attributes:
        class_names: The classes.
        to_train: How many pictures of each are trained on.
        to_test: How many of each are for testing.
        faces: One thumbnail of each of the first classes.
        skipped: What was not used, and why.
        notes: Sentences about how they were read.
    """

    class_names: tuple[str, ...]
    to_train: tuple[int, ...]
    to_test: tuple[int, ...]
    faces: tuple[np.ndarray, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def load(source: str) -> tuple[PhotoSummary | None, tuple[str, ...] | None]:
    """What was found, ``None`` while a question about it has no answer; and which labels that look alike are one."""
    if source.startswith(own.IN_FOLDER):
        st.button("Look again", key="build_again", on_click=_forget, args=(source,), help="After a change.")
    found = _looked_at(source, None)
    if isinstance(found, PhotoSummary):
        return found, None
    same = alike.ask(found.groups, lambda first: visit.lasting(f"build_same_{source}_{first}", None))
    st.session_state["build_same"] = same
    if same is None:
        st.caption("Answer the questions above to see what was found.")
        return None, None
    found = _looked_at(source, same)
    return (found if isinstance(found, PhotoSummary) else None), same


def _looked_at(source: str, same: tuple[str, ...] | None) -> PhotoSummary | AlikeError:
    """Every picture opened once, in a job that can be watched and cancelled; or the question that comes before."""
    store, folder = results.get_store(), results.data_folder()

    def work(progress: Progress) -> PhotoSummary | AlikeError:
        try:
            return _summary(own.survey(source, store, folder, progress=progress, same=same))
        except AlikeError as question:
            return question

    return await_job(key_of("look", source, same), "Looking at every picture", work)


def _forget(source: str) -> None:
    """What was seen of it so far, with the answers that were given or without."""
    for same in (None, st.session_state.get("build_same")):
        get_jobs().forget(key_of("look", source, same))


def _summary(found: PhotoFolder) -> PhotoSummary:
    labels = range(len(found.class_names))
    return PhotoSummary(
        found.class_names,
        tuple(int((found.is_train & (found.labels == label)).sum()) for label in labels),
        tuple(int((~found.is_train & (found.labels == label)).sum()) for label in labels),
        tuple(found.thumbs[np.flatnonzero(found.labels == label)[0]].copy() for label in labels[:MAX_SHOWN]),
        found.skipped,
        found.notes,
    )


def show(found: PhotoSummary, before: Sequence[Skipped]) -> None:
    """Its classes, some of its pictures, and what was skipped; ``before`` is what an archive held beside it."""
    train, test = sum(found.to_train), sum(found.to_test)
    st.markdown(
        f"**{len(found.class_names)} classes**, **{train:,}** pictures to train on and **{test:,}** to test on."
    )
    for note in found.notes:
        st.info(escape_markdown(note))
    pictures, counts = st.columns([1, 1.2], gap="large")
    with pictures:
        st.image(
            list(found.faces),
            caption=[escape_markdown(one[:24]) for one in found.class_names[:MAX_SHOWN]],
            width=96,
        )
    with counts:
        st.dataframe(
            {"class": found.class_names, "to train on": found.to_train, "to test on": found.to_test},
            hide_index=True,
            width="stretch",
            height=min(38 + 35 * len(found.class_names), 230),
        )
    show_skipped([*before, *found.skipped])


def show_skipped(skipped: Sequence[Skipped]) -> None:
    """How many files were not used, which, and why."""
    if not skipped:
        st.caption("Nothing was skipped.")
        return
    with st.expander(f"{sum(one.count for one in skipped):,} were skipped: which, and why", expanded=True):
        st.dataframe(
            {
                "why": [one.reason for one in skipped],
                "how many": [one.count for one in skipped],
                "for example": [", ".join(one.examples) for one in skipped],
            },
            hide_index=True,
            width="stretch",
        )
