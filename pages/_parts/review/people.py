"""Who reviews: the name that stands with every verdict, and whose list a shared review writes to."""

from __future__ import annotations

from typing import Any

import streamlit as st

from influence_core.experiments import review
from influence_core.experiments.review import Review
from influence_core.sessions import reviews
from influence_core.studies import Study
from pages._shell import my_changes, results
from pages._shell.escape import escape_markdown

GUEST = "a guest"
"""Who speaks in another's list and has not said their name."""
_KEY = "review_who"


def ask_name(study: Study) -> None:
    """A field for the name; whose list it is has said it before."""
    listed = my_changes.readable(study.spec)
    known = my_changes.reviewer() or ("" if listed is None else listed.who)
    _field("Your name, which stands with every verdict (may stay empty)", known)


def name_reviewer() -> None:
    """The name in the field is the one from now on."""
    my_changes.call_reviewer(st.session_state[_KEY])


def is_guest(shown: Review) -> bool:
    """Whether the review is another browser's."""
    return shown.owner != my_changes.secret_of_review(shown.study, shown.session)


def show_whose(shown: Review) -> None:
    """At the top of another's review, to whose list its verdicts go, and a field for the name that they bear."""
    if not is_guest(shown):
        return
    name = reviews.signed_by(results.get_store(), shown)
    whose = f"the list of **{escape_markdown(name)}**" if name else "the list of whoever shared it"
    with st.container(horizontal=True, vertical_alignment="center", key="review_whose", gap="small"):
        st.markdown(
            f":violet-badge[:material/group: Shared] Your verdicts go into {whose}, not into yours, signed:",
            width="content",
        )
        _field("Your name", my_changes.reviewer(), placeholder=GUEST, label_visibility="collapsed", width=180)


def _field(label: str, known: str, **options: Any) -> None:
    st.session_state.setdefault(_KEY, known)
    st.text_input(label, key=_KEY, max_chars=review.LONGEST_NAME, on_change=name_reviewer, **options)
