"""Where data lie on the machine that runs the app, and how a visitor is told of it: no message names a path of the server."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from influence_core.data.brought import own
from influence_core.data.brought.home import home_of
from influence_core.store import Store

DATA_VARIABLE = "INFLUENCE_EXPLORER_DATA"


def data_folder() -> str:
    """Where data that do not ship with the app are looked for: a setting of the person who starts the app."""
    return os.environ.get(DATA_VARIABLE) or platformdirs.user_data_dir("influence-explorer")


def without_places(text: str) -> str:
    """A message, with paths only from where a visitor knows them."""
    people = re.escape(str(home_of(Store()).folder))
    text = re.sub(rf"{people}{os.sep}\w+{os.sep}[0-9a-f]+({os.sep}pictures)?", "the upload", text)
    for folder in sorted({data_folder(), *_roots()}, key=len, reverse=True):
        text = text.replace(folder, Path(folder).name)
    return text


def with_place(name: str) -> str:
    """The path of a folder that was named as `without_places` shows it; any other text as it is."""
    for folder in _roots():
        if name == Path(folder).name or name.startswith(Path(folder).name + os.sep):
            return folder + name.removeprefix(Path(folder).name)
    return name


def _roots() -> list[str]:
    return [str(one) for one in own.roots(data_folder())]
