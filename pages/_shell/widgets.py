"""Widgets that stand in step with the address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import streamlit as st

from pages._shell.address import go_to
from pages._shell.params import as_text


def bound(
    widget: Callable[..., Any],
    name: str,
    value: Any,
    label: str,
    *args: Any,
    key: str = "",
    write: Callable[[Any], str] = as_text,
    also: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Any:
    """A widget whose value is a field of the address: it shows the field, and a change of it goes there.

    Args:
        widget: Of Streamlit, such as ``st.slider``.
        name: The field.
        value: Its present value, as the widget takes it.
        label: Of the widget.
        args: What the widget takes next, such as its options.
        key: Of the widget; the field's name where none is given.
        write: From the widget's value to the text in the address.
        also: Other fields that a change sets.
        options: What else the widget takes.

    Returns:
        What the widget returns.
    """
    key = key or name
    st.session_state[key] = value
    return widget(
        label,
        *args,
        key=key,
        on_change=lambda: go_to(**{name: write(st.session_state[key]), **also}),
        **options,
    )


def choice(
    name: str,
    value: str,
    label: str,
    titles: Mapping[str, str],
    *,
    widget: Callable[..., Any] = st.segmented_control,
    **options: Any,
) -> str:
    """One of some words, each under its title; the first where the address has another."""
    if widget is st.segmented_control:
        options = {"required": True} | options
    known = value if value in titles else next(iter(titles))
    return str(bound(widget, name, known, label, list(titles), format_func=titles.__getitem__, **options))


def number_choice(
    name: str,
    value: float,
    label: str,
    numbers: Iterable[float],
    words: Callable[[Any], str] = str,
    **options: Any,
) -> None:
    """One of some numbers, each in words; the present one is among them."""
    offered = sorted({*numbers, value})
    bound(st.segmented_control, name, value, label, offered, required=True, format_func=words, **options)


def begin_button(label: str, key: str, at: Any = st, **options: Any) -> None:
    """The button that begins the long work of a page, in the column ``at``."""
    options = {"type": "primary"} | options
    at.button(label, key=key, on_click=lambda: go_to(retrain="1"), **options)


def step_button(
    key: str, way: int, to: str, words: str, on_step: Callable[[str], None], **options: Any
) -> None:
    """The button to the one before (``way`` -1) or after (1); there is none where ``to`` is empty."""
    icon = "chevron_left" if way < 0 else "chevron_right"
    label = f":material/{icon}:"
    st.button(label, key=key, disabled=not to, help=words, on_click=lambda: on_step(to), **options)


def metric(at: Any, label: str, value: str, below: str | None, **options: Any) -> None:
    """A number in the column ``at``, with a grey line below."""
    at.metric(label, value, below, delta_color="off", delta_arrow="off", **options)
