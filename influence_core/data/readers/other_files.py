"""Files that are sent as tables and are something else, known by how they begin."""

from __future__ import annotations

from influence_core.errors import DataError

_SAVE = "Save the table as “CSV UTF-8”."
_EXPORT = "Open it in the program that made it, and save its table as “CSV UTF-8”."
_COPY = "Copy its table into a spreadsheet, and save that as “CSV UTF-8”."
_SHEET = "Save the sheet as “CSV UTF-8”."
_UNPACK = "Unpack it, and send the CSV file in it."
_BINARIES = {
    b"%PDF": ("a PDF document", _COPY),
    b"{\\rtf": ("a text document", _COPY),
    b"PAR1": ("a Parquet file", "Write it as CSV, for example with pandas: read_parquet(…).to_csv(…)."),
    b"ARROW1": ("a Feather file", "Write it as CSV, for example with pandas: read_feather(…).to_csv(…)."),
    b"SQLite format 3\0": ("an SQLite database", "Export one of its tables as CSV with a header."),
    b"\x89HDF\r\n": ("an HDF5 file", _EXPORT),
    b"$FL2": ("an SPSS file", _EXPORT),
    b"<stata_dta>": ("a Stata file", _EXPORT),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"\x1f\x8b": ("a gzip archive", _UNPACK),
    b"\xd0\xcf\x11\xe0": ("a workbook or document of an old Office", _SHEET),
}
_IN_ZIP = {
    b"word/": ("a Word document", _COPY),
    b"ppt/": ("a presentation", _COPY),
    b"xl/": ("a workbook", _SHEET),
    b"opendocument.spreadsheet": ("a workbook", _SHEET),
    b"opendocument.text": ("a text document", _COPY),
}
_ZIP = b"PK\x03\x04"
_TEXTS = {
    b"[{": "JSON",
    b'{"': "JSON",
    **dict.fromkeys(
        (
            b"<table",
            b"<html",
            b"<!doc",
            b"<!--",
            b"<head",
            b"<body",
            b"<title",
            b"<meta",
            b"<style",
            b"<script",
        ),
        "a web page",
    ),
    b"<?xml": "XML",
}
_LOOKED_AT = 60


def refuse_others(content: bytes) -> None:
    """Raise ``DataError``, which names what it is and what to do, for a file that is no separated values."""
    if other := next((said for sign, said in _BINARIES.items() if content.startswith(sign)), None):
        raise _refused(*other)
    if content.startswith(_ZIP):
        raise _refused(
            *next(
                (said for name, said in _IN_ZIP.items() if name in content),
                ("a workbook or an archive", "Save the sheet as “CSV UTF-8”, or unpack the archive first."),
            )
        )
    start = b"".join(content[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lower().split())
    if text := next((what for sign, what in _TEXTS.items() if start.startswith(sign)), ""):
        raise _refused(text, _SAVE)


def can_be_read_otherwise(content: bytes) -> bool:
    """Whether another encoding would read other letters: it is no known file of another kind, and not ASCII alone.

    Args:
        content: The file.
    """
    try:
        refuse_others(content)
    except DataError:
        return False
    return not content.isascii()


def _refused(what: str, do: str) -> DataError:
    return DataError(f"This is {what}, not a CSV file. {do}")
