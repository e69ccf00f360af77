"""A digest names a content: every byte, type and boundary counts, and nothing else does."""

import itertools

import numpy as np
import pytest
import torch

from influence_core.errors import UnsupportedError
from influence_core.store.digest import digest

DIFFERENT = [
    (),
    ("",),
    ("", ""),
    ("ab", "c"),
    ("a", "bc"),
    ("abc",),
    (b"abc",),
    (("ab", "c"),),
    (["ab", "c"],),
    (None,),
    ("None",),
    (1,),
    (1.0,),
    (True,),
    (0.0,),
    (-0.0,),
    (float("nan"),),
    ({},),
    ((),),
    ({"a": 1},),
    ({"a": 2},),
    ({1: "a"},),
    (("a", 1),),
    (np.float64(1),),
    (np.zeros(4),),
    (np.zeros((2, 2)),),
    (np.zeros(4, np.float32),),
    (np.zeros(8, np.float32),),
    (np.zeros(4, ">f8"),),
    (np.zeros((0, 3)),),
    (np.zeros((3, 0)),),
    (np.array(["ab", "c"]),),
    (np.zeros(2, [("a", "f8")]),),
    (np.zeros(2, [("b", "f8")]),),
    (torch.zeros(4, dtype=torch.float64),),
    (torch.zeros(4, dtype=torch.int64),),
    (torch.zeros(4, dtype=torch.bfloat16),),
    (torch.zeros(4, dtype=torch.bool),),
    (torch.tensor(0.0),),
    (torch.zeros(0),),
]


def test_different_parts_have_different_digests() -> None:
    for first, second in itertools.combinations(DIFFERENT, 2):
        assert digest(*first) != digest(*second), (first, second)


@pytest.mark.parametrize("as_tensor", [False, True], ids=["array", "tensor"])
def test_one_changed_element_of_a_million_always_counts(as_tensor: bool) -> None:
    values = np.random.default_rng(0).random(1_000_000, dtype=np.float32)
    part = (
        torch.from_numpy(values) if as_tensor else values
    )  # the same memory, so a change in one is seen by the other
    seen = {digest(part)}
    for position in np.random.default_rng(1).integers(0, len(values), 50):
        before = values[position]
        values[position] = np.nextafter(before, np.float32(2))
        seen.add(digest(part))
        values[position] = before
    assert len(seen) == 51
    assert digest(part) in seen


def test_memory_layout_does_not_count() -> None:
    array = np.arange(12.0).reshape(3, 4)
    assert digest(array) == digest(np.asfortranarray(array)) == digest(np.repeat(array, 2, axis=1)[:, ::2])
    tensor = torch.arange(12.0).reshape(3, 4)
    assert digest(tensor) == digest(tensor.T.contiguous().T) == digest(tensor.requires_grad_())
    complex_tensor = torch.tensor([1 + 2j])
    assert digest(complex_tensor.conj()) == digest(torch.tensor([1 - 2j])) != digest(complex_tensor)


def test_order_counts_in_tuples_but_not_in_dicts() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest((1, 2)) != digest((2, 1))
    assert digest(1, 2) != digest(2, 1)


def test_a_digest_is_the_same_tomorrow() -> None:
    assert digest("digits", 1, 0.5, None, (True,)) == (
        "0cd89ffe9848bb91d56e27db97a26b22d60c2d3986b0cb0b7816a2b4b6d4154e"
    )


@pytest.mark.parametrize(
    "part", [object(), {1, 2}, np.array([object()]), 1j], ids=["object", "set", "array of objects", "complex"]
)
def test_what_has_no_bytes_of_its_own_is_refused(part: object) -> None:
    with pytest.raises(UnsupportedError, match="digest cannot be made"):
        digest(part)
