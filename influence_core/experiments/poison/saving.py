"""Poisoned pictures as files: what 8 bits leave of the poison, and a file that keeps all of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from influence_core.experiments.poison.pictures import features_of, retrain
from influence_core.experiments.poison.poisoned import Poisoned
from influence_core.experiments.poison.targets import Target
from influence_core.experiments.questions import Question
from influence_core.store.remember import remember
from influence_core.studies import Study

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
    at = [study.data.train.position(int(one)) for one in result.ids]
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
