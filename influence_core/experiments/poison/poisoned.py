"""What an attack is asked, and what comes of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from influence_core.errors import DataError
from influence_core.experiments.poison.pictures import GRADIENT_NORM, features_of, retrain
from influence_core.experiments.poison.targets import GOALS, LOSS, Target
from influence_core.experiments.questions import Question
from influence_core.store.remember import remember
from influence_core.studies import Study

BOX = 0.499
"""The paper's half a step of brightness, a hair less, so that rounding to 8 bits gives the original picture."""
BOXES = (BOX, 1.0, 2.0, 4.0, 8.0)
STEPS = 25
STRIDE = 0.1
"""A step is this share of the box; 25 of them go from one side of the box to the other and back."""
MAX_POISONED = 10


@dataclass(frozen=True)
class Attack:
    """How the pictures are changed.

    Attributes:
        box: How far each brightness may move from the original, in steps of an 8-bit picture.
        alpha: How far it moves in one step; ``None`` is a tenth of the box.
        steps: Steps at most.
        stop: Whether to stop once the answer of every test image has turned.
        seed: Of the control's random signs.
        goal: What every step raises, ``LOSS`` or ``ANSWERS``; for one test image both are the same attack.
    """

    box: float = BOX
    alpha: float | None = None
    steps: int = STEPS
    stop: bool = True
    seed: int = 0
    goal: str = LOSS

    def __post_init__(self) -> None:
        if not (0 < self.box <= 255 and 0 < self.stride <= 255 and 1 <= self.steps <= 10_000):
            raise DataError(
                f"The box and the step must lie between 0 and 255 and there must be 1 to 10,000 steps, but they are "
                f"{self.box:g}, {self.stride:g} and {self.steps:,}."
            )
        if self.goal not in GOALS:
            raise DataError(f"There is no goal {self.goal[:40]!r}; choose one of {', '.join(GOALS)}.")

    @property
    def stride(self) -> float:
        """How far a brightness moves in one step."""
        return STRIDE * self.box if self.alpha is None else self.alpha


NARROW = Attack()
"""The paper's box in fewer, larger steps."""
PAPER = Attack(alpha=0.02, steps=100)
"""The settings of the authors' code for one test image."""


@dataclass(frozen=True, eq=False)
class Poisoned:
    """What ``m`` changed training pictures do to ``t`` test images, after ``k`` steps.

    Attributes:
        ids: ``(m,)`` training ids of the changed pictures.
        labels: ``(m,)`` their labels, which stay.
        test_ids: ``(t,)`` test ids; -1 for a picture of the reader's own.
        asked: ``(t,)`` the label whose probability is attacked.
        original: ``(m, side, side, 3)`` float32 brightness in 0..255.
        poisoned: The same, changed.
        probabilities: ``(k + 1, t)`` of the asked label before, and after each step's real retraining.
        turned: ``(t,)`` whether the model's answer is no longer the asked label in the end.
        gradient_norms: ``(k + 1,)`` of each of these models, recomputed: the proof of the training.
        control: ``(t,)`` the probability after retraining with random signs of the same size instead.
        control_change: Mean change of the loss with these, nats.
        predicted: Predicted change of the goal by the first step, ``sum_i w_i I_pert,i . delta_i``: nats of the mean
            loss, or the fall of the mean probability.
        actual: The change by the first step after real retraining, in the same unit.
        feature_change: ``(m,)`` Euclidean length of each picture's way in feature space.
        feature_length: Mean Euclidean length of a training picture's features.
        attack: The settings.
        seconds: Time taken.
    """

    ids: np.ndarray
    labels: np.ndarray
    test_ids: np.ndarray
    asked: np.ndarray
    original: np.ndarray
    poisoned: np.ndarray
    probabilities: np.ndarray
    turned: np.ndarray
    gradient_norms: np.ndarray
    control: np.ndarray
    control_change: float
    predicted: float
    actual: float
    feature_change: np.ndarray
    feature_length: float
    attack: Attack
    seconds: float

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self.probabilities) - 1

    @property
    def before(self) -> np.ndarray:
        """``(t,)`` the probability of the asked label before."""
        return self.probabilities[0]

    @property
    def after(self) -> np.ndarray:
        """``(t,)`` the same in the end."""
        return self.probabilities[-1]

    @property
    def loss_change(self) -> float:
        """Mean change of the test loss in the end, nats; plus: it rose."""
        return float((np.log(self.before) - np.log(self.after)).mean())

    @property
    def largest_change(self) -> float:
        """The largest change of a brightness, in steps of an 8-bit picture."""
        return float(np.abs(self.poisoned - self.original).max())

    @property
    def invisible(self) -> bool:
        """Whether the changed pictures are the originals once rounded to 8 bits."""
        return bool(np.array_equal(np.rint(self.poisoned), self.original))

    @property
    def proved(self) -> bool:
        """Whether every model on the way is an optimum."""
        return bool((self.gradient_norms <= GRADIENT_NORM).all())


def table(result: Poisoned) -> dict[str, np.ndarray]:
    """One row a step and test image; the CSV download holds exactly these."""
    steps, tests = result.probabilities.shape
    return {
        "step": np.repeat(np.arange(steps), tests),
        "test_id": np.tile(result.test_ids, steps),
        "probability_of_asked_label": result.probabilities.reshape(-1),
        "gradient_norm": np.repeat(result.gradient_norms, tests),
    }


ROUNDED = 1e-5
"""Features are single precision: probabilities this close to each other are the same."""


@dataclass(frozen=True, eq=False)
class AfterSaving:
    """What is left of the poison once the pictures are saved with 8 bits and read again.

    Attributes:
        probabilities: ``(t,)`` of the asked label after retraining with the saved pictures.
        same_pictures: Whether the saved pictures equal the originals byte by byte.
        gone: Whether these probabilities are those before the attack, but for the rounding of single precision.
    """

    probabilities: np.ndarray
    same_pictures: bool
    gone: bool


@remember("poison after saving", stored=False)
def after_saving(study: Study, questions: Sequence[Question], result: Poisoned) -> AfterSaving:
    """Save the changed pictures as PNG, read them again and train again: below half a step, nothing is left."""
    pictures = [_through_png(one) for one in result.poisoned]
    at = study.data.train.positions(result.ids.tolist()).tolist()
    model = retrain(study, at, features_of(study, pictures), study.theta)
    probabilities = Target.of(study, questions).ask(model).probabilities
    same = all(np.array_equal(a, b) for a, b in zip(pictures, result.original, strict=True))
    gone = bool(np.abs(probabilities - result.before).max() <= ROUNDED)
    return AfterSaving(probabilities, same, gone)


def as_float_file(picture: np.ndarray) -> bytes:
    """A poisoned picture ``(side, side, 3)`` as a file of numpy's (.npy, float32), which keeps what 8 bits would lose."""
    held = io.BytesIO()
    np.save(held, picture.astype(np.float32), allow_pickle=False)
    return held.getvalue()


def _through_png(picture: np.ndarray) -> np.ndarray:
    """A picture ``(side, side, 3)`` after being saved with 8 bits and read again, float32."""
    held = io.BytesIO()
    Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8)).save(held, format="PNG")
    with Image.open(held, formats=["PNG"]) as image:
        return np.asarray(image, dtype=np.float32)
