"""``flip``: which training examples must go for the model's answer to become another?"""

from __future__ import annotations

import argparse
from typing import Any

from influence_core.commands.explain import test_id
from influence_core.commands.terminal import (
    add_common,
    add_study,
    add_test,
    add_work,
    open_study,
    print_head,
    print_json,
    work,
)
from influence_core.errors import DataError
from influence_core.experiments import flip
from influence_core.experiments.flip_set import FlipSet, proof
from influence_core.studies import Study
from influence_core.words import percent

SHOWN = 20
"""Ids that are printed; ``--json`` has all."""


def add(commands: Any) -> None:
    """Declare it."""
    parser = commands.add_parser("flip", help="without which training examples would it say something else?")
    parser.set_defaults(run=run)
    add_study(parser)
    add_test(parser)
    parser.add_argument("--to", metavar="LABEL", help="the label it is to say; any other by default")
    parser.add_argument("--relabel", action="store_true", help="relabel training examples, not take them out")
    add_common(parser)
    add_work(parser)


def run(options: argparse.Namespace) -> int:
    """Search for one set."""
    with work(options) as context:
        study = open_study(options, context)
        chosen = test_id(study, options.test)
        test = study.data.test
        x, wanted = test.x[test.position(chosen)], _wanted(study, options.to)
        found = flip.run(study, x, wanted, options.relabel, context=context)
    if options.json:
        print_json(_as_json(study, chosen, found))
    else:
        _print(study, chosen, found)
    return 0


def _wanted(study: Study, name: str | None) -> int | None:
    names = study.data.class_names
    if name is None:
        return None
    if name not in names:
        raise DataError(f"There is no label {name!r}; choose one of {', '.join(names)}.")
    return names.index(name)


def _as_json(study: Study, chosen: int, found: FlipSet) -> dict[str, Any]:
    names = study.data.class_names
    return {
        "study": study.spec.address,
        "data": study.data.title,
        "test_id": chosen,
        "said": names[found.said],
        "says": names[found.says],
        "size": found.size,
        "n": found.n,
        "train_ids": found.ids.tolist(),
        "new_labels": [names[one] for one in found.labels] if found.relabel else None,
        "flipped": found.flipped,
        "proven": found.proven,
        "minimal": found.minimal,
        "forecast": found.forecast,
        "margin_before": found.margins[0],
        "margin_after": found.margins[1],
        "margin_bound": None if found.forecast else found.bound,
        "gradient_norm": found.gradient_norm,
        "probabilities": dict(zip(names, found.after.tolist(), strict=True)),
        "size_before_pruning": found.unpruned,
        "rounds": found.rounds,
        "put_back_one_at_a_time": found.restored[:, 0].tolist(),
        "seconds": found.seconds,
        "from_store": found.from_store,
    }


def _print(study: Study, chosen: int, found: FlipSet) -> None:
    names, kind = study.data.class_names, study.data.kind
    said, says = names[found.said], names[found.says]
    sure = percent(float(found.before[found.said]))
    print_head(study, f"Test {kind} {chosen}: the model says {said} ({sure}).")
    done = "With another label on" if found.relabel else "Without"
    edited = f"{done} {found.size:,} of {found.n:,} training {kind}s"
    if found.unmoved:
        print(f"None of the {found.n:,} training {kind}s has any influence on this, so nothing changes it.")
        return
    if not found.flipped:
        print(f"No set was found that changes this: {edited.lower()} it still says {says}.")
    else:
        print(f"{edited} it says {says} ({percent(float(found.after[found.says]))}).")
    shown = ", ".join(map(str, found.ids[:SHOWN]))
    print(f"\nTheir ids, the strongest first: {shown}{', …' if found.size > SHOWN else ''}")
    print(f"\n{proof(found)}")
