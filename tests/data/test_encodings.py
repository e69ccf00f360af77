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


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp932", "id,price\n1,￥1200\n2,￥90"),
        ("euc_jp", "id,price\n1,￥1200\n2,￥90"),
        ("cp932", "id,share\n1,12％\n2,9％"),
        ("euc_jp", "id,share\n1,12％\n2,9％"),
        ("cp932", "id,price\n1,100円\n2,20円"),
        ("euc_jp", "id,price\n1,100円\n2,20円"),
        ("euc_jp", "id,salary\n1,25万円\n2,1億円"),
        ("cp932", "id,profit\n1,▲30\n2,△5"),
        ("cp932", "item,rating\n1,○\n2,×\n3,◎"),
        ("cp932", "id,name\n1,ﾔﾏﾀﾞ ﾊﾅｺ\n2,ｽｽﾞｷ ｲﾁﾛｳ\n3,ﾜﾀﾅﾍﾞ ｼﾞﾛｳ"),
        ("euc_jp", "id,name\n1,ﾔﾏﾀﾞ ﾊﾅｺ\n2,ｽｽﾞｷ ｲﾁﾛｳ\n3,ﾜﾀﾅﾍﾞ ｼﾞﾛｳ"),
        ("cp1251", "id,price\n1,100 руб.\n2,90 руб."),
        ("koi8_r", "id,price\n1,100 руб.\n2,90 руб."),
        ("cp866", "id,price\n1,100 р.\n2,90 р."),
        ("cp1251", "id,price\n1,100 грн\n2,90 грн"),
        ("cp1251", "№,x\n1,2\n2,3"),
        ("cp1251", "amount,unit\n5,шт\n6,кг"),
        ("cp1251", "price\n5 тыс.\n6 млн"),
        ("euc_jp", "id,temperature\n1,25℃\n2,31℃"),
        ("cp932", "name\nｻﾄｳ\nｺﾊﾞﾔｼ"),
        ("cp1251", "id,city\n1,МОСКВА\n2,КАЗАНЬ\n3,ТВЕРЬ"),
        ("cp949", "id,price\n1,100원\n2,9000원"),
        ("cp949", "id,price\n1,￦100\n2,￦9000"),
        ("gb18030", "id,price\n1,100元\n2,90元"),
        ("gb18030", "id,price\n1,￥100\n2,￥90"),
        ("big5", "id,price\n1,100元\n2,90元"),
        ("cp1252", "id,price\n1,¥100\n2,¥90"),
        ("cp1255", "id,price\n1,₪100\n2,₪90"),
        ("cp874", "id,price\n1,฿100\n2,100 บาท"),
        ("cp1250", "id,price\n1,100 Kč\n2,90 Kč"),
        ("cp1252", "de 100 à 200"),
    ],
)
def test_a_sign_or_unit_beside_amounts_is_enough(encoding, text):
    assert encodings.decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("text", ["Ελλάδα, 5 €", "Հայերեն", "ܫܠܡܐ", "bəli,xeyr", "5 Ů"])
def test_what_is_utf_8_stays_so(text):
    assert encodings.decode(text.encode()).text == text


def test_a_reading_that_cannot_be_told_from_another_is_offered():
    """高, 中 and 低 in the bytes of Unix are 光, 面 and 你 in China's; neither is less of a word."""
    found = encodings.decode("高\n中\n低".encode("euc_jp"))
    assert "高\n中\n低" in {
        found.text,
        *(encodings.decode("高\n中\n低".encode("euc_jp"), one).text for one in found.others),
    }


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("euc_jp", "東京 大阪 名古屋 評価 合格 不合格 山田太郎 佐藤 高橋 年齢 収入 判定 男 女 北海道 猫 犬"),
        ("cp932", "東京 大阪 鈴木 日本 男 女 北海道 沖縄県 京都府 普通"),
        ("gb18030", "北京 上海 男 女 年龄 收入 好评 差评 广东省 四川省 质量很差 王伟 张敏"),
        ("cp949", "서울 부산 좋음 나쁨 나이 소득 판정 김철수 이영희"),
        ("big5", "臺北 高雄 年齡 收入 結果"),
    ],
)
def test_a_column_of_single_words_of_east_asia_is_told(encoding, words):
    text = "id,x\n" + words.replace(" ", "\n")
    assert encodings.decode(text.encode(encoding)).encoding == encoding
    wrong = [one for one in words.split() if encodings.decode(one.encode(encoding)).text != one]
    assert len(wrong) <= 2, wrong  # a word alone may be one in two encodings


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
