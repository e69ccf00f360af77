"""What this visit has entered and sent so far: it stays while its widgets are not shown, and goes when a study is made."""

from __future__ import annotations

from typing import Any

import streamlit as st

from influence_core.data.brought.picture_uploads import Upload
from pages._shell import browser


def lasting(key: str, default: Any) -> str:
    """The key of a widget that keeps its value while it is not shown."""
    st.session_state[key] = st.session_state.get(key, default)
    return key


def folder_key() -> str:
    """The key of the choice of a folder: another one, and so an empty one, after each study."""
    return f"build_folder_{st.session_state.get('builds', 0)}"


def zip_key() -> str:
    """The key of the upload: another one each time the form comes back, for the browser has forgotten its file."""
    return f"build_zip_{st.session_state.get('build_forms', 0)}"


def forget_zip() -> None:
    """The zip that was sent is not meant any more."""
    st.session_state.pop("build_upload", None)


def forget_zip_that_is_gone() -> None:
    """The same, where it was removed: the form is empty then."""
    sent: Upload | None = st.session_state.get("build_upload")
    if sent is not None and not sent.folder.exists():
        forget_zip()
        st.session_state["build_forms"] = st.session_state.get("build_forms", 0) + 1


def take_up(sent: Upload) -> None:
    """A zip that was sent before is meant again."""
    st.session_state.update(build_upload=sent, build_kind="zip")
    back_to_form()


@st.cache_resource(show_spinner=False)
def _begun() -> dict[str, dict[str, Any]]:
    """What each browser has in training."""
    return {}


def begin(fields: dict[str, Any]) -> None:
    """From the form to the training of these fields."""
    st.session_state["building"] = _begun()[browser.owner()] = fields
    st.session_state.pop("built", None)


def building() -> dict[str, Any] | None:
    """The fields of the study that is being trained, if one is; a page that was loaded again goes on with it."""
    fields: dict[str, Any] | None = st.session_state.get("building") or _begun().get(browser.owner())
    return fields


def back_to_form() -> None:
    """Nothing is being trained any more."""
    st.session_state.pop("building", None)
    _begun().pop(browser.owner(), None)
    st.session_state["build_forms"] = st.session_state.get("build_forms", 0) + 1


def finish(name: str, words: str, doubts: str = "") -> None:
    """A study is made, with what is said about it and what speaks against it; the next form is empty."""
    back_to_form()
    forget_zip()
    st.session_state["built"] = name, words, doubts
    st.session_state["builds"] = st.session_state.get("builds", 0) + 1


def built() -> tuple[str, str, str]:
    """The name of the study that was just made, what is said about it, and what speaks against it."""
    made: tuple[str, str, str] = st.session_state.get("built", ("", "", ""))
    return made
