"""How one example is shown: a digit as dark ink on white paper, a photo as it is, a row as a table, an e-mail as text."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypedDict

import numpy as np
import streamlit as st

from influence_core import data_urls
from influence_core.data import Examples
from influence_core.data_urls import data_url, photo_url
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import marks
from pages._common.number import effect
from pages._common.picture_grid import Picture, picture_grid
from pages._shell.address import go_to
from pages._shell.escape import escape_markdown, escaped

SNIPPET_COLUMNS = 6
SNIPPET_LETTERS = 220
SNIPPET_WIDTH = 170
CELL_LETTERS = 40
CARD_SIDE = 160
LARGE_SIDE = 448


def ink(study: Study, x: np.ndarray) -> np.ndarray:
    """Pixels ``(d,)`` in 0..1 as a uint8 picture ``(h, w)`` of dark ink on white."""
    assert study.data.image_shape is not None
    return data_urls.ink(x, study.data.image_shape)


class Face(TypedDict):
    """The upper half of a card: a picture, or a few words where there is none."""

    src: str
    snippet: str
    crisp: bool


def card_face(study: Study, examples: Examples, at: int) -> Face:
    """The face of the card of ``examples[at]``."""
    if study.data.pictures is not None:
        picture = study.data.pictures.read(int(examples.ids[at]), CARD_SIDE)
        return {"src": photo_url(picture), "snippet": "", "crisp": False}
    if study.data.pictured:
        return {"src": data_url(ink(study, examples.x[at].numpy())), "snippet": "", "crisp": True}
    return {"src": "", "snippet": snippet(study, int(examples.ids[at])), "crisp": False}


def example_card(
    study: Study, examples: Examples, at: int, words: str, title: str, lines: tuple[str, ...], tone: str = ""
) -> Picture:
    """The card of ``examples[at]``; ``words`` follow its name where the picture is not seen.

    First comes the name of the file in which somebody brought it, without its ending.
    """
    name, face = int(examples.ids[at]), card_face(study, examples, at)
    alt, file = f"{_part(study, examples)} {study.data.kind} {name}{words}", study.file_name(name)
    return Picture(
        str(name), alt=alt, title=title, lines=lines, tone=tone, file=PurePosixPath(file).stem, **face
    )


def called(study: Study, example_id: int, part: str, text: Callable[[str], str] = escape_markdown) -> str:
    """What a "test" or "training" example is called: by its file where somebody brought it, the number behind.

    Args:
        study: Whose example it is.
        example_id: Of it.
        part: "test" or "training".
        text: What makes the file's name fit where it will stand, in Markdown unless something else is said.
    """
    number, file = f"{part} {study.data.kind} {example_id}", study.file_name(example_id)
    return f"{text(file)} ({number})" if file else number


def beginning(name: str) -> str:
    """A name at the beginning of a sentence; that of a file keeps its letters.

    >>> beginning("test image 7"), beginning("scan.jpg (test image 7)")
    ('Test image 7', 'scan.jpg (test image 7)')
    """
    return name if name.endswith(")") else name[0].upper() + name[1:]


def training_card(
    study: Study, at: int, lines: tuple[str, ...], tone: str = "", title: str = "", words: str = ""
) -> Picture:
    """The card of a training example: its number and its label, unless it has another title."""
    train = study.data.train
    label = study.data.class_names[int(train.y[at])]
    title = title or f"{train.ids[at]}: {label}"
    return example_card(study, train, at, f", labelled {label}{words}", title, lines, tone)


def scored_card(study: Study, explanation: Explanation, at: int) -> Picture:
    """The card of a training example with its forecast."""
    change = float(explanation.shown[at])
    return training_card(study, at, (effect(explanation, at),), "helpful" if change > 0 else "harmful")


def show_grid(
    study: Study,
    cards: Sequence[Picture],
    key: str,
    on_click: Callable[[str], None] = lambda train_id: go_to(open=train_id),
    width: int = 92,
    marked: bool = True,
    **options: Any,
) -> None:
    """Cards side by side, each with what the visitor has said of it; a click opens an example unless it does something else."""
    width = width if study.data.pictured else SNIPPET_WIDTH
    if marked:
        cards = marks.put(study, cards)
    picture_grid(cards, key=key, on_click=on_click, columns_min_px=width, **options)


def snippet(study: Study, example_id: int) -> str:
    """The first few columns of a row, or the first words of an e-mail."""
    record = study.data.record(example_id)
    if study.data.worded:
        return " · ".join(text for text in record.values() if text)[:SNIPPET_LETTERS]
    cells = list(record.items())[:SNIPPET_COLUMNS]
    return "\n".join(f"{name} {value[:CELL_LETTERS]}" for name, value in cells)[:SNIPPET_LETTERS]


def name_of(explanation: Explanation) -> str:
    """What the test input is called where it has no room for its file's name."""
    return "your picture" if explanation.test_id is None else f"test {explanation.kind} {explanation.test_id}"


def asked_name(study: Study, explanation: Explanation, text: Callable[[str], str] = escape_markdown) -> str:
    """What the test input is called in a sentence; ``text`` as for `called`."""
    at = explanation.test_id
    return name_of(explanation) if at is None else called(study, at, "test", text)


def says(explanation: Explanation, right: str = "") -> str:
    """What the model says, and what is true where that is known and differs; ``right`` as `test_label.set_right` says it."""
    names, said, true = escaped(explanation.class_names), explanation.predicted_label, explanation.true_label
    words = f"the model says **{names[said]}** ({percent(float(explanation.probabilities.max()))})"
    if right:
        return f"{words}; {right}"
    return words if true in (None, said) else f"{words}, but it is labelled **{names[true]}**"


def show_large(
    study: Study,
    x: np.ndarray,
    example_id: int | None,
    alt: str,
    width: int = 220,
    photo: np.ndarray | None = None,
) -> None:
    """One example, large; ``photo`` is a photograph of the reader's own, which no data set holds."""
    if study.data.pictured:
        source = large_source(study, x, example_id, photo)
        st.html(
            f'<img src="{source}" alt="{html.escape(alt)}" style="width:100%;max-width:{width}px;border-radius:6px">'
        )
    elif example_id is not None:
        show_record(study.data.record(example_id), study.data.kind)


def large_source(study: Study, x: np.ndarray, example_id: int | None, photo: np.ndarray | None) -> str:
    """A picture as a data URL, large; ``photo`` as for `show_large`."""
    if study.data.pictures is None:
        return data_url(ink(study, x), 8)
    if photo is None:
        assert example_id is not None
        photo = study.data.pictures.read(example_id, LARGE_SIDE)
    return photo_url(photo)


def show_example(study: Study, examples: Examples, example_id: int, width: int) -> None:
    """A training or a test example, large."""
    x = examples.x[examples.position(example_id)].numpy()
    show_large(study, x, example_id, f"{_part(study, examples)} {study.data.kind} {example_id}", width)


def _part(study: Study, examples: Examples) -> str:
    return "training" if examples is study.data.train else "test"


def opened_title(study: Study, train_id: int) -> None:
    """The head of an opened training example, with the way to close it."""
    title, close = st.columns([3, 1], vertical_alignment="center")
    label = study.data.class_names[int(study.data.train.y[study.data.train.position(train_id)])]
    title.markdown(f"### {beginning(called(study, train_id, 'training'))}, labelled {escape_markdown(label)}")
    close.button("Close", key="close_example", type="tertiary", on_click=lambda: go_to(open=""))


def show_record(record: Mapping[str, str], kind: str) -> None:
    """The original of an example: an e-mail's subject and text, or a row's columns and values."""
    if kind in ("e-mail", "text"):
        with st.container(height=220, border=False):
            if "subject" in record:
                st.markdown(f"**{escape_markdown(record['subject']) or 'no subject'}**")
            for name, text in record.items():
                if name != "subject":
                    st.text(text)
    else:
        st.dataframe(
            {"column": list(record), "value": list(record.values())},
            hide_index=True,
            height=220,
            width="stretch",
        )
