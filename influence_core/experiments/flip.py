"""Which training examples must go, or be relabelled, for the model's answer to become another?"""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.engines import QUICK_LIMIT
from influence_core.errors import DataError, require
from influence_core.experiments import flip_networks
from influence_core.experiments.corrected import leverages, linear_objective, undamped
from influence_core.experiments.flip_set import FlipSet
from influence_core.retraining.contest import Contest
from influence_core.retraining.flipping import Flip, flip
from influence_core.retraining.following import Following, telling_labels
from influence_core.solvers.cholesky import DenseFactor
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear or spec.is_network:
        return None
    return "What flips an answer is found for models with a smooth loss. Choose such a study."


@remember("flip set")
def run(
    study: Study, x: Tensor, wanted: int | None = None, relabel: bool = False, *, context: Context = ALONE
) -> FlipSet:
    """Search for a small set of training examples that flips an answer.

    For a linear model it is found by recursive greedy with training after every batch, pruned and proven
    (``retraining.flipping``); for a network it is one ranking's forecast, and one retraining says whether it was right.

    Args:
        study: The trained model.
        x: ``(d,)`` the input.
        wanted: The label that the model is to give it; any other than its answer where none is named.
        relabel: Whether the examples are relabelled rather than taken out, each as the label that tells most against the
            answer; a network's all as the label that is to win.
        context: Its engines keep the factor, its store what is found.

    Raises:
        UnsupportedError: If the model's loss has a kink.
        DataError: If the model gives the wanted label already, or there is none such.
    """
    require(supports(study.spec))
    started = time.perf_counter()
    contest = contest_of(study, x, wanted)
    if study.spec.is_network:
        return flip_networks.run(study, contest, relabel, started, context)
    model = follow(study, contest, relabel, context.part(0.0, 0.5))
    found = flip(model, context.part(0.5, 1.0).progress)
    return _result(study, model, found, time.perf_counter() - started)


def is_proven(study: Study, x: Tensor, train_ids: Iterable[int], *, context: Context) -> bool:
    """Whether a search proved that the answer is another without exactly these training examples; nothing is searched for.

    Args:
        study: The trained model.
        x: ``(d,)`` the input.
        train_ids: The examples.
        context: Its store has what was found.
    """
    asked = set(train_ids)
    for wanted in (None, *range(len(study.data.class_names))):
        found = run.recall(study, x, wanted, context=context)
        if found is not None and found.flipped and found.proven and set(found.ids.tolist()) == asked:
            return True
    return False


def contest_of(study: Study, x: Tensor, wanted: int | None) -> Contest:
    """The model's answer to ``x (d,)`` against the wanted label, or any other.

    Raises:
        DataError: If the model gives the wanted label already, or there is none such.
    """
    names, outputs = study.data.class_names, study.objective.loss.outputs
    given = study.inputs(x)
    said = int(
        Contest(given, outputs, 0).scores(study.objective.outputs(study.theta, given[None]))[0].argmax()
    )
    if wanted is None:
        return Contest(given, outputs, said)
    if not 0 <= wanted < len(names):
        raise DataError(f"There is no label number {wanted}; choose one of {', '.join(names)}.")
    if wanted == said:
        raise DataError(f"The model says {names[said]} already; choose another label for it to say.")
    return Contest(given, outputs, said, wanted)


def prepare(study: Study, context: Context) -> None:
    """What every search of a linear study needs, once: the factor, and for few parameters the leverages."""
    engine = undamped(study, context)
    if study.objective.dim <= QUICK_LIMIT:
        leverages(study, engine=engine, context=context)


def follow(study: Study, contest: Contest, relabel: bool, context: Context) -> Following:
    """The trained model, ready for edits; for few parameters with the leverages, which sharpen the ranking."""
    o = linear_objective(study)
    engine = undamped(study, context.part(0.0, 0.5))
    known = None
    if o.dim <= QUICK_LIMIT:
        blocks = leverages(study, engine=engine, context=context.part(0.5, 1.0)).blocks
        known = torch.as_tensor(blocks).to(study.theta)
    inverse = engine.inverse
    labels = telling_labels(o, study.theta, inverse, contest) if relabel else None
    if isinstance(inverse, DenseFactor) and o.dim > QUICK_LIMIT:  # a step's time is its solve's
        inverse = inverse.rounded()
    return Following(o, study.theta, inverse, contest, labels, known)


def _result(study: Study, model: Following, found: Flip, seconds: float) -> FlipSet:
    o, contest, at = model.unedited, model.contest, found.positions
    x = contest.x[None]
    before, after = (o.outputs(theta, x) for theta in (study.theta, found.theta))
    return FlipSet(
        ids=study.data.train.ids.numpy()[at.cpu().numpy()],
        labels=(at[:0] if model.labels is None else model.labels[at]).cpu().numpy(),
        relabel=model.labels is not None,
        x=contest.x.cpu().numpy(),
        said=int(contest.scores(before)[0].argmax()),
        says=int(contest.scores(after)[0].argmax()),
        flipped=found.flipped,
        forecast=False,
        proven=found.bound < abs(found.margins[1]),
        minimal=found.flipped and found.minimal,
        margins=found.margins,
        bound=found.bound,
        gradient_norm=found.gradient_norm,
        before=o.loss.probabilities(before)[0].cpu().numpy(),
        after=o.loss.probabilities(after)[0].cpu().numpy(),
        unpruned=found.unpruned,
        rounds=found.rounds,
        restored=found.restored.numpy(),
        n=o.n,
        seconds=seconds,
    )
