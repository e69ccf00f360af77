"""All of a report in one zip: the page, the corrected labels, the removals, the answers that changed, and the script."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np

from influence_core.experiments import before_after
from influence_core.experiments.explanation import table
from influence_core.exports import as_csv_file
from influence_core.report.material import Compared, Material
from influence_core.report.page import page
from influence_core.report.script import script
from influence_core.sessions import Session, carried
from influence_core.studies.changes import LABELLED

_TIME = (2000, 1, 1, 0, 0, 0)  # so that equal reports are equal files


def bundle(material: Material, session: Session | None = None) -> bytes:
    """The zip.

    Args:
        material: What the report is made of.
        session: The list of changes that belongs to it, which the app opens again, here or elsewhere.

    Returns:
        ``report.html``, ``repeat.py`` and ``ranking.csv``; where there are changes ``corrected-labels.csv``,
        ``removals.csv``, ``changes.csv`` and ``answers.csv`` too; ``session.json`` where there is a session.

    Raises:
        DataError: If the session is gone.
        StoreError: If it cannot be read.
    """
    if session is not None:
        material = replace(material, said=session.state())
    files = {
        "report.html": page(material).encode(),
        "repeat.py": script(material).encode(),
        "ranking.csv": as_csv_file(table(material.explanation)),
    }
    if material.compared is not None:
        files |= _changes(material, material.compared)
    if session is not None:
        files[carried.NAME] = carried.packed(session, material.origin)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _changes(material: Material, compared: Compared) -> dict[str, bytes]:
    data = compared.before.data
    made = before_after.describe(compared.before, material.changes)
    made["file"] = np.array([data.file(int(one)) for one in made["example_id"]], dtype=object)
    labelled, removed = np.isin(made["change"], LABELLED), made["change"] == "remove"
    return {
        "corrected-labels.csv": as_csv_file(_taken(made, labelled, ("label_before", "label_after"))),
        "removals.csv": as_csv_file(_taken(made, removed, ("label_before",))),
        "changes.csv": as_csv_file(made),
        "answers.csv": as_csv_file(before_after.table(compared.result)),
    }


def _taken(made: dict[str, Any], rows: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: made[name][rows] for name in ("example_id", "file", *names)}
