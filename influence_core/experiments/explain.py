"""Which training examples made the model say that (the paper's sections 2.1 and 5.1)?"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core import solvers
from influence_core.data.readers.picture_sets import pixel_distances
from influence_core.data.readers.pictures import check_pixels
from influence_core.errors import DataError, SolveError
from influence_core.influence import InfluenceEngine
from influence_core.objective import LinearObjective
from influence_core.operators import GaussNewton, Hessian
from influence_core.progress import Progress, part
from influence_core.solvers.cholesky import DenseFactor
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study
from influence_core.trust import Provenance

NOTICEABLE = 5e-4
"""A probability change below this (0.05 percentage points) is nothing to rank ..."""
NOTICEABLE_NATS = 0.05
"""... unless the loss changes by this much: a twentieth of a probability that is itself small."""
QUICK_LIMIT = 3_000
"""Up to so many parameters a dense factor is prepared within seconds."""
STRONGEST = 5
"""So many of the strongest forecasts are held against a Newton step."""
QUICK_REASON = "chosen because it needs no preparation, unlike the dense factor"
CURVATURES = ("auto", "hessian", "gauss-newton")


@dataclass(frozen=True, eq=False)
class Question:
    """Why does the model give ``label`` to the input ``x``?

    Attributes:
        x: ``(d,)`` the test input.
        label: The label asked about.
        test_id: Its id, or ``None`` for an uploaded picture.
        true_label: Its true label where that is known.
        photo: ``(side, side, 3)`` uint8, the picture behind ``x`` where it is a photograph of the reader's own.
    """

    x: Tensor
    label: int
    test_id: int | None = None
    true_label: int | None = None
    photo: np.ndarray | None = None


def ask(study: Study, test_id: int, label: int | None = None) -> Question:
    """A question about a test example; the label is the model's own answer unless one is given.

    Raises:
        DataError: If there is no such test example or label.
    """
    at = study.data.test.position(test_id)
    return _question(study, study.data.test.x[at], label, test_id, int(study.data.test.y[at]))


def ask_about(study: Study, x: Tensor, label: int | None = None) -> Question:
    """A question about a picture of the reader's own, ``x (d,)`` in 0..1.

    Raises:
        DataError: If the pixels or the label do not fit, or the study looks at photographs (``ask_about_photo``).
    """
    if study.data.pictures is not None:
        raise DataError("This study looks at photographs: ask about one by its picture, not by its features.")
    check_pixels(x, study.data.train.x.shape[1])
    return _question(study, x, label, None, None)


def ask_about_photo(study: Study, photo: np.ndarray, label: int | None = None) -> Question:
    """A question about a photograph of the reader's own, ``(side, side, 3)`` uint8.

    Raises:
        UnsupportedError: If the study does not look at photographs.
        DataError: If there is no such label.
    """
    return replace(_question(study, study.features(photo), label, None, None), photo=photo)


def with_label(study: Study, question: Question, label: int) -> Question:
    """The same test input, asked about another label.

    Raises:
        DataError: If there is no such label.
    """
    return replace(
        _question(study, question.x, label, question.test_id, question.true_label), photo=question.photo
    )


def _question(
    study: Study, x: Tensor, label: int | None, test_id: int | None, true_label: int | None
) -> Question:
    classes = len(study.data.class_names)
    if label is None:
        label = int(study.probabilities(x[None])[0].argmax())
    if not 0 <= label < classes:
        known = ", ".join(f"{one} ({name})" for one, name in enumerate(study.data.class_names))
        raise DataError(f"There is no label number {label}; choose one of {known}.")
    return Question(x, label, test_id, true_label)


@dataclass(frozen=True)
class Settings:
    """How the curvature is inverted.

    Attributes:
        solver: "auto" or a name of ``solvers.CATALOGUE``.
        damping: Added to the curvature; ``None`` takes the study's.
        curvature: "auto" (Gauss-Newton for networks, else the Hessian), "hessian" or "gauss-newton".
    """

    solver: str = "auto"
    damping: float | None = None
    curvature: str = "auto"

    def __post_init__(self) -> None:
        solvers.choose(self.solver, 1)
        if self.curvature not in CURVATURES:
            raise DataError(
                f"There is no curvature '{self.curvature[:40]}'; choose one of {', '.join(CURVATURES)}."
            )
        if self.damping is not None and not (math.isfinite(self.damping) and self.damping >= 0):
            raise DataError(f"The damping must be a number of at least 0, but is {self.damping:g}.")

    def resolved(self, study: Study) -> Settings:
        """The settings with every "auto" decided for this study."""
        chosen, _ = solvers.choose(self.solver, study.objective.dim)
        solver = next(name for name, one in solvers.CATALOGUE.items() if one == chosen)
        curvature = self.curvature
        if curvature == "auto":
            curvature = "hessian" if study.objective.is_convex else "gauss-newton"
        damping = study.spec.damping if self.damping is None else self.damping
        return Settings(solver, damping, curvature)


@dataclass(frozen=True, eq=False)
class Prepared:
    """An engine ready to answer, and how it came about."""

    engine: InfluenceEngine
    settings: Settings
    solver: solvers.Solver
    reason: str
    seconds: float


def prepare(study: Study, settings: Settings, progress: Progress | None = None, reason: str = "") -> Prepared:
    """The costly part, once a study and settings.

    Raises:
        SolveError: If the curvature is not positive definite for a solver that needs it.
    """
    started = time.perf_counter()
    decided = settings.resolved(study)
    solver, why = solvers.choose(settings.solver, study.objective.dim)
    kind = Hessian if decided.curvature == "hessian" else GaussNewton
    operator = kind(study.objective, study.theta, decided.damping or 0.0)
    engine = InfluenceEngine(study.objective, study.theta, operator, solver.prepare(operator, progress))
    return Prepared(engine, decided, solver, reason or why, time.perf_counter() - started)


def needs_preparation(study: Study, settings: Settings) -> bool:
    """Whether the automatic solver takes so long to prepare that the first answers should come from another."""
    return (
        settings.solver == "auto"
        and settings.resolved(study).solver == "cholesky"
        and study.objective.dim > QUICK_LIMIT
    )


def quick(settings: Settings) -> Settings:
    """The same question for the exact solver that needs no preparation."""
    return replace(settings, solver="cg")


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer, for all ``n`` training examples in training order.

    Attributes:
        label: The label asked about; every loss and probability below is of this label.
        class_names: What the labels mean.
        kind: What one example is called: "image", "row" or "e-mail".
        test_id: The test example, or ``None`` for a picture of the reader's own.
        true_label: Its true label where that is known.
        x: ``(d,)`` the test input.
        probabilities: ``(classes,)`` of the test input.
        ids: ``(n,)`` training ids.
        labels: ``(n,)`` training labels.
        own_probability: ``(n,)`` the model's probability for each training example's own label.
        scores: ``(n,)`` ``D``: predicted change of the test loss on removal, nats, positive = helpful.
        distance: ``(n,)`` Euclidean distance of the inputs; for photographs, of their pixels (`data.photos`).
        s: ``(p,)`` inverse-curvature gradient of the test loss.
        provenance: How it was computed.
        from_store: Whether it was read rather than computed just now.
        photo: The reader's own photograph behind ``x``, if it is one.
    """

    label: int
    class_names: tuple[str, ...]
    kind: str
    test_id: int | None
    true_label: int | None
    x: np.ndarray
    probabilities: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    own_probability: np.ndarray
    scores: np.ndarray
    distance: np.ndarray
    s: np.ndarray
    provenance: Provenance
    from_store: bool
    photo: np.ndarray | None = None

    @property
    def label_name(self) -> str:
        """The name of the label asked about."""
        return self.class_names[self.label]

    @property
    def examples(self) -> str:
        """What the training examples are called, for example "training images"."""
        return f"training {self.kind}s"

    @property
    def probability(self) -> float:
        """Of the label asked about."""
        return float(self.probabilities[self.label])

    @property
    def predicted_label(self) -> int:
        """The model's answer."""
        return int(self.probabilities.argmax())

    @property
    def probability_change(self) -> np.ndarray:
        """``(n,)`` predicted change of the asked-about probability on removal: ``p exp(-D) - p``, at most to 1."""
        return np.minimum(self.probability * np.exp(-self.scores), 1.0) - self.probability

    @property
    def largest_change(self) -> float:
        """Largest size of a probability change."""
        return float(np.abs(self.probability_change).max())

    @property
    def matters(self) -> bool:
        """Whether any single training example moves the answer noticeably."""
        return self.largest_change >= NOTICEABLE or self.provenance.largest >= NOTICEABLE_NATS

    def speak_for(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most helpful examples, strongest first."""
        order = np.argsort(-self.scores, kind="stable")[:k]
        return order[self.scores[order] > 0]

    def speak_against(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most harmful examples, strongest first."""
        order = np.argsort(self.scores, kind="stable")[:k]
        return order[self.scores[order] < 0]

    def ranks(self) -> np.ndarray:
        """``(n,)`` rank by ``|D|``, 1 = most influential."""
        ranks = np.empty(len(self.scores), dtype=np.int64)
        ranks[np.argsort(-np.abs(self.scores), kind="stable")] = np.arange(1, len(self.scores) + 1)
        return ranks

    def position(self, train_id: int) -> int:
        """Training position of an id.

        Raises:
            DataError: If no training example has it.
        """
        found = np.flatnonzero(self.ids == train_id)
        if not len(found):
            raise DataError(f"There is no training {self.kind} {train_id} in this study.")
        return int(found[0])


def run(
    study: Study,
    question: Question,
    settings: Settings | None = None,
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Scores of all training examples for one question, from the store where they are there.

    Args:
        study: The trained model.
        question: What is asked.
        settings: How to invert the curvature; those of ``prepared`` where that is given.
        prepared: A prepared engine; one is prepared where none is given.
        store: Where results are kept.
        progress: Called while solving.

    Raises:
        SolveError: If the answer is not finite.
    """
    asked = settings or Settings()
    key = _key(study, question, prepared.settings if prepared else asked.resolved(study))
    kept = store.get(key) if store else None
    if kept is not None:
        reason = prepared.reason if prepared else solvers.choose(asked.solver, study.objective.dim)[1]
        return _assemble(study, question, kept.arrays, Provenance(**kept.meta | {"reason": reason}), True)
    prepared = prepared or prepare(study, asked, part(progress, 0.0, 0.8))
    arrays, provenance = _solve(study, question, prepared, part(progress, 0.8, 1.0))
    if store:
        store.put(key, arrays, asdict(provenance))
    return _assemble(study, question, arrays, provenance, False)


def stored(study: Study, question: Question, settings: Settings, store: Store) -> Explanation | None:
    """The answer, if the store has it for these settings or, where the solver is automatic, for the quick ones."""
    tries = [(settings.resolved(study), solvers.choose(settings.solver, study.objective.dim)[1])]
    if needs_preparation(study, settings):
        tries.append((quick(settings).resolved(study), QUICK_REASON))
    for resolved, reason in tries:
        kept = store.get(_key(study, question, resolved))
        if kept is not None:
            return _assemble(study, question, kept.arrays, Provenance(**kept.meta | {"reason": reason}), True)
    return None


def _key(study: Study, question: Question, settings: Settings) -> str:
    place = study.theta.device.type
    return digest(
        "explanation, judged", FORMAT, study.key, place, question.x, question.label, asdict(settings)
    )


def _solve(
    study: Study, question: Question, prepared: Prepared, progress: Progress | None
) -> tuple[dict[str, np.ndarray], Provenance]:
    started = time.perf_counter()
    engine, theta = prepared.engine, study.theta
    x, y = study.inputs(question.x)[None], torch.tensor([question.label], device=theta.device)
    solve = engine.inverse_gradients(x, y, progress)
    s = solve.value[:, 0]
    removal = engine.removal(s)
    if not bool(torch.isfinite(removal).all()):
        solve.require()
        raise SolveError("The scores are not finite: check the data and the damping.")
    gradient = study.objective.risk_gradient(theta)
    l2 = study.objective.l2
    provenance = Provenance(
        solver=prepared.solver.name,
        reason=prepared.reason,
        settings=solve.settings,
        exact=prepared.solver.exact,
        status=solve.status,
        steps=solve.steps,
        residual=solve.residual,
        curvature=prepared.settings.curvature,
        damping=prepared.settings.damping or 0.0,
        gradient_norm=float(gradient.norm()),
        convergence_check=engine.convergence_check(s, removal),
        drift=float(gradient @ s),
        largest=float(removal.abs().max()),
        n=study.objective.n,
        p=study.objective.dim,
        l2=f"{study.spec.l2:g}" + (" on weights" if l2.ndim else ""),
        device=theta.device.type,
        dtype=str(theta.dtype).removeprefix("torch."),
        second_order=_second_order(engine, s, removal),
        seconds=time.perf_counter() - started,
        convex=study.objective.is_convex,
    )
    return {"s": s.cpu().numpy(), "scores": removal.cpu().numpy()}, provenance


def _second_order(engine: InfluenceEngine, s: Tensor, removal: Tensor) -> float | None:
    """How far one Newton step changes the strongest forecasts, as a share of the largest; cheap with a dense factor."""
    if not (isinstance(engine.objective, LinearObjective) and isinstance(engine.inverse, DenseFactor)):
        return None
    largest = float(removal.abs().max())
    if not largest:
        return 0.0
    top = removal.abs().topk(min(STRONGEST, len(removal))).indices
    return float((engine.newton_removal(s, top) - removal[top]).abs().max()) / largest


def _assemble(
    study: Study,
    question: Question,
    arrays: Mapping[str, np.ndarray],
    provenance: Provenance,
    from_store: bool,
) -> Explanation:
    train = study.data.train
    own = study.probabilities(train.x)[np.arange(len(train)), train.y.numpy()]
    return Explanation(
        label=question.label,
        class_names=study.data.class_names,
        kind=study.data.kind,
        test_id=question.test_id,
        true_label=question.true_label,
        x=question.x.numpy(),
        probabilities=study.probabilities(question.x[None])[0],
        ids=train.ids.numpy(),
        labels=train.y.numpy(),
        own_probability=own,
        scores=arrays["scores"],
        distance=_distance(study, question),
        s=arrays["s"],
        provenance=provenance,
        from_store=from_store,
        photo=question.photo,
    )


def _distance(study: Study, question: Question) -> np.ndarray:
    """``(n,)`` of the pixels of photographs, whatever the model makes of them, otherwise of the features."""
    train, pictures = study.data.train, study.data.pictures
    if pictures is None:
        return torch.cdist(question.x[None], train.x)[0].numpy()
    photo = question.photo
    if photo is None:
        assert question.test_id is not None
        photo = pictures.thumbs([question.test_id])[0]
    return pixel_distances(pictures, photo, train.ids.tolist())


def table(explanation: Explanation) -> dict[str, Any]:
    """The ranking as columns, most influential first; the CSV download and ``--json`` hold exactly these."""
    order = np.argsort(-np.abs(explanation.scores), kind="stable")
    return {
        "rank": np.arange(1, len(order) + 1),
        "training_id": explanation.ids[order],
        "label": np.array(explanation.class_names)[explanation.labels[order]],
        "predicted_loss_change_nats": explanation.scores[order],
        "predicted_probability_change": explanation.probability_change[order],
        "distance": explanation.distance[order],
        "own_label_probability": explanation.own_probability[order],
    }
