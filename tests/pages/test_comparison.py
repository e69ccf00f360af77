"""The map that lies over a compared picture: what its colours mean."""

import base64
import io

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from influence_core.figures.palette import HARMFUL, HELPFUL
from pages._common.comparison import map_url


def drawn(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_what_would_lower_the_loss_is_blue_and_what_would_raise_it_orange():
    shown = drawn(map_url(np.array([[-1.0, 1.0], [0.0, -0.5]])))
    assert shown.shape == (2, 2, 4)
    assert bytes(shown[0, 0, :3].tolist()).hex() == HELPFUL.both[1:]
    assert bytes(shown[0, 1, :3].tolist()).hex() == HARMFUL.both[1:]
    assert shown[1, 0, 3] == 0
    assert shown[0, 0, 3] == shown[0, 1, 3] == 255
    assert 120 < shown[1, 1, 3] < 136


def test_the_pixels_of_a_cell_are_added_up_and_a_map_of_nothing_is_clear():
    change = np.zeros((4, 6))
    change[:2, :2] = [[1, -3], [0, 0]]
    shown = drawn(map_url(change, 2))
    assert shown.shape == (2, 3, 4)
    assert bytes(shown[0, 0, :3].tolist()).hex() == HELPFUL.both[1:]
    assert_array_equal(shown[..., 3] > 0, [[True, False, False], [False, False, False]])
