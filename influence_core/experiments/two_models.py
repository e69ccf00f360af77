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
from scipy.stats import spearmanr
from torch import Tensor

from influence_core.data.readers.picture_sets import resized
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import smooth_hinge
from influence_core.experiments.explain import Explanation
from influence_core.losses import HingeLoss
from influence_core.models import rbf
from influence_core.progress import Progress, part, report
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import CATALOGUE, FORMAT, Study, StudySpec
from influence_core.words import UNIT

TEMPERATURE = 0.001
"""The paper's, of the smoothed hinge."""
NEAR_KINK = 0.9
"""The paper's test image has a margin of 0.990 under the support vector machine ..."""
PAPER_LOG_ODDS = math.log(0.9966 / 0.0034)
"""... and a probability of 99.66 % with deep features."""
NEAREST = 0.05
"""The share of the training pictures that is called near."""
SHARED = 20
"""So many of the most helpful pictures of both models are held against each other."""
L2 = 0.001
HINGE_UNIT = "hinge units"


def fits(spec: StudySpec) -> bool:
    """Whether a study's pictures can be asked of both models: two classes, behind a frozen network."""
    return spec.model == "logistic" and spec.backbone not in ("", rbf.NAME)


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
    spec.name: spec for spec in map(kernel_spec, filter(fits, CATALOGUE.values()))
}
"""The kernel machine of every built-in study that has one; they answer this question and no other."""


@dataclass(frozen=True, eq=False)
class Reasons:
    """What one model says about a test picture, and which training pictures made it say so.

    Attributes:
        model: The model in words.
        class_names: What the labels mean.
        kind: What one example is called.
        test_id: The test example; ``None`` for a picture of the reader's own.
        label: The label asked about.
        answer: The model's own.
        certainty: The probability of the label asked about, or its margin where the unit is hinge units.
        unit: Of the scores.
        ids: ``(n,)`` training ids.
        labels: ``(n,)`` their labels.
        distance: ``(n,)`` Euclidean distance of each to the test picture.
        scores: ``(n,)`` ``D``: predicted change of the test loss on removal; positive = helpful.
    """

    model: str
    class_names: tuple[str, ...]
    kind: str
    test_id: int | None
    label: int
    answer: int
    certainty: float
    unit: str
    ids: np.ndarray
    labels: np.ndarray
    distance: np.ndarray
    scores: np.ndarray

    @property
    def label_name(self) -> str:
        """The name of the label asked about."""
        return self.class_names[self.label]

    @property
    def flat(self) -> bool:
        """Whether the loss is flat here, beyond the hinge's margin, so that nothing matters."""
        return self.unit == HINGE_UNIT and self.certainty >= 1

    @property
    def same(self) -> np.ndarray:
        """``(n,)`` whether a training example bears the label asked about."""
        return self.labels == self.label

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of ``|D|`` with the distance: -1 where the nearest always matter most, 0 where it is unrelated."""
        return float(spearmanr(np.abs(self.scores), self.distance).statistic)

    @property
    def near_agreement(self) -> float:
        """Among the nearest, the share whose sign is their label's: the same label helps, another harms."""
        near = np.argsort(self.distance, kind="stable")[: max(1, round(NEAREST * len(self.ids)))]
        return float(np.mean(np.where(self.same, self.scores > 0, self.scores < 0)[near]))

    @property
    def first_other(self) -> int:
        """Rank, from 1, of the first example of another label among the helpful; 0 where there is none."""
        others = np.flatnonzero(~self.same[self.helpful(len(self.ids))])
        return int(others[0]) + 1 if len(others) else 0

    def helpful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most helpful examples, strongest first."""
        order = np.argsort(-self.scores, kind="stable")[:k]
        return order[self.scores[order] > 0]

    def harmful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most harmful examples, strongest first."""
        order = np.argsort(self.scores, kind="stable")[:k]
        return order[self.scores[order] < 0]


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


def of_explanation(explanation: Explanation, model: str) -> Reasons:
    """An explanation as one model's reasons, with its own distances."""
    return Reasons(
        model=model,
        class_names=explanation.class_names,
        kind=explanation.kind,
        test_id=explanation.test_id,
        label=explanation.label,
        answer=explanation.predicted_label,
        certainty=explanation.probability,
        unit=UNIT,
        ids=explanation.ids,
        labels=explanation.labels,
        distance=explanation.distance,
        scores=explanation.scores,
    )


def run(
    deep: Study,
    kernel: Study,
    explanation: Explanation,
    store: Store | None = None,
    progress: Progress | None = None,
) -> TwoModels:
    """The kernel machine's reasons beside an explanation by deep features.

    Args:
        deep: A two-class study on pictures behind a frozen network.
        kernel: Its ``kernel_spec``, trained.
        explanation: What ``deep`` says about a test picture.
        store: Where results are kept.
        progress: Called before the solve.

    Raises:
        UnsupportedError: If ``kernel`` is no kernel machine on the same pictures.
        DataError: If the question is about no picture.
    """
    train = kernel.data.train
    if not isinstance(kernel.objective.loss, HingeLoss) or not torch.equal(train.ids, deep.data.train.ids):
        raise UnsupportedError("Expected a support vector machine on the pixels of the same pictures.")
    started, label = time.perf_counter(), explanation.label
    seen = _seen(kernel, explanation, part(progress, 0.0, 0.7))
    x, y = kernel.inputs(seen)[None], torch.tensor([label], device=kernel.theta.device)
    key = digest("two models", FORMAT, kernel.key, kernel.theta.device.type, seen, label)
    kept = store.get(key) if store else None
    if kept is not None:
        scores, facts = kept.arrays["scores"], kept.meta
    else:
        report(progress, 0.7, "asking the kernel machine")
        found = smooth_hinge.forecast(kernel, TEMPERATURE, x, y)
        scores = found.values[0].cpu().numpy()
        facts = {"residual": found.solve.residual, "seconds": time.perf_counter() - started}
        if store:
            store.put(key, {"scores": scores}, facts)
    output = float(kernel.objective.outputs(kernel.theta, x)[0, 0])
    by_deep = of_explanation(explanation, "Deep features")
    distance = rbf.distances(train.x, seen)
    by_kernel = replace(
        by_deep,
        model="Kernel on pixels",
        answer=int(output > 0),
        certainty=output * (2 * label - 1),
        unit=HINGE_UNIT,
        distance=distance,
        scores=scores,
    )
    return TwoModels(
        deep=replace(by_deep, distance=distance),
        kernel=by_kernel,
        accuracies=(accuracy(deep), accuracy(kernel)),
        true_label=explanation.true_label,
        residual=float(facts["residual"]),
        gradient_norm=kernel.gradient_norm,
        jitter=rbf.jitter_of(train.x),
        seconds=float(facts["seconds"]),
    )


def _seen(kernel: Study, explanation: Explanation, progress: Progress | None) -> Tensor:
    """``(n,)`` the kernel's features of the picture that an explanation is about."""
    train, pictures = kernel.data.train, kernel.data.pictures
    if explanation.photo is not None and pictures is not None:
        photo = resized(explanation.photo, rbf.SIDE)
        return rbf.features_of(photo, pictures, train.ids.tolist(), train.x, progress=progress)
    if explanation.test_id is None:
        raise DataError("This comparison takes a picture: choose a test image or upload one.")
    return kernel.data.test.x[kernel.data.test.position(explanation.test_id)]


def accuracy(study: Study) -> float:
    """Share of the test examples that a two-class study gets right."""
    return float((smooth_hinge.margins(study) > 0).mean())


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
