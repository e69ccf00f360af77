"""A network in a stream: ``python -m tests.benchmarks.networks --check [--pictures 1000] [--products 100] [--threads 2]``.

ResNet-18 as for ImageNet (stem of 7 x 7, batch norms as trained: frozen) with ten classes, drawn at random, on random pictures
of 32 x 32 in float32: 11,181,642 parameters. Gauss-Newton products one after the other, each of the last one's result.

- *memory*: anonymous memory of this process, read twenty times a second; the largest during the products, less what there was
  before the first, and what is there after the last product less what was there after the tenth. Linux alone tells it.
- *time*: a product and the scores of one test example (the solve aside) against a forward pass over all pictures, in turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from influence_core.data.torchvision_import import import_torchvision
from influence_core.influence import InfluenceEngine
from influence_core.losses import SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.operators import GaussNewton
from influence_core.solvers import ConjugateGradient
from tests.benchmarks.scores import Figure, race
from tests.benchmarks.table import anonymous_memory

SHAPE, CLASSES, L2, DAMPING, SEED = (3, 32, 32), 10, 1e-3, 0.01, 0
WARM = 10
"""Products after which the memory has to be what it will be."""
ROUNDS = 2
MB = 1e6
LIMITS = {"beyond": 2000.0, "growth": 45.0, "scores": 4.0}
"""Megabytes beyond the model; of growth, one vector of all parameters; and forward passes."""


def resnet(pictures: int) -> NetworkObjective:
    """The network and its pictures, at random."""
    generator = torch.Generator().manual_seed(SEED)
    module = import_torchvision().models.resnet18(num_classes=CLASSES)
    for one in module.parameters():
        if one.ndim > 1:
            nn.init.kaiming_normal_(one, generator=generator)
    x = torch.rand(pictures, 3 * 32 * 32, generator=generator)
    y = torch.arange(pictures) % CLASSES
    return NetworkObjective.build(module, x, y, SoftmaxLoss(CLASSES), L2, SHAPE)


def measure(objective: NetworkObjective, products: int) -> Iterator[Figure]:
    """Memory first, while this process has done little else, then time."""
    theta = objective.theta()
    operator = GaussNewton(objective, theta, DAMPING)
    v = torch.randn(objective.dim, generator=torch.Generator().manual_seed(SEED), dtype=theta.dtype)
    after = []
    with anonymous_memory() as memory:
        before = now()
        started = time.perf_counter()
        for at in range(products):
            v = operator.matvec(v)
            v /= v.norm()
            after.append(now())
            print(f"product {at + 1}: {(after[-1] - before) / MB:.0f} MB", file=sys.stderr, flush=True)
        seconds = (time.perf_counter() - started) / products
    case = f"ResNet-18, {objective.n:,} pictures"
    yield Figure(
        case,
        f"memory of {products} products beyond the model, MB",
        (memory[0] - before) / MB,
        LIMITS["beyond"],
    )
    if products > WARM:
        grown = (after[-1] - after[WARM - 1]) / MB
        yield Figure(case, f"growth from product {WARM} to {products}, MB", grown, LIMITS["growth"])
    engine = InfluenceEngine(objective, theta, operator, ConjugateGradient().prepare(operator))
    best = race(
        {"forward": lambda: objective.outputs(theta, objective.x), "scores": lambda: engine.removal(v)},
        ROUNDS,
    )
    yield Figure(
        case, "scores of one test example / forward pass", best["scores"] / best["forward"], LIMITS["scores"]
    )
    yield Figure(case, "product / forward pass", seconds / best["forward"])
    yield Figure(case, "forward pass, seconds", best["forward"])


def now() -> int:
    """Anonymous memory of this process, in bytes."""
    with anonymous_memory() as memory:
        time.sleep(0.1)
    return memory[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--products", type=int, default=100)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, float32, torch {torch.__version__}", flush=True)
    short = False
    for one in measure(resnet(options.pictures), options.products):
        aim = "" if one.limit is None else f"at most {one.limit:.3g}"
        verdict = "falls short" if one.short else "ok" if aim else ""
        print(f"{one.case} {one.name:48} {one.value:10.4g}  {aim:14} {verdict}".rstrip(), flush=True)
        short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
