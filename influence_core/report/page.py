"""A report as one page of HTML: nothing in it asks for anything outside itself, and every text stays a text."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import influence_core
from influence_core.report.facts import facts
from influence_core.report.material import Material
from influence_core.words import visible


def _shown(value: Any) -> Any:
    """A text with the marks that turn the words around it named."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(material: Material, made: date | None = None) -> str:
    """The report.

    Args:
        material: What it is made of.
        made: The day on it; today where none is given.

    Returns:
        HTML in UTF-8 that opens without the app and asks nobody for anything.
    """
    day = (made or date.today()).isoformat()
    version = influence_core.__version__
    return _PAGES.get_template("page.html").render(**facts(material), day=day, program=version)
