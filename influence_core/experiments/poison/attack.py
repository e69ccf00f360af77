"""The attack: step by step along the sign of the gradient, and a model that is really trained again at every step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.errors import DataError, require
from influence_core.experiments.poison.pictures import (
    Model,
    TracedPicture,
    features_of,
    original,
    retrain,
    supports,
)
from influence_core.experiments.poison.poisoned import MAX_POISONED, NARROW, Attack, Poisoned
from influence_core.experiments.poison.targets import Answers, Target
from influence_core.experiments.questions import Question
from influence_core.store.remember import remember
from influence_core.studies import Study


@remember("poison")
def run(
    study: Study,
    questions: Sequence[Question],
    train_ids: Sequence[int],
    attack: Attack = NARROW,
    *,
    context: Context = ALONE,
) -> Poisoned:
    """Change some training pictures, all at once, until the answers turn; every model on the way is really trained.

    Args:
        study: A model on a frozen backbone.
        questions: ``t`` test examples and the labels asked about, attacked together.
        train_ids: ``m`` training pictures, at most ten.
        attack: The settings.
        context: Its progress is told for every picture at every step, with the probability so far.

    Raises:
        UnsupportedError: If the study has no backbone.
        DataError: If there is no test example or picture, too many pictures, or an unknown one.
    """
    require(supports(study.spec))
    chosen = list(dict.fromkeys(int(one) for one in train_ids))
    if not 1 <= len(chosen) <= MAX_POISONED:
        raise DataError(f"Choose 1 to {MAX_POISONED} training pictures to change, not {len(chosen)}.")
    started, scene = time.perf_counter(), _Scene.of(study, questions, chosen, attack)
    way = _go(scene, context.part(0.0, 0.95))
    control = _control(scene, context.part(0.95, 1.0))
    before, first, last = way.answers[0], way.answers[1], way.answers[-1]
    features = torch.stack([one.features for one in way.pictures])
    return Poisoned(
        ids=np.array(chosen),
        labels=study.data.train.y[scene.at].numpy(),
        test_ids=np.array([-1 if one.test_id is None else one.test_id for one in questions]),
        asked=scene.target.y.cpu().numpy(),
        original=np.stack(scene.originals),
        poisoned=_as_pictures([one.pixels for one in way.pictures]),
        probabilities=np.array([one.probabilities for one in way.answers]),
        turned=last.turned,
        gradient_norms=np.array([one.gradient_norm for one in way.answers]),
        control=control.probabilities,
        control_change=control.loss - before.loss,
        predicted=way.predicted,
        actual=first.height - before.height,
        feature_change=(features - study.objective.x[scene.at]).norm(dim=1).cpu().numpy(),
        feature_length=float(study.data.train.x.norm(dim=1).mean()),
        attack=attack,
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True, eq=False)
class _Scene:
    """What is attacked, through which training pictures (their positions, and how they are), and how."""

    study: Study
    target: Target
    at: list[int]
    originals: list[np.ndarray]
    attack: Attack

    @classmethod
    def of(
        cls, study: Study, questions: Sequence[Question], train_ids: Sequence[int], attack: Attack
    ) -> _Scene:
        at = study.data.train.positions(train_ids).tolist()
        target = Target.of(study, questions, attack.goal)
        return cls(study, target, at, [original(study, i) for i in at], attack)

    def trace(
        self, pictures: Sequence[np.ndarray | Tensor], context: Context, words: str
    ) -> list[TracedPicture]:
        """These in the place of the training pictures."""
        found = []
        for done, (i, one) in enumerate(zip(self.at, pictures, strict=True)):
            context.report(done / len(self.at), words)
            found.append(TracedPicture(self.study, i, one))
        return found


@dataclass(frozen=True, eq=False)
class _Way:
    """The pictures in the end, what the model said before and after every step, and the first step's forecast."""

    pictures: list[TracedPicture]
    answers: list[Answers]
    predicted: float


def _go(scene: _Scene, context: Context) -> _Way:
    """At every step each brightness moves along the sign of ``I_pert``, at most to a side of the box."""
    attack, target, model = scene.attack, scene.target, Model.of(scene.study)
    all_ = attack.steps + 1
    pictures = scene.trace(scene.originals, context.step(0, all_), f"step 0 of {attack.steps}")
    starts, answers, predicted = [one.pixels for one in pictures], [target.ask(model)], 0.0
    for step in range(1, all_):
        s = target.inverse_gradient(model)
        slopes = [one.influence(model, s) for one in pictures]
        moved = [
            _inside(one.pixels + attack.stride * slope.sign(), start, attack.box)
            for one, slope, start in zip(pictures, slopes, starts, strict=True)
        ]
        if step == 1:
            predicted = _forecast(model, scene.at, slopes, starts, moved)
        share = 100 * answers[-1].probabilities.mean()
        words = f"step {step} of {attack.steps}: {share:.2f} % for the asked label"
        pictures = scene.trace(moved, context.step(step, all_), words)
        features = torch.stack([one.features for one in pictures])
        model = retrain(scene.study, scene.at, features, model.theta)
        answers.append(target.ask(model))
        if attack.stop and bool(answers[-1].turned.all()):
            break
    return _Way(pictures, answers, predicted)


def _inside(pixels: Tensor, start: Tensor, box: float) -> Tensor:
    """The nearest picture in the box around ``start`` and on the scale of brightness."""
    return torch.clamp(pixels, (start - box).clamp(0, 255), (start + box).clamp(0, 255))


def _forecast(
    model: Model, at: list[int], slopes: list[Tensor], before: list[Tensor], after: list[Tensor]
) -> float:
    """``sum_i w_i I_pert,i . delta_i``."""
    steps = zip(slopes, before, after, strict=True)
    moves = [(slope * (then - now)).double().sum() for slope, now, then in steps]
    weights = model.objective.weights[at]
    return float(weights @ torch.stack(moves).to(weights))


def _control(scene: _Scene, context: Context) -> Answers:
    """Every brightness moved to a side of the box at random: at least as long a way as the attack's."""
    context.report(0.0, "the control: random signs of the same size")
    rng = np.random.default_rng(scene.attack.seed)
    pictures = [
        (one + scene.attack.box * rng.choice([-1.0, 1.0], one.shape)).clip(0, 255).astype(np.float32)
        for one in scene.originals
    ]
    features = features_of(scene.study, pictures)
    return scene.target.ask(retrain(scene.study, scene.at, features, scene.study.theta))


def _as_pictures(pixels: list[Tensor]) -> np.ndarray:
    """``(m, side, side, 3)`` float32 of ``m`` inputs ``(1, 3, side, side)``."""
    return torch.cat(pixels).permute(0, 2, 3, 1).float().cpu().numpy()
