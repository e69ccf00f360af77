"""Files that are sent as tables and are something else, known by how they begin."""

from __future__ import annotations

from influence_core.errors import DataError

_BOOKS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_TEXTS = {
    b"[{": "JSON",
    b'{"': "JSON",
    b"<table": "a web page",
    b"<html": "a web page",
    b"<!doc": "a web page",
    b"<?xml": "XML",
}
_LOOKED_AT = 60


def refuse_others(content: bytes) -> None:
    """Raise ``DataError``, which names what it is, for a file that is no separated values."""
    if content.startswith(_BOOKS):
        raise DataError("This is a workbook or an archive, not a CSV file. Save the sheet as “CSV UTF-8”.")
    start = b"".join(content[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lower().split())
    if other := next((what for sign, what in _TEXTS.items() if start.startswith(sign)), ""):
        raise DataError(f"This is {other}, not a CSV file. Save the table as “CSV UTF-8”.")
