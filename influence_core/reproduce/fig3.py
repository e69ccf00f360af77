"""The paper's Figure 3: forecasts for a support vector machine, through a smoothed hinge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from influence_core import studies
from influence_core.context import ALONE, Context
from influence_core.experiments import smooth_hinge
from influence_core.experiments.hinge_curves import Curves, curves
from influence_core.experiments.smooth_hinge import SmoothHinge
from influence_core.reproduce.base import Check, Reproduction
from influence_core.studies import MACHINES, Study

OVERESTIMATE = 5
"""The hinge itself must forecast changes at least so many times too large ..."""
GAIN = 0.2
"""... and smoothing must raise the correlation by at least this much."""
PUBLISHED = {0.0: "0.63 (notebook)", 0.001: "0.95", 0.1: "0.91"}
"""The paper's correlations."""
FOLLOWS = 0.9
"""The correlation that the paper's data must give at t = 0.001 and t = 0.1 ..."""
BLURRED = 1.0
"""... and from this temperature on it must be lower."""


@dataclass(frozen=True, eq=False)
class Figure3:
    """The paper's row of panels: the loss curves, and what the scatters show."""

    loss: Curves
    forecasts: SmoothHinge


def run(folder: str | None = None, device: str = "auto", context: Context = ALONE) -> Reproduction:
    """Digits 1 against 7, for one test image that the machine gets wrong.

    Args:
        folder: The folder that holds ``MNIST/raw``; the packaged digits stand in where none is named.
        device: A name of ``devices.NAMES``.
        context: Its store keeps the trained parameters, the retrained machines and the forecasts.

    Raises:
        DataError: If the folder does not hold MNIST.
    """
    spec = MACHINES["mnist" if folder else "digits"]
    study = studies.open_study(spec, context.store, folder, device, context.part(0.0, 0.2).progress)
    result = smooth_hinge.run(study, smooth_hinge.default_test(study), context=context.part(0.2, 1.0))
    checks = (*_sizes(study), *_shapes(study, result), *_facts(study, result))
    return Reproduction(
        "fig3",
        "Figure 3: a loss that is not differentiable",
        _setting(study, result),
        checks,
        Figure3(curves(), result),
    )


def _sizes(study: Study) -> list[Check]:
    """The paper's numbers of images; there is nothing to ask of a stand-in."""
    paper = {"training images n": (study.objective.n, 11_800), "test images": (len(study.data.test), 2_100)}
    asked = not study.data.stand_in
    return [
        Check(name, value, f"{wanted:,}" if asked else "", value == wanted or not asked, f"{wanted:,}")
        for name, (value, wanted) in paper.items()
    ]


def _shapes(study: Study, result: SmoothHinge) -> list[Check]:
    """What the figure must show: the hinge itself forecasts far too much, smoothing mends it, and blurs in the end."""
    r = {t: float(result.pearson[result.index(t)]) for t in (0.0, 0.001, 0.1, BLURRED)}
    ratio, gain = float(result.size_ratio[0]), r[0.001] - r[0.0]
    original = not study.data.stand_in
    checks = [
        Check(
            "t = 0: largest forecast over largest true change",
            ratio,
            f"more than {OVERESTIMATE}",
            ratio > OVERESTIMATE,
            "about 20",
        ),
        Check("r(t = 0.001) - r(t = 0)", gain, f"more than {GAIN}", gain > GAIN, "0.32"),
    ]
    for t in (0.001, 0.1):
        enough = r[t] >= FOLLOWS or not original
        wanted = f"at least {FOLLOWS}" if original else ""
        checks.append(Check(f"correlation r(t = {t:g})", r[t], wanted, enough, PUBLISHED[t]))
    falls = r[BLURRED] < r[0.1]
    checks.append(
        Check(
            f"correlation r(t = {BLURRED:g})", r[BLURRED], f"below r(t = 0.1) = {r[0.1]:.3f}", falls, "lower"
        )
    )
    return checks


def _facts(study: Study, result: SmoothHinge) -> list[Check]:
    norm = float(result.gradient_norms.max())
    proof = Check(
        "largest subgradient norm of a left-out model",
        norm,
        f"at most {result.target:.1e}",
        result.proved,
    )
    return [
        proof,
        Check("correlation r(t = 0)", float(result.pearson[0]), paper=PUBLISHED[0.0]),
        Check("left-out training images", len(result.ids), paper="100"),
        Check("of them on the kink", int(result.on_kink.sum())),
        Check("margin of the test image", result.margin),
        Check("largest relative residual of the solves", result.residual),
        Check("subgradient norm at the optimum", study.gradient_norm),
    ]


def _setting(study: Study, result: SmoothHinge) -> dict[str, Any]:
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "stand_in": study.data.stand_in,
        "test_id": result.test_id,
        "label": study.data.class_names[result.label],
        "n": result.n,
        "p": result.p,
        "l2": result.l2,
        "damping": 0.0,
        "seed": study.spec.seed,
        "solver": "Cholesky",
        "tolerance": f"subgradient norm {result.target:.1e}",
        "device": study.theta.device.type,
        "dtype": str(study.theta.dtype).removeprefix("torch."),
    }
