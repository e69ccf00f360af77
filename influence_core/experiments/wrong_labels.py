"""Which training labels are wrong? Flipped ones, looked for by self-influence, by loss and at random (Figure 6)."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError, UnsupportedError
from influence_core.influence import self_influence
from influence_core.losses import LogisticLoss, SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, part, report
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study, StudySpec
from influence_core.training.refit import Fitter

METHODS = {
    "exact": "self-influence (exact)",
    "published": "self-influence as in the 2017 figure",
    "loss": "training loss",
    "random": "at random",
}
"""How suspects are ranked, and the words for it. "published" is for models with one output."""

BUDGETS = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
"""Shares of the training set that are checked by a person, most suspect first."""


@dataclass(frozen=True)
class Settings:
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
        flipped: Labels that were flipped in each repeat.
        n: Training examples.
        p: Parameters.
        n_test: Test examples.
        gradient_norm: The largest ``||grad R||`` of all trained models.
        seconds: Time for everything.
    """

    settings: Settings
    methods: tuple[str, ...]
    checked: np.ndarray
    fixed: np.ndarray
    accuracy: np.ndarray
    flipped_accuracy: np.ndarray
    clean_accuracy: float
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

    def in_order(self) -> bool:
        """Whether at every budget self-influence (exact) finds more flips than the loss, and the loss more than chance."""
        exact, loss, chance = (self.mean_fixed(one) for one in ("exact", "loss", "random"))
        return bool(((exact > loss) & (loss > chance)).all())


def standard_deviation(values: np.ndarray) -> np.ndarray:
    """How far single repeats lie apart: over the first axis ``(r, ...)``; 0 for one repeat."""
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1:])


def standard_error(values: np.ndarray) -> np.ndarray:
    """How sure the mean of the repeats is: the standard deviation over ``sqrt(r)``."""
    return standard_deviation(values) / np.sqrt(len(values))


# ------------------------------------------------------------------------------------------------ ranking


def methods_for(study: Study) -> tuple[str, ...]:
    """The methods that can rank this study's training examples.

    Raises:
        UnsupportedError: If its model is neither logistic nor softmax regression.
    """
    o = study.objective
    if not isinstance(o, LinearObjective) or not isinstance(o.loss, LogisticLoss | SoftmaxLoss):
        raise UnsupportedError(
            "Wrong labels are looked for in logistic and softmax regressions. Choose another study."
        )
    return tuple(one for one in METHODS if one != "published" or o.loss.outputs == 1)


def rank(
    objective: LinearObjective,
    theta: Tensor,
    gram: Tensor | None = None,
    seed: int | tuple[int, ...] = 0,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """How suspect every training label is, ``(n,)`` by method; the largest first. No test example is asked.

    Args:
        objective: What was minimised, labels as they are.
        theta: ``(p,)`` its optimum.
        gram: The examples multiplied with each other, where they are at hand (``Fitter.gram``).
        seed: Of the random order.
        progress: Called along the way.
    """
    o = objective
    found = self_influence(o, theta, gram=gram, progress=progress)
    scores: dict[str, Tensor | None] = {
        "exact": found.exact,
        "published": found.published,
        "loss": o.losses(theta, o.x, o.y),
        "random": torch.as_tensor(np.random.default_rng(seed).random(o.n)),
    }
    return {name: one.cpu().numpy() for name, one in scores.items() if one is not None}


def accuracy(study: Study, theta: Tensor) -> float:
    """Share of the test examples that a model answers as they are labelled."""
    test = study.data.test
    answers = study.objective.probabilities(theta, study.inputs(test.x)).argmax(1).cpu()
    return float((answers == test.y).double().mean())


# ------------------------------------------------------------------------------------------ the experiment


def flip(
    labels: np.ndarray, classes: int, settings: Settings, repeat: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is wrong, and the positions of those.

    Args:
        labels: ``(n,)`` true labels.
        classes: So many there are.
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


def run(
    study: Study,
    settings: Settings | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> WrongLabels:
    """Flip labels, rank, check the first ones, give them their true labels back, train again; over some repeats.

    Args:
        study: The trained model; its training labels are taken for true.
        settings: How labels are flipped.
        store: Where results are kept.
        progress: Called after each training.

    Raises:
        UnsupportedError: If the study's model is neither logistic nor softmax regression.
    """
    started = time.perf_counter()
    chosen, methods = settings or Settings(), methods_for(study)
    kept = stored(study, chosen, store) if store else None
    if kept is not None:
        return kept
    found = _Run(study, chosen, methods)
    for repeat in range(chosen.repeats):
        found.add(repeat, part(progress, repeat / chosen.repeats, (repeat + 1) / chosen.repeats))
    facts: dict[str, Any] = {
        "clean_accuracy": accuracy(study, study.theta),
        "flipped": count(study.objective.n, chosen.share),
        "n": study.objective.n,
        "p": study.objective.dim,
        "n_test": len(study.data.test),
        "gradient_norm": max(found.fitter.largest_norm, study.gradient_norm),
        "seconds": time.perf_counter() - started,
    }
    if store:
        store.put(_key(study, chosen, methods), found.arrays, facts)
    return WrongLabels(settings=chosen, methods=methods, **{**found.arrays, **facts})


def stored(study: Study, settings: Settings, store: Store) -> WrongLabels | None:
    """The result, if the store has it.

    Raises:
        UnsupportedError: As for ``run``.
    """
    methods = methods_for(study)
    kept = store.get(_key(study, settings, methods))
    if kept is None:
        return None
    return WrongLabels(settings=settings, methods=methods, **{**kept.arrays, **kept.meta})


def _key(study: Study, settings: Settings, methods: tuple[str, ...]) -> str:
    return digest("wrong labels", FORMAT, study.key, asdict(settings), list(methods), BUDGETS)


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


class _Run:
    """The repeats of one experiment, and what they share."""

    def __init__(self, study: Study, settings: Settings, methods: tuple[str, ...]) -> None:
        assert isinstance(study.objective, LinearObjective)
        self.study, self.settings, self.methods = study, settings, methods
        self.objective = study.objective
        self.true = study.data.train.y.numpy()
        self.checked = np.array([count(self.objective.n, one) for one in BUDGETS])
        self.fixed: list[np.ndarray] = []
        self.accuracy: list[np.ndarray] = []
        self.flipped_accuracy: list[float] = []

    @cached_property
    def fitter(self) -> Fitter:
        return Fitter(self.objective)

    @cached_property
    def gram(self) -> Tensor | None:
        return self.fitter.gram()

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "checked": self.checked,
            "fixed": np.array(self.fixed),
            "accuracy": np.array(self.accuracy),
            "flipped_accuracy": np.array(self.flipped_accuracy),
        }

    def add(self, repeat: int, progress: Progress | None) -> None:
        """One more repeat."""
        words = f"repeat {repeat + 1} of {self.settings.repeats}"
        report(progress, 0.0, words)
        wrong, at = flip(self.true, len(self.study.data.class_names), self.settings, repeat)
        theta = self.fitter.fit(wrong, self.study.theta, part(progress, 0.0, 0.05))
        edited = replace(self.objective, y=torch.as_tensor(wrong).to(self.objective.y))
        scores = rank(edited, theta, self.gram, (self.settings.seed, repeat, 1), part(progress, 0.05, 0.4))
        rows = [
            self._check(
                wrong, at, theta, scores[name], part(progress, 0.4 + 0.15 * row, 0.55 + 0.15 * row), words
            )
            for row, name in enumerate(self.methods)
        ]
        self.fixed.append(np.array([fixed for fixed, _ in rows]))
        self.accuracy.append(np.array([right for _, right in rows]))
        self.flipped_accuracy.append(accuracy(self.study, theta))

    def _check(
        self,
        wrong: np.ndarray,
        at: np.ndarray,
        theta: Tensor,
        scores: np.ndarray,
        progress: Progress | None,
        words: str,
    ) -> tuple[list[float], list[float]]:
        """Share fixed and accuracy at every budget, for one order."""
        order, fixed, right = np.argsort(-scores, kind="stable"), [], []
        for step, checked in enumerate(self.checked):
            report(progress, step / len(self.checked), words)
            repaired = wrong.copy()
            repaired[order[:checked]] = self.true[order[:checked]]
            theta = self.fitter.fit(repaired, theta)
            fixed.append(float(np.isin(at, order[:checked]).mean()))
            right.append(accuracy(self.study, theta))
        return fixed, right
