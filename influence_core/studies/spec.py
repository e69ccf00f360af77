"""What is trained on what: equal specs on equal data are the same study."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from influence_core.errors import DataError
from influence_core.studies.changes import Change, settled
from influence_core.studies.families import FAMILIES
from influence_core.training import AdamSchedule


@dataclass(frozen=True)
class StudySpec:
    """What is trained on what; equal specs on equal data are the same study.

    Attributes:
        name: The short name in the address bar and on the command line.
        title: The name on screen.
        data: A row of ``data.CATALOGUE``.
        model: A row of ``families.FAMILIES``: "softmax", "logistic", "svm" (the hinge, which gives no probabilities), ...
        l2: The trained penalty (the network's falls on weights, not on biases).
        classes: The labels that are kept, in the order of their new numbers; ``None`` keeps all.
        n_train: Training examples, the first in their order; ``None`` takes all.
        gradient_norm: Training ends at this ``||grad R||``; in float32, which more than 20,000 parameters take, where what is
            left of the gradient is rounding, if that is more.
        seed: Of initialisation and batches.
        schedule: How a network is trained before the last steps of Newton's method.
        damping: Added to the curvature unless the reader chooses another.
        n_test: Test examples, the first in their order; ``None`` takes all.
        whole: The study whose training rows this one lacks some of, or "".
        source: The store's key of an uploaded table, where data of somebody's own lie, or "".
        backbone: What turns photographs into features: a name of ``backbones.names()``, or "rbf" for a kernel on their
            pixels; "" takes x as it is.
        encoding: In which texts that are not UTF-8 are read: a name of ``encodings.ENCODINGS``, or "": the most plausible.
        same_labels: The first of each group of labels that look alike and are one, in a table beside photographs; ``None``:
            nobody has been asked.
        changes: Of the training set, in the order in which they were made; a spec with changes is a version of the unchanged
            one, and is named by those that count (`changes.settled`).

    Raises:
        DataError: If there is no such family of models.
    """

    name: str
    title: str
    data: str
    model: str
    l2: float
    classes: tuple[int, ...] | None = None
    n_train: int | None = None
    gradient_norm: float = 1e-10
    seed: int = 0
    schedule: AdamSchedule | None = None
    damping: float = 0.0
    n_test: int | None = None
    whole: str = ""
    source: str = ""
    backbone: str = ""
    encoding: str = ""
    same_labels: tuple[str, ...] | None = None
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in FAMILIES:
            raise DataError(f"There is no model “{self.model[:40]}”; choose one of {', '.join(FAMILIES)}.")

    @property
    def content(self) -> dict[str, Any]:
        """What makes this study another one: the fields that are not at their defaults, by name.

        >>> StudySpec("mine", "My digits", "digits", "softmax", l2=0.01).content
        {'name': 'mine', 'title': 'My digits', 'data': 'digits', 'model': 'softmax', 'l2': 0.01}
        """
        plain = {one.name: one.default for one in fields(self)}
        values = asdict(self) | {"changes": tuple(map(str, settled(self.changes)))}
        return {name: value for name, value in values.items() if value != plain[name]}

    @property
    def address(self) -> str:
        """The name by which ``find`` gives this study: that of a version has the changes that count behind an @."""
        return "@".join(filter(None, (self.name, ",".join(map(str, settled(self.changes))))))

    @property
    def unchanged(self) -> StudySpec:
        """The study that this one is a version of; itself where nothing is changed."""
        return replace(self, changes=()) if self.changes else self

    @property
    def is_smooth_linear(self) -> bool:
        """Whether the model is linear in its parameters, with a loss that has a curvature everywhere."""
        return FAMILIES[self.model].is_smooth_linear

    @property
    def is_network(self) -> bool:
        """Whether the model is a network, whose risk is not convex."""
        return FAMILIES[self.model].is_network
