"""Whose files a study's examples are: somebody's own, or a set that is known."""

from dataclasses import replace

import pytest

from influence_core.studies import CATALOGUE, find, is_brought


@pytest.mark.parametrize(
    ("name", "brought"),
    [
        ("digits", False),
        ("text-folder", True),
        ("torchvision:MNIST", False),
        ("torchvision:MNIST:all", False),
    ],
)
def test_labels_of_known_sets_are_true_ones(name, brought):
    assert is_brought(find(name)) == brought


def test_what_somebody_built_or_uploaded_is_theirs():
    for name in ("own-" + "0" * 32, "table-" + "0" * 32):
        assert is_brought(replace(CATALOGUE["digits"], name=name))
