"""Other ways to name the training examples behind an answer, beside the influence; and how often each names the same ones.

Odd training examples pull at nearly everything, so that they may come out on top whatever is asked. Dividing by what an
example does to itself asks instead which examples speak for *this* answer, of all that they can do (Barshan, Brunet and
Dziugaite 2020, RelatIF, arXiv:2003.11630). The other foils are what people compare with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.errors import require
from influence_core.experiments import corrected
from influence_core.experiments.distances import scaled
from influence_core.experiments.explanation import Explanation
from influence_core.objective import LinearObjective
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec

TOP = 10
"""So many examples are "on top" of a ranking."""
QUESTIONS = 200
"""Over so many test examples it is counted which come out on top; of more, a fixed sample."""
TITLES = {
    "influence": "influence",
    "relative": "influence, relative to self-influence",
    "nearest": "nearest in the model's features",
    "dot": "gradient dot product",
    "cosine": "gradient cosine",
    "representer": "representer points",
}
"""The rankings in words."""
RULES = {
    "influence": r"D_i=w_i\,\nabla\ell_{\rm test}^\top H^{-1}\nabla\ell_i",
    "relative": r"D_i\,/\sqrt{D_{ii}},\qquad D_{ii}=w_i\,\nabla\ell_i^\top H^{-1}\nabla\ell_i",
    "nearest": r"-\|x_i-x_{\rm test}\|",
    "dot": r"w_i\,\nabla\ell_{\rm test}^\top\nabla\ell_i",
    "cosine": r"\nabla\ell_{\rm test}^\top\nabla\ell_i\,/\,(\|\nabla\ell_{\rm test}\|\,\|\nabla\ell_i\|)",
    "representer": r"\alpha_i\,x_i^\top x_{\rm test},\qquad \alpha_i=-\tfrac{w_i}{\lambda}\,\partial\ell_i/\partial f",
}
"""The rankings as formulas; the largest is on top."""


@dataclass(frozen=True, eq=False)
class Foils:
    """All rankings of the training examples for one answer.

    Attributes:
        names: ``(m,)`` of ``TITLES``.
        scores: ``(m, n)`` the larger, the more an example speaks for the label asked about; nats for "influence", no common
            unit for the others.
    """

    names: tuple[str, ...]
    scores: np.ndarray

    def top(self, name: str, k: int = TOP) -> np.ndarray:
        """Positions ``(k,)`` of the first ``k`` examples of one ranking."""
        return np.argsort(-self.scores[self.names.index(name)], kind="stable")[:k]

    def shared(self, name: str, k: int = TOP) -> int:
        """How many of the first ``k`` are also among the first ``k`` by influence."""
        return len(np.intersect1d(self.top(name, k), self.top("influence", k)))


@dataclass(frozen=True, eq=False)
class Often:
    """How often each training example comes out on top, over many test examples.

    Attributes:
        names: ``(m,)`` of ``TITLES``.
        counts: ``(m, n)`` of the questions in whose first ``TOP`` an example is.
        questions: How many were asked, each about the model's own answer.
        tests: How many test examples there are.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    questions: int
    tests: int

    def most(self, name: str) -> float:
        """Share of the questions that have the most frequent example on top."""
        return float(self.counts[self.names.index(name)].max()) / self.questions

    def different(self, name: str) -> int:
        """How many examples come out on top at all."""
        return int((self.counts[self.names.index(name)] > 0).sum())


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    return corrected.supports(spec)


@remember("foils", stored=False)
def run(study: Study, explanation: Explanation, *, context: Context = ALONE) -> Foils:
    """Every ranking for one answer.

    Args:
        study: A linear model with a smooth loss.
        explanation: The answer, whose ``s`` is used.
        context: Its store keeps the leverages, which the self-influence is made of.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    x, label = explanation.asked(study)
    found = _scores(study, x, label, explanation.direction(study)[:, None], self_influence(study, context))
    return Foils(tuple(found), torch.cat(list(found.values())).cpu().numpy())


@remember("often on top")
def often(study: Study, *, context: Context = ALONE) -> Often:
    """Which training examples come out on top of each ranking, over a fixed sample of test examples.

    Args:
        study: A linear model with a smooth loss.
        context: Its engines solve; its store keeps the counts.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    require(supports(study.spec))
    own, known = self_influence(study, context.part(0.0, 0.4)), study.predictions
    at = np.sort(np.random.default_rng(0).permutation(len(known.ids))[:QUESTIONS])
    x = study.inputs(study.data.test.x[torch.as_tensor(at)])
    labels = torch.as_tensor(known.predicted[at]).to(study.theta.device)
    engine = context.engines.prepare(study, SolverSettings(), context.part(0.4, 0.7).progress).engine
    s = engine.inverse_gradients(x, labels, context.part(0.7, 0.9).progress).require()
    found = _scores(study, x, labels, s, own)
    counts = np.stack([on_top(scores) for scores in found.values()])
    return Often(tuple(found), counts, len(at), len(known.ids))


def on_top(scores: Tensor) -> np.ndarray:
    """In how many rows of ``scores (t, n)`` each column is among the first ``TOP``: ``(n,)``."""
    first = scores.topk(min(TOP, scores.shape[1]), dim=1).indices
    return np.bincount(first.flatten().cpu().numpy(), minlength=scores.shape[1])


def relative(influence: Tensor, own: Tensor) -> Tensor:
    """``D_ji / sqrt(D_ii)`` of ``influence (t, n)`` and the self-influences ``own (n,)``."""
    return influence / own.clamp_min(torch.finfo(own.dtype).tiny).sqrt()


def _scores(study: Study, x: Tensor, labels: Tensor, s: Tensor, own: Tensor) -> dict[str, Tensor]:
    """Every ranking of ``t`` questions, ``(t, n)`` each.

    Args:
        study: A linear model.
        x: ``(t, d)`` test inputs.
        labels: ``(t,)`` asked about.
        s: ``(p, t)`` inverse-curvature gradients.
        own: ``(n,)`` self-influences.
    """
    o, theta = corrected.linear_objective(study), study.theta
    w, test = o.weights, o.gradients(theta, x, labels)
    influence = (o.gradient_products(theta, o.x, o.y, s) * w[:, None]).T
    dot = o.gradient_products(theta, o.x, o.y, test.T.contiguous()).T
    residuals = o.loss.residuals(o.outputs(theta, o.x), o.y)
    sizes = residuals.norm(dim=1) * o.x.norm(dim=1)
    tiny = torch.finfo(theta.dtype).tiny
    found = {
        "influence": influence,
        "relative": relative(influence, own),
        "nearest": -torch.cdist(scaled(study, x), scaled(study, o.x)),
        "dot": dot * w,
        "cosine": dot / (test.norm(dim=1)[:, None] * sizes).clamp_min(tiny),
    }
    if o.l2.ndim == 0:
        found["representer"] = _representers(o, residuals, x, labels)
    return found


def _representers(o: LinearObjective, residuals: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """``alpha_i x_i' x (t, n)`` of the output asked about: at the optimum they add up to that output, exactly.

    By Yeh, Kim, Yen and Ravikumar 2018 (arXiv:1811.09720). With one output it is that of the second label, and minus it of the
    first.
    """
    alpha = -o.weights[:, None] * residuals / o.l2
    column = alpha[:, labels].T if o.loss.outputs > 1 else (2 * labels - 1)[:, None] * alpha[:, 0]
    return column * (x @ o.x.T)


def self_influence(study: Study, context: Context) -> Tensor:
    """``D_ii = w_i r_i' K_i r_i (n,)``, from the leverage blocks, undamped.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o = corrected.linear_objective(study)
    blocks = torch.as_tensor(corrected.leverages(study, context=context).blocks).to(study.theta)
    r = o.loss.residuals(o.outputs(study.theta, o.x), o.y)
    return o.weights * torch.einsum("ba,bae,be->b", r, blocks, r)
