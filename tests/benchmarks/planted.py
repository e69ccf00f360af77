"""Wrong labels planted in small data: ``python -m tests.benchmarks.planted [--repeats 5] [--kind photos] [--check]``.

Sixty photos with 6 wrong labels (drawn from the packaged dogs and frogs), a made-up table of 400 rows with 20, and 600 of
the packaged e-mails with 30; each repeat draws and plants others. For every queue of *Review*: how many of the first ``2
k`` suspects are among the ``k`` planted ones, how many have to be looked at until all are found, and the test accuracy
after a reviewer has set right what was planted among the first ``2 k``, on test examples that no queue has asked and nobody
has touched; and how many planted and other labels *Data health* names as contradicted. The table's own labels are drawn
with some doubt, as people's are, so not all that is planted can be told.
Beside them cleanlab, on the same features, where it is installed: it is none of this project's requirements. ``--check``
exits with 1 where, over all kinds, the leave-one-out loss finds fewer than the training loss, or setting right what it
finds makes the model worse.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from influence_core import studies
from influence_core.data import DataSet, Examples
from influence_core.experiments import suspects
from influence_core.experiments.health.contradicted import contradicted
from influence_core.experiments.suspects import QUEUES
from influence_core.losses import LogisticLoss
from influence_core.objective import LinearObjective
from influence_core.store import NO_STORE
from influence_core.studies import Study, StudySpec
from influence_core.training import minimise
from influence_core.training.refit import Fitter

CLEANLAB = "cleanlab (5 folds)"
FOLDS = 5
UNSEEN = ("proven", "corrected")
"""The leave-one-out loss, as a study can have it."""


@dataclass(frozen=True)
class Kind:
    """Data of one's own.

    Attributes:
        n: Training examples.
        planted: Wrong labels among them.
        draw: The study with true labels, of a repeat.
    """

    n: int
    planted: int
    draw: Callable[[int, int], Study]


@dataclass(frozen=True)
class Found:
    """What one queue brought in one repeat.

    Attributes:
        early: Planted labels among the first ``2 k``.
        last: How many have to be looked at until all ``k`` are found.
        accuracy: On the judging test examples, once what was found early is set right.
    """

    early: int
    last: int
    accuracy: float


@dataclass(frozen=True)
class Repeat:
    """One repeat: the accuracy with the planted labels and with the true ones, what each queue brought, and how many planted
    and how many other labels *Data health* says the model contradicts."""

    planted: float
    clean: float
    queues: dict[str, Found]
    contradicted: tuple[int, int]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kind", choices=KINDS, help="this one alone")
    parser.add_argument("--check", action="store_true", help="exit with 1 where it falls short")
    options = parser.parse_args(arguments)
    if not has_cleanlab():
        print("cleanlab is not installed: it is left out")
    good = True
    for name in [options.kind] if options.kind else KINDS:
        kind = KINDS[name]
        found = [run(kind, seed) for seed in range(options.repeats)]
        print(*rows(name, kind, found), sep="\n", flush=True)
        short = shortfalls(found)
        print(*(f"falls short: {name}: {one}" for one in short), sep="\n", end="\n" if short else "")
        good &= not short
    return 1 if options.check and not good else 0


def has_cleanlab() -> bool:
    return importlib.util.find_spec("cleanlab") is not None


def run(kind: Kind, seed: int) -> Repeat:
    """Plant, rank by every queue, look at the first, set right what was planted, train again."""
    study = kind.draw(kind.n, seed)
    true = study.data.train.y.numpy()
    rng = np.random.default_rng((seed, 1))
    at, labels = rng.choice(len(true), kind.planted, replace=False), true.copy()
    labels[at] = 1 - true[at]
    fitter, o = Fitter(suspects.objective_of(study)), suspects.relabelled(study, labels)
    theta = fitter.fit(labels, study.theta)
    ranking = suspects.rank(o, theta, suspects.methods_for(study), seed=seed)
    scores = ranking.scores | suspects.rank_by_tests(study, o, theta, ranking)
    if has_cleanlab():
        scores[CLEANLAB] = by_cleanlab(o, labels)

    def judge(given: np.ndarray) -> float:
        return suspects.accuracy(study, fitter.fit(given, theta), "gain")

    queues = {}
    for name, score in scores.items():
        order = np.argsort(-score, kind="stable")
        seen, mended = order[: 2 * kind.planted], labels.copy()
        mended[seen] = true[seen]
        places = np.flatnonzero(np.isin(order, at))
        queues[name] = Found(int(np.isin(seen, at).sum()), int(places[-1]) + 1, judge(mended))
    doubted = contradicted(np.arange(len(labels)), labels, ranking.unseen.probabilities).ids
    caught = int(np.isin(doubted, at).sum())
    return Repeat(judge(labels), judge(true), queues, (caught, len(doubted) - caught))


def by_cleanlab(objective: LinearObjective, labels: np.ndarray) -> np.ndarray:
    """Cleanlab's scores ``(n,)``, the most suspect largest: out-of-sample probabilities of the same model, its own ranking."""
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    x, folds = objective.x.numpy(), FOLDS
    per_fold = len(labels) * (folds - 1) / folds
    model = LogisticRegression(C=1 / (per_fold * float(objective.l2)), fit_intercept=False, max_iter=5_000)
    probabilities = cross_val_predict(model, x, labels, cv=folds, method="predict_proba")
    return -get_label_quality_scores(labels, probabilities)


def rows(name: str, kind: Kind, found: Sequence[Repeat]) -> list[str]:
    """A table in Markdown: means over the repeats, the fewest and the most in brackets."""
    before, clean = (np.mean([getattr(one, field) for one in found]) for field in ("planted", "clean"))
    caught, others = np.mean([one.contradicted for one in found], axis=0)
    lines = [
        f"\n{name}: {kind.planted} of {kind.n} labels planted wrong, {len(found)} repeats; test accuracy {before:.3f} with "
        f"them, {clean:.3f} without; *Data health* names {caught:.1f} of them and {others:.1f} others as contradicted",
        "",
        f"| queue | planted among the first {2 * kind.planted} | looked at until all are found | accuracy after mending |",
        "|---|---|---|---|",
    ]
    for queue in found[0].queues:
        early, last, accuracy = (
            np.array([getattr(one.queues[queue], field) for one in found])
            for field in ("early", "last", "accuracy")
        )
        lines.append(
            f"| {QUEUES.get(queue, queue)} | {early.mean():.1f} ({early.min()}–{early.max()}) | {last.mean():.0f} "
            f"({last.min()}–{last.max()}) | {accuracy.mean():.3f} |"
        )
    return lines


def shortfalls(found: Sequence[Repeat]) -> list[str]:
    """In words, what the leave-one-out loss does worse than it should."""
    (unseen,) = set(UNSEEN) & set(found[0].queues)
    early = {name: sum(one.queues[name].early for one in found) for name in (unseen, "loss")}
    after = np.mean([one.queues[unseen].accuracy for one in found])
    before = np.mean([one.planted for one in found])
    short = []
    if early[unseen] < early["loss"]:
        short.append(
            f"{early[unseen]} found early by the leave-one-out loss, {early['loss']} by the training loss"
        )
    if after < before:
        short.append(f"accuracy {after:.3f} after mending, {before:.3f} before")
    return short


def some_of(name: str) -> Callable[[int, int], Study]:
    """Draws training examples of a packaged study; its test examples stay."""

    def draw(n: int, seed: int) -> Study:
        study = studies.open_study(studies.find(name), NO_STORE, None, "cpu")
        at = np.random.default_rng(seed).choice(len(study.data.train), n, replace=False)
        return trained(replace(study.data, train=study.data.train.take(np.sort(at).tolist())), study.spec)

    return draw


def made_up_table(n: int, seed: int) -> Study:
    """Eight columns, five of which decide with some doubt, and as many test rows as training rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * n, 8))
    truth = x[:, :5] @ np.array([2.0, -1.5, 1.0, 1.0, -0.5]) + 0.5
    y = (rng.random(2 * n) < 1 / (1 + np.exp(-2 * truth))).astype(np.int64)
    inputs = torch.from_numpy(np.column_stack([x, np.ones(2 * n)]))
    parts = (Examples(inputs[one], torch.from_numpy(y)[one], torch.arange(2 * n)[one]) for one in _halves(n))
    data = DataSet("made-up", "A made-up table", *parts, ("no", "yes"), None, kind="row")
    return trained(data, StudySpec("made-up", "A made-up table", "made-up", "logistic", l2=1e-3))


def _halves(n: int) -> tuple[slice, slice]:
    return slice(0, n), slice(n, 2 * n)


def trained(data: DataSet, spec: StudySpec) -> Study:
    """A logistic regression of two classes, trained to its optimum."""
    objective = LinearObjective.build(data.train.x, data.train.y, LogisticLoss(), spec.l2)
    ended = minimise(objective)
    return Study(spec, data, objective, ended.theta, ended.gradient_norm, 0.0, False, "0" * 64)


KINDS = {
    "photos": Kind(60, 6, some_of("dog-or-frog")),
    "table": Kind(400, 20, made_up_table),
    "texts": Kind(600, 30, some_of("mails")),
}

if __name__ == "__main__":
    sys.exit(main())
