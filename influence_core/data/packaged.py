"""Where the files lie that ship with the library: beside it in a checkout, inside it where pip installed it."""

from pathlib import Path


def _assets() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "assets"
    return installed if installed.is_dir() else package.parent / "assets"


ASSETS = _assets()
"""The folder ``assets``; its README says what each file is and whose."""
