"""The way to a certain training example: by its number, or by the name of the file it was brought in."""

from __future__ import annotations

from influence_core.data.readers.tables import name_some
from influence_core.errors import DataError
from influence_core.studies import Study


def find(study: Study, text: str) -> int:
    """The id of the training example that a person means.

    Args:
        study: Whose training examples are looked through.
        text: A number, or a file's name or a part of it, in letters of either case.

    Raises:
        DataError: If there is none, or there are several; the message names some.
    """
    wanted, train = text.strip(), study.data.train
    if wanted.isascii() and wanted.isdigit():
        return int(train.ids[train.position(int(wanted))])
    files = {int(one): study.data.file(int(one)) for one in train.ids} if study.data.records else {}
    named = {one: file for one, file in files.items() if wanted and wanted.lower() in file.lower()}
    whole = [one for one, file in named.items() if file == wanted or file.endswith(f"/{wanted}")]
    found = whole or list(named)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{len(found):,} files are called so: {name_some([named[one] for one in found])}. Say more."
        )
    what = "is called" if any(files.values()) else "has the number"
    raise DataError(f"No training {study.data.kind} {what} “{wanted[:60]}”.")
