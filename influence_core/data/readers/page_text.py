"""What a browser would show of a page of HTML, near enough to count its words.

Read in one pass, whatever the page holds: the standard library's parser looks for the end of every tag again and again, and
a page of a megabyte with tags that never end takes it minutes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_TAG = re.compile(r"/?[a-zA-Z][^\s/>]*")
_BY_ITS_END = {"script", "style", "title"}
"""What is in them is no HTML."""
_UNSEEN = {*_BY_ITS_END, "head"}
_BREAKS = frozenset(
    ["p", "br", "div", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote"]
)


def without_tags(page: str) -> str:
    r"""The text of a page, a line for each of its lines that is not blank.

    Args:
        page: The page.

    >>> without_tags("<title>x</title><p>fish &amp; <b>chips</b><p>1 < 2")
    'fish & chips\n1 < 2'
    """
    seen = "".join(_seen(page))
    lines = (" ".join(line.split()) for line in seen.split("\n"))
    return "\n".join(line for line in lines if line)


def _seen(page: str) -> Iterator[str]:
    """What is seen of it."""
    unseen = False
    for is_tag, piece in _pieces(page):
        if not is_tag:
            if not unseen:
                yield html.unescape(piece)
            continue
        name = piece.removeprefix("/")
        if name in ("head", "body"):
            unseen = piece == "head"
        if name in _BREAKS:
            yield "\n"


def _pieces(page: str) -> Iterator[tuple[bool, str]]:
    """Texts (False), and names of tags in small letters (True), in their order; what opens and never ends ends the page."""
    at = 0
    while (start := page.find("<", at)) >= 0:
        yield False, page[at:start]
        if page.startswith("<!--", start):
            end = page.find("-->", start + 4) + 2
            if end < start:
                return
        elif (found := _TAG.match(page, start + 1)) or page.startswith(("<!", "<?"), start):
            end = page.find(">", start)
            if end < 0:
                return
            name = found.group().lower() if found else "!"
            yield True, name
            if name in _BY_ITS_END:
                closing = re.compile(f"</{name}", re.IGNORECASE).search(page, end)
                if closing is None:
                    return
                end = page.find(">", closing.start())
                if end < 0:
                    return
        else:
            yield False, "<"
            end = start
        at = end + 1
    yield False, page[at:]
