"""A version is trained, and is what it should be: ``python -m tests.benchmarks.versions --check [--study NAME] [--threads 1]``.

Three labels, two removals and one more example, in one version of a packaged study:

- *seconds*: of training it from the unchanged optimum, and of opening it where the unchanged study is in the store.
- *cold fit*: its parameters against scikit-learn's from a cold start on the changed rows, which are put together example by
  example, finished with plain Newton steps: the largest difference, as a share of the largest parameter.
- *digest*: whether the address and the command line come to the same study.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from influence_core.__main__ import main as command
from influence_core.store import Store
from influence_core.store.store import FOLDER_VARIABLE
from influence_core.studies import Change, Study, find, open_study
from tests import references
from tests.benchmarks.scores import Figure

STUDIES = ("digits", "dog-or-frog")
SECONDS = 2.0
CLOSE = 1e-8
GRADIENT = 1e-11
"""The cold fit ends at this gradient norm."""


def changes(study: Study) -> tuple[Change, ...]:
    """The three least likely labels become the model's answers, the next two examples go, the least sure test example comes."""
    train, test = study.data.train, study.data.test
    said, order = study.probabilities(train.x).argmax(1), np.argsort(study.own_probability(), kind="stable")
    wrong = [at for at in order if said[at] != train.y[at]]
    made = [Change("relabel", int(train.ids[at]), label=int(said[at])) for at in wrong[:3]]
    left = [at for at in order if at not in wrong[:3]][:2]
    unsure = int(study.predictions.least_confident()[0])
    made += [Change("remove", int(train.ids[at])) for at in left]
    return (*made, Change("add", int(test.ids[unsure]), label=int(test.y[unsure])))


def cold_difference(before: Study, after: Study) -> float:
    """The largest difference to a cold fit, as a share of its largest parameter."""
    rows = {
        int(name): [x, int(y), 1 / before.objective.n]
        for x, y, name in zip(*(np.asarray(one) for one in vars(before.data.train).values()), strict=True)
    }
    for one in after.spec.changes:
        if one.kind == "remove":
            del rows[one.example]
        elif one.kind == "relabel":
            rows[one.example][1] = one.label
        else:
            at = before.data.test.position(one.example)
            rows[one.example] = [before.data.test.x[at].numpy(), one.label, 1 / before.objective.n]
    x, y, w = (np.array(column) for column in zip(*rows.values(), strict=True))
    cold = references.cold_fit(x, y, w, after.spec.l2, after.spec.model, gradient=GRADIENT)
    return float(np.abs(after.theta.cpu().numpy() - cold).max() / np.abs(cold).max())


def digests(after: Study, folder: str) -> set[str]:
    """Of the study by its address, and of what the command line opens."""
    out, known = io.StringIO(), os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = folder
    try:
        with contextlib.redirect_stdout(out):
            assert command(["compare", "--study", after.spec.address, "--json"]) == 0
    finally:
        os.environ.pop(FOLDER_VARIABLE) if known is None else os.environ.update({FOLDER_VARIABLE: known})
    return {
        after.key,
        open_study(find(after.spec.address), Store(folder)).key,
        json.loads(out.getvalue())["key"],
    }


def measure(name: str) -> Iterator[Figure]:
    """All figures of one study."""
    with tempfile.TemporaryDirectory() as folder:
        before = open_study(find(name), Store(folder), None, "cpu")
        spec = replace(before.spec, changes=changes(before))
        started = time.perf_counter()
        after = open_study(spec, Store(folder), None, "cpu")
        yield Figure(name, "opened, seconds", time.perf_counter() - started)
        yield Figure(name, "trained, seconds", after.seconds, SECONDS)
        yield Figure(name, "gradient norm", after.gradient_norm, spec.gradient_norm)
        yield Figure(name, "difference to a cold fit", cold_difference(before, after), CLOSE)
        yield Figure(name, "digests", len(digests(after, folder)), 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--study", choices=STUDIES, help="this one alone")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    short = False
    for name in [options.study] if options.study else STUDIES:
        for one in measure(name):
            aim = "" if one.limit is None else f"at most {one.limit:.3g}"
            verdict = "falls short" if one.short else "ok" if aim else ""
            print(f"{one.case:12} {one.name:28} {one.value:10.3g}  {aim:14} {verdict}".rstrip(), flush=True)
            short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
