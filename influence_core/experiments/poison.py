"""Can one training picture, changed too little to see, turn an answer (the paper's section 5.2 and Figure 5)?

Step by step ``x <- Proj(x + alpha sign(I_pert,loss))``: the gradient runs through the whole frozen backbone to the pixels,
and the model on top is really trained again at every step, to a proven gradient norm. Pixels are brightness in 0..255,
labels stay as they are. It is here to know a risk and to defend against it: ``guard`` ranks what to watch.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments.questions import Question, ask
from influence_core.models.backbones import Backbone
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.progress import Progress, part, report
from influence_core.retraining.edits import Edit
from influence_core.solvers import ConjugateGradient
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study, StudySpec
from influence_core.training import minimise

BOX = 0.499
"""The paper's half a step of brightness, a hair less, so that rounding to 8 bits gives the original picture."""
BOXES = (BOX, 1.0, 2.0, 4.0, 8.0)
STEPS = 25
STRIDE = 0.1
"""A step is this share of the box; 25 of them go from one side of the box to the other and back."""
LOSS, ANSWERS = "loss", "answers"
"""Goals: raise the mean loss, as in the paper, or lower the mean probability, of which no one test image can take all."""
GOALS = (LOSS, ANSWERS)
SHORTLIST = 30
GRADIENT_NORM = 1e-9
"""Every model on the way is trained to this."""
SOLVED = 1e-8
"""The relative residual of every solve."""
MOST_POISONED = 10
ROUNDED = 1e-5
"""Features are single precision: probabilities this close to each other are the same."""
BLOCK = 64
"""Test examples whose inverse gradients are solved for side by side."""


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


@dataclass(frozen=True, eq=False)
class Candidates:
    """Training pictures by how much a tiny change of theirs would move the goal, the most dangerous first.

    Attributes:
        ids: ``(k,)`` training ids.
        labels: ``(k,)`` their labels.
        own_probability: ``(k,)`` the model's probability for their own label.
        feature_norms: ``(k,)`` ``||I_pert||`` in feature space, nats (or probability) per unit: it made the shortlist.
        pixel_norms: ``(k,)`` ``sum_j |I_pert,j|`` over the pixels, per step of brightness, without the ``1/n``.
    """

    ids: np.ndarray
    labels: np.ndarray
    own_probability: np.ndarray
    feature_norms: np.ndarray
    pixel_norms: np.ndarray


@dataclass(frozen=True, eq=False)
class Guard:
    """Training pictures by the mean ``||I_pert||`` in feature space over ``tests`` test images: what to watch first.

    Attributes:
        ids: ``(n,)`` training ids, the most dangerous first.
        labels: ``(n,)`` their labels.
        own_probability: ``(n,)`` the model's probability for their own label.
        norms: ``(n,)`` nats per unit of feature, without the ``1/n``.
        tests: Test images over which the mean is taken.
    """

    ids: np.ndarray
    labels: np.ndarray
    own_probability: np.ndarray
    norms: np.ndarray
    tests: int


@dataclass(frozen=True, eq=False)
class Saved:
    """What is left of the poison once the pictures are saved with 8 bits and read again.

    Attributes:
        probabilities: ``(t,)`` of the asked label after retraining with the saved pictures.
        same_pictures: Whether the saved pictures equal the originals byte by byte.
        gone: Whether these probabilities are those before the attack, but for the rounding of single precision.
    """

    probabilities: np.ndarray
    same_pictures: bool
    gone: bool


def shortlist(
    study: Study,
    questions: Sequence[Question],
    k: int = SHORTLIST,
    store: Store | None = None,
    progress: Progress | None = None,
    goal: str = LOSS,
) -> Candidates:
    """The ``k`` training pictures of largest feature-space gradient, ranked by their pixel gradient.

    Args:
        study: A model on a frozen backbone.
        questions: The test examples that are attacked together.
        k: How many get a pass through the backbone; ``n`` is the full ranking.
        store: Where results are kept.
        progress: Called after every picture.
        goal: As in ``Attack``.

    Raises:
        UnsupportedError: The study has no backbone.
        DataError: No test example is named.
    """
    o, train = _linear(study), study.data.train
    x, y = _asked(study, questions)
    key = digest("poison shortlist", FORMAT, study.key, str(o.x.device), x, y, k, goal)
    kept = store.get(key) if store else None
    if kept is not None:
        return Candidates(**kept.arrays)
    s = _inverse_gradient(o, study.theta, x, y, goal)
    norms = feature_norms(o, study.theta, s[:, None])[:, 0]
    at = norms.topk(min(k, len(norms))).indices
    pixels = pixel_norms(study, s[:, None], at.tolist(), progress)[:, 0]
    order = np.argsort(-pixels, kind="stable")
    rows = at.cpu()[torch.as_tensor(order)]
    found = Candidates(
        train.ids[rows].numpy(),
        train.y[rows].numpy(),
        _own_probability(study)[rows].numpy(),
        norms.cpu()[rows].numpy(),
        pixels[order],
    )
    if store:
        store.put(key, vars(found), {})
    return found


def guard(
    study: Study, questions: Sequence[Question] | None = None, progress: Progress | None = None
) -> Guard:
    """Which training pictures to guard: the mean ``||I_pert||`` of each over many test images, in closed form.

    Args:
        study: A model on a frozen backbone.
        questions: The test examples; every test example with its true label where none are named.
        progress: Called after every block of test examples.

    Raises:
        UnsupportedError: The study has no backbone.
    """
    o, train, test = _linear(study), study.data.train, study.data.test
    x, y = _asked(study, questions) if questions else (study.inputs(test.x), test.y.to(study.theta.device))
    inverse, total = _inverse(o, study.theta), o.x.new_zeros(o.n)
    for start in range(0, len(x), BLOCK):
        report(progress, start / len(x), f"{start} of {len(x)} test images asked")
        gradients = o.gradients(study.theta, x[start : start + BLOCK], y[start : start + BLOCK])
        total += feature_norms(o, study.theta, inverse.solve(gradients.T.contiguous()).require()).sum(1)
    order = total.argsort(descending=True, stable=True).cpu()
    return Guard(
        train.ids[order].numpy(),
        train.y[order].numpy(),
        _own_probability(study)[order].numpy(),
        (total.cpu()[order] / len(x)).numpy(),
        len(x),
    )


def feature_norms(objective: LinearObjective, theta: Tensor, s: Tensor) -> Tensor:
    """``||d/dx [s . grad_theta l(x_i, y_i)]||`` of every training example in closed form.

    With ``s = V`` and ``theta = W``, both ``(d, c)``, the gradient is ``V r + W A V'x``, so its squared length is a
    quadratic form of ``(r, A V'x)`` in the products of the columns of ``V`` and ``W``; it is never formed.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        s: ``(p, t)``.

    Returns:
        ``(n, t)``, not negative.
    """
    o, c = objective, objective.loss.outputs
    f, w = o.outputs(theta, o.x), theta.view(-1, c)
    residuals, curve = o.loss.residuals(f, o.y), o.loss.curvature(f, o.y)
    squares = []
    for one in s.T:
        v = one.reshape(-1, c)
        parts = torch.cat([residuals, curve((o.x @ v)[:, :, None])[:, :, 0]], 1)
        columns = torch.cat([v, w], 1)
        squares.append(((parts @ (columns.T @ columns)) * parts).sum(1))
    return torch.stack(squares, 1).clamp_min(0).sqrt()


def pixel_norms(
    study: Study, s: Tensor, positions: Sequence[int], progress: Progress | None = None
) -> np.ndarray:
    """``sum_j |I_pert,j|`` over the pixels: one pass forward a picture, and one back for each test example.

    Args:
        study: A model on a frozen backbone.
        s: ``(p, t)`` inverse-curvature gradients of the test examples.
        positions: ``(m,)`` training positions; all ``n`` of them are the full ranking, which takes minutes.
        progress: Called after every picture.

    Returns:
        ``(m, t)`` in nats per step of brightness, without the ``1/n``.

    Raises:
        UnsupportedError: The study has no backbone.
    """
    o, found = _linear(study), np.empty((len(positions), s.shape[1]))
    for done, at in enumerate(positions):
        report(progress, done / len(positions), f"{done} of {len(positions)} pictures asked for their pixels")
        seen = _Picture(study, at, _original(study, at))
        found[done] = [float(seen.pixel_influence(o, study.theta, one).abs().sum()) for one in s.T]
    return found


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.backbone and spec.is_smooth_linear:
        return None
    return (
        "This page changes photographs by less than anybody can see, through the frozen network that turns them into "
        "features, and so needs a study on photographs."
    )


def run(
    study: Study,
    questions: Sequence[Question],
    train_ids: Sequence[int],
    attack: Attack | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Poisoned:
    """Change some training pictures, all at once, until the answers turn; every model on the way is really trained.

    Args:
        study: A model on a frozen backbone.
        questions: ``t`` test examples and the labels asked about, attacked together.
        train_ids: ``m`` training pictures, at most ten.
        attack: The settings.
        store: Where results are kept.
        progress: Called for every picture at every step, with the probability so far.

    Raises:
        UnsupportedError: The study has no backbone.
        DataError: No test example or picture, too many pictures, or an unknown one.
    """
    attack, o = attack or Attack(), _linear(study)
    chosen = list(dict.fromkeys(int(one) for one in train_ids))
    if not 1 <= len(chosen) <= MOST_POISONED:
        raise DataError(f"Choose 1 to {MOST_POISONED} training pictures to change, not {len(chosen)}.")
    at = [study.data.train.position(one) for one in chosen]
    x, y = _asked(study, questions)
    key = digest("poison", FORMAT, study.key, str(o.x.device), x, y, chosen, asdict(attack))
    kept = store.get(key) if store else None
    if kept is None:
        arrays, facts = _attack(study, x, y, at, attack, progress)
        if store:
            store.put(key, arrays, facts)
    else:
        arrays, facts = kept.arrays, kept.meta
    found: dict[str, Any] = {**arrays, **facts}
    return Poisoned(
        ids=np.array(chosen),
        labels=study.data.train.y[at].numpy(),
        test_ids=np.array([-1 if one.test_id is None else one.test_id for one in questions]),
        asked=y.cpu().numpy(),
        original=np.stack([_original(study, i) for i in at]),
        attack=attack,
        **found,
    )


def vanishes(study: Study, questions: Sequence[Question], result: Poisoned) -> Saved:
    """Save the changed pictures as PNG, read them again and train again: below half a step, nothing is left."""
    _linear(study)
    pictures = [_through_png(one) for one in result.poisoned]
    at = [study.data.train.position(int(one)) for one in result.ids]
    probabilities, _, _ = _after(study, at, pictures, *_asked(study, questions))
    same = all(np.array_equal(a, b) for a, b in zip(pictures, result.original, strict=True))
    gone = bool(np.abs(probabilities - result.before).max() <= ROUNDED)
    return Saved(probabilities, same, gone)


def table(result: Poisoned) -> dict[str, np.ndarray]:
    """One row a step and test image; the CSV download holds exactly these."""
    steps, tests = result.probabilities.shape
    return {
        "step": np.repeat(np.arange(steps), tests),
        "test_id": np.tile(result.test_ids, steps),
        "probability_of_asked_label": result.probabilities.reshape(-1),
        "gradient_norm": np.repeat(result.gradient_norms, tests),
    }


def as_float_file(picture: np.ndarray) -> bytes:
    """A poisoned picture ``(side, side, 3)`` as a file of numpy's (.npy, float32), which keeps what 8 bits would lose."""
    held = io.BytesIO()
    np.save(held, picture.astype(np.float32), allow_pickle=False)
    return held.getvalue()


def similar_tests(study: Study, test_id: int, count: int = 30) -> list[Question]:
    """At most ``count`` test images of a test image's label, the nearest in feature space: "one dog's photos".

    All are answered rightly, so the test image itself is among them only if it is, too.

    Raises:
        DataError: There is no such test image, or none of its label is answered rightly.
    """
    test, first = study.data.test, study.data.test.position(test_id)
    mine, _ = _answered_rightly(study, int(test.y[first]))
    near = mine[torch.cdist(test.x[first][None], test.x[mine])[0].argsort()][:count]
    return [ask(study, int(test.ids[i]), int(test.y[i])) for i in near]


def least_sure_tests(study: Study, label: int, count: int = 30) -> list[Question]:
    """At most ``count`` test images of a label that are answered rightly, those first that the model is least sure of.

    Raises:
        DataError: No test image of the label is answered rightly.
    """
    mine, sure = _answered_rightly(study, label)
    return [ask(study, int(study.data.test.ids[i]), label) for i in mine[sure.argsort()][:count]]


def _answered_rightly(study: Study, label: int) -> tuple[Tensor, Tensor]:
    """Test positions of a label that are answered rightly, and the probabilities of these answers."""
    found = torch.as_tensor(study.probabilities(study.data.test.x))
    mine = ((found.argmax(1) == study.data.test.y) & (study.data.test.y == label)).nonzero()[:, 0]
    if not len(mine):
        raise DataError("No test image of this label is answered rightly: there is nothing to turn.")
    return mine, found[mine, label]


# ---------------------------------------------------------------------------------------------- the attack


class _Picture:
    """One training picture on its way through the backbone, with the graph back to its pixels."""

    def __init__(self, study: Study, at: int, picture: np.ndarray | Tensor) -> None:
        self.at, self.backbone = at, _backbone(study)
        self.pixels = _as_input(self.backbone, picture).requires_grad_()
        self._features = self.backbone.features(self.pixels)
        self.features = study.inputs(self._features.detach()[0])

    def pixel_influence(self, objective: LinearObjective, theta: Tensor, s: Tensor) -> Tensor:
        """``I_pert,loss (1, 3, side, side)``: closed form to the features, one backward pass to the pixels."""
        g = -objective.input_gradient(theta, self.features, objective.y[self.at], s)
        weighted = g[None].to(self._features)
        return torch.autograd.grad(self._features, self.pixels, weighted, retain_graph=True)[0]


def _attack(
    study: Study, x: Tensor, y: Tensor, at: list[int], attack: Attack, progress: Progress | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    started = time.perf_counter()
    o, theta = _linear(study), study.theta
    originals = [_as_input(_backbone(study), _original(study, i)) for i in at]
    low, high = ([(one + sign * attack.box).clamp(0, 255) for one in originals] for sign in (-1, 1))
    pixels, edited = originals, o
    probabilities: list[np.ndarray] = []
    norms, losses, goals, predicted = [], [], [], 0.0
    for step in range(attack.steps + 1):
        told = part(progress, 0.95 * step / (attack.steps + 1), 0.95 * (step + 1) / (attack.steps + 1))
        words = f"step {step} of {attack.steps}"
        if probabilities:
            words += f": {100 * probabilities[-1].mean():.2f} % for the asked label"
        seen = []
        for done, (i, picture) in enumerate(zip(at, pixels, strict=True)):
            report(told, done / len(at), words)
            seen.append(_Picture(study, i, picture))
        if step:
            edited = Edit(torch.tensor(at), x=torch.stack([one.features for one in seen])).apply(o)
            theta = minimise(edited, theta, GRADIENT_NORM).theta
        found = edited.probabilities(theta, x)
        probabilities.append(found.gather(1, y[:, None])[:, 0].cpu().numpy())
        losses.append(float(edited.losses(theta, x, y).mean()))
        goals.append(losses[-1] if attack.goal == LOSS else -float(probabilities[-1].mean()))
        norms.append(float(edited.risk_gradient(theta).norm()))
        turned = found.argmax(1) != y
        if step == attack.steps or (attack.stop and step and bool(turned.all())):
            break
        s = _inverse_gradient(edited, theta, x, y, attack.goal)
        slopes = [one.pixel_influence(edited, theta, s) for one in seen]
        there = [
            torch.clamp(now + attack.stride * slope.sign(), a, b)
            for now, slope, a, b in zip(pixels, slopes, low, high, strict=True)
        ]
        if step == 0:
            moves = [
                (slope * (b - a)).double().sum() for slope, a, b in zip(slopes, pixels, there, strict=True)
            ]
            predicted = float(o.weights[at] @ torch.stack(moves).to(o.weights))
        pixels = there
    control, control_loss = _control(study, at, x, y, attack, part(progress, 0.95, 1.0))
    arrays = {
        "poisoned": torch.cat(pixels).permute(0, 2, 3, 1).float().cpu().numpy(),
        "probabilities": np.array(probabilities),
        "turned": turned.cpu().numpy(),
        "gradient_norms": np.array(norms),
        "control": control,
        "feature_change": (torch.stack([one.features for one in seen]) - o.x[at]).norm(dim=1).cpu().numpy(),
    }
    facts = {
        "control_change": control_loss - losses[0],
        "predicted": predicted,
        "actual": goals[1] - goals[0],
        "seconds": time.perf_counter() - started,
    }
    return arrays, facts


def _control(
    study: Study, at: list[int], x: Tensor, y: Tensor, attack: Attack, progress: Progress | None
) -> tuple[np.ndarray, float]:
    """Every brightness moved to a side of the box at random: at least as long a way as the attack's."""
    report(progress, 0.0, "the control: random signs of the same size")
    rng = np.random.default_rng(attack.seed)
    originals = [_original(study, i) for i in at]
    pictures = [
        (one + attack.box * rng.choice([-1.0, 1.0], one.shape)).clip(0, 255).astype(np.float32)
        for one in originals
    ]
    probabilities, loss, _ = _after(study, at, pictures, x, y)
    return probabilities, loss


def _after(
    study: Study, at: list[int], pictures: Sequence[np.ndarray], x: Tensor, y: Tensor
) -> tuple[np.ndarray, float, float]:
    """Probabilities ``(t,)``, mean loss and gradient norm after training with other pictures at ``at``."""
    o, backbone = _linear(study), _backbone(study)
    with torch.no_grad():
        seen = [backbone.features(_as_input(backbone, one))[0] for one in pictures]
    edited = Edit(torch.tensor(at), x=study.inputs(torch.stack(seen))).apply(o)
    trained = minimise(edited, study.theta, GRADIENT_NORM)
    found = edited.probabilities(trained.theta, x).gather(1, y[:, None])[:, 0]
    return found.cpu().numpy(), float(edited.losses(trained.theta, x, y).mean()), trained.gradient_norm


def _linear(study: Study) -> LinearObjective:
    o = study.objective
    if study.backbone is None or not isinstance(o, LinearObjective) or not o.loss.smooth:
        raise UnsupportedError(
            f"The study '{study.spec.name}' cannot be attacked here: it needs photographs, a backbone that turns them "
            "into features, and a logistic or softmax model on top. Choose such a study."
        )
    return o


def _backbone(study: Study) -> Backbone:
    assert study.backbone is not None  # _linear has looked
    return study.backbone


def _asked(study: Study, questions: Sequence[Question]) -> tuple[Tensor, Tensor]:
    if not questions:
        raise DataError("Name at least one test image to attack.")
    x = study.inputs(torch.stack([one.x for one in questions]))
    return x, torch.tensor([one.label for one in questions], device=x.device)


def _inverse(objective: LinearObjective, theta: Tensor) -> Any:
    return ConjugateGradient(SOLVED).prepare(Hessian(objective, theta))


def _inverse_gradient(objective: LinearObjective, theta: Tensor, x: Tensor, y: Tensor, goal: str) -> Tensor:
    """``s (p,)`` of the goal's mean over the test examples: ``grad(-p) = p grad(-log p)``."""
    gradients = objective.gradients(theta, x, y)
    if goal == ANSWERS:
        gradients = gradients * objective.probabilities(theta, x).gather(1, y[:, None])
    return _inverse(objective, theta).solve(gradients.mean(0)).require()


def _own_probability(study: Study) -> Tensor:
    train = study.data.train
    found = torch.as_tensor(study.probabilities(train.x))
    return found.gather(1, train.y[:, None])[:, 0]


def _original(study: Study, at: int) -> np.ndarray:
    """Training picture ``at`` as float32 brightness ``(side, side, 3)``."""
    assert study.data.pictures is not None
    read = study.data.pictures.read(int(study.data.train.ids[at]), _backbone(study).side)
    return np.asarray(read, dtype=np.float32)


def _as_input(backbone: Backbone, picture: np.ndarray | Tensor) -> Tensor:
    """A picture ``(side, side, 3)``, or one that is an input already, as ``(1, 3, side, side)`` without a graph."""
    held = torch.as_tensor(picture).to(backbone.like)
    return (held.permute(2, 0, 1)[None] if held.ndim == 3 else held).detach().clone()


def _through_png(picture: np.ndarray) -> np.ndarray:
    """A picture ``(side, side, 3)`` after being saved with 8 bits and read again, float32."""
    held = io.BytesIO()
    Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8)).save(held, format="PNG")
    with Image.open(held, formats=["PNG"]) as image:
        return np.asarray(image, dtype=np.float32)
