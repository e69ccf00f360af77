"""All pictures in one: each lies where the browser looks for it."""

import base64
import io

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from pages._common.cards import ink
from pages._common.hover_pictures import COLUMNS, all_in_one


def test_every_picture_lies_in_its_place(one_or_seven):
    train = one_or_seven.data.train
    ids = [int(one) for one in train.ids[: COLUMNS + 5]]
    url = all_in_one(one_or_seven, ids)
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    assert whole.shape == (2 * 28, COLUMNS * 28)
    for place, one in enumerate(ids):
        row, column = divmod(place, COLUMNS)
        found = whole[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)]
        assert_array_equal(found, ink(one_or_seven, train.x[train.position(one)].numpy()))
    assert (whole[28:, 5 * 28 :] == 255).all()
