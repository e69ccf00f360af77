"""Is it like anything the model has learnt? Photos, noise, letters and drawings, against digits that were held out."""

import io

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageDraw, ImageFont

from influence_core import studies
from influence_core.context import Context
from influence_core.data import load
from influence_core.data.readers.pictures import read_digit
from influence_core.experiments import likeness, questions
from influence_core.experiments.likeness import RARE, _ranked
from influence_core.experiments.questions import Question
from influence_core.store import Store
from tests.drawings import drawn_digits
from tests.problems import linear, linear_study


@pytest.fixture(scope="module")
def digits():
    return studies.open_study(studies.find("digits"))


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(Store(tmp_path_factory.mktemp("likeness")))


@pytest.fixture(scope="module")
def mails():
    return studies.open_study(studies.find("mails"))


def as_read(image: Image.Image) -> torch.Tensor:
    """A picture as it comes out of the upload."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return read_digit(file.getvalue())


def photos(count: int) -> list[torch.Tensor]:
    found = load("photos")
    ids = found.test.ids.tolist()[:count]
    return [as_read(Image.fromarray(found.pictures.read(one, 160))) for one in ids]


def noise(seed: int) -> torch.Tensor:
    return as_read(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)))


def letter(name: str) -> torch.Tensor:
    image = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(image).text((60, 20), name, font=ImageFont.load_default(size=200), fill=0)
    return as_read(image)


def unlike(study, context, inputs) -> np.ndarray:
    return np.array([likeness.run(study, Question(x, 0), context=context).unlike for x in inputs])


@pytest.mark.slow
def test_photos_and_noise_are_unlike_and_drawn_digits_are_not(digits, context):
    """Five photos, one noise picture and five digits drawn by hand: right eleven times of eleven."""
    drawn = drawn_digits()
    assert unlike(digits, context, photos(5)).all()
    assert unlike(digits, context, [noise(0)]).all()
    assert len(drawn) == 30 and not unlike(digits, context, drawn).any()


def test_other_outliers_are_found_more_often_than_by_chance(digits, context):
    ids = digits.data.test.ids.numpy()[::100]
    pixels = torch.stack([questions.ask(digits, int(one)).x for one in ids])
    shifted = pixels.view(-1, 28, 28).roll((6, 6), (1, 2)).reshape(len(ids), -1)
    assert unlike(digits, context, 1 - pixels).all()
    assert unlike(digits, context, shifted).mean() > 0.8
    assert unlike(digits, context, map(letter, "ABCDEFGHJKMNPQRTUVWXY")).mean() > 0.3


def test_one_in_a_hundred_held_out_digits_is_called_unlike(digits, context):
    """Those that the usual distances were not made of; twelve hundred, so 0.3 per cent of chance."""
    known = likeness.usual(digits, context=context)
    fresh = ~np.isin(digits.data.test.ids.numpy(), known.test_ids)
    x = digits.data.test.x[torch.from_numpy(fresh)][:1200]
    far = np.stack([likeness._distance(digits, x), likeness._tones(digits, x)]).T
    share = np.mean([_ranked(one, known.values)[1] <= RARE for one in far])
    assert 0.003 < share < 0.02


def test_distances_are_those_of_plain_arithmetic(digits, context):
    question = questions.ask(digits, int(digits.data.test.ids[3]))
    found = likeness.run(digits, question, context=context)
    train, x = digits.data.train.x.numpy(), question.x.numpy()
    centred, mine = train - train.mean(0), x - train.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    far = np.linalg.norm(unit - mine / np.linalg.norm(mine), axis=1)
    assert found.measures == ("distance", "tones")
    assert_allclose(found.values[0], far.min(), rtol=1e-6)
    assert_array_equal(found.nearest, digits.data.train.ids.numpy()[np.argsort(far)[:6]])
    steps = np.round(np.linspace(0, 783, 32)).astype(int)
    levels = np.sort(train, 1)[:, steps] - np.sort(x)[steps]
    assert_allclose(found.values[1], np.linalg.norm(levels, axis=1).min(), rtol=1e-6)


def test_a_held_out_example_is_not_held_against_itself(digits, context):
    known = likeness.usual(digits, context=context)
    one = likeness.run(digits, questions.ask(digits, int(known.test_ids[0])), context=context)
    assert one.held_out == known.values.shape[1] - 1


def test_ranks_decide_whatever_the_scale_and_chance_is_kept():
    rng = np.random.default_rng(0)
    others = np.stack([rng.normal(size=999), 1e6 * rng.exponential(size=999)])
    assert _ranked(np.array([9.0, 0.0]), others)[1] == pytest.approx(2 / 1000, abs=1e-9)
    assert _ranked(np.array([-9.0, -1.0]), others) == (pytest.approx([1.0, 1.0]), 1.0)
    fresh = np.stack([rng.normal(size=2000), 1e6 * rng.exponential(size=2000)]).T
    assert np.mean([_ranked(one, others)[1] <= RARE for one in fresh[:1000]]) == pytest.approx(
        RARE, abs=0.007
    )


# ------------------------------------------------------------------------------------------- rows and texts


def test_a_row_beyond_every_column_is_named_and_a_training_row_is_no_neighbour_of_its_own(context):
    study = linear_study(linear("logistic", n=300))
    inside = likeness.run(study, questions.ask(study, 901), context=context)
    assert inside.outside == () and not inside.unlike
    assert inside.held_out == 303
    far = study.data.test.x[1].clone()
    far[2] = study.data.train.x[:, 2].max() + 40
    found = likeness.run(study, Question(far, 0), context=context)
    assert found.unlike
    size = study.data.train.x[:, 2].std(correction=0)
    assert_allclose(found.values[found.measures.index("range")], 40 / float(size), rtol=1e-9)
    known = likeness.usual(study, context=context)
    assert known.values[0].min() > 0


@pytest.mark.slow
def test_a_text_of_unknown_words_is_unlike(mails, context, monkeypatch):
    study = mails
    plain = likeness._unknown
    strange = int(study.data.test.ids[7])
    monkeypatch.setattr(likeness, "_unknown", lambda study, one: 1.0 if one == strange else plain(study, one))
    found = likeness.run(study, questions.ask(study, strange), context=context)
    assert found.unlike and found.telling == "words"


def test_the_share_of_known_words_is_counted_word_by_word(mails):
    study = mails
    one = int(study.data.test.ids[0])
    text = " ".join(study.data.record(one).values())
    words = [word for _, _, word in study.data.records.spans(text)]
    expected = np.mean([word not in study.data.feature_names for word in words])
    assert_allclose(likeness._unknown(study, one), expected)
