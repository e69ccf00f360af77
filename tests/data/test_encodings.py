"""Bytes as text: the encoding is told by what reads most like a language."""

import os

import pytest

from influence_core.data.readers import encodings
from influence_core.errors import DataError

TEXTS = {
    "French": "Le café était fermé à midi, l'élève a été très déçu — il préfère le thé.",
    "German": "Die Straße ist schön, aber die Füße tun weh. Ärger über Österreich.",
    "Polish": "Zażółć gęślą jaźń, bardzo dobry film, świetna książka, dziękuję",
    "Czech": "Příliš žluťoučký kůň úpěl ďábelské ódy, velmi špatný film",
    "Hungarian": "Nagyon jó könyv, örülök hogy elolvastam, gyönyörű történet, kitűnő",
    "Russian": "Очень хороший фильм, мне понравилось. Рекомендую всем",
    "Ukrainian": "Дуже гарний фільм, мені сподобалося, її історія",
    "Greek": "Πολύ καλή ταινία, μου άρεσε η ιστορία",
    "Turkish": "Çok güzel bir film, öğretmenler için şahane, ışık ve ığdır",
    "Hebrew": "סרט טוב מאוד, אהבתי את הסיפור",
    "Arabic": "فيلم رائع جدا وأحببت القصة كثيرا",
    "Thai": "ภาพยนตร์เรื่องนี้ดีมาก ชอบมาก",
    "Japanese": "年齢,収入,判定\n最高です。とても良い。素晴らしい映画",
    "Chinese": "这部电影非常好看，我很喜欢。推荐给大家",
    "Taiwanese": "這部電影非常好看，我很喜歡。推薦給大家",
    "Korean": "이 영화는 정말 재미있었습니다. 추천합니다",
}
WRITTEN = {
    "utf-8": ("French", "Russian", "Japanese"),
    "utf-8-sig": ("German", "Chinese"),
    "utf-16": ("French", "Japanese"),
    "utf-16-le": ("Japanese", "French", "Russian", "Korean", "Chinese"),
    "utf-16-be": ("Japanese", "German", "Greek"),
    "cp1252": ("French", "German"),
    "mac_roman": ("French", "German"),
    "cp1250": ("Polish", "Czech", "Hungarian"),
    "iso8859_2": ("Polish", "Czech", "Hungarian"),
    "cp1251": ("Russian", "Ukrainian"),
    "koi8_r": ("Russian",),
    "cp866": ("Russian",),
    "cp1253": ("Greek",),
    "cp1254": ("Turkish",),
    "cp1255": ("Hebrew",),
    "cp1256": ("Arabic",),
    "cp874": ("Thai",),
    "cp932": ("Japanese",),
    "euc_jp": ("Japanese",),
    "iso2022_jp": ("Japanese",),
    "gb18030": ("Chinese",),
    "big5": ("Taiwanese",),
    "cp949": ("Korean",),
}


@pytest.mark.parametrize(("encoding", "language"), [(one, name) for one in WRITTEN for name in WRITTEN[one]])
def test_a_sentence_is_read_in_the_encoding_it_was_written_in(encoding, language):
    found = encodings.decode(TEXTS[language].encode(encoding))
    assert found.text == TEXTS[language]
    assert found.replaced == 0
    assert found.encoding not in found.others


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "name,age,label\ncafé 0 – €,79,“si”"),
        ("cp1252", "“si”"),
        ("cp1252", "½ Tasse"),
        ("cp1252", "Müller"),
        ("mac_roman", "été"),
        ("cp1251", "привет мир"),
        ("cp932", "ネコ"),
        ("cp932", "ソーセージ犬"),
        ("cp932", "東京"),
        ("cp932", "評価"),
        ("gb18030", "很差，不好"),
        ("cp949", "고양이"),
        ("cp1252", "price,label\n£5,a\n£12,b"),
        ("cp1252", "price,label\n5 €,a\n12 €,b"),
        ("cp1252", "I don’t know, we’ve lost it – “well”"),
        ("cp1252", "x,y\n±0.5,3 µg"),
        ("cp1250", "5 zł, 12 zł"),
    ],
)
def test_a_few_words_are_enough(encoding, text):
    assert encodings.decode(text.encode(encoding)).text == text


def test_plain_letters_read_alike_in_every_encoding_so_no_other_is_named():
    assert encodings.decode(b"plain") == encodings.Decoded("plain", "utf-8")
    assert encodings.decode(b"") == encodings.Decoded("", "utf-8")


def test_the_choice_can_be_changed_and_every_other_reading_can_be_shown():
    content = TEXTS["Japanese"].encode("cp932")
    found = encodings.decode(content)
    assert found.title == "Japanese (Shift-JIS)"
    for other in found.others:
        assert encodings.decode(content, other).text != found.text
        assert encodings.decode(content, other).title
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        encodings.decode(content, "klingon")


def test_a_damaged_character_is_replaced_and_counted_and_the_rest_is_read():
    content = (TEXTS["Russian"] * 3).encode() + b"\xff"
    found = encodings.decode(content)
    assert (found.text, found.encoding, found.replaced) == (TEXTS["Russian"] * 3 + "\ufffd", "utf-8", 1)
    assert encodings.decode("a \ufffd that was there".encode()).replaced == 0
    assert encodings.decode(b"caf\xe9", "utf-8").replaced == 1


@pytest.mark.parametrize(
    "content",
    [
        b"a mail with one NUL\0 byte among its letters, as one of Enron's has",
        b"x" * 30_000 + b"\0",
        bytes(range(256)) * 4,
        os.urandom(2_000) + b"\0",
    ],
)
def test_what_is_no_text_is_refused(content):
    with pytest.raises(DataError, match="no text"):
        encodings.decode(content)


def test_names_of_one_archive_are_told_together():
    names = ["кошки/1.png", "собаки/2.png", "я.txt"]
    assert encodings.plausible([one.encode("cp866") for one in names], encodings.FOR_NAMES)[0] == "cp866"
    alone = ["猫/1.png", "小狗/2.png"]
    assert encodings.plausible([one.encode("gb18030") for one in alone], encodings.FOR_NAMES)[0] == "gb18030"


def test_hebrew_is_not_taken_for_russian_without_vowels():
    for words in ("גיל;הכנסה;החלטה\nכן;לא", "תיאור;מחיר;מצב\nחדש;ישן"):
        assert encodings.decode(words.encode("cp1255")).encoding == "cp1255"
    assert encodings.decode("встр. д.; сч.; возраст; решение".encode("cp1251")).encoding == "cp1251"


def test_a_label_in_every_row_says_no_more_than_one():
    rows = "".join(f"{at};{'iyi' if at % 2 else 'kötü'}\n" for at in range(60))
    assert encodings.decode(f"yaş;sonuç\n{rows}".encode("cp1254")).encoding == "cp1254"


def test_latin_9_can_be_chosen():
    assert encodings.decode("5 €".encode("iso8859_15"), "iso8859_15").text == "5 €"


@pytest.mark.parametrize(
    "row",
    ["Zürich;{n}’234.50;Genève", "Köln;€{n}2,50;groß"],
    ids=["an apostrophe in amounts", "a currency before them"],
)
def test_signs_beside_ever_other_digits_do_not_outvote_the_letters(row):
    text = "Ort;Umsatz;Art\n" + "\n".join(row.format(n=n) for n in range(1, 40))
    assert encodings.decode(text.encode("cp1252"), "").text == text
