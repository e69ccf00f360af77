"""442 diabetes patients that come with scikit-learn: the stand-in for the hospital stays of the paper's section 5.3.

Efron et al. 2004. The question: does the disease progress so fast within a year that the patient is in the worst quarter?
As in the hospital data, age is known by decade only; in the thinned data all but one of the training patients in their
twenties whose disease did *not* progress fast are missing.
"""

from __future__ import annotations

import numpy as np
import torch

from influence_core.data.examples import DataSet, Examples
from influence_core.data.readers.tables import TableRecords, encode, sorted_levels, standardised, thin
from influence_core.progress import Progress, report

MEASUREMENTS = ("bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
TWENTIES = ("age group", "[20-30)")
TEST_EVERY = 4
"""Patients 4, 8, 12, ... are for testing."""


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """332 patients to train on, 110 to test on (every fourth); 16 features; ids are patient numbers from 1.

    Args:
        folder: not needed; the data come with scikit-learn.
        progress: told before and after.
    """
    report(progress, 0.0, "Reading the patients")
    made = _prepare()
    report(progress, 1.0, "The patients are read")
    return made


def load_thinned(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """The same without all but one of the training patients in their twenties whose disease did not progress fast.

    Args:
        folder: not needed.
        progress: told before and after.
    """
    return thin(load(folder, progress), *TWENTIES, label=0, name="diabetes-thinned")


def _prepare() -> DataSet:
    from sklearn.datasets import load_diabetes  # takes a second to import

    raw = load_diabetes(scaled=False, as_frame=True)
    frame, progression = raw.data, raw.target.to_numpy()
    fast = progression > np.quantile(progression, 0.75)
    ids = np.arange(1, len(frame) + 1)
    test = ids % TEST_EVERY == 0
    decade = frame["age"].astype(int) // 10 * 10
    text = frame.map("{:g}".format)
    text["age group"] = [f"[{one}-{one + 10})" for one in decade]
    text["progression"] = [f"{one:g}" for one in progression]
    numbers = {name: standardised(frame[name].to_numpy(), ~test, name) for name in MEASUREMENTS}
    categories = {name: sorted_levels(list(text[name].unique())) for name in ("sex", "age group")}
    x, names = encode(text, numbers, categories)
    text.index = ids
    everything = Examples(x, torch.from_numpy(fast.astype(np.int64)), torch.from_numpy(ids))
    for_training = torch.from_numpy(~test)
    return DataSet(
        name="diabetes",
        title="442 diabetes patients",
        train=everything.take(for_training.nonzero()[:, 0]),
        test=everything.take((~for_training).nonzero()[:, 0]),
        class_names=("slow", "fast"),
        image_shape=None,
        stand_in="A stand-in for the hospital stays of the paper: 442 diabetes patients that come with scikit-learn.",
        kind="row",
        feature_names=names,
        records=TableRecords(text),
        group=TWENTIES,
    )
