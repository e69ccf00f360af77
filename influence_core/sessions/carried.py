"""A session as a file: taken along, and opened again in another installation."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl, urlencode

from influence_core.errors import DataError
from influence_core.sessions.entries import Said, read
from influence_core.sessions.session import LONGEST_NAME, Session
from influence_core.sessions.sessions import Sessions
from influence_core.studies import Origin, origins
from influence_core.studies.changes import parse

FORMAT = 1
NAME = "session.json"
"""What the file is called in an answer that was taken home."""
MOST_BYTES = 10**6
_LONGEST_ADDRESS = 10**5
_NO_EXAMPLE = 10**18
_NO_SESSION = (
    "This file holds no list of changes. Choose a session.json, or the zip of an answer that was taken home."
)


@dataclass(frozen=True)
class Carried:
    """What a file says of a session; who spoke and when is kept.

    Attributes:
        study: The unchanged study's name.
        title: What its owner called it.
        labels: What the labels mean.
        who: Who spoke in it.
        steps: What was said, at once in each step; what was undone is not in it.
        versions: Addresses of the saved versions by name.
        questions: Addresses of the questions in the order in which they were asked.
        origin: How the study was made, where it is on data of somebody's own.
    """

    study: str
    title: str
    labels: tuple[str, ...]
    who: str
    steps: tuple[tuple[Said, ...], ...]
    versions: dict[str, str]
    questions: tuple[str, ...]
    origin: Origin | None = None


def packed(session: Session, origin: Origin | None = None) -> bytes:
    """A session as a file, as it stands.

    Args:
        session: To take along.
        origin: How its study was made, where it is on data of somebody's own.

    Raises:
        DataError: If the session is gone.
        StoreError: If it cannot be read.
    """
    entries = session.state().entries
    told = {
        "format": FORMAT,
        "study": session.study,
        "title": session.title,
        "labels": session.labels,
        "who": session.who,
        "entries": [
            [one.step, str(one.said), one.said.example, one.said.who, one.said.when, one.said.why]
            for one in entries
        ],
        "versions": session.versions(),
        "questions": session.questions(),
        "origin": origin and asdict(origin),
    }
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


def unpacked(content: bytes) -> Carried:
    """What a file, or the zip of an answer that was taken home, says of a session.

    Raises:
        DataError: If it says nothing of one, or something that cannot be.
    """
    try:
        return _carried(json.loads(_inside(content)))
    except DataError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise nearly anything
        raise DataError(_NO_SESSION) from error


def begin(sessions: Sessions, owner: str, carried: Carried) -> Session:
    """The same session here, for another owner.

    Args:
        sessions: Of this installation.
        owner: Whose it is from now on.
        carried: What the file says.

    Raises:
        DataError: If this owner has a list of that study already, or a name does not fit.
        StoreError: If it could not be kept.
    """
    if any(one.state().entries for one in sessions.of(owner, carried.study)):
        raise DataError(
            "There is a list of changes of this study already. Delete it in the sidebar before another one is opened."
        )
    about = carried.study, carried.title, carried.labels, carried.who
    return sessions.create(owner, *about, carried.steps, carried.versions, carried.questions)


def of_study(carried: Carried, study: str) -> Carried:
    """The same session of the same study, which has another name here."""
    at = len(carried.study)
    versions = {name: study + address[at:] for name, address in carried.versions.items()}
    questions = tuple(_of_study(one, carried.study, study) for one in carried.questions)
    return replace(carried, study=study, versions=versions, questions=questions)


def _of_study(question: str, before: str, after: str) -> str:
    """The address of a question, asked of a study or a version of it."""
    fields = parse_qsl(question, keep_blank_values=True)
    return urlencode(
        [(name, _named(value, before, after) if name == "study" else value) for name, value in fields]
    )


def _named(address: str, before: str, after: str) -> str:
    name, at, changes = address.partition("@")
    return (after if name == before else name) + at + changes


def _inside(content: bytes) -> bytes:
    """The session's file, out of the zip if it is in one."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(NAME) as file:
            content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError("too large")
    return content


def _carried(told: dict[str, Any]) -> Carried:
    if told["format"] != FORMAT:
        raise DataError(
            "This list of changes was taken along by another version of the app. Open it with that one."
        )
    study = _text(told["study"], LONGEST_NAME)
    entries = [(int(step), read(*map(_said, said))) for step, *said in told["entries"]]
    versions = {_text(name, LONGEST_NAME): _text(address) for name, address in told["versions"].items()}
    for address in versions.values():
        _check_address(address, study)
    labels, questions = tuple(map(_text, told["labels"])), tuple(map(_text, told["questions"]))
    for question in questions:
        _check_question(question, study)
    if labels and any((getattr(said, "label", None) or 0) >= len(labels) for _, said in entries):
        raise ValueError("a label of another study")
    return Carried(
        study,
        _text(told["title"], LONGEST_NAME),
        labels,
        _text(told["who"]),
        tuple(tuple(said for _, said in step) for _, step in groupby(entries, lambda one: one[0])),
        versions,
        questions,
        origins.read(told["origin"]) if told.get("origin") else None,
    )


def _check_question(question: str, study: str) -> None:
    asked = dict(parse_qsl(question))
    _check_address(asked.get("study", study), study)
    if not 0 <= int(asked.get("test", 0)) < _NO_EXAMPLE:  # a number of very many digits is no number either
        raise ValueError("no example")


def _check_address(address: str, study: str) -> None:
    name, _, changes = address.partition("@")
    if name != study:
        raise ValueError("of another study")
    parse(changes)


def _said(part: Any) -> Any:
    return _text(part) if type(part) is not int else part if 0 <= part < _NO_EXAMPLE else _text(None)


def _text(value: Any, longest: int = _LONGEST_ADDRESS) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise TypeError("no text of this length")
    value.encode()  # half a pair of surrogates cannot be kept
    return value
