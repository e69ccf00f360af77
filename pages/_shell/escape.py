"""Messages that may quote what somebody else wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable

import streamlit as st

from influence_core.words import visible
from pages._shell.places import without_places

_NOTHING = "\u2060"  # a word joiner: no width, no break


def escape_markdown(text: str) -> str:
    """The text as it is: no link, no picture and no formula of it comes alive when it is shown."""
    text = " ".join(visible(text).splitlines())
    apart = re.sub(
        r"(?i)(?=://|@)|(?<=www)(?=\.)", _NOTHING, text
    )  # no escape keeps a bare address from a link
    escaped = re.sub(r"([\\`*_{}\[\]()#+!<>$|~&]|:(?=\w))", r"\\\1", apart)
    return re.sub(r"^(\s*\d*)(?=[-.] )", r"\1\\", escaped)  # or it begins a list


def escaped(texts: Iterable[str]) -> list[str]:
    """Texts as they are, such as names of labels."""
    return [escape_markdown(one) for one in texts]


def code(text: str) -> str:
    """The text as a piece of code, such as a path."""
    return f"`{text.replace('`', '')}`"


def show_error(error: Exception) -> None:
    """An error's message, in the page."""
    st.error(escape_markdown(without_places(str(error))))
