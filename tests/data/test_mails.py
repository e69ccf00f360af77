"""The packaged e-mails: what they hold, that the model reads what people read, and that they are no give-away."""

import re
from collections import Counter

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer
from sklearn.linear_model import LogisticRegression

from influence_core.data import load
from influence_core.data.readers import bag_of_words
from influence_core.data.sets import mails
from influence_core.errors import DataError


@pytest.fixture(scope="module")
def packaged():
    return load("mails")


def text_of(data, id):
    record = data.record(id)
    return record["subject"] + "\n" + record["text"]


def counted(text):
    """Words by another way than the library's: letters a to z, two or more, no stop words."""
    found = re.sub("[^a-z]", " ", text.replace("\u0130", " ").replace("\u212a", " ").lower()).split()
    return Counter(word for word in found if len(word) > 1 and word not in ENGLISH_STOP_WORDS)


def test_the_sizes_are_the_papers(packaged):
    assert packaged.train.x.shape == (4137, 2936)
    assert packaged.test.x.shape == (1035, 2936)
    assert packaged.train.ids.tolist() == list(range(4137))
    assert packaged.test.ids.tolist() == list(range(4137, 5172))
    assert (packaged.kind, packaged.image_shape) == ("e-mail", None)
    assert packaged.class_names == ("ham", "spam")
    assert packaged.train.y.bincount().tolist() == [2958, 1179]
    assert "stand-in for Enron1" in packaged.stand_in
    assert packaged.content == load("mails").content
    assert mails.PACKAGED.stat().st_size < 2.5e6


def test_the_model_reads_what_people_read(packaged):
    known = set(packaged.feature_names)
    x = torch.cat([packaged.train.x, packaged.test.x]).numpy()
    for id in range(0, 5172, 37):
        words = counted(text_of(packaged, id))
        expected = {word: count for word, count in words.items() if word in known}
        got = {packaged.feature_names[at]: x[id, at] for at in np.flatnonzero(x[id])}
        assert got == expected, id


def test_a_known_word_stands_in_fifteen_training_mails(packaged):
    stands_in = (packaged.train.x > 0).sum(0)
    assert int(stands_in.min()) == 15
    assert list(packaged.feature_names) == sorted(set(packaged.feature_names))
    assert not set(packaged.feature_names) & ENGLISH_STOP_WORDS
    assert all(re.fullmatch("[a-z]{2,}", word) for word in packaged.feature_names)


def test_no_text_holds_an_address_a_link_or_a_trace_of_the_collection(packaged):
    whole = [text_of(packaged, id) for id in range(5172)]
    assert len(set(whole)) == 5172
    assert max(map(len, whole)) <= 1500
    traces = {
        "an address": (r"[a-z0-9]@[a-z0-9]", 3),
        "a link": (r"https?://\w|\bwww\.", 3),
        "a header": (r"(?m)^(From|To|Date|Subject|Received): \S", 3),
        "the collection's own names": (r"(?i)zzzz|jmason|netnoteinc|deathtospam|sightings mailing", 3),
        "a list's tag or footer": (
            r"(?m)\A(Re: )?\[[\w-]+\]|^[^>\n]*mailing list\n…@…|^This sf.net email is spons",
            26,
        ),
        "bytes that are no text": ("[\x00-\x08\ufffd]|\\\\ufffd", 0),
    }
    for name, (pattern, most) in traces.items():
        found = [at for at, text in enumerate(whole) if re.search(pattern, text)]
        assert len(found) <= most, (name, found[:5], [whole[at] for at in found[:2]])


def test_no_single_word_gives_the_label_away(packaged):
    x, spam = (packaged.train.x > 0).double(), packaged.train.y == 1
    says_spam = x[spam].mean(0) - x[~spam].mean(0)
    assert float(says_spam.abs().max()) < 0.5
    pure = (x[~spam].sum(0) == 0) & (x[spam].sum(0) > 0.1 * int(spam.sum()))
    assert not pure.any(), [packaged.feature_names[at] for at in pure.nonzero()]


def test_a_logistic_regression_learns_them(packaged):
    train, test = packaged.train, packaged.test
    model = LogisticRegression(C=1 / (4137 * 1e-4), fit_intercept=False, solver="newton-cg", max_iter=200)
    model.fit(csr_matrix(train.x.numpy()), train.y.numpy())
    right = model.score(csr_matrix(test.x.numpy()), test.y.numpy())
    assert 0.94 < right < 0.97


def test_a_damaged_package_file_says_what_to_do(tmp_path, monkeypatch):
    content = mails.PACKAGED.read_bytes()
    for name, damaged in {"missing": None, "short": content[:1000], "text": b"hello", "empty": b""}.items():
        monkeypatch.setattr(mails, "PACKAGED", tmp_path / name)
        if damaged is not None:
            (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError, match="missing or damaged"):
            load("mails")


# -------------------------------------------------------------------------------------------- bags of words


def test_words_are_plain_letters_in_small_letters():
    text = "Hello, WORLD! the café's 2nd e-mail: a b c don’t İstanbul K\nhello"
    plain = bag_of_words.plain_spans
    assert bag_of_words.words(text, plain) == [
        "hello",
        "world",
        "caf",
        "nd",
        "mail",
        "don",
        "stanbul",
        "hello",
    ]
    assert all(text[first:last].lower() == word for first, last, word in plain(text))
    assert bag_of_words.words("", plain) == bag_of_words.words("42 … !", plain) == []


def test_the_packaged_mails_are_counted_and_marked_by_the_same_rule(packaged):
    column = {word: at for at, word in enumerate(packaged.feature_names)}
    for id in packaged.test.ids[::50].tolist():
        counts = Counter(
            word
            for text in packaged.record(id).values()
            for _, _, word in packaged.records.spans(text)
            if word in column
        )
        x = packaged.test.x[packaged.test.position(id)]
        assert {column[word]: count for word, count in counts.items()} == {
            at: int(x[at]) for at in x.nonzero()[:, 0].tolist()
        }


WORDS = {
    "Hello, WORLD! the café's 2nd e-mail: a b c don’t": ["hello", "world", "café", "2nd", "mail", "don"],
    "E100 E-100 CVE-2021-44228 42 3D _X1_ foo_bar": [
        "e100",
        "e-100",
        "cve-2021-44228",
        "3d",
        "x1",
        "foo",
        "bar",
    ],
    "réussi re\u0301ussi İSTANBUL ＡＢＣ": ["réussi", "réussi", "istanbul", "abc"],
    "Очень хорошо, я! ЁЖ": ["очень", "хорошо", "ёж"],
    "素晴らしい映画。猫・犬": ["素晴", "晴ら", "らし", "しい", "い映", "映画", "猫", "犬"],
    "PC版のＤＶＤ": ["pc", "版の", "dvd"],
    "ｶﾞｷﾞ": ["ガギ"],
    "这部电影 好": ["这部", "部电", "电影", "好"],
    "ดีมาก": ["ดีม", "มา", "าก"],
    "이 영화는 좋아요": ["영화는", "좋아요"],
    "नमस्ते दुनिया": ["नमस्ते", "दुनिया"],
    "مرحبا بالعالم": ["مرحبا", "بالعالم"],
    "42 … ! 1,000": [],
}


@pytest.mark.parametrize("text", WORDS)
def test_words_of_every_alphabet(text):
    assert bag_of_words.words(text) == WORDS[text]
    for first, last, _ in bag_of_words.spans(text):
        assert 0 <= first < last <= len(text)


def test_the_vocabulary_is_what_enough_texts_hold():
    texts = ["free money money", "free kernel", "kernel patch free", "money"]
    assert bag_of_words.vocabulary(texts, 2) == ("free", "kernel", "money")
    assert bag_of_words.vocabulary(texts, 3) == ("free",)
    assert bag_of_words.vocabulary(texts, 1, most=2) == ("free", "money")
    with pytest.raises(DataError, match="No word stands in at least 4 of the 4 texts"):
        bag_of_words.vocabulary(texts, 4)
    with pytest.raises(DataError, match="more texts, or longer ones"):
        bag_of_words.vocabulary(["42", "the"], 1)


def test_the_table_counts_known_words_only():
    x = bag_of_words.table(["Free free patch", "unknown", "patch"], ("free", "patch"))
    assert_array_equal(x.toarray(), [[2, 1], [0, 0], [0, 1]])
    assert (x.dtype, x.nnz) == (np.float64, 3)


@pytest.mark.parametrize("most", [None, 30, 7])
def test_the_vocabulary_is_that_of_scikit_learn(most):
    letters = np.random.default_rng(0).integers(97, 103, (60, 40, 2)).astype(np.uint8)
    texts = [" ".join(word.tobytes().decode() for word in text) for text in letters]
    counter = CountVectorizer(analyzer=bag_of_words.words, min_df=25, max_features=most).fit(texts)
    assert bag_of_words.vocabulary(texts, 25, most) == tuple(counter.get_feature_names_out())


def test_more_words_than_a_language_has_are_refused(monkeypatch):
    texts = ["free money", "free kernel patch"]
    monkeypatch.setattr(bag_of_words, "MAX_DIFFERENT", 4)
    assert bag_of_words.vocabulary(texts, 2) == ("free",)
    monkeypatch.setattr(bag_of_words, "MAX_DIFFERENT", 3)
    with pytest.raises(DataError, match="more than 3 different words"):
        bag_of_words.vocabulary(texts, 2)
