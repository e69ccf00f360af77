"""A grid of small pictures that a person can click, tick and walk through with the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from influence_core.figures.palette import GREY, HARMFUL, HELPFUL

_FOLDER = Path(__file__).parent

# .streamlit/config.toml gives the theme's text colours the same blue and orange, and they follow the theme.
_COLOURS = f"""
:host {{
  --helpful: var(--st-blue-text-color, {HELPFUL.light});
  --harmful: var(--st-orange-text-color, {HARMFUL.light});
  --quiet: var(--st-gray-text-color, {GREY.light});
}}
"""

_component = st.components.v2.component(
    "picture_grid",
    html='<div class="grid" role="list"></div>',
    css=_COLOURS + (_FOLDER / "picture_grid.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "picture_grid.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Picture:
    """One card: a picture, a bold title and small lines under it.

    Args:
        id: What the callbacks receive; unique within one grid.
        src: The picture as a data URL, see `data_urls.data_url`.
        alt: What a screen reader says instead of the picture; the button's name begins with it.
        title: Bold text under the picture.
        lines: Small grey lines; the first takes the colour of the tone.
        tone: "helpful" (blue), "harmful" (orange) or "" (none).
        crisp: Whether to enlarge pixel by pixel (digits) instead of smoothly (photographs).
        snippet: A few words in the place of the picture, for what is no picture; then `src` is "".
        file: What somebody called it, above the title.
        mark: What the visitor has said of it, below the lines.
    """

    id: str
    src: str
    alt: str
    title: str
    lines: tuple[str, ...] = ()
    tone: str = ""
    crisp: bool = True
    snippet: str = ""
    file: str = ""
    mark: str = ""

    def as_data(self) -> dict[str, Any]:
        """Returns what the browser needs, as JSON values."""
        return vars(self) | {"lines": list(self.lines)}


def picture_grid(
    pictures: Sequence[Picture],
    *,
    key: str,
    chosen: Collection[str] = (),
    on_click: Callable[[str], None],
    columns_min_px: int = 84,
    on_select: Callable[[str], None] | None = None,
    selected: Collection[str] = (),
    select_label: str = "choose for retraining",
    strip: bool = False,
    snippet_lines: int = 6,
) -> None:
    """Shows the pictures as a responsive grid of buttons.

    The callbacks run before the page does, in the order of the clicks; none is lost when somebody clicks
    faster than the page reruns. An id may be one that only the previous run showed. The caller keeps `chosen`
    and `selected`.

    Args:
        pictures: The cards in reading order; their ids must differ.
        key: Unique on the page; also the CSS class `st-key-<key>`.
        chosen: Ids drawn with an outline.
        on_click: Called with the id of a clicked card.
        columns_min_px: The narrowest a column may become.
        on_select: Called with the id whose checkbox was toggled; without it there are no checkboxes.
        selected: Ids whose checkbox is ticked.
        select_label: What ticking means, in words.
        strip: One row that scrolls, instead of a grid.
        snippet_lines: So many lines of the words that stand in the place of a picture.

    Raises:
        ValueError: When two pictures have the same id.
    """
    ids = [picture.id for picture in pictures]
    if len(set(ids)) != len(ids):
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        raise ValueError(f"picture ids must differ within the grid {key!r}; repeated: {', '.join(repeated)}")
    handlers = {"click": on_click} | ({"select": on_select} if on_select else {})
    _component(
        key=key,
        data={
            "pictures": [picture.as_data() for picture in pictures],
            "chosen": list(chosen),
            "selected": list(selected),
            "selectable": on_select is not None,
            "select_label": select_label,
            "columns_min_px": columns_min_px,
            "strip": strip,
            "snippet_lines": snippet_lines,
            "heard": list(_heard(key)),
        },
        on_log_change=lambda: _deliver(key, handlers),
    )


def _heard(key: str) -> tuple[str, int]:
    """Which mounted grid was heard last under this key, and the number of its last event."""
    return st.session_state.get(f"_{key}_heard", ("", 0))


def _deliver(key: str, handlers: Mapping[str, Callable[[str], None]]) -> None:
    """Calls the handlers for the events that came since the last time."""
    log = st.session_state[key].get("log")
    if not log:
        return
    instance, last = _heard(key)
    fresh = [event for event in log["events"] if log["instance"] != instance or event["n"] > last]
    if not fresh:
        return
    st.session_state[f"_{key}_heard"] = (log["instance"], fresh[-1]["n"])
    for event in fresh:
        handler = handlers.get(event["kind"])
        if handler is not None:
            handler(event["id"])
