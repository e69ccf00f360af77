"""The line on the Explain page that says when an example is like nothing that was learnt."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.visits import address, press, said, visit


@pytest.fixture(scope="module")
def noise() -> str:
    from pages._common import pictures

    return pictures.keep(np.random.default_rng(0).random(784))


def test_a_picture_of_noise_is_called_unlike_and_its_nearest_opens(noise):
    at: AppTest = visit("one-or-seven", picture=noise)
    assert (
        "Your picture is like nothing the model has learnt from: even its nearest training image lies"
        in said(at)
    )
    assert "held-out images none lie as far" in said(at)
    at = press(at, "open_nearest")
    assert address(at)["open"].isdigit()


def test_nothing_is_said_where_the_example_is_usual():
    assert "like nothing" not in said(visit("one-or-seven"))
