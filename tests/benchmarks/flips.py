"""What flips an answer, and with how few? ``python -m tests.benchmarks.flips [--check] [--study NAME] [--tests 50]``.

On each packaged linear study as many mistakes as asked for (all, where there are fewer) and as many right answers are drawn
with a fixed seed; those that no training example can move, such as a text of which no word is known, are named and left out.
For each the flip set by taking out is searched, then the one by relabelling, then how many of its first examples a single
ranking would need. Of the first ``--every`` sets of each kind every member is put back, one at a time, each with training:
what ``minimal`` says of them all is then proven of them all. Seconds are those of the search once the study is prepared, on
the clock and of this process's own computing (which others on the machine do not lengthen as much).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import flip, flip_curve
from influence_core.experiments.flip_set import FlipSet
from influence_core.retraining.flipping import ROUGH
from influence_core.retraining.putting_back import restore_each
from influence_core.store import Store
from influence_core.studies import Study, find, open_study

STUDIES = ("one-or-seven", "dog-or-frog", "mails", "digits")
TESTS = 50
EVERY = 2
SECONDS = 5.0
"""A search on the digits may take so long on two quiet cores."""


@dataclass(frozen=True)
class Row:
    """One test example.

    Attributes:
        mistake: Whether the model's answer is wrong.
        found: By taking out.
        relabelled: By relabelling.
        one_shot: What a single ranking needs; ``None`` where all that pull do not flip it.
        seconds: On the clock.
        computing: Of this process.
        needless: Members of the set that can be put back after all; ``None`` where that was not tried for all.
    """

    mistake: bool
    found: FlipSet
    relabelled: FlipSet
    one_shot: int | None
    seconds: float
    computing: float
    needless: int | None


def measure(study: Study, tests: int, every: int, context: Context) -> Iterator[Row]:
    """The rows of one study, mistakes and right answers in turn."""
    known, rng = study.predictions, np.random.default_rng(0)
    sides = ((kind, rng.permutation(np.flatnonzero(known.wrong == kind))[:tests]) for kind in (True, False))
    flip.prepare(study, context)
    for mistake, positions in sides:
        for number, at in enumerate(positions):
            x = study.data.test.x[int(at)]
            if x.any():
                yield _row(study, mistake, x, number < every, context)
            else:
                print(
                    f"{study.spec.name}, test {int(known.ids[at])}: empty, nothing moves it", file=sys.stderr
                )


def _row(study: Study, mistake: bool, x: torch.Tensor, every: bool, context: Context) -> Row:
    started, computed = time.perf_counter(), time.process_time()
    found = flip.run(study, x, context=context)
    seconds, computing = time.perf_counter() - started, time.process_time() - computed
    return Row(
        mistake,
        found,
        flip.run(study, x, None, True, context=context),
        flip_curve.by_one_ranking(study, found, context=context).size,
        seconds,
        computing,
        needless(study, found, context) if every and found.flipped else None,
    )


def needless(study: Study, found: FlipSet, context: Context) -> int:
    """How many members of a set can be put back without undoing the flip, each alone and with training."""
    contest = flip.contest_of(study, torch.as_tensor(found.x), None)
    model = flip.follow(study, contest, found.relabel, context)
    at = torch.as_tensor(np.flatnonzero(np.isin(study.data.train.ids.numpy(), found.ids)))
    taken = torch.zeros_like(model.taken)
    taken[at] = True
    model.edit(taken, ROUGH)
    model.sharpen()
    forecast = (model.margin + model.pulls(3)[at]).double()
    margins, bounds = restore_each(model, at, forecast)
    return int((margins <= bounds).sum())


def table(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """Markdown, one line for the mistakes and one for the right answers."""
    for mistake, word in ((True, "mistakes"), (False, "right")):
        some = [one for one in rows if one.mistake == mistake]
        if not some:
            continue
        sets = [one.found for one in some if one.found.flipped]
        ratios = [one.found.size / one.one_shot for one in some if one.one_shot and one.found.flipped]
        beaten = sum(one.one_shot is None for one in some if one.found.flipped)
        tried = [one.needless for one in some if one.needless is not None]
        cells = [
            name,
            f"{len(some)} {word}",
            str(len(sets)),
            str(sum(one.proven for one in sets)),
            str(sum(one.minimal for one in sets)),
            f"{sum(one == 0 for one in tried)} of {len(tried)}",
            _spread([one.size for one in sets]),
            _spread([one.unpruned for one in sets]),
            _spread([one.one_shot for one in some if one.one_shot]),
            f"{np.median(ratios):.2f}, at most {max(ratios):.2f}; {beaten} never" if ratios else "-",
            _spread([one.relabelled.size for one in some if one.relabelled.flipped]),
            _spread([one.seconds for one in some], 1),
            _spread([one.computing for one in some], 1),
        ]
        yield f"| {' | '.join(cells)} |"


HEAD = (
    "| study | answers | flipped | proven | minimal | every member needed | size: median, 90 % | before pruning | one ranking | "
    "size / one ranking | by relabelling | seconds | computing |\n" + "|---" * 13 + "|"
)


def _spread(values: Sequence[float], digits: int = 0) -> str:
    if not len(values):
        return "-"
    return f"{np.median(values):.{digits}f}, {np.quantile(values, 0.9):.{digits}f}"


def _words(row: Row) -> str:
    """A row in a line, told while the others are still to come."""
    return (
        f"{row.found.size} ({row.found.unpruned} before pruning; one ranking {row.one_shot}; relabelled "
        f"{row.relabelled.size}), {row.seconds:.1f} s, computing {row.computing:.1f} s"
    )


def short(name: str, row: Row) -> list[str]:
    """What a row falls short of."""
    found, failed = row.found, []
    if not (found.flipped and found.proven and found.minimal):
        failed.append("not found, proven and minimal")
    if found.flipped and row.one_shot is not None and found.size > row.one_shot:
        failed.append(f"{found.size} is more than one ranking's {row.one_shot}")
    if row.needless:
        failed.append(f"{row.needless} members can be put back")
    if name == "digits" and row.seconds > SECONDS:
        failed.append(f"{row.seconds:.1f} s")
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 where a set falls short, and name it"
    )
    parser.add_argument("--study", choices=STUDIES, help="this one alone")
    parser.add_argument("--tests", type=int, default=TESTS, help="mistakes a study, and right answers (50)")
    parser.add_argument(
        "--every", type=int, default=EVERY, help="sets of each kind whose every member is tried"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    failed = False
    print(HEAD)
    for name in [options.study] if options.study else STUDIES:
        with tempfile.TemporaryDirectory() as folder:
            context = Context(Store(Path(folder)), engines=Engines(1))
            study, rows = open_study(find(name), context.store, None, "cpu"), []
            for row in measure(study, options.tests, options.every, context):
                rows.append(row)
                print(f"{name}, set {len(rows)}: {_words(row)}", file=sys.stderr, flush=True)
                for one in short(name, row):
                    failed = True
                    print(f"{name}, set {len(rows)}: {one}", file=sys.stderr, flush=True)
        print("\n".join(table(name, rows)), flush=True)
    return 1 if options.check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
