"""Before and after: what got better and what broke between two models, on test examples that chose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments import groups
from influence_core.experiments.groups import Group
from influence_core.experiments.tally import Tally
from influence_core.predictions import Predictions
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.studies.changes import OF_TEST, Change
from influence_core.words import moved


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """Two models' answers to the same ``t`` test examples.

    Attributes:
        ids: ``(t,)`` of the test examples.
        labels: ``(t,)`` their true labels, to the other model.
        before: ``(t, classes)`` probabilities of the one model.
        after: ``(t, classes)`` of the other.
        class_names: What the labels mean.
        kind: What one example is called.
        asked: Test examples that do not count, because somebody asked about them.
        added: Test examples that do not count, because one of the models learnt from them.
        corrected: Test examples whose labels a person set right; both models are judged by the new ones.
        asked_corrected: The same among those that do not count, because somebody asked about them.
    """

    ids: np.ndarray
    labels: np.ndarray
    before: np.ndarray
    after: np.ndarray
    class_names: tuple[str, ...]
    kind: str
    asked: int = 0
    added: int = 0
    corrected: int = 0
    asked_corrected: int = 0

    @property
    def said_before(self) -> np.ndarray:
        """``(t,)`` answers of the one model."""
        return self.before.argmax(1)

    @property
    def said_after(self) -> np.ndarray:
        """``(t,)`` answers of the other."""
        return self.after.argmax(1)

    @property
    def better(self) -> np.ndarray:
        """Positions of the answers that are right now and were not, the surest first."""
        return self._sorted((self.said_before != self.labels) & (self.said_after == self.labels))

    @property
    def broke(self) -> np.ndarray:
        """Positions of the answers that were right and are not any more, the surest first."""
        return self._sorted((self.said_before == self.labels) & (self.said_after != self.labels))

    @property
    def between(self) -> np.ndarray:
        """Positions of the answers that went from one wrong label to another, the surest first."""
        wrong = (self.said_before != self.labels) & (self.said_after != self.labels)
        return self._sorted(wrong & (self.said_before != self.said_after))

    @property
    def total(self) -> Tally:
        """All of them counted."""
        return self.tally("all", np.ones(len(self.ids), dtype=bool))

    @property
    def by_class(self) -> tuple[Tally, ...]:
        """Counted by the true label, those that occur."""
        found = [self.tally(name, self.labels == at) for at, name in enumerate(self.class_names)]
        return tuple(one for one in found if one.total)

    @property
    def base(self) -> str:
        """Of which test examples the accuracies are shares, as a part of a sentence."""
        reasons = ((self.asked, "asked about"), (self.added, "added to the training set"))
        left = " or ".join(why for number, why in reasons if number)
        return f"the {self._count} not {left}" if left else f"all {self._count}"

    @property
    def part(self) -> str:
        """On which test examples this was measured, and why not on all, in sentences."""
        left = [
            f"{number:,} that {'is' if number == 1 else 'are'} {why}"
            for number, why in ((self.asked, "asked about"), (self.added, "added to the training set"))
            if number
        ]
        without = f": all but the {' and the '.join(left)}" if left else ": all of them"
        why = (
            " Changes are chosen by looking at such an answer, which would make them look too good."
            if self.asked
            else ""
        )
        return f"Measured on {self._count}{without}.{why}{self._corrections}"

    @property
    def surer(self) -> str:
        """On how many the other model gives the true label more, and on how many less, in a sentence; "" where on none."""
        at = np.arange(len(self.ids)), self.labels
        gained = self.after[at] - self.before[at]
        more, less = int((gained > 0).sum()), int((gained < 0).sum())
        if not more + less:
            return ""
        middle = moved(float(np.median(gained)))
        return (
            f"The model is surer of the right label than before on {more:,} test {self.kind}{'s' * (more != 1)}, and less sure "
            f"on {less:,} (median {middle})."
        )

    @property
    def unmoved(self) -> str:
        """That a test label was set right which changes no number here, in sentences; "" where there is none."""
        if not self.asked_corrected:
            return ""
        return (
            f"The label of the test {self.kind} asked about was set right. That changes no number here, because it is left out; "
            f"wherever all test {self.kind}s count, its answer is judged by the new label."
        )

    @property
    def _count(self) -> str:
        return f"{len(self.ids):,} test {self.kind}{'s' * (len(self.ids) != 1)}"

    @property
    def _corrections(self) -> str:
        if not self.corrected:
            return ""
        labels = f"{self.corrected:,} test label{'s were' if self.corrected != 1 else ' was'}"
        return (
            f" {labels} set right by hand, for both models alike; where only wrong answers were looked at, accuracies come out "
            "too high."
        )

    def tally(self, name: str, rows: np.ndarray) -> Tally:
        """The test examples among ``rows (t,)`` counted."""
        before, after = self.said_before == self.labels, self.said_after == self.labels
        moved = self.said_before != self.said_after
        return Tally(
            name,
            *(
                int((rows & one).sum())
                for one in (
                    np.ones_like(rows),
                    before,
                    after,
                    ~before & after,
                    before & ~after,
                    ~before & ~after & moved,
                )
            ),
        )

    def _sorted(self, rows: np.ndarray) -> np.ndarray:
        at = np.flatnonzero(rows)
        return at[np.argsort(-self.after[at].max(1), kind="stable")]


@remember("before and after", stored=False)
def run(before: Study, after: Study, asked: Sequence[int] = ()) -> BeforeAfter:
    """Compare two models on the test examples that they share, but for those that were asked about.

    Args:
        before: One study, of which the other is a version, as a rule.
        after: The other, on the same classes.
        asked: Ids of test examples that somebody asked about while the changes were made; they do not count.

    Raises:
        DataError: If the studies have other classes, or share no test example that counts.
    """
    if before.data.class_names != after.data.class_names:
        raise DataError("Two studies are compared whose classes are the same; these have others.")
    return compare(before, after.predictions, asked)


def compare(before: Study, after: Predictions, asked: Sequence[int] = ()) -> BeforeAfter:
    """The same with the other model's answers, true or forecast.

    Args:
        before: A study.
        after: Another model's answers to test examples; those of others are passed over.
        asked: As for ``run``.

    Raises:
        DataError: If no test example counts.
    """
    known = before.predictions
    there = np.isin(known.ids, after.ids)
    counted = there & ~np.isin(known.ids, np.asarray(asked, dtype=int))
    if not counted.any():
        raise DataError("No test example is left that both models answer and that nobody asked about.")
    place = {int(one): at for at, one in enumerate(after.ids)}
    rows = [place[int(one)] for one in known.ids[counted]]
    labels = after.labels[rows]
    aside = there & ~counted
    aside_labels = after.labels[[place[int(one)] for one in known.ids[aside]]]
    return BeforeAfter(
        ids=known.ids[counted],
        labels=labels,
        before=known.probabilities[counted],
        after=after.probabilities[rows],
        class_names=before.data.class_names,
        kind=before.data.kind,
        asked=int(aside.sum()),
        added=int((~there).sum()),
        corrected=int((labels != known.labels[counted]).sum()),
        asked_corrected=int((aside_labels != known.labels[aside]).sum()),
    )


def by_group(before: Study, result: BeforeAfter, column: str) -> tuple[Tally, ...]:
    """Counted by what a table's rows have in a column, those that occur.

    Raises:
        UnsupportedError: If the data are no table.
        DataError: If there is no such column, or it has too many different texts.
    """
    names, values = groups.tested_values(before, column)
    values = values[np.isin(before.data.test.ids.numpy(), result.ids)]
    found = [result.tally(Group(column, one).name, values == one) for one in names]
    return tuple(one for one in found if one.total)


def table(result: BeforeAfter) -> dict[str, Any]:
    """Every answer that changed, as columns: what got better, what broke, what went from wrong to wrong."""
    at = np.concatenate([result.better, result.broke, result.between])
    names = np.array(result.class_names, dtype=object)
    what = ["got better"] * len(result.better) + ["broke"] * len(result.broke)
    return {
        "what": np.array(what + ["wrong before and after"] * len(result.between), dtype=object),
        "test_id": result.ids[at],
        "true_label": names[result.labels[at]],
        "said_before": names[result.said_before[at]],
        "probability_before": result.before[at].max(1),
        "said_after": names[result.said_after[at]],
        "probability_after": result.after[at].max(1),
    }


def describe(study: Study, made: Sequence[Change]) -> dict[str, Any]:
    """Changes as columns, one row a change: what happens to which example, its label before and after, who, when and why.

    Args:
        study: The unchanged study.
        made: Its changes.

    Raises:
        DataError: If there is no such example or label.
    """
    names, rows = study.data.class_names, []
    for one in made:
        of = study.data.test if one.kind in OF_TEST else study.data.train
        old = names[int(of.y[of.position(one.example)])]
        if one.label is not None and one.label >= len(names):
            raise DataError(f"There is no label number {one.label}; they are 0 to {len(names) - 1}.")
        new = "" if one.kind == "remove" else old if one.label is None else names[one.label]
        weight = {"remove": 0.0, "reweight": one.weight}.get(one.kind, 1.0)
        rows.append((one.kind, one.example, old, new, weight, one.who, one.when, one.why))
    fields = ("change", "example_id", "label_before", "label_after", "weight", "who", "when", "why")
    columns = zip(*rows, strict=True) if rows else ((),) * len(fields)
    return {name: np.array(column, dtype=object) for name, column in zip(fields, columns, strict=True)}
