"""Some of a study's test examples, named in a word or two: all mistakes, a class, a cell of the confusion matrix, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments import groups
from influence_core.studies import Study

FORMS = "all, errors, class=LABEL, cell=TRUE,SAID, ids=1,2,3 or group=COLUMN=VALUE"
"""How a set is named, on the command line and in an address."""
SHOWN = 40
"""Letters of an unknown name that a message repeats."""


class EmptySetError(DataError):
    """There is such a set, but no test example is in it."""


@dataclass(frozen=True, eq=False)
class TestSet:
    """Test examples that are asked about together.

    Attributes:
        name: As in ``FORMS``.
        words: In a sentence: "the 4 test images of 7 taken for 9".
        positions: ``(t,)`` among the test examples, at least one.
    """

    name: str
    words: str
    positions: np.ndarray

    __test__ = False  # pytest would take it for a test


def find(study: Study, name: str) -> TestSet:
    """The test examples of a name.

    Args:
        study: The trained model, whose answers make mistakes and cells.
        name: As in ``FORMS``; labels by their name, or by their number after "#".

    Raises:
        EmptySetError: If no example is in it.
        DataError: If there is no such set, label, column or test example.
    """
    kind, _, rest = name.partition("=")
    finders = {"all": _all, "errors": _errors, "class": _class, "cell": _cell, "ids": _ids, "group": _group}
    if kind not in finders or (kind in ("all", "errors")) != (rest == ""):
        raise DataError(f"There is no set of test examples “{name[:SHOWN]}”; name one as {FORMS}.")
    at, words = finders[kind](study, rest)
    if not len(at):
        raise EmptySetError(f"No test {study.data.kind} is in the set “{name[:SHOWN]}”. Choose another.")
    return TestSet(name, words.format(_count(study, len(at))), at)


def cells(study: Study) -> list[tuple[int, int, int]]:
    """The kinds of mistakes as ``(true label, answer, how many)``, the most frequent first."""
    known = study.predictions
    pairs = list(zip(known.labels[known.wrong].tolist(), known.predicted[known.wrong].tolist(), strict=True))
    return sorted({(*one, pairs.count(one)) for one in pairs}, key=lambda cell: (-cell[2], cell[:2]))


def label_text(names: Sequence[str], label: int) -> str:
    """A label as a set's name has it: by its name where that is plain, else by its number.

    >>> label_text(("7", "one, or two"), 0), label_text(("7", "one, or two"), 1)
    ('7', '#1')
    """
    name = names[label]
    return f"#{label}" if "," in name or name != name.strip() or name.startswith("#") else name


def label_number(names: Sequence[str], text: str) -> int:
    """The label that a text names.

    Args:
        names: Of all labels.
        text: One of them, or a number from 0 after "#".

    Raises:
        DataError: If there is no such label.
    """
    text = text.strip()
    number = text.removeprefix("#")
    if number != text and number.isascii() and number.isdigit() and int(number[:9]) < len(names):
        return int(number)  # before a label that is called so: `label_text` names that one by its number, too
    if text in names:
        return names.index(text)
    raise DataError(f"There is no label “{text[:SHOWN]}”; choose one of {', '.join(names)}.")


def labels_of(names: Sequence[str], text: str, count: int) -> tuple[int, ...]:
    """So many different labels, comma-separated.

    Raises:
        DataError: If they are not so many, one is unknown or comes twice.
    """
    parts = text.split(",")
    if len(parts) != count:
        several = "one label" if count == 1 else f"{count} labels with a comma between them"
        raise DataError(f"This takes {several}, but got “{text[:SHOWN]}”.")
    found = tuple(label_number(names, one) for one in parts)
    if len(set(found)) < count:
        raise DataError(f"These must be different labels, but got “{text[:SHOWN]}”.")
    return found


def _count(study: Study, count: int) -> str:
    return f"{count:,} test {study.data.kind}{'s' if count > 1 else ''}"


def _all(study: Study, _: str) -> tuple[np.ndarray, str]:
    return np.arange(len(study.data.test)), "all {}"


def _errors(study: Study, _: str) -> tuple[np.ndarray, str]:
    return study.predictions.misclassified(), "the {} that the model gets wrong"


def _class(study: Study, rest: str) -> tuple[np.ndarray, str]:
    (label,) = labels_of(study.data.class_names, rest, 1)
    return np.flatnonzero(study.predictions.labels == label), f"the {{}} of {_safe(study, label)}"


def _cell(study: Study, rest: str) -> tuple[np.ndarray, str]:
    true, said = labels_of(study.data.class_names, rest, 2)
    known = study.predictions
    at = np.flatnonzero((known.labels == true) & (known.predicted == said))
    return at, f"the {{}} of {_safe(study, true)} taken for {_safe(study, said)}"


def _ids(study: Study, rest: str) -> tuple[np.ndarray, str]:
    texts = list(dict.fromkeys(one.strip() for one in rest.split(",") if one.strip()))
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in texts):
        raise DataError(f"Test examples are named by whole numbers, but got “{rest[:SHOWN]}”.")
    at = study.data.test.positions([int(one) for one in texts]).numpy()
    return at, f"test {study.data.kind} {texts[0]}" if len(at) == 1 else "{} chosen by hand"


def _group(study: Study, rest: str) -> tuple[np.ndarray, str]:
    group = groups.named_in_address(rest, groups.columns(study))
    return np.flatnonzero(groups.members(study, group)[1]), f"the {{}} with {_braced(group.name)}"


def _safe(study: Study, label: int) -> str:
    return _braced(study.data.class_names[label])


def _braced(text: str) -> str:
    """A foreign text inside a template."""
    return text.replace("{", "{{").replace("}", "}}")
