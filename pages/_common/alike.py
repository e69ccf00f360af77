"""The question whether labels that look alike are one, for each group of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from influence_core.data.readers.tables import name_some
from pages._shell.escape import escape_markdown


def ask(groups: Sequence[Sequence[str]], key_of: Callable[[str], str]) -> tuple[str, ...] | None:
    """The first label of each group that is one; ``None`` while a group has no answer.

    Args:
        groups: Labels that look alike, together.
        key_of: The key of the widget that asks about a label's group.
    """
    answers = {some[0]: _ask(some, key_of(some[0])) for some in groups}
    if None in answers.values():
        return None
    return tuple(first for first, is_one in answers.items() if is_one)


def _ask(labels: Sequence[str], key: str) -> bool | None:
    answer: bool | None = st.radio(
        f"Are {escape_markdown(name_some(labels))} one label?",
        [True, False],
        index=None,
        format_func={True: "Yes, one", False: "No, they differ"}.__getitem__,
        key=key,
        horizontal=True,
    )
    return answer
