"""Tables as people really bring them: each kind with an example of its own; read right, asked about, or refused in words."""

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from influence_core.data.brought.tables import Choices, data_set
from influence_core.data.readers import numbers
from influence_core.data.readers.columns import Column, numbers_in, survey
from influence_core.data.readers.delimited import HeaderQuestionError, Table, first_words, read
from influence_core.data.readers.drawn import SAID
from influence_core.data.readers.labels import (
    AlikeError,
    can_be_label,
    has_no_label,
    label_counts,
    rare_labels,
)
from influence_core.data.readers.totals import total_row, without_total
from influence_core.errors import DataError
from tests.data.test_archives import packed

ROWS = 24


def file(column: list[str], separator: str = ",", name: str = "größe", quoted: bool = True) -> bytes:
    """A column of one's own, an age and a label."""
    mark = '"' if quoted else ""
    lines = [separator.join((name, "alter", "urteil"))]
    for at in range(ROWS):
        cell = f"{mark}{column[at % len(column)]}{mark}"
        lines.append(separator.join((cell, str(20 + at * 7 % 40), ("ja", "nein")[at % 2])))
    return ("\n".join(lines) + "\n").encode()


def column(content: bytes, name: str = "größe") -> tuple[Table, Column]:
    table = read(content)
    return table, next(one for one in survey(table) if one.name == name)


def values(content: bytes, name: str = "größe") -> np.ndarray:
    table, found = column(content, name)
    assert found.kind == "number" and not found.options, found
    return numbers_in(table.frame[name], found.decimal)


# ------------------------------------------------------------------------------------------------------- numbers

STYLES = {
    "thousands by comma": (["1,234.5", "2,345,678.25", "7.5"], [1234.5, 2345678.25, 7.5]),
    "thousands by dot": (["1.234,5", "2.345.678,25", "7,5"], [1234.5, 2345678.25, 7.5]),
    "thousands by space": (["1 234,5", "2 345 678,25", "7,5"], [1234.5, 2345678.25, 7.5]),
    "thousands by thin space": (["1\u2009234", "12\u2009345", "7"], [1234, 12345, 7]),
    "thousands by narrow no-break space": (["1\u202f234,5", "12\u202f345", "7"], [1234.5, 12345, 7]),
    "thousands by no-break space": (["1\u00a0234.5", "12\u00a0345", "7"], [1234.5, 12345, 7]),
    "thousands by apostrophe": (["1'234.5", "1’234’567.25", "7"], [1234.5, 1234567.25, 7]),
    "the Indian way": (["12,34,567.5", "1,00,000", "7"], [1234567.5, 100000, 7]),
    "a true minus": (["\u22125", "\u221212.5", "3"], [-5, -12.5, 3]),
    "accounting brackets": (["(5)", "($1,234.50)", "7"], [-5, -1234.5, 7]),
    "a minus behind": (["5-", "12.5-", "7"], [-5, -12.5, 7]),
    "dollars": (["$5", "-$7.5", "$1,234.00"], [5, -7.5, 1234]),
    "euros behind": (["5 €", "7,5 €", "1.234,00 €"], [5, 7.5, 1234]),
    "francs by name": (["CHF 1'234.50", "CHF 7", "CHF 80.25"], [1234.5, 7, 80.25]),
    "per cent": (["5 %", "7.5%", "80 %"], [5, 7.5, 80]),
    "full-width digits": (["５", "１２．５", "－３"], [5, 12.5, -3]),
    "Arabic digits": (["٥", "١٢٫٥", "١٬٢٣٤"], [5, 12.5, 1234]),
    "kilograms": (["5 kg", "7.5 kg", "80 kg"], [5, 7.5, 80]),
    "triangles for minus": (["▲1,200.5", "△30.5", "700"], [-1200.5, -30.5, 700]),
    "triangles up and down": (["▲5.5", "▼3", "7"], [5.5, -3, 7]),
    "ten thousands": (["3万", "1.2億", "４５千"], [30_000, 120_000_000, 45_000]),
    "ten thousands and what is left": (["3万5千", "1億2000万", "4千"], [35_000, 120_000_000, 4_000]),
    "ten thousands of China": (["3.5万元", "2亿元", "800元"], [35_000, 200_000_000, 800]),
    "ten thousands of Korea": (["3만원", "2억원", "800원"], [30_000, 200_000_000, 800]),
    "thousands of yen": (["▲25百万円", "7千円", "12千円"], [-25_000_000, 7_000, 12_000]),
    "thousands and millions": (["900k", "1.2M", "3bn"], [900_000, 1_200_000, 3_000_000_000]),
    "millions in German": (["2,5 Mio. €", "3 Mio. €", "1,25 Mrd. €"], [2_500_000, 3_000_000, 1_250_000_000]),
    "thousands in Russian": (["12 тыс. руб.", "3,5 млн руб.", "900 тыс. руб."], [12_000, 3_500_000, 900_000]),
    "yen as a backslash": (["\\300", "\\1,200,000", "\\45"], [300, 1_200_000, 45]),
    "powers of ten": (["1.5e-3", "2e-4", "1e+2"], [0.0015, 0.0002, 100]),
}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("style", STYLES)
def test_a_column_of_one_style_is_read(style, separator):
    cells, wanted = STYLES[style]
    assert_allclose(values(file(cells, separator))[:3], wanted, rtol=1e-15)


def test_the_unit_is_said():
    _, found = column(file(["5 €", "7,5 €", "1.234,00 €"]))
    assert (found.unit, found.became) == ("€", "a number in € (5 € = 5)")


MIXED = {
    "points and commas": ["1,234.5", "1.234,5", "7"],
    "thousands or decimals": ["7,594", "6,258", "1,388"],
    "per cent and shares": ["5 %", "0.05", "7 %"],
    "two currencies": ["$5", "€7", "$9"],
    "powers or codes": ["4E3", "17", "5E2"],
    "kilograms and pounds": ["5 kg", "7 lb", "9 kg"],
    "ten thousands, and some without": ["3万", "500", "1億"],
    "thousands, and some without": ["900k", "1.5", "2k"],
    "triangles alone": ["▲5", "△3", "▲9"],
    "triangles up and down alone": ["▲5", "▼3", "▲9"],
}


@pytest.mark.parametrize("kind", MIXED)
def test_a_mixed_column_is_asked_about_with_both_readings_shown(kind):
    content = file(MIXED[kind], ";")
    _, found = column(content)
    assert len(found.options) >= 2 and found.became == "asked below"
    assert all(len(one.cells) == 3 for one in found.options), found.options
    with pytest.raises(DataError, match="can be read in more than one way.*→.*; or .*Say which") as asked:
        data_set(read(content), Choices("urteil"))
    assert MIXED[kind][0] in str(asked.value)


def test_the_answer_decides():
    content = file(["7,594", "6,258", "1,388", "9,001"], ";")
    table = read(content)
    for reading, first in (("point", 7594.0), ("comma", 7.594)):
        answer = Choices("urteil", readings=(("größe", reading),))
        found = survey(table, dict(answer.readings))[0]
        assert numbers_in(table.frame["größe"], found.decimal)[0] == first
        assert "größe" in data_set(table, answer).feature_names
    as_text = data_set(table, Choices("urteil", readings=(("größe", "text"),)))
    assert "größe = 7,594" in as_text.feature_names


def test_another_column_of_the_file_tells_the_decimal_sign():
    lines = "\n".join(f"7.{100 + at};{at},5;{'ab'[at % 2]}" for at in range(ROWS))
    assert values(f"lohn;gewicht;y\n{lines}".encode(), "lohn")[0] == 7100
    lines = "\n".join(f"7,{100 + at};{at}.5;{'ab'[at % 2]}" for at in range(ROWS))
    assert values(f"lohn;gewicht;y\n{lines}".encode(), "lohn")[0] == 7100


def test_three_decimals_between_commas_are_decimals():
    assert values(file(["7.594", "6.258", "1.388"], quoted=False))[0] == 7.594


CODES = {
    "leading zeros": [f"{at:05d}" for at in range(ROWS)],
    "like powers of ten": [f"{at}E{30 + at}" if at % 2 else f"0{at}77" for at in range(ROWS)],
    "too large for a power": [f"{at + 10}E311" if at % 3 else f"{at}" for at in range(ROWS)],
    "seventeen digits": [str(10**16 + 7919 * at) for at in range(ROWS)],
    "names": [f"Person {at}" for at in range(ROWS)],
    "dates": [f"2024-03-{at + 1:02d}" for at in range(ROWS)],
}


@pytest.mark.parametrize("kind", CODES)
def test_codes_and_names_are_neither_amounts_nor_a_hundred_features(kind):
    content = file(CODES[kind])
    assert column(content)[1].kind == "text"
    made = data_set(read(content), Choices("urteil"))
    notices = made.notices
    assert not any(name.startswith("größe") for name in made.feature_names)
    assert any("'größe'" in one and "24 of 24 cells differ" in one for one in notices)
    assert made.record(1)["größe"] == CODES[kind][0]


def test_codes_that_repeat_are_a_category():
    made = data_set(read(file(["01067", "20095", "80331"])), Choices("urteil"))
    assert "größe = 01067" in made.feature_names


def test_what_names_the_rows_can_be_kept_on_purpose():
    content = file([f"Person {at}" for at in range(ROWS)])
    made = data_set(read(content), Choices("urteil", kept=("größe",)))
    assert "größe = Person 3" in made.feature_names
    with pytest.raises(DataError, match="no column 'weight'"):
        data_set(read(content), Choices("urteil", kept=("weight",)))


# ----------------------------------------------------------------------------------------------- the first lines

BODY = [f"{20 + at * 7 % 40};{100 + at * 13};{'ja' if at % 2 else 'nein'}" for at in range(ROWS)]
PLAIN = "\n".join(["alter;lohn;urteil", *BODY]) + "\n"
FIRST_LINES = {
    "line ends of old Macs": PLAIN.replace("\n", "\r"),
    "Windows line ends": PLAIN.replace("\n", "\r\n"),
    "a separator line": "sep=;\r\n" + PLAIN,
    "a quoted separator line": '"sep=;"\n' + PLAIN,
    "title lines": "Umfrage 2024\n\nalle Angaben ohne Gewähr\n" + PLAIN,
    "a title filled up": "Umfrage 2024;;\n" + PLAIN,
    "separators behind the rows": PLAIN.replace("ja\n", "ja;\n").replace("nein\n", "nein;\n"),
    "separators behind some rows": PLAIN.replace("ja\n", "ja;;;\n"),
    "separators behind all": PLAIN.replace("\n", ";;\n"),
    "a separator behind the header": PLAIN.replace("urteil\n", "urteil;\n"),
    "blank rows behind": PLAIN + ";;\n;;\n\n   \n",
    "the end mark of DOS": PLAIN + "\x1a",
    "filled up with NULs": PLAIN + "\0" * 100,
    "quotation marks": '"alter";"lohn";"urteil"\n' + "\n".join(BODY),
    "between spaces": PLAIN.replace(";", " "),
    "filled up with spaces": PLAIN.replace(";", "   "),
    "commas": PLAIN.replace(";", ","),
}


@pytest.mark.parametrize("kind", FIRST_LINES)
def test_the_first_lines_are_forgiven(kind):
    table = read(FIRST_LINES[kind].encode())
    assert table.columns == ("alter", "lohn", "urteil")
    assert table.frame.to_numpy().tolist() == [one.split(";") for one in BODY]
    made = data_set(table, Choices("urteil"))
    assert made.content == data_set(read(PLAIN.encode()), Choices("urteil")).content


def test_decimal_commas_do_not_part_cells():
    content = "x;y\n" + "".join(f"{at},5;{'1,5' if at % 2 else '2,5'}\n" for at in range(ROWS))
    assert read(content.encode()).columns == ("x", "y")
    spaced = "x y z\n" + "".join(f"{at},5 {at % 7},25 {'ab'[at % 2]}\n" for at in range(ROWS))
    assert read(spaced.encode()).columns == ("x", "y", "z")


def test_what_was_left_out_above_the_table_is_said():
    assert "“Umfrage 2024”" in read(FIRST_LINES["title lines"].encode()).notices[0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_break_in_a_quoted_name_or_cell_is_a_part_of_it(end):
    content = f'"alter{end}(Jahre)";"notiz";urteil{end}' + end.join(
        f'{20 + at};"erst{end}dann";{"ja" if at % 2 else "nein"}' for at in range(ROWS)
    )
    table = read(content.encode())
    assert table.columns == ("alter (Jahre)", "notiz", "urteil")
    assert table.frame["notiz"].unique().tolist() == ["erst\ndann"]
    assert len(table.frame) == ROWS


@pytest.mark.parametrize(
    "names", [[f"{at}" for at in range(1, ROWS + 1)], [f"Zeile {at}" for at in range(ROWS)]]
)
@pytest.mark.parametrize("named", [False, True])
def test_names_of_rows_without_a_name_are_left_out_and_said(names, named):
    head = (";" if named else "") + "alter;lohn;urteil"
    content = "\n".join([head, *(f"{name};{row}" for name, row in zip(names, BODY, strict=True))])
    table = read(content.encode())
    assert table.columns == ("column 1", "alter", "lohn", "urteil") and table.unnamed == ("column 1",)
    made = data_set(table, Choices("urteil"))
    notices = made.notices
    assert made.feature_names[:2] == ("alter", "lohn") and len(made.feature_names) == 3
    assert any("'column 1'" in one for one in notices)


@pytest.mark.parametrize("name", ["Unnamed: 0", "id", "customer_id", "Row", "day"])
def test_a_running_number_is_left_out_and_said(name):
    content = "\n".join(
        [f"{name};alter;urteil", *(f"{at};{20 + at % 7};{'ab'[at % 2]}" for at in range(ROWS))]
    )
    made = data_set(read(content.encode()), Choices("urteil"))
    notices = made.notices
    assert made.feature_names == ("alter", "(constant)")
    assert notices == (f"Left out {name!r}: it numbers the rows (0, 1, 2 …).",)
    assert name in data_set(read(content.encode()), Choices("urteil", kept=(name,))).feature_names


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PassengerId",
            "customer_id",
            "PLZ",
            "Nr",
            "Unnamed: 0.1",
            "番号",
            "顧客番号",
            "顧客ID",
            "管理№",
            "商品コード",
        ),
        *("Kundennummer", "Matrikelnr"),
    ],
)
def test_whole_numbers_that_all_differ_name_the_rows_if_they_are_called_so(name):
    def table(called: str) -> Table:
        rows = [f"{10_007 * (at % 5) + at}.0;{20 + at % 7};{'ab'[at % 2]}" for at in range(ROWS)]
        return read("\n".join([f"{called};alter;urteil", *rows]).encode())

    assert survey(table(name))[0].kind == "index"
    assert survey(table("lohn"))[0].kind == "number"


NO_HEADER = {
    "numbers": "\n".join(BODY),
    "texts alone": "\n".join(
        f"{['rot', 'blau'][at % 2]};{['klein', 'groß'][at % 2]};{'ab'[at % 2]}" for at in range(ROWS)
    ),
    "names, dates and labels": "\n".join(
        f"Kunde {at};2024-01-{1 + at % 28:02};{'ab'[at % 2]}" for at in range(ROWS)
    ),
    "names and labels": "\n".join(f"Kunde {at};{at % 7}x{at};{['ja', 'nein'][at % 2]}" for at in range(ROWS)),
    "years as names": "2019;2020;2021\n" + "\n".join(f"{at};{at * at};{at % 2}" for at in range(ROWS)),
}


@pytest.mark.parametrize("kind", NO_HEADER)
def test_a_first_row_that_looks_like_data_is_asked_about(kind):
    content = NO_HEADER[kind].encode()
    with pytest.raises(HeaderQuestionError, match=r"looks like data: '.*Is there a header\?") as asked:
        read(content)
    assert list(asked.value.first) == NO_HEADER[kind].split("\n")[0].split(";")
    with_header, without = read(content, header=True), read(content, header=False)
    assert with_header.columns == asked.value.first or kind == "texts alone"
    assert without.columns == ("column 1", "column 2", "column 3")
    assert len(without.frame) == len(with_header.frame) + 1
    assert not without.unnamed


BROKEN = {
    "a quotation mark left open": (PLAIN.replace(";113;", ';"113;'), "opened in line 3 is never closed"),
    "one that closes in another row": (
        PLAIN.replace("nein", '"nein', 1).replace("\n26", '\n"26', 1).replace('"26', '"26"x', 1),
        "line 2 are not in order",
    ),
    "a cell longer than can be read": (
        PLAIN + f'1;"{"x" * 140_000}";ja\n',
        "line 26 has more than 131,072 characters",
    ),
    "a header longer than can be read": (f"{'x' * 140_000};" + PLAIN, "line 1 has more than 131,072"),
    "one column": (PLAIN.replace(";", ""), "Only one column"),
    "a row too short": (PLAIN + "1;2\n", "Row 25 has 2 cells, but the header has 3"),
    "sentences": ("der Film war gut\nder andere gar nicht\nja\n", "Only one column"),
    "one column beside an empty one": (
        "a;\n" + "".join(f"{at};\n" for at in range(9)),
        "Only one column holds anything",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_read_is_named_in_a_sentence(kind):
    content, message = BROKEN[kind]
    with pytest.raises(DataError, match=message):
        read(content.encode())


# -------------------------------------------------------------------------------------------------------- labels


def labelled(labels: list[str]) -> Table:
    lines = "\n".join(f"{at * at % 31};{labels[at % len(labels)]}" for at in range(ROWS))
    return read(f"x;y\n{lines}\n".encode())


def test_the_same_number_is_the_same_label():
    made = data_set(labelled(["1", "0", "1.0", "2,00", "2"]), Choices("y"))
    notices = made.notices
    assert made.class_names == ("0", "1", "2")
    assert notices == ("The same numbers, so the same labels: '1', '1.0', '2', '2,00'.",)
    codes = data_set(labelled(["01", "1", "2"]), Choices("y"))
    assert codes.class_names == ("01", "1", "2")


@pytest.mark.parametrize("word", ["NA", "N/A", "nan", "NULL", "", "#N/A", "<NA>"])
def test_words_for_nothing_are_no_labels(word):
    table = labelled(["gut", "schlecht", word])
    with pytest.raises(DataError, match=r"'y' holds no label in row 3.*leave such rows out \(8 of 24\)"):
        data_set(table, Choices("y"))
    made = data_set(table, Choices("y", leave_out=True))
    notices = made.notices
    assert made.class_names == ("gut", "schlecht")
    assert notices == ("8 of 24 rows are incomplete and were left out.",)
    assert has_no_label(["none", "no", word]).tolist() == [False, False, True]


@pytest.mark.parametrize("word", ["None", "none", "?", "-", "Missing"])
def test_a_word_that_may_mean_nothing_is_no_label_beside_numbers(word):
    table = labelled(["0", "1", word, "1.0"])
    assert label_counts(table, "y") == {"0": 6, "1": 12}
    with pytest.raises(DataError, match=r"'y' holds no label in row 3"):
        data_set(table, Choices("y"))
    made = data_set(table, Choices("y", leave_out=True))
    notices = made.notices
    assert made.class_names == ("0", "1") and notices[0] == f"No label: '{word}'."


@pytest.mark.parametrize("word", ["None", "none", "?", "missing", "－", "なし", "未回答", "н/д", "k.A."])
def test_beside_words_somebody_is_asked(word):
    table = labelled(["leicht", "schwer", word])
    with pytest.raises(
        DataError, match=f"'{re.escape(word)}' in 'y' may be a label, or mean that there is none"
    ):
        data_set(table, Choices("y"))
    made = data_set(table, Choices("y", none_is_label=True))
    assert len(made.class_names) == 3 and word in made.class_names
    made = data_set(table, Choices("y", none_is_label=False, leave_out=True))
    assert made.class_names == ("leicht", "schwer")
    left_out = data_set(table, Choices("y", without=(word,)))
    assert left_out.class_names == ("leicht", "schwer")


@pytest.mark.parametrize("pair", [["+", "-"], ["some", "none"], ["1", "?"]])
def test_of_two_labels_both_are_labels(pair):
    assert sorted(data_set(labelled(pair), Choices("y")).class_names) == sorted(pair)


def test_every_group_of_labels_that_look_alike_is_asked_about_on_its_own():
    table = labelled(["ja", "JA", "nein", "Nein"])
    with pytest.raises(AlikeError, match="'JA', 'ja'; 'Nein', 'nein'") as asked:
        data_set(table, Choices("y"))
    assert asked.value.groups == (("JA", "ja"), ("Nein", "nein"))
    made = data_set(table, Choices("y", same_labels=("Nein",)))
    assert len(made.class_names) == 3 and {"ja", "JA"} < set(made.class_names)


@pytest.mark.parametrize("other", ["JA", "Ja", "ｊａ", "ja."])
def test_labels_that_look_alike_are_asked_about(other):
    table = labelled(["ja", "nein", other, "ja"])
    with pytest.raises(DataError, match="look alike.*one label or several"):
        data_set(table, Choices("y"))
    assert data_set(table, Choices("y", same_labels=True)).class_names == ("ja", "nein")
    assert len(data_set(table, Choices("y", same_labels=False)).class_names) == 3


def test_a_label_with_many_rare_values_is_offered_and_its_rare_ones_are_proposed():
    lines = ["alter,diagnose"] + [f"{20 + at % 30},{'ABC'[at % 3]}" for at in range(200)]
    lines += [f"{at % 90},selten {at}" for at in range(80)]
    table = read("\n".join(lines).encode())
    age, diagnosis = survey(table)
    assert (can_be_label(table, age), can_be_label(table, diagnosis)) == (False, True)
    rare = rare_labels(label_counts(table, "diagnose"))
    assert len(rare) == 80
    with pytest.raises(DataError, match="83 different values; a label has 2 to 50. Leave the rare ones out"):
        data_set(table, Choices("diagnose"))
    made = data_set(table, Choices("diagnose", without=rare))
    notices = made.notices
    assert (
        made.class_names == ("A", "B", "C") and "80 of 280 rows have a label that was left out" in notices[-1]
    )


def test_of_more_labels_than_a_model_can_tell_apart_the_most_frequent_are_kept():
    counts = {f"l{at}": 100 - at for at in range(60)}
    assert rare_labels(counts) == tuple(f"l{at}" for at in range(50, 60))


def test_names_of_rows_are_no_label():
    lines = ["name,alter"] + [f"Kim {at % 120},{at}" for at in range(400)]
    table = read("\n".join(lines).encode())
    assert not can_be_label(table, survey(table)[0])


DOUBLED = {
    "twice": ("größe,größe,urteil", ("größe", "größe (2)", "urteil"), "“größe” is “größe (2)” here"),
    "three times": ("a,a,a", ("a", "a (2)", "a (3)"), "“a” is “a (3)” here"),
    "the number is taken": ("a,a,a (2)", ("a", "a (3)", "a (2)"), "“a” is “a (3)” here"),
    "in spaces only": ("体重 ,体重, 判定", ("体重", "体重 (2)", "判定"), "“体重” is “体重 (2)” here"),
    "an unnamed one is called like a named one": (
        "column 2,,y",
        ("column 2", "column 2 (2)", "y"),
        "“column 2 (2)”",
    ),
}


@pytest.mark.parametrize("kind", DOUBLED)
def test_columns_of_one_name_are_numbered_and_said(kind):
    header, names, said = DOUBLED[kind]
    rows = "".join(f"{20 + at * 7 % 40},{at % 5 + 0.5},{'pq'[at % 2]}\n" for at in range(ROWS))
    table = read(f"{header}\n{rows}".encode())
    assert table.columns == names and said in " ".join(table.notices)
    assert len(data_set(table, Choices(names[2])).class_names) == 2


BY_OTHERS = {
    "single quotation marks": "'größe','alter','urteil'\n"
    + "".join(f"'{at % 5 + 0.5}','{20 + at * 7 % 40}','{'ab'[at % 2]}'\n" for at in range(ROWS)),
    "a table of a text file": "| größe | alter | urteil |\n|:---|---:|---|\n"
    + "".join(f"| {at % 5 + 0.5} | {20 + at * 7 % 40} | {'ab'[at % 2]} |\n" for at in range(ROWS)),
    "the terminal of PostgreSQL": " größe | alter | urteil \n-------+-------+--------\n"
    + "".join(f" {at % 5 + 0.5} | {20 + at * 7 % 40} | {'ab'[at % 2]}\n" for at in range(ROWS))
    + f"({ROWS} rows)\n",
    "the terminal of MySQL": "+-------+-------+--------+\n| größe | alter | urteil |\n+-------+-------+--------+\n"
    + "".join(f"| {at % 5 + 0.5} | {20 + at * 7 % 40} | {'ab'[at % 2]} |\n" for at in range(ROWS))
    + "+-------+-------+--------+\n",
    "a line of dashes": "größe\talter\turteil\n-----\t-----\t-----\n"
    + "".join(f"{at % 5 + 0.5}\t{20 + at * 7 % 40}\t{'ab'[at % 2]}\n" for at in range(ROWS)),
}


@pytest.mark.parametrize("kind", BY_OTHERS)
def test_tables_that_other_programs_print_are_read(kind):
    table = read(BY_OTHERS[kind].encode())
    assert table.columns == ("größe", "alter", "urteil") and len(table.frame) == ROWS
    made = data_set(table, Choices("urteil"))
    assert made.class_names == ("a", "b") and made.feature_names[:2] == ("größe", "alter")
    assert (SAID in table.notices) == (kind != "single quotation marks")


@pytest.mark.parametrize("separator", [",", ";"])
def test_dashes_between_commas_are_cells_like_any_other(separator):
    rows = [
        ["size", "age", "y"],
        ["---", "---", "---"],
        *([f"{at}.5", f"{at}", "ab"[at % 2]] for at in range(ROWS)),
    ]
    table = read("\n".join(map(separator.join, rows)).encode())
    assert len(table.frame) == ROWS + 1 and table.notices == ()


@pytest.mark.parametrize("word", ["Total", "Summe:", "合計", "ИТОГО", "Grand  total"])
def test_a_total_below_the_table_is_named_and_can_be_left_out(word):
    rows = "".join(f"s{at},{at}.5,{'ab'[at % 2]}\n" for at in range(ROWS))
    table = read(f"store,sales,y\n{rows}{word},288,\n".encode())
    assert total_row(table) == word and total_row(without_total(table)) == ""
    made = data_set(table, Choices("y", without_total=True, ignored=("store",)))
    said = made.notices
    assert len(made.train) + len(made.test) == ROWS
    assert f"Left out below the table: the row “{word}”." in said
    with pytest.raises(DataError, match="holds no label in row 25"):
        data_set(table, Choices("y", ignored=("store",)))


def test_a_word_for_a_total_that_comes_again_is_a_cell_like_any_other():
    rows = "".join(f"{('Total', 'part')[at % 2]},{at}.5,{'ab'[at % 2]}\n" for at in range(ROWS + 1))
    assert total_row(read(f"kind,sales,y\n{rows}".encode())) == ""


@pytest.mark.parametrize(
    ("dates", "became"),
    [
        (
            [f"{at + 1:02d}/03/2024" for at in range(ROWS)],
            "left out: dates, day first: 13/03/2024; 24 of 24 cells differ",
        ),
        ([f"3/{at + 1}/24" for at in range(ROWS)], "left out: dates, month first: 3/13/24; 24 of 24"),
        (["03/04/2024", "05/06/2024"], "a category of 2 texts (dates, day or month first: 03/04/2024)"),
        (
            [f"2024-03-{at + 1:02d} 10:00" for at in range(ROWS)],
            "left out: dates, year first: 2024-03-01 10:00",
        ),
        (
            ["13.04.2024", "04.13.2024", "1.1.2024"],
            "some day first and some month first: 13.04.2024, 04.13.2024",
        ),
    ],
)
def test_how_dates_are_written_stands_in_the_preview(dates, became):
    assert became in column(file(dates, ";"))[1].became


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b'[{"a": 1, "y": "x"}]', "JSON"),
        (b'\xef\xbb\xbf{ "rows": []}', "JSON"),
        (b"<!DOCTYPE html><table>", "a web page"),
        (b"<table border=1>", "a web page"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"<!-- made by hand -->\n<table>", "a web page"),
        (b"<title>Prices</title>\n<p>a,b", "a web page"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"SQLite format 3\0\x10\0", "an SQLite database"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (packed({"[Content_Types].xml": b"", "word/document.xml": b"x"}).getvalue(), "a Word document"),
        (packed({"[Content_Types].xml": b"", "xl/workbook.xml": b"x"}).getvalue(), "a workbook"),
    ],
)
def test_what_is_no_table_of_text_is_named_with_what_to_do(content, what):
    with pytest.raises(DataError, match=rf"This is {what}, not a CSV file\. \w.*\bC?SV\b"):
        read(content)


@pytest.mark.parametrize(
    "labels",
    [["<=50K", "<=50K.", ">50K", ">50K."], ["True", "1", "False", "0"], ["İyi", "iyi", "KÖTÜ", "kötü"]],
)
def test_one_label_of_two_programs_is_asked_about(labels):
    table = labelled(labels)
    with pytest.raises(DataError, match="look alike.*one label or several"):
        data_set(table, Choices("y"))
    assert len(data_set(table, Choices("y", same_labels=True)).class_names) == 2


FURTHER_STYLES = {
    "reais": (["R$ 1.234,56", "R$ 7,00", "R$ 12.345,90"], [1234.56, 7, 12345.9]),
    "zloty": (["12 345,67 zł", "7,00 zł", "1 234,50 zł"], [12345.67, 7, 1234.5]),
    "crowns": (["kr 1 234", "kr 77", "kr 12 345"], [1234, 77, 12345]),
    "whole millions by dots": (["1.234.567", "7.594.000", "12.345.678"], [1234567, 7594000, 12345678]),
    "a dash for minus": (["–5", "‒7.5", "3"], [-5, -7.5, 3]),
    "degrees": (["12 °C", "-3,5 °C", "7 °C"], [12, -3.5, 7]),
    "powers with a comma": (["1,5E+03", "2,0E-02", "7,1E+00"], [1500, 0.02, 7.1]),
    "Persian digits": (["۱۲٫۵", "۳٫۵", "۷"], [12.5, 3.5, 7]),
    "Devanagari digits": (["१२", "३", "७"], [12, 3, 7]),
}


@pytest.mark.parametrize("style", FURTHER_STYLES)
def test_a_column_of_a_further_style_is_read(style):
    cells, wanted = FURTHER_STYLES[style]
    assert_allclose(values(file(cells, ";"))[:3], wanted, rtol=1e-15)


def test_rare_labels_can_be_left_out():
    table = labelled(["a", "b"])
    table.frame.loc[5, "y"] = "selten"
    with pytest.raises(DataError, match="'selten' occurs once"):
        data_set(table, Choices("y"))
    made = data_set(table, Choices("y", without=("selten",)))
    notices = made.notices
    assert made.class_names == ("a", "b")
    assert 5 not in torch.cat([made.train.ids, made.test.ids]).tolist()
    assert notices == ("1 of 24 rows have a label that was left out: 'selten'.",)


# ----------------------------------------------------------------------------------------------------- encodings

WORDS = {
    "cp1252": ("Straße – 5 €", "größer", "kleiner"),
    "mac_roman": ("Forêt vidée, déjà", "élevé", "né"),
    "cp1251": ("Улица Ленина", "да", "нет"),
    "cp932": ("東京都の住所", "合格", "不合格"),
    "gb18030": ("北京市的地址", "是的", "不是"),
    "utf-16-le": ("Straße", "größer", "kleiner"),
    "utf-16-be": ("東京都の住所です", "合格", "不合格"),
    "utf-8": ("東京", "да", "größer"),
}


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("separator", [",", ";"])
def test_every_encoding_is_found(encoding, separator):
    place, yes, no = WORDS[encoding]
    place = place.replace(",", "")
    lines = [separator.join((place, "alter", yes + no))]
    lines += [
        separator.join((f"{place} {at % 3}", str(20 + at * 7 % 40), (yes, no)[at % 2])) for at in range(ROWS)
    ]
    table = read("\n".join(lines).encode(encoding))
    assert table.encoding == encoding
    assert table.columns == (place, "alter", yes + no)
    assert set(data_set(table, Choices(yes + no)).class_names) == {yes, no}
    assert (table.notices == ()) == (encoding == "utf-8")


def test_the_encoding_can_be_chosen_and_what_it_lacks_is_said():
    content = file(["Köln", "Linz", "Graz"]).decode().encode("cp1252")
    assert read(content).frame["größe"].unique().tolist() == ["Köln", "Linz", "Graz"]
    wrong = read(content, "mac_roman")
    assert "größe" not in wrong.columns and wrong.notices == ("Read as Western Europe (Mac).",)
    damaged = read(content, "utf-8")
    assert "shown as" in damaged.notices[0] and damaged.others == ()
    assert first_words(content, "cp1252") == "größe,alter,urteil"
    with pytest.raises(DataError, match="no encoding 'latin-9'"):
        read(content, "latin-9")


def test_cells_of_a_long_column_are_read_as_those_of_a_short_one(monkeypatch):
    rng = np.random.default_rng(0)
    cells = [
        *(one for some, _ in STYLES.values() for one in some),
        *(one for some in MIXED.values() for one in some),
    ]
    cells += [f"{rng.normal(0, 10.0 ** rng.integers(4)):.{rng.integers(5)}f}" for _ in range(500)]
    cells += [
        "",
        "0.123",
        "-0.5",
        "007",
        "1.",
        ".5",
        "-0",
        "123456789012345",
        "12345.678",
        "1.2.3",
        "inf",
        "nan",
        "x",
    ]
    few = numbers.read_amounts(cells)
    monkeypatch.setattr(numbers, "FEW", 0)
    many = numbers.read_amounts(cells)
    for decimal, wanted in few.values.items():
        assert_allclose(many.values[decimal], wanted, rtol=1e-15)
    assert (many.units, many.codes, many.doubt) == (few.units, few.codes, few.doubt)
    assert 0 < len(many.unusual) < len(cells)
