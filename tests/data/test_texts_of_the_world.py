"""Folders of texts as people have them: languages, encodings, mails, and every way of sorting them into folders."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from influence_core import studies
from influence_core.data.brought import own
from influence_core.data.readers import mail_text, page_text, text_files, text_folder
from influence_core.errors import DataError
from influence_core.experiments import explain, questions, word_edit
from influence_core.studies import StudySpec
from tests import toy_mails

CASES = [
    ("Japanese", "utf-8"),
    ("Japanese", "cp932"),
    ("Japanese", "euc_jp"),
    ("Russian", "utf-8"),
    ("Russian", "cp1251"),
    ("Russian", "koi8_r"),
    ("German", "utf-8"),
    ("German", "cp1252"),
    ("German", "mac_roman"),
    ("German", "utf-16"),
]


def opened(root: Path, monkeypatch, **fields) -> studies.Study:
    monkeypatch.setenv(own.FOLDERS_VARIABLE, str(root))
    spec = StudySpec("mine", "Mine", own.TEXTS, "logistic", 1e-3, source=f"{own.IN_FOLDER}{root}", **fields)
    return studies.open_study(spec)


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_sixty_reviews_of_a_language_are_learnt(tmp_path, monkeypatch, language, encoding):
    study = opened(toy_mails.write_reviews(tmp_path, language, encoding), monkeypatch)
    (bad, _), (good, _), _ = toy_mails.LANGUAGES[language]
    assert study.data.class_names == tuple(sorted((bad, good)))
    assert (len(study.data.train), len(study.data.test), study.data.kind) == (48, 12, "text")
    assert study.predictions.accuracy >= 0.9
    held_out = toy_mails.reviews(language, 200, seed=1)
    counts = text_folder.bag_of_words.table([text for text, _ in held_out], study.data.feature_names)
    x = torch.from_numpy(counts.toarray())
    answers = [study.data.class_names[at] for at in study.probabilities(x).argmax(1)]
    assert np.mean([said == label for said, (_, label) in zip(answers, held_out, strict=True)]) >= 0.9
    assert study.data.warnings == ()
    assert study.predictions.no_signal(study.data.class_names) == ""


@pytest.mark.parametrize(
    ("language", "whole"),
    [("Russian", {"отличный", "скучно"}), ("German", {"großartig", "öde"}), ("Japanese", {"素晴", "最悪"})],
)
def test_the_words_that_matter_are_whole(tmp_path, monkeypatch, language, whole):
    study = opened(toy_mails.write_reviews(tmp_path, language), monkeypatch)
    assert whole <= set(study.data.feature_names)
    answer = explain.run(study, questions.ask(study, test_id=int(study.data.test.ids[0])))
    train_id = int(answer.ids[answer.helpful(1)[0]])
    text = study.data.record(train_id)["text"]
    pieces = word_edit.marked(study, text)
    assert "".join(piece for piece, _ in pieces) == text
    found = word_edit.shares(study, answer, train_id)
    assert set(found.words) <= {word for _, word in pieces}
    if language != "Japanese":
        assert all(piece.lower() == word for piece, word in pieces if word)


@pytest.mark.parametrize("language", toy_mails.LANGUAGES)
def test_a_folder_without_signal_says_so(tmp_path, monkeypatch, language):
    study = opened(toy_mails.write_reviews(tmp_path, language, signal=False), monkeypatch)
    said = study.predictions.no_signal(study.data.class_names)
    assert "learnt nothing that shows" in said and "of 12 test answers" in said


def test_three_languages_in_three_encodings_in_one_folder(tmp_path):
    for language, encoding in (("Japanese", "cp932"), ("Russian", "cp1251"), ("German", "cp1252")):
        for label in ("negative", "positive"):
            (tmp_path / label).mkdir(exist_ok=True)
        for at, (text, label) in enumerate(toy_mails.reviews(language)):
            kind = "positive" if label == toy_mails.LANGUAGES[language][1][0] else "negative"
            (tmp_path / kind / f"{language}{at}.txt").write_bytes(text.encode(encoding))
    found = text_folder.survey(tmp_path)
    assert (len(found.ids), found.skipped, found.damaged) == (180, (), 0)
    written = {text for language in toy_mails.LANGUAGES for text, _ in toy_mails.reviews(language)}
    assert set(found.records.texts) == written
    assert {"cp932": 60, "cp1251": 60}.items() <= found.encodings.items()


def test_one_file_that_is_no_text_does_not_decide_how_the_others_are_read(tmp_path):
    root = toy_mails.write_reviews(tmp_path, "Russian", "koi8_r")
    (root / "плохо" / "9999.txt").write_bytes(bytes(range(256)))
    found = text_folder.survey(root)
    assert (dict(found.encodings), found.skipped[0].examples) == ({"koi8_r": 60}, ("плохо/9999.txt",))
    assert "cp1251" in found.others and not any("utf-16" in one for one in found.others)


def test_another_encoding_can_be_chosen_and_reads_the_texts_that_are_not_utf8_otherwise(
    tmp_path, monkeypatch
):
    root = toy_mails.write_reviews(tmp_path, "Russian", "cp1251")
    (root / "плохо" / "0000.txt").write_text("это utf-8", encoding="utf-8")
    first, other = text_folder.survey(root), text_folder.survey(root, encoding="koi8_r")
    assert (dict(first.encodings), dict(other.encodings)) == ({"cp1251": 59}, {"koi8_r": 59})
    assert first.records.texts[0] == other.records.texts[0] == "это utf-8"
    assert first.records.texts[1] != other.records.texts[1]
    assert "koi8_r" in first.others
    assert "отличный" not in opened(root, monkeypatch, encoding="koi8_r").data.feature_names
    with pytest.raises(DataError, match="no encoding"):
        text_folder.survey(root, encoding="klingon")


# ------------------------------------------------------------------------------------------------ sorted into folders


def sort_into(root: Path, *folders: str, n: int = 12, classes: dict[str, str] | None = None) -> Path:
    """n texts of the class's own words in each folder; the class is the first of `classes` in its name."""
    rng = np.random.default_rng(0)
    for folder in folders:
        (root / folder).mkdir(parents=True)
        own_words = (toy_mails.SPAM if "spam" in folder else toy_mails.HAM).split()
        for at in range(n):
            words = " ".join(rng.choice(own_words, 8))
            (root / folder / f"{at}.txt").write_text(words)
    return root


NUMBERED = {
    "stars": (("1 star", "2 stars"), ("books-ham", "dvds-spam"), ("1 star", "2 stars")),
    "stars of Japan": (("星１つ", "星５つ"), ("本", "音楽"), ("星１つ", "星５つ")),
    "digits": (("1", "5"), ("books", "dvds"), ("1", "5")),
    "grades": (("Note 1", "Note 6"), ("Mathe", "Deutsch"), ("Note 1", "Note 6")),
    "a word that may be either": (("stage 1", "stage 2"), ("left", "right"), ("left", "right")),
    "pieces": (("part1", "part2"), ("ham", "spam"), ("ham", "spam")),
    "years": (("2001", "2002"), ("ham", "spam"), ("ham", "spam")),
}


@pytest.mark.parametrize("kind", NUMBERED)
def test_numbered_folders_that_hold_the_same_folders_are_classes_or_pieces_and_which_is_said(tmp_path, kind):
    outer, inner, classes = NUMBERED[kind]
    found = text_folder.survey(sort_into(tmp_path, *(f"{one}/{two}" for one in outer for two in inner)))
    assert found.class_names == classes
    assert len(found.labels) == 12 * len(outer) * len(inner)
    said = "The classes are the outer folders" if classes == outer else "If the outer folders are the classes"
    assert [said in one for one in found.notes] == [True]
    assert found.notes[0] in found.warnings


SORTED = {
    "wrapped twice": (("a/b/ham", "a/b/spam"), ("ham", "spam"), None),
    "years inside the classes": (
        ("ham/2001", "ham/2002/03", "spam/2001", "spam/2002/03"),
        ("ham", "spam"),
        None,
    ),
    "parts with the same classes": (
        ("enron1/ham", "enron1/spam", "enron2/ham", "enron2/spam"),
        ("ham", "spam"),
        None,
    ),
    "a split": (("train/ham", "train/spam", "test/ham", "test/spam"), ("ham", "spam"), (24, 24)),
    "a wrapped split in other words": (
        ("corpus/Training_Set/ham", "corpus/Training_Set/spam", "corpus/Valid/ham", "corpus/Valid/spam"),
        ("ham", "spam"),
        (24, 24),
    ),
    "three parts": (
        ("train/ham", "train/spam", "dev/ham", "dev/spam", "testing/ham", "testing/spam"),
        ("ham", "spam"),
        (24, 48),
    ),
    "a split inside the classes": (
        ("ham/TRAIN", "ham/TEST", "spam/TRAIN", "spam/TEST"),
        ("ham", "spam"),
        (24, 24),
    ),
    "a split in Korean": (
        ("학습/ham", "학습/spam", "시험/ham", "시험/spam"),
        ("ham", "spam"),
        (24, 24),
    ),
    "a split in the classes of which one has no part to test on": (
        ("ham/train", "ham/test", "spam/train"),
        ("ham", "spam"),
        (24, 12),
    ),
    "a split in Japanese": (
        ("訓練/ham", "訓練/spam", "テスト/ham", "テスト/spam"),
        ("ham", "spam"),
        (24, 24),
    ),
    "four classes": (("a", "b", "c", "spam"), ("a", "b", "c", "spam"), None),
}


@pytest.mark.parametrize("name", SORTED)
def test_classes_are_sub_folders_of_any_depth(tmp_path, name):
    folders, classes, sizes = SORTED[name]
    found = text_folder.survey(sort_into(tmp_path, *folders))
    assert found.class_names == classes
    assert len(found.ids) == 12 * len(folders)
    if sizes:
        assert (found.is_train.sum(), (~found.is_train).sum()) == sizes


def test_the_split_takes_a_share_of_every_class(tmp_path):
    sort_into(tmp_path, "ham", n=40)
    sort_into(tmp_path, "spam", n=5)
    sort_into(tmp_path, "rare", n=2)
    found = text_folder.survey(tmp_path)
    counts = [
        tuple(int(((found.labels == at) & (found.is_train == part)).sum()) for part in (True, False))
        for at in range(3)
    ]
    assert dict(zip(found.class_names, counts, strict=True)) == {
        "ham": (32, 8),
        "rare": (1, 1),
        "spam": (4, 1),
    }


def test_a_class_without_texts_to_test_on_is_said(tmp_path):
    found = text_folder.survey(sort_into(tmp_path, "ham/train", "ham/test", "spam/train"))
    assert found.warnings[0] == "1 class has no text to test on: “spam”."


def test_a_class_that_is_only_tested_is_left_out_and_said(tmp_path):
    root = sort_into(tmp_path, "train/ham", "train/spam", "test/ham", "test/spam", "test/unsup")
    found = text_folder.survey(root)
    assert found.class_names == ("ham", "spam")
    assert [(one.reason, one.count) for one in found.skipped] == [
        ("texts of a class without any to train on", 12)
    ]


def test_few_words_and_texts_without_any_are_warned_of(tmp_path):
    sort_into(tmp_path, "ham", "spam", n=15)
    for path in list(tmp_path.glob("ham/*"))[3:]:
        path.write_text(f"unique{path.stem} rare{path.stem}")
    found = text_folder.survey(tmp_path)
    empty = (found.counts.sum(1) == 0).sum()
    assert empty >= 12
    assert f"{100 * empty / 30:.1f} % of all texts hold none of them" in found.says
    assert any("hold no word that is counted" in one for one in found.warnings)
    for path in tmp_path.glob("*/*"):
        path.write_text(f"kernel word{'x' * int(path.stem)}")
    assert any(
        "Hardly any words were found (1: “kernel”)" in one for one in text_folder.survey(tmp_path).warnings
    )


# --------------------------------------------------------------------------------------------------------------- mails


BODY = "Köszönöm szépen, a megbeszélés érdekes volt."
HTML = (
    "<html><head><style>p {color: red}</style></head><body><p>Köszönöm&nbsp;<b>szépen</b></p>"
    "<script>x()</script></body></html>"
)
HEAD = (
    b"Return-Path: <a@b.hu>\nFrom: A <a@b.hu>\nSubject: =?utf-8?B?"
    + base64.b64encode("Találkozó".encode())
    + b"?=\n"
)
MAILS = {
    "base64": b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(BODY.encode()),
    "quoted-printable": b"Content-Type: text/plain; charset=iso-8859-2\nContent-Transfer-Encoding: quoted-printable\n\n"
    + "".join(f"={byte:02X}" for byte in BODY.encode("iso8859-2")).encode(),
    "8bit, charset not said": b"\n" + BODY.encode("cp1250"),
    "8bit, charset unknown": b"Content-Type: text/plain; charset=x-klingon\n\n" + BODY.encode("cp1250"),
    "in parts": b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: text/html\n\n<p>no</p>\n"
    b"--X\nContent-Type: text/plain; charset=utf-8\n\n" + BODY.encode() + b"\n--X\nContent-Type: text/plain\n"
    b"Content-Disposition: attachment\n\nattached\n--X--\n",
}


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_its_subject_and_its_body(name, line_end):
    content = (HEAD + MAILS[name]).replace(b"\n", line_end)
    assert mail_text.is_mail(content)
    assert mail_text.of_mail(content).text.strip() == f"Találkozó\n{BODY}"


def test_a_mail_of_html_loses_its_tags():
    content = HEAD + b"Content-Type: text/html; charset=utf-8\n\n" + HTML.encode()
    assert mail_text.of_mail(content).text == "Találkozó\nKöszönöm szépen"
    assert mail_text.of_text(HTML) == "Köszönöm szépen"


PAGES = {
    "<!DOCTYPE html><HTML><HEAD><TITLE>a<b</TITLE></HEAD><BODY bgcolor=red>Hi<br/>there &lt;b&gt;": "Hi\nthere <b>",
    "<p>a<!-- x > y -->b</p><td class='c'>c</td>": "ab\nc",
    "a <script>if (a<b) x('</p>')</SCRIPT> b<style>p {}</style> c": "a b c",
    "1 < 2 &amp; 5 <6> 7 <": "1 < 2 & 5 <6> 7 <",
    "x <a href=": "x",
    "x <!-- y": "x",
    "x <script> y": "x",
    "x <title>y</title": "x",
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_a_browser_would_show(page):
    assert page_text.without_tags(page) == PAGES[page]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["<a ", "<!--", "<script>", "</", "<", "&#", "<a>", "<title "])
def test_a_page_of_tags_without_end_is_read_in_one_pass(piece):
    page_text.without_tags("<p>" + piece * 200_000)  # the standard library's parser takes minutes for some


@pytest.mark.parametrize(
    "begins",
    [
        "<p>",
        "<!-- made by hand -->\n<TITLE>a</TITLE>\n",
        "<?xml version='1.0'?><!--a--><!--b-->\n<html>",
        "<meta charset=utf-8>",
    ],
)
def test_a_page_without_a_body_is_known(begins):
    assert mail_text.of_text(f"{begins}fish &amp; <b>chips</b>") == "fish & chips"


@pytest.mark.parametrize(
    "text", ["<parameter> is missing", "1 < 2", "<3 you", "<!--a-->" * 5_000, "<!--" * 5_000]
)
def test_what_only_begins_like_a_page_is_plain_text(text):
    assert mail_text.of_text(text) == text


def test_texts_that_only_look_like_mails_are_texts():
    for content in (
        b"Subject: 9\nwinner offer",
        b"Subject: 9\n\nwinner: offer",
        b"Note: this is a review\n\nof a film",
        b"From the start a good film.\n\nTo: nobody",
        b"To: x",
        b"",
    ):
        assert not mail_text.is_mail(content)
    assert mail_text.of_text("SUBJECT: a\r\nb\rc") == "a\nb\nc"


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"Content-Type: multipart/mixed; boundary=X\n\nno parts at all",
        HEAD + b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!not base64!!!",
        b"From: a\nSubject: =?utf-8?B?!!?= =?klingon?Q?=FF?=\n\nbody",
        b"From: a\nSubject: \xff\xfe\n\nbody",
        b"From x@y Mon\nReceived: x\n\tby y\n\nbody \xff",
    ],
)
def test_a_damaged_mail_is_read_as_far_as_it_goes_or_refused(content):
    assert mail_text.is_mail(content)
    try:
        assert isinstance(mail_text.of_mail(content).text, str)
    except DataError as error:
        assert "no part that is text" in str(error)


def test_a_folder_of_mails_is_read_without_their_heads(tmp_path):
    rng = np.random.default_rng(0)
    for label, own_words in (("ham", toy_mails.HAM), ("spam", toy_mails.SPAM)):
        (tmp_path / label).mkdir()
        for at in range(15):
            body = " ".join(rng.choice(own_words.split(), 9)).encode()
            head = b"Received: from hostname\nMessage-ID: <uniqueword@host>\nSubject: hello\n"
            coded = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(body)
            (tmp_path / label / f"{at}.eml").write_bytes(head + coded)
    found = text_folder.survey(tmp_path)
    assert (found.kind, found.skipped) == ("e-mail", ())
    assert set(found.words) <= set(f"{toy_mails.HAM} {toy_mails.SPAM} hello".split())
    assert found.records.read(0)["subject"] == "hello"


def mailbox_of(own_words: str, n: int, separator: bytes = b"\n") -> bytes:
    """Mails one behind the other; a line of one begins as an envelope does, and is none."""
    rng = np.random.default_rng(0)
    mails = []
    for at in range(n):
        body = " ".join(rng.choice(own_words.split(), 9))
        head = f"From a@b.example Mon Jan  1 10:{at:02d}:00 2024\nFrom: a@b.example\nSubject: hello {at}\n\n"
        mails.append(f"{head}{body}\n\nFrom here on it is a quotation\n\n".encode())
    return b"".join(mails).replace(b"\n", separator)


BAD_MAILS = {
    "an attachment alone": b"From: a\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n",
    "a NUL byte": b"From: a\nSubject: hello\n\nhello \0 you\n",
    "no word": b"From: a\n\n!!!\n",
}


@pytest.mark.parametrize("separator", [b"\n", b"\r\n"])
@pytest.mark.parametrize("name", BAD_MAILS)
def test_every_mail_of_a_mailbox_is_a_text_and_one_that_cannot_be_read_is_counted(tmp_path, name, separator):
    bad = b"From a@b.example Tue Jan  2 11:00:00 2024\n" + BAD_MAILS[name] + b"\n"
    for label, own_words in (("ham", toy_mails.HAM), ("spam", toy_mails.SPAM)):
        (tmp_path / label).mkdir()
        (tmp_path / label / "box").write_bytes(mailbox_of(own_words, 15, separator))
    with (tmp_path / "ham" / "box").open("ab") as file:
        file.write(bad.replace(b"\n", separator) + mailbox_of(toy_mails.HAM, 1, separator))
    found = text_folder.survey(tmp_path)
    assert (len(found.ids), found.kind) == (31, "e-mail")
    assert [(one.count, one.examples) for one in found.skipped] == [(1, ("ham/box, mail 16",))]
    assert "hello 3" in {found.records.read(int(one))["subject"] for one in found.ids}


def test_mailboxes_in_a_row_are_classes(tmp_path):
    for label, own_words in (("Inbox", toy_mails.HAM), ("Junk", toy_mails.SPAM)):
        (tmp_path / f"{label}.mbox").write_bytes(mailbox_of(own_words, 15))
    found = text_folder.survey(tmp_path)
    assert found.class_names == ("Inbox", "Junk") and len(found.ids) == 30


def test_more_mails_than_can_be_read_are_refused(tmp_path, monkeypatch):
    for label in ("ham", "spam"):
        (tmp_path / f"{label}.mbox").write_bytes(mailbox_of(toy_mails.HAM, 15))
    monkeypatch.setattr(text_files, "TEXTS", replace(text_files.TEXTS, files=20))
    with pytest.raises(DataError, match="more than 20 files or mails"):
        text_folder.survey(tmp_path)


# -------------------------------------------------------------------------------------------------------- as published


@pytest.mark.slow
def test_a_corpus_like_enron1_is_read_whole_and_its_one_mail_with_a_nul_byte_is_counted(tmp_path):
    made, labels = toy_mails.texts(5_172)
    for label in ("ham", "spam"):
        (tmp_path / "enron1" / label).mkdir(parents=True)
    (tmp_path / "enron1" / "Summary.txt").write_text("Legitimate: 3672, spam: 1500")
    for at, (text, label) in enumerate(zip(made, labels, strict=True)):
        name = tmp_path / "enron1" / ("spam" if label else "ham") / f"{at:04d}.1999-12-10.farmer.txt"
        name.write_bytes(f"Subject: {text}\r\n".encode() + (b"\0" if at == 2042 else b""))
    found = text_folder.survey(tmp_path)
    assert found.class_names == ("ham", "spam")
    assert len(found.ids) == 5_171
    assert (found.is_train.sum(), found.kind) == (4_137, "e-mail")
    assert {one.reason: (one.count, one.examples) for one in found.skipped} == {
        "files outside the classes' folders": (1, ("enron1/Summary.txt",)),
        "files that are no text (save them as plain text)": (1, ("enron1/ham/2042.1999-12-10.farmer.txt",)),
    }
