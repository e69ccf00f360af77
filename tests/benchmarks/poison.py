"""How many answers turn when 1, 2 or 10 training pictures are poisoned: ``python -m tests.benchmarks.poison --data FOLDER``.

The paper's Figure 5 over many test images. It can be stopped and started again: every outcome is kept in the store.
Beside this file lie such runs, with their protocols: ``poisoned_springers.json`` in the paper's box,
``poisoned_springers_box4.json`` in a box of 4 steps of brightness (``--box 4``), and one picture against thirty test images
at once in either box (``poisoned_thirty.json``, ``--together 100``; ``poisoned_thirty_box4.json``, ``--box 4 --together 300``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from influence_core import studies
from influence_core.context import Context
from influence_core.experiments import poison, poison_many
from influence_core.experiments.poison import ANSWERS, BOX, Attack
from influence_core.store import Store
from tests.benchmarks import records


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, keep, and print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", help="folder that holds Imagenette's train and val")
    parser.add_argument(
        "--count", type=int, default=120, help="test images, the first that are answered rightly"
    )
    parser.add_argument(
        "--box", type=float, default=BOX, help="how far each brightness may move, of 255 steps"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 10], help="poisoned pictures at once")
    parser.add_argument(
        "--together",
        type=int,
        metavar="STEPS",
        help="instead: one picture against the 30 test images of each label that the model is least sure of",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the outcomes are written (JSON)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    context = Context(Store())
    name = "springer-or-tench" if options.data else "dog-or-frog"
    study = studies.open_study(studies.find(name), context.store, options.data)
    if options.together:
        return _together(
            study, Attack(options.box, 0.05 * options.box, options.together, goal=ANSWERS), options.out
        )
    ids = poison_many.answered_rightly(study)[: options.count]
    shares = poison_many.run(study, ids, Attack(box=options.box), options.sizes, context=context)
    if options.out:
        records.write(options.out, as_json(study, shares), "outcomes")
    for size in options.sizes:
        print(f"{size:3} poisoned: {shares.flipped(size):.1%} of {len(ids)} answers turned")
    return 0


def as_json(study: studies.Study, shares: poison_many.Shares) -> dict[str, Any]:
    """Protocol, counts and every outcome."""
    attack = shares.attack
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "backbone": study.spec.backbone,
        "n": study.objective.n,
        "l2": study.spec.l2,
        "protocol": {
            **asdict(attack),
            "alpha": attack.stride,
            "sizes": list(shares.sizes),
            "shortlist": poison.SHORTLIST,
            "retrained_to_gradient_norm": poison.GRADIENT_NORM,
            "one_picture": "the best alone or the second alone",
        },
        "test_images": len(shares.outcomes),
        "flipped": {str(size): shares.flipped(size) for size in shares.sizes},
        "flipped_by_best_alone": shares.flipped_by_first,
        "paper": {str(size): share for size, share in poison_many.PAPER_SHARES.items()},
        "largest_gradient_norm": max(one.gradient_norm for one in shares.tries),
        "outcomes": [asdict(one) for one in shares.outcomes],
    }


def _together(study: studies.Study, attack: Attack, out: Path | None) -> int:
    """One picture against 30 test images at once, for each label; their mean probability is attacked."""
    found = []
    for label, name in enumerate(study.data.class_names):
        questions = poison.least_sure_tests(study, label)
        best = poison.shortlist(study, questions, goal=attack.goal).ids[:1].tolist()
        result = poison.run(study, questions, best, attack)
        turned = int(result.turned.sum())
        print(f"{turned} of {len(questions)} images of {name} turned by training picture {best[0]}")
        found.append(
            {
                "label": name,
                "training_id": best[0],
                "turned": turned,
                "test_ids": result.test_ids.tolist(),
                "before": result.before.tolist(),
                "after": result.after.tolist(),
                "control": result.control.tolist(),
                "largest_gradient_norm": float(result.gradient_norms.max()),
                "predicted_first_step": result.predicted,
                "actual_first_step": result.actual,
                "seconds": result.seconds,
            }
        )
    if out:
        kept = {"study": study.spec.name, "protocol": asdict(attack), "paper": "16 of 30", "together": found}
        records.write(out, kept, "together")
    return 0


if __name__ == "__main__":
    sys.exit(main())
