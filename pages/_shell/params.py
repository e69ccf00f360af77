"""What a page reads in its address: typed fields that check themselves, and what each of them depends on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from influence_core.errors import DataError

SHOWN = 40
"""Letters of an unknown value that a message repeats."""

STUDY = ("study",)
QUESTION = (*STUDY, "test", "picture")
ANSWER = (*QUESTION, "ask", "solver", "damping", "curvature", "device")


def param(default: Any, read: Callable[[str], Any] = str, after: Iterable[str] = STUDY) -> Any:
    """A field of an address.

    Args:
        default: Its value where the address says nothing.
        read: From the text in the address to the value; it raises ``DataError`` in words.
        after: Fields whose change makes this one fall back to its default.
    """
    return field(default=default, metadata={"read": read, "after": frozenset(after)})


@dataclass(frozen=True)
class Params:
    """The fields of one page; a field at its default is not in the address. A trailing underscore is not either.

    ``RETURNING`` are the names of those that are as they were left when the menu leads back to the page, for the same study.
    """

    RETURNING: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> Self:
        """From the texts of an address; names of other pages are passed over.

        Raises:
            DataError: If a text is none that its field can have.
        """
        known = {one.name: one for one in fields(cls)}
        found = {name: texts[name.rstrip("_")] for name in known if name.rstrip("_") in texts}
        return cls(**{name: known[name].metadata["read"](text) for name, text in found.items()})

    @classmethod
    def defaults(cls) -> dict[str, str]:
        """The text of every field's default, by its name in the address."""
        return {one.name.rstrip("_"): as_text(one.default) for one in fields(cls)}

    @classmethod
    def after(cls) -> dict[str, frozenset[str]]:
        """What every field depends on, by its name in the address."""
        return {one.name.rstrip("_"): one.metadata["after"] for one in fields(cls)}


def as_text(value: Any) -> str:
    """A value as it stands in an address."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def whole(what: str, least: int = 0) -> Callable[[str], int]:
    """Reads a whole number; a smaller one than ``least`` counts as that."""

    def read(text: str) -> int:
        if re.fullmatch("-[0-9]{1,18}", text):
            raise DataError(f"There is no {what} {text}: they are counted from {least}.")
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise DataError(
                f"The address asks for the {what} “{text[:SHOWN]}”, but a {what} is a whole number."
            )
        return max(least, int(text))

    return read


def number(what: str) -> Callable[[str], float]:
    """Reads a number."""

    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise DataError(f"The {what} must be a number of at least 0, but is “{text[:SHOWN]}”.") from None

    return read


def up_to(what: str, most: float) -> Callable[[str], float]:
    """Reads a number above 0 and up to ``most``."""

    def read(text: str) -> float:
        try:
            size = float(text)
        except ValueError:
            size = 0.0
        if not 0 < size <= most:
            shown = text[:SHOWN]
            raise DataError(f"The {what} must be a number above 0 and up to {most:g}, but is “{shown}”.")
        return size

    return read


def between(what: str, least: float, most: float) -> Callable[[str], float]:
    """Reads a number from ``least`` to ``most``."""

    def read(text: str) -> float:
        value = number(what)(text)
        if not least <= value <= most:
            raise DataError(f"A {what} must be between {least:g} and {most:g}, but is {value:g}.")
        return value

    return read


def count(what: str, most: int) -> Callable[[str], int]:
    """Reads a whole number from 1 to ``most``."""
    known = one_of(map(str, range(1, most + 1)), f"The {what} must be 1 to {most}, but is “{{}}”.")
    return lambda text: int(known(text))


def one_of(options: Iterable[str], refusal: str) -> Callable[[str], str]:
    """Reads one of some words; ``refusal`` is the sentence for any other, with ``{}`` for it and ``{known}`` for them."""
    allowed = tuple(options)

    def read(text: str) -> str:
        if text not in allowed:
            raise DataError(refusal.format(text[:SHOWN], known=", ".join(allowed)))
        return text

    return read


def one_of_numbers(options: Iterable[int], refusal: str) -> Callable[[str], int]:
    """Reads one of some whole numbers; ``refusal`` as for ``one_of``."""
    word = one_of(map(str, options), refusal)
    return lambda text: int(word(text))


def flag(name: str) -> Callable[[str], bool]:
    """Reads a switch: 1, or not in the address."""
    word = one_of(("", "1"), f"The address asks for {name}=“{{}}”, but it is 1 or not there.")
    return lambda text: bool(word(text))
