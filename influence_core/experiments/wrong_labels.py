"""Which training labels are wrong? Flipped ones, looked for by influence, by loss with and without the example, at random."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.errors import DataError, require
from influence_core.experiments import suspects
from influence_core.experiments.suspects import METHODS, Ranking
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec
from influence_core.training.refit import Fitter

BUDGETS = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
"""Shares of the training set that are checked by a person, most suspect first."""


@dataclass(frozen=True)
class FlipSettings:
    """How labels are flipped.

    Attributes:
        share: Of the training labels that are flipped.
        repeats: So often, each time others.
        seed: Of the flips and of the random order.
    """

    share: float = 0.10
    repeats: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise DataError(f"The share of flipped labels must lie between 0 and 0.5, but is {self.share:g}.")
        if not 1 <= self.repeats <= 1000:
            raise DataError(f"The number of repeats must be 1 to 1,000, but is {self.repeats}.")


DEFAULTS = FlipSettings()


@dataclass(frozen=True, eq=False)
class WrongLabels:
    """What each way of looking found, over ``r`` repeats, ``m`` methods and ``b`` budgets.

    Attributes:
        settings: How labels were flipped.
        methods: ``m`` keys of ``METHODS``.
        checked: ``(b,)`` examples that were checked at each budget.
        fixed: ``(r, m, b)`` share of the flipped labels among them.
        accuracy: ``(r, m, b)`` test accuracy after they got their true labels back and the model was trained again.
        flipped_accuracy: ``(r,)`` test accuracy of the model trained on the flipped labels.
        clean_accuracy: Test accuracy of the model trained on the true labels.
        unseen_accuracy: Its leave-one-out accuracy: of its answers to each training example had it never seen that one;
            proven or forecast, as the method is.
        flipped: Labels that were flipped in each repeat.
        n: Training examples.
        p: Parameters.
        n_test: Test examples.
        gradient_norm: The largest ``||grad R||`` of all trained models.
        seconds: Time for everything.
    """

    settings: FlipSettings
    methods: tuple[str, ...]
    checked: np.ndarray
    fixed: np.ndarray
    accuracy: np.ndarray
    flipped_accuracy: np.ndarray
    clean_accuracy: float
    unseen_accuracy: float
    flipped: int
    n: int
    p: int
    n_test: int
    gradient_norm: float
    seconds: float

    @property
    def budgets(self) -> np.ndarray:
        """``(b,)`` checked shares of the training set."""
        return self.checked / self.n

    def mean_fixed(self, method: str) -> np.ndarray:
        """``(b,)`` mean share of the flips found."""
        return self.fixed[:, self.methods.index(method)].mean(0)


def standard_deviation(values: np.ndarray) -> np.ndarray:
    """How far single repeats lie apart: over the first axis ``(r, ...)``; 0 for one repeat."""
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def standard_error(values: np.ndarray) -> np.ndarray:
    """How sure the mean of the repeats is: the standard deviation over ``sqrt(r)``."""
    return standard_deviation(values) / np.sqrt(len(values))


def flip(
    labels: np.ndarray, classes: int, settings: FlipSettings, repeat: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is wrong, and the positions of those.

    Args:
        labels: ``(n,)`` true labels.
        classes: How many labels there are.
        settings: Share and seed.
        repeat: Each repeat flips others.

    Returns:
        ``(n,)`` labels, and ``(f,)`` positions; a wrong label is any other, each as likely.
    """
    rng = np.random.default_rng((settings.seed, repeat))
    at = np.sort(rng.choice(len(labels), count(len(labels), settings.share), replace=False))
    wrong = labels.copy()
    wrong[at] = (labels[at] + rng.integers(1, classes, len(at))) % classes
    return wrong, at


def count(n: int, share: float) -> int:
    """A share of ``n`` examples in whole ones, as the paper counts: in steps of a twentieth, which is rounded down."""
    return max(1, int(round(20 * share, 9) * (n // 20 if n >= 20 else n / 20)))


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear:
        return None
    return "Wrong labels are looked for in logistic and softmax regressions. Networks are too slow to train so often."


@remember("wrong labels")
def run(study: Study, settings: FlipSettings = DEFAULTS, *, context: Context = ALONE) -> WrongLabels:
    """Flip labels, rank, check the first ones, give them their true labels back, train again; over some repeats.

    Args:
        study: The trained model; its training labels are taken for true.
        settings: How labels are flipped.
        context: Where results are kept, and who is told after each training.

    Raises:
        UnsupportedError: If the study's model is neither logistic nor softmax regression.
    """
    require(supports(study.spec))
    started, bench = time.perf_counter(), _Bench(study, settings)
    repeats, clean = context.part(0.0, 0.95), context.part(0.95, 1.0)
    found = [bench.repeat(one, repeats.step(one, settings.repeats)) for one in range(settings.repeats)]
    unseen = bench.rank(bench.true, study.theta, 0, clean.named("the model of the true labels")).unseen
    return WrongLabels(
        settings=settings,
        methods=bench.methods,
        checked=bench.checked,
        fixed=np.array([one.fixed for one in found]),
        accuracy=np.array([one.accuracy for one in found]),
        flipped_accuracy=np.array([one.flipped_accuracy for one in found]),
        clean_accuracy=study.predictions.accuracy,
        unseen_accuracy=unseen.accuracy,
        flipped=count(study.objective.n, settings.share),
        n=study.objective.n,
        p=study.objective.dim,
        n_test=len(study.data.test),
        gradient_norm=max(bench.fitter.largest_norm, study.gradient_norm),
        seconds=time.perf_counter() - started,
    )


def table(result: WrongLabels) -> dict[str, np.ndarray]:
    """The curves as columns, one row a method and budget; the CSV download holds exactly these."""
    values = {"share_of_flips_found": result.fixed, "accuracy_after_repair": result.accuracy}
    columns: dict[str, np.ndarray] = {
        "ranked_by": np.repeat([METHODS[one] for one in result.methods], len(result.checked)),
        "examples_checked": np.tile(result.checked, len(result.methods)),
        "share_checked": np.tile(result.budgets, len(result.methods)),
    }
    for name, curves in values.items():
        columns[name] = curves.mean(0).ravel()
        columns[f"{name}_standard_error"] = standard_error(curves).ravel()
        columns[f"{name}_standard_deviation"] = standard_deviation(curves).ravel()
    return columns


@dataclass(frozen=True, eq=False)
class _Repeat:
    """One repeat: a part of ``WrongLabels``, with ``fixed`` and ``accuracy`` ``(m, b)``."""

    fixed: np.ndarray
    accuracy: np.ndarray
    flipped_accuracy: float


class _Bench:
    """What all repeats share: the true labels, the budgets, and one fitter that knows the inputs."""

    def __init__(self, study: Study, settings: FlipSettings) -> None:
        self.study, self.settings, self.methods = study, settings, suspects.methods_for(study)
        self.true = study.data.train.y.numpy()
        self.checked = np.array([count(study.objective.n, one) for one in BUDGETS])
        self.fitter = Fitter(suspects.objective_of(study))

    @cached_property
    def gram(self) -> Tensor | None:
        return self.fitter.gram()

    def repeat(self, repeat: int, context: Context) -> _Repeat:
        """Flip, train, rank, and repair in the order of each method."""
        words = f"repeat {repeat + 1} of {self.settings.repeats}"
        context.report(0.0, words)
        wrong, at = flip(self.true, len(self.study.data.class_names), self.settings, repeat)
        theta = self.fitter.fit(wrong, self.study.theta, context.part(0.0, 0.05).progress)
        scores = self.rank(wrong, theta, repeat, context.part(0.05, 0.5)).scores
        fixed, accuracy = [], []
        repairs = context.part(0.5, 1.0).named(words)
        for row, method in enumerate(self.methods):
            order = np.argsort(-scores[method], kind="stable")
            fixed.append([np.isin(at, order[:checked]).mean() for checked in self.checked])
            accuracy.append(self._repair(wrong, order, theta, repairs.step(row, len(self.methods))))
        return _Repeat(np.array(fixed), np.array(accuracy), suspects.accuracy(self.study, theta))

    def rank(self, labels: np.ndarray, theta: Tensor, repeat: int, context: Context) -> Ranking:
        """Of labels ``(n,)`` by the model ``theta (p,)`` that was trained on them."""
        edited, seed = suspects.relabelled(self.study, labels), (self.settings.seed, repeat, 1)
        return suspects.rank(edited, theta, self.methods, self.gram, seed, context.progress)

    def _repair(self, wrong: np.ndarray, order: np.ndarray, theta: Tensor, context: Context) -> list[float]:
        """Test accuracy at every budget, the first of an order ``(n,)`` having their true labels back."""
        right = []
        for step, checked in enumerate(self.checked):
            context.report(step / len(self.checked), "")
            repaired = wrong.copy()
            repaired[order[:checked]] = self.true[order[:checked]]
            theta = self.fitter.fit(repaired, theta)
            right.append(suspects.accuracy(self.study, theta))
        return right
