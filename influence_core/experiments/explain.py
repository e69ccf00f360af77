"""Which training examples made the model say that (the paper's sections 2.1 and 5.1)?"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core import solvers
from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.data.readers.picture_sets import pixel_distances
from influence_core.engines import SolverSettings, needs_preparation
from influence_core.errors import SolveError
from influence_core.experiments.questions import Question
from influence_core.experiments.ranked import Ranked
from influence_core.influence import InfluenceEngine
from influence_core.objective import LinearObjective
from influence_core.solvers.cholesky import DenseFactor
from influence_core.store.digest import digest
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.trust import Provenance

NOTICEABLE = 5e-4
"""A probability change below this (0.05 percentage points) is nothing to rank ..."""
NOTICEABLE_NATS = 0.05
"""... unless the loss changes by this much: a twentieth of a probability that is itself small."""
STRONGEST = 5
"""So many of the strongest forecasts are held against a Newton step."""
QUICK_REASON = "chosen because it needs no preparation, unlike the dense factor"


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation(Ranked):
    """The answer: scores in nats, and how they came about.

    Attributes:
        true_label: The test input's true label where that is known.
        x: ``(d,)`` the test input.
        probabilities: ``(classes,)`` of the test input.
        own_probability: ``(n,)`` the model's probability for each training example's own label.
        s: ``(p,)`` inverse-curvature gradient of the test loss.
        provenance: How it was computed.
        settings: As they were asked for.
        from_store: Whether it was read rather than computed just now.
        photo: The reader's own photograph behind ``x``, if it is one.
    """

    true_label: int | None
    x: np.ndarray
    probabilities: np.ndarray
    own_probability: np.ndarray
    s: np.ndarray
    provenance: Provenance
    settings: SolverSettings
    from_store: bool
    photo: np.ndarray | None = None

    @cached_property
    def content(self) -> str:
        """A digest of the question and of its answer.

        Two test examples may be alike in every feature, and two settings come to the same ``s``; they are two questions.
        """
        asked = (self.x, self.label, self.test_id, self.true_label, self.photo)
        return digest(*asked, asdict(self.settings), self.s)

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

    def asked(self, study: Study) -> tuple[Tensor, Tensor]:
        """The test input ``(1, d)`` and the label asked about ``(1,)``, in the model's type and on its device."""
        return study.example(torch.as_tensor(self.x), self.label)

    def direction(self, study: Study) -> Tensor:
        """``s (p,)``, in the model's type and on its device."""
        return torch.as_tensor(self.s).to(study.theta)


AUTOMATIC = SolverSettings()


@remember("explanation", stored=False)
def run(
    study: Study, question: Question, settings: SolverSettings = AUTOMATIC, *, context: Context = ALONE
) -> Explanation:
    """Scores of all training examples for one question.

    Where the automatic solver is a dense factor that takes long to prepare, and is not prepared yet, the answer comes
    from conjugate gradient, which is as exact: the first questions need not wait.

    Args:
        study: The trained model.
        question: What is asked.
        settings: How to invert the curvature.
        context: Where answers are kept; its engines are used where they are ready.

    Raises:
        SolveError: If the answer is not finite, or the curvature not positive definite where the solver needs it.
    """
    _, reason = solvers.choose(settings.solver, study.objective.dim)
    ways = {settings.resolved(study): reason}
    if needs_preparation(study, settings):
        ways[settings.quick.resolved(study)] = QUICK_REASON
    for way, why in ways.items():
        found = _solve.recall(study, question.x, question.label, way, context=context)
        if found is not None:
            return _assemble(study, question, settings, found, why)
    way, why = list(ways.items())[0 if context.engines.ready(study, settings) else -1]
    found = _solve(study, question.x, question.label, way, context=context)
    return _assemble(study, question, settings, found, why)


@dataclass(frozen=True, eq=False)
class _Solved:
    """What an explanation computes; the rest of it lies in the study."""

    s: np.ndarray
    scores: np.ndarray
    provenance: Provenance
    from_store: bool = False


@remember("influence")
def _solve(study: Study, x: Tensor, label: int, settings: SolverSettings, *, context: Context) -> _Solved:
    prepared = context.engines.prepare(study, settings, context.part(0.0, 0.8).progress)
    started = time.perf_counter()
    engine, theta = prepared.engine, study.theta
    solve = engine.inverse_gradients(*study.example(x, label), context.part(0.8, 1.0).progress)
    s = solve.value[:, 0]
    removal = engine.removal(s)
    if not bool(torch.isfinite(removal).all()):
        solve.require()
        raise SolveError("The scores are not finite: check the data and the damping.")
    gradient = study.objective.risk_gradient(theta)
    l2 = study.objective.l2
    provenance = Provenance(
        solver=prepared.solver.name,
        reason="",
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
    return _Solved(s.cpu().numpy(), removal.cpu().numpy(), provenance)


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
    study: Study, question: Question, settings: SolverSettings, found: _Solved, reason: str
) -> Explanation:
    train = study.data.train
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
        own_probability=study.own_probability(),
        scores=found.scores,
        distance=_distance(study, question),
        s=found.s,
        provenance=replace(found.provenance, reason=reason),
        settings=settings,
        from_store=found.from_store,
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
    order = strongest(explanation.scores, len(explanation.scores))
    return {
        "rank": np.arange(1, len(order) + 1),
        "training_id": explanation.ids[order],
        "label": np.array(explanation.class_names)[explanation.labels[order]],
        "predicted_loss_change_nats": explanation.scores[order],
        "predicted_probability_change": explanation.probability_change[order],
        "distance": explanation.distance[order],
        "own_label_probability": explanation.own_probability[order],
    }
