"""Two models, two reasons? The same picture asked of deep features and of a kernel on pixels (section 5.1, Figure 4).

Both models are linear on their features: a logistic regression on those of a frozen network, and a support vector
machine on those of a Gaussian kernel (``models/rbf.py``), whose forecasts take ``SmoothHinge(0.001)`` in the hinge's
place. Their forecasts are held against one distance, that of the pixels.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core import agreement
from influence_core.context import ALONE, Context
from influence_core.data.readers.picture_sets import resized
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import smooth_hinge
from influence_core.experiments.explain import Explanation
from influence_core.experiments.reasons import HINGE_UNIT, Reasons
from influence_core.losses import HingeLoss
from influence_core.models import rbf
from influence_core.store.remember import remember
from influence_core.studies import CATALOGUE, Study, StudySpec

TEMPERATURE = 0.001
"""The paper's, of the smoothed hinge."""
NEAR_KINK = 0.9
"""The paper's test image has a margin of 0.990 under the support vector machine ..."""
PAPER_LOG_ODDS = math.log(0.9966 / 0.0034)
"""... and a probability of 99.66 % with deep features."""
SHARED = 20
"""So many of the most helpful pictures of both models are held against each other."""
L2 = 0.001


def supports(spec: StudySpec) -> str | None:
    """Why a study's pictures cannot be asked of both models; ``None`` where they can."""
    if spec.model == "logistic" and spec.backbone not in ("", rbf.NAME):
        return None
    return "Two models of the same pictures need a study on photos of two classes."


def kernel_spec(spec: StudySpec) -> StudySpec:
    """The support vector machine on the pixels of the same pictures, with the paper's penalty."""
    return replace(
        spec,
        name=f"{spec.name}-rbf",
        title=f"{spec.title.split(',')[0]}, kernel on pixels",
        model="svm",
        l2=L2,
        backbone=rbf.NAME,
        damping=0.0,
    )


RBF_STUDIES: dict[str, StudySpec] = {
    kernel.name: kernel
    for kernel in (kernel_spec(spec) for spec in CATALOGUE.values() if supports(spec) is None)
}
"""The kernel machine of every built-in study that has one; they answer this question and no other."""


@dataclass(frozen=True, eq=False)
class TwoModels:
    """Both models' reasons for the same label of the same test picture.

    Attributes:
        deep: The frozen network's features with logistic regression; distances are those of the pixels.
        kernel: The support vector machine with a Gaussian kernel on pixels.
        accuracies: Shares of the test pictures that deep features and kernel get right.
        true_label: The test picture's; ``None`` for a picture of the reader's own.
        residual: True relative residual of the kernel machine's solve.
        gradient_norm: Smallest subgradient of the kernel machine's risk at its optimum.
        jitter: Added to the kernel's diagonal; 0 unless two training pictures are alike.
        seconds: Time for the kernel machine's forecasts.
    """

    deep: Reasons
    kernel: Reasons
    accuracies: tuple[float, float]
    true_label: int | None
    residual: float
    gradient_norm: float
    jitter: float
    seconds: float

    @property
    def shared(self) -> int:
        """How many training pictures are among the ``SHARED`` most helpful of both models."""
        return len(np.intersect1d(self.deep.helpful(SHARED), self.kernel.helpful(SHARED)))


def like_the_papers(deep: Study, kernel: Study) -> np.ndarray:
    """Ids of test examples such as the paper's fish, those nearest to its probability first.

    Of the last class, both models right, and near the hinge's kink on its steep side: a margin of 0.9 to 1.
    """
    test, margins, log_odds = deep.data.test, smooth_hinge.margins(kernel), smooth_hinge.margins(deep)
    fit = (test.y.numpy() == len(deep.data.class_names) - 1) & (log_odds > 0)
    fit &= (margins >= NEAR_KINK) & (margins < 1)
    order = np.argsort(np.abs(log_odds - PAPER_LOG_ODDS), kind="stable")
    return test.ids.numpy()[order[fit[order]]]


def default_test(deep: Study, kernel: Study) -> int:
    """The first of ``like_the_papers``; where there is none, the first test example whose hinge is above 0.

    Raises:
        DataError: If the hinge of every test example is 0.
    """
    alike = like_the_papers(deep, kernel)
    return int(alike[0]) if len(alike) else smooth_hinge.default_test(kernel)


@remember("two models", stored=False)
def run(deep: Study, kernel: Study, explanation: Explanation, *, context: Context = ALONE) -> TwoModels:
    """The kernel machine's reasons beside an explanation by deep features.

    Args:
        deep: A two-class study on pictures behind a frozen network.
        kernel: Its ``kernel_spec``, trained.
        explanation: What ``deep`` says about a test picture.
        context: Its store keeps the kernel machine's forecasts.

    Raises:
        UnsupportedError: If ``kernel`` is no kernel machine on the same pictures.
        DataError: If the question is about no picture.
    """
    train = kernel.data.train
    if not isinstance(kernel.objective.loss, HingeLoss) or not torch.equal(train.ids, deep.data.train.ids):
        raise UnsupportedError("Expected a support vector machine on the pixels of the same pictures.")
    seen = _seen(kernel, explanation, context.part(0.0, 0.7))
    found = _ask_kernel(kernel, seen, explanation.label, context=context.part(0.7, 1.0))
    by_deep = replace(Reasons.of(explanation, "Deep features"), distance=rbf.distances(train.x, seen))
    output = float(kernel.objective.outputs(kernel.theta, kernel.inputs(seen)[None])[0, 0])
    by_kernel = replace(
        by_deep,
        model="Kernel on pixels",
        answer=int(output > 0),
        certainty=output * (2 * explanation.label - 1),
        unit=HINGE_UNIT,
        scores=found.scores,
    )
    return TwoModels(
        deep=by_deep,
        kernel=by_kernel,
        accuracies=(accuracy(deep), accuracy(kernel)),
        true_label=explanation.true_label,
        residual=found.residual,
        gradient_norm=kernel.gradient_norm,
        jitter=rbf.jitter_of(train.x),
        seconds=found.seconds,
    )


@dataclass(frozen=True, eq=False)
class _Forecasts:
    """The kernel machine's, ``(n,)`` in hinge units; the residual of their solve, and the time they took."""

    scores: np.ndarray
    residual: float
    seconds: float


@remember("two models, kernel")
def _ask_kernel(kernel: Study, seen: Tensor, label: int, *, context: Context) -> _Forecasts:
    context.report(0.0, "asking the kernel machine")
    started = time.perf_counter()
    found = smooth_hinge.forecast(kernel, TEMPERATURE, *kernel.example(seen, label))
    scores = found.values[0].cpu().numpy()
    return _Forecasts(scores, found.solve.residual, time.perf_counter() - started)


def _seen(kernel: Study, explanation: Explanation, context: Context) -> Tensor:
    """``(n,)`` the kernel's features of the picture that an explanation is about."""
    train, pictures = kernel.data.train, kernel.data.pictures
    if explanation.photo is not None and pictures is not None:
        photo = resized(explanation.photo, rbf.SIDE)
        return rbf.features_of(photo, pictures, train.ids.tolist(), train.x, progress=context.progress)
    if explanation.test_id is None:
        raise DataError("This comparison takes a picture: choose a test image or upload one.")
    return kernel.data.test.x[kernel.data.test.position(explanation.test_id)]


def accuracy(study: Study) -> float:
    """Share of the test examples that a two-class study gets right, whether it gives probabilities or margins."""
    test = study.data.test
    outputs = study.objective.outputs(study.theta, study.inputs(test.x))[:, 0]
    return agreement.accuracy((outputs > 0).cpu().numpy(), test.y.numpy())


def table(result: TwoModels) -> dict[str, Any]:
    """Both models' forecasts as columns, one row a training example, the nearest first; the CSV holds exactly these."""
    order = np.argsort(result.deep.distance, kind="stable")
    return {
        "training_id": result.deep.ids[order],
        "label": np.array(result.deep.class_names)[result.deep.labels[order]],
        "pixel_distance": result.deep.distance[order],
        "deep_predicted_loss_change_nats": result.deep.scores[order],
        "kernel_predicted_loss_change_hinge_units": result.kernel.scores[order],
    }
