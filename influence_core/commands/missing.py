"""``missing``: which examples, were they added to the training set, would lower the loss of an answer most?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from influence_core import studies
from influence_core.commands.explain import question_of
from influence_core.commands.terminal import (
    add_common,
    add_study,
    add_test,
    add_work,
    open_study,
    print_head,
    print_json,
    print_table,
    work,
)
from influence_core.errors import DataError, require
from influence_core.experiments import additions, pools, questions
from influence_core.experiments.additions import Added, Additions
from influence_core.exports import as_csv
from influence_core.studies import Study
from influence_core.words import nats, percent, points


def add(commands: Any) -> None:
    """Declare it."""
    missing = commands.add_parser("missing", help="which examples, if added, would make the answer better?")
    missing.set_defaults(run=run)
    add_study(missing)
    add_test(missing)
    missing.add_argument("--label", help="lower the loss of this label instead of the true one's")
    missing.add_argument(
        "--from", dest="pool", metavar="STUDY", help="choose from this study's training examples"
    )
    missing.add_argument("--top", type=int, default=5, help="how many candidates to show (5)")
    missing.add_argument("--prove", action="store_true", help="add those together and train again")
    missing.add_argument("--csv", metavar="FILE", help="write the ranking of all candidates")
    add_common(missing)
    add_work(missing)


def run(options: argparse.Namespace) -> int:
    """Rank, and prove where that is asked for."""
    if not 1 <= options.top <= additions.MAX_ADDED:
        raise DataError(f"--top must be 1 to {additions.MAX_ADDED}, but is {options.top}.")
    require(additions.supports(studies.find(options.study)))
    with work(options) as context:
        study = open_study(options, context)
        question = question_of(study, options.test, options.label)
        if options.label is None and question.true_label is not None:
            question = questions.with_label(study, question, question.true_label)
        if options.pool is None:
            pool = pools.held_out(study, question)
        else:
            other = studies.find(options.pool)
            pool = pools.of_study(
                study, studies.open_study(other, context.store, options.data, options.device)
            )
        found = additions.run(study, question, pool, context=context)
        chosen = found.order()[: options.top]
        added = (
            additions.prove(study, question, pool, chosen.tolist(), context=context)
            if options.prove
            else None
        )
    if options.csv:
        text = as_csv(additions.table(study, found))
        Path(options.csv).write_text(text, encoding="utf-8", newline="")
    name = study.data.class_names[question.label]
    if options.json:
        print_json(_as_json(study, found, added, name, question.test_id, pool.name, options.top))
    else:
        _print(study, found, added, name, question.test_id, pool.name, options.top)
    return 0


def _rows(study: Study, found: Additions, top: int) -> list[dict[str, Any]]:
    """The first rows; a number that was not computed is ``None``."""
    table = {name: values[:top].tolist() for name, values in additions.table(study, found).items()}
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return [{name: None if one != one else one for name, one in row.items()} for row in rows]


def _as_json(
    study: Study, found: Additions, added: Added | None, name: str, test: int | None, pool: str, top: int
) -> dict[str, Any]:
    told = None
    if added is not None:
        told = {
            key: one.tolist() if isinstance(one, np.ndarray) else one for key, one in asdict(added).items()
        }
    return {
        "study": study.spec.address,
        "test_id": test,
        "label": name,
        "pool": pool,
        "candidates": len(found.ids),
        "best": _rows(study, found, top),
        "added": told,
    }


def _print(
    study: Study, found: Additions, added: Added | None, name: str, test: int | None, pool: str, top: int
) -> None:
    kind = study.data.kind
    print_head(study, f"What is missing for test {kind} {test} to be {name}?")
    print(f"\n{len(found.ids):,} {pool}; each alone, added with the weight of the others.")
    print("Minus: the loss would fall, so it helps.\n")
    header = ["id", "label", "loss change (influence)", "(corrected)", "probability change"]
    cells = [
        [
            str(row["id"]),
            row["label"],
            nats(row["predicted_loss_change_nats"]),
            *(
                "-" if row[key] is None else words(row[key])
                for key, words in (
                    ("corrected_loss_change_nats", nats),
                    ("corrected_probability_change", points),
                )
            ),
        ]
        for row in _rows(study, found, top)
    ]
    print_table(header, cells)
    if added is not None:
        label = study.data.class_names.index(name)
        print(
            f"\nWith these {len(added.ids)} the loss changes by {nats(added.actual)} after training again (forecast "
            f"{nats(added.forecast)}); {name}: {percent(float(added.before[label]))} before, "
            f"{percent(float(added.after[label]))} after."
        )
