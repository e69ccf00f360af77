"""Tables of a person's own: what is read, what is made of it, and every file that must be refused in words."""

import csv
import io
import time
import tracemalloc

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from influence_core.data.brought import tables, uploads
from influence_core.data.brought.tables import Choices, data_set, split
from influence_core.data.readers import delimited, labels
from influence_core.data.readers.columns import Column, survey
from influence_core.data.readers.delimited import read, read_file
from influence_core.data.readers.tables import CONSTANT, EMPTY, thin
from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.studies import find, open_study
from tests import references

LABEL = Choices("bought")


def rows(n: int = 40) -> list[dict[str, str]]:
    """Customers: two numbers, two categories, a label."""
    rng = np.random.default_rng(0)
    cities, plans = ["Köln", "Ürümqi", "Lima"], ["basic", "pro"]
    return [
        {
            "age": str(int(rng.integers(18, 80))),
            "spent": f"{rng.normal(50, 20):.2f}",
            "city": cities[at % 3],
            "plan": plans[at % 2],
            "bought": "yes" if rng.random() < 0.4 or at in (0, 1) else "no",
        }
        for at in range(n)
    ]


def as_csv(table: list[dict[str, str]], separator: str = ",", encoding: str = "utf-8") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue().encode(encoding)


def changed(at: int, column: str, value: str) -> bytes:
    table = rows()
    table[at][column] = value
    return as_csv(table)


def make(content: bytes, choices: Choices = LABEL):
    return data_set(read(content), choices)


# ------------------------------------------------------------------------------------------------ what is made


def test_features_are_what_scikit_learn_makes_of_the_same_rows():
    made = make(as_csv(rows()))
    assert made.feature_names == (
        "age",
        "spent",
        *(f"city = {one}" for one in ("Köln", "Lima", "Ürümqi")),
        "plan = pro",
        CONSTANT,
    )
    for part in (made.train, made.test):
        here = [rows()[id - 1] for id in part.ids.tolist()]
        training = [rows()[id - 1] for id in made.train.ids.tolist()]
        numbers, categories = (
            [[one[name] for name in names] for one in here] for names in (("age", "spent"), ("city", "plan"))
        )
        scaler = StandardScaler().fit([[float(one["age"]), float(one["spent"])] for one in training])
        encoder = OneHotEncoder(drop="if_binary", sparse_output=False).fit(
            [[one["city"], one["plan"]] for one in rows()]
        )
        wanted = np.hstack(
            [
                scaler.transform(np.array(numbers, float)),
                encoder.transform(categories),
                np.ones((len(here), 1)),
            ]
        )
        assert_allclose(part.x.numpy(), wanted, rtol=0, atol=1e-12)
        assert [made.class_names[label] for label in part.y.tolist()] == [one["bought"] for one in here]
    assert made.class_names == ("no", "yes")
    assert (made.kind, made.image_shape, made.group) == ("row", None, None)


def test_ids_are_row_numbers_and_records_the_rows():
    made = make(as_csv(rows()))
    ids = torch.cat([made.train.ids, made.test.ids])
    assert sorted(ids.tolist()) == list(range(1, 41))
    for id in (1, 17, 40):
        assert made.record(id) == rows()[id - 1]
    cities = made.records.column("city", ids)
    assert cities.tolist() == [rows()[id - 1]["city"] for id in ids.tolist()]
    with pytest.raises(DataError, match="no column 'town'.*'city'"):
        made.records.column("town", ids)


def test_the_split_keeps_a_quarter_of_each_label_and_repeats_itself():
    y = np.repeat([0, 1, 2], [100, 40, 2])
    test = split(y)
    assert [int(test[y == label].sum()) for label in range(3)] == [25, 10, 1]
    assert_array_equal(test, split(y))
    assert (test != split(y, seed=1)).any()
    made = make(as_csv(rows()))
    assert made.content == make(as_csv(rows())).content


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_separator_gives_the_same_data(separator):
    assert make(as_csv(rows(), separator)).content == make(as_csv(rows())).content


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_unicode_encoding_gives_the_same_data(encoding):
    assert make(as_csv(rows(), encoding=encoding)).feature_names == make(as_csv(rows())).feature_names


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_decimal_comma_is_read_between_any_cells(separator):
    european = [{**one, "spent": one["spent"].replace(".", ",")} for one in rows()]
    assert make(as_csv(european, separator)).content == make(as_csv(rows())).content


def test_spaces_blank_lines_windows_line_ends_and_quotes_are_forgiven():
    plain = "a,b,y\n1,x,no\n2,y,yes\n3,x,no\n4,y,yes\n"
    untidy = ' a , b,y\r\n1, "x" ,no\r\n\r\n2,y , yes\r\n3,x,no\r\n4,y,"yes"\r\n\r\n'
    assert make(untidy.encode(), Choices("y")).content == make(plain.encode(), Choices("y")).content
    quoted = 'a,b,y\n1,"x, ""big""\nbox",no\n2,y,yes\n3,y,no\n4,y,yes\n'
    assert make(quoted.encode(), Choices("y")).record(1)["b"] == 'x, "big"\nbox'


def test_none_na_and_null_are_texts_like_any_other():
    """Pandas takes these for missing unless it is told not to."""
    words = ["None", "NA", "null", "nan", "N/A", "x"]
    table = [{"word": words[at % 6], "y": "ab"[at % 2]} for at in range(24)]
    made = make(as_csv(table), Choices("y"))
    assert set(made.feature_names) == {*(f"word = {one}" for one in words), CONSTANT}


def test_an_empty_category_is_a_level_of_its_own():
    made = make(changed(3, "city", ""))
    assert f"city = {EMPTY}" in made.feature_names
    assert made.record(4)["city"] == ""


def test_rows_with_an_unreadable_number_or_no_label_are_left_out_on_request():
    table = rows()
    table[3]["age"], table[8]["bought"] = "?", ""
    made = data_set(read(as_csv(table)), Choices("bought", leave_out=True))
    notices = made.notices
    ids = torch.cat([made.train.ids, made.test.ids]).tolist()
    assert sorted(ids) == [one for one in range(1, 41) if one not in (4, 9)]
    assert notices == ("2 of 40 rows are incomplete and were left out.",)


def test_constant_columns_are_dropped_and_named():
    table = [{**one, "country": "PE", "score": "1.0" if at else "1.00"} for at, one in enumerate(rows())]
    made = data_set(read(as_csv(table)), LABEL)
    notices = made.notices
    assert not any(name.startswith("country") for name in made.feature_names)
    assert any("'country'" in one for one in notices)
    assert made.train.x.isfinite().all()


def test_codes_and_ignored_columns_are_obeyed():
    table = [{**one, "zip": str(1000 + at % 4), "name": f"customer {at}"} for at, one in enumerate(rows())]
    made = make(as_csv(table), Choices("bought", ignored=("name",), codes=("zip",)))
    assert [name for name in made.feature_names if name.startswith("zip")] == [
        f"zip = {one}" for one in (1000, 1001, 1002, 1003)
    ]
    assert made.record(1)["name"] == "customer 0"
    assert "zip" in make(as_csv(table), Choices("bought", ignored=("name",))).feature_names


def test_a_group_column_goes_along():
    assert make(as_csv(rows()), Choices("bought", group="city", ignored=("city",))).group == ("city", "")


def test_labels_are_in_the_order_people_expect():
    table = [{"x": str(at * at), "y": str([10, 9, -1][at % 3])} for at in range(30)]
    assert make(as_csv(table), Choices("y")).class_names == ("-1", "9", "10")


def test_an_export_with_an_unnamed_first_column_can_be_read():
    table = [{"": str(at), **one} for at, one in enumerate(rows())]
    assert read(as_csv(table)).columns[0] == "column 1"


def test_a_survey_says_what_columns_hold():
    table = [
        {**one, "country": "PE", "id": f"c{at}", "half": "1" if at % 2 else ""}
        for at, one in enumerate(rows(120))
    ]
    table[5]["age"] = "inf"
    found = {one.name: one for one in survey(read(as_csv(table)))}
    assert {name: one.kind for name, one in found.items()} == {
        "age": "number",
        "spent": "number",
        "city": "category",
        "plan": "category",
        "bought": "category",
        "country": "constant",
        "id": "text",
        "half": "category",
    }
    assert found["age"].unreadable == (6,)
    assert [name for name, one in found.items() if not one.fits] == ["id"]
    assert found["city"].examples == ("Köln", "Ürümqi", "Lima")


MARKUP = ["=HYPERLINK(1)", "<b>bold</b>", "**stars** [link](http://x)", "a = b", "'; DROP TABLE"]


@pytest.mark.parametrize("name", MARKUP)
def test_a_column_name_is_only_a_name(name):
    table = [{name: one["city"], **one} for one in rows()]
    made = make(as_csv(table))
    assert made.feature_names[2] == f"{name} = Köln"
    assert made.record(1)[name] == "Köln"


# ------------------------------------------------------------------------------------------------ what is refused

HEADER = "age,spent,city,plan,bought\n"
NUMBERS = [{**one, "bought": f"{at}.5"} for at, one in enumerate(rows(60))]
REFUSED = {
    "an empty file": (b"", "file is empty"),
    "only a header": (HEADER.encode(), "header, but no rows"),
    "blank lines only": (b"\n\n\n", "Only one column"),
    "one column": (b"bought\nyes\nno\n", "Only one column was found"),
    "a workbook": (b"PK\x03\x04" + bytes(100), "workbook or an archive"),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + bytes(100), "workbook"),
    "binary garbage": (bytes(range(256)) * 40, "no text in an encoding that is known"),
    "garbage without zeros": (bytes(range(128, 256)) * 40, "Only one column"),
    "a row too short": (HEADER.encode() + b"1,2,x,y,no\n1,2,x\n", "Row 2 has 3 cells, but the header has 5"),
    "a row too long": (HEADER.encode() + b"1,2,x,y,no\n1,2,x,y,no,oops\n", "Row 2 has 6 cells"),
    "a quotation mark left open": (
        HEADER.encode() + b'1,2,"x,y,no\n2,2,x,y,no\n',
        "opened in line 2 is never closed",
    ),
    "a cell of a megabyte": (
        HEADER.encode() + b'1,2,"' + b"x" * 10**6 + b'",y,no\n',
        "line 2 has more than 131,072 characters",
    ),
    "ten thousand columns": (
        ",".join(f"c{at}" for at in range(10_000)).encode() + b"\n",
        "10,000 columns; at most 1,000",
    ),
    "no label column": (as_csv([{"a": "1", "b": "2"}]), "no column 'bought'.*'a', 'b'"),
    "one class": (as_csv([{**one, "bought": "yes"} for one in rows()]), "same label in 'bought'"),
    "a label that is an amount": (as_csv(NUMBERS), "'bought' has 60 different values; a label has 2 to 50"),
    "a label that occurs once": (changed(7, "bought", "maybe"), "'maybe' occurs once"),
    "an empty label": (changed(7, "bought", ""), "'bought' holds no label in row 8"),
    "an empty number": (changed(7, "age", ""), r"'age' holds no finite number in row 8 \(''\).*1 of 40"),
    "NaN": (changed(7, "spent", "NaN"), r"'spent' holds no finite number in row 8 \('NaN'\)"),
    "infinity": (changed(7, "spent", "-inf"), "row 8 .'-inf'"),
    "a number that is none": (changed(7, "spent", "n/a"), "row 8 .'n/a'"),
    "numbers too large": (
        as_csv([{**one, "spent": f"{'-' * (at % 2)}1.{at % 7}e308"} for at, one in enumerate(rows())]),
        "'spent' holds numbers too large",
    ),
    "only constant columns": (
        as_csv([{"a": "1", "b": "x", "bought": one["bought"]} for one in rows()]),
        "No column is left to predict from",
    ),
    "a name in every row": (
        as_csv([{**one, "name": f"n{at % 120}"} for at, one in enumerate(rows(400))]),
        "'name' has 120 different texts; a category has at most 100",
    ),
    "numbers of which a third are question marks": (
        as_csv([{**one, "spent": one["spent"] if at % 3 else "?"} for at, one in enumerate(rows())]),
        r"'spent' holds no finite number in row 1 \('\?'\), row 4 .*and 11 more.*codes rather than amounts",
    ),
    "no complete row": (
        as_csv(
            [
                {**one, "spent": one["spent"] if at % 2 else "", "age": "" if at % 2 else one["age"]}
                for at, one in enumerate(rows())
            ]
        ),
        "No row is complete",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_in_words(name):
    content, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        make(content)


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(300 * 10**6)  # on disk it takes no room
    monkeypatch.setattr(delimited, "_decode", lambda *_: pytest.fail("it was read"))
    tracemalloc.start()
    with pytest.raises(DataError, match="300 MB; at most 50 MB"):
        read_file(path)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()
    with pytest.raises(DataError, match="at most 50 MB"):
        read(bytes(delimited.MAX_BYTES + 1))
    with pytest.raises(DataError, match="could not be read: No such file"):
        read_file(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("sign", [",", '"', "x", "a,"])
def test_a_line_without_end_is_refused_before_it_is_cut_into_cells(sign):
    content = b"a,b\n" + sign.encode() * (2 * 10**6 + 1)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"Line 2 has [24],000,0\d\d characters; at most 2,000,000"):
        read(content)
    assert tracemalloc.get_traced_memory()[1] < 40 * 10**6
    tracemalloc.stop()


def test_more_lines_than_can_be_read_are_refused(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_LINES", 40)
    with pytest.raises(DataError, match="has 41 lines; at most 40 can be read"):
        read(as_csv(rows(40)))
    assert len(read(as_csv(rows(39))).frame) == 39


def test_a_hundred_thousand_categories_are_refused_before_they_become_features(monkeypatch):
    monkeypatch.setattr(tables, "encode", lambda *_, **__: pytest.fail("they were made"))
    content = b"id,x,y\n" + b"".join(
        b"user%d,%d,%d\n" % (at % 50_000, at % 7, at % 2) for at in range(150_000)
    )
    with pytest.raises(DataError, match="'id' has 50,000 different texts"):
        make(content, Choices("y"))


def test_too_many_features_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(tables, "encode", lambda *_, **__: pytest.fail("they were made"))
    wide = [
        {**{f"c{at}": str((at * 7 + row) % 90) for at in range(30)}, "y": str(row % 2)} for row in range(200)
    ]
    codes = tuple(f"c{at}" for at in range(30))
    with pytest.raises(DataError, match="make 2,701 features for 200 rows; at most 2,000 features"):
        data_set(read(as_csv(wide)), Choices("y", codes=codes))
    monkeypatch.setattr(tables, "MAX_NUMBERS", 1_000)
    with pytest.raises(DataError, match="make 8 features for 200 rows.*1,000 numbers in all"):
        data_set(read(as_csv(rows(200))), LABEL)


# ---------------------------------------------------------------------------------------------------- thinning


def test_thinning_leaves_the_last_row_of_a_label_in_a_group():
    made = make(as_csv(rows(200)))
    thinned = thin(made, "city", "Lima", label=0, name="thinned")
    ids = made.train.ids.tolist()
    gone = [one for one in ids if one not in thinned.train.ids.tolist()]
    lima_no = [
        one for one in ids if rows(200)[one - 1]["city"] == "Lima" and rows(200)[one - 1]["bought"] == "no"
    ]
    assert len(lima_no) > 10
    assert gone == lima_no[:-1]
    assert thinned.test is made.test
    assert (thinned.name, thinned.title) == ("thinned", "Your table, thinned")
    with pytest.raises(DataError, match="No training row has city = Rome"):
        thin(made, "city", "Rome", label=0, name="thinned")


# ----------------------------------------------------------------------------------------------------- uploads


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_an_uploaded_table_becomes_a_study(store):
    choices = Choices("bought", group="city", ignored=("plan",))
    kept = uploads.keep(store, as_csv(rows(80)), choices, "customers.csv")
    spec = find(f"table-{kept.key}", store)
    assert (spec.title, spec.model, spec.source) == ("customers.csv", "logistic", kept.key)
    study = open_study(spec, store)
    assert study.data.title == "customers.csv"
    assert study.data.group == ("city", "")
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    assert spec.l2 == 1 / len(x)
    weights = references.uniform(len(x))
    assert references.gradient_norm(study.theta.numpy(), x, y, weights, spec.l2, "logistic") <= 1e-10
    assert open_study(spec, store).from_store
    assert uploads.recall(store, kept.key) == kept
    assert not any(name.startswith("plan") for name in study.data.feature_names)


def test_more_labels_take_softmax_regression(store):
    table = [{**one, "bought": ["no", "yes", "later"][at % 3]} for at, one in enumerate(rows(60))]
    kept = uploads.keep(store, as_csv(table), LABEL, "three.csv")
    assert find(f"table-{kept.key}", store).model == "softmax"


def test_the_same_file_is_kept_once_and_other_choices_are_another_study(store):
    first = uploads.keep(store, as_csv(rows()), LABEL, "a.csv")
    again = uploads.keep(store, as_csv(rows()), LABEL, "a.csv")
    other = uploads.keep(store, as_csv(rows()), Choices("bought", ignored=("age",)), "a.csv")
    longer = uploads.keep(store, as_csv(rows(41)), LABEL, "a.csv")
    assert first == again
    assert len({one.key for one in (first, other, longer)}) == 3


def test_a_removed_table_says_so_and_one_that_is_only_not_computed_stays(store):
    kept = uploads.keep(store, as_csv(rows()), LABEL, "a.csv")
    spec = find(f"table-{kept.key}", store)
    open_study(spec, store)
    uploads.beside(store, kept.key).clear()
    assert not open_study(spec, store).from_store
    uploads.remove(store, kept.key, "")
    for lost in (lambda: find(spec.name, store), lambda: open_study(spec, store)):
        with pytest.raises(DataError, match="table is not on this machine.*Upload it again"):
            lost()
    with pytest.raises(DataError, match="table is not on this machine"):
        find("table-" + "0" * 32, store)
    with pytest.raises(DataError, match="no study 'table-../../etc'"):
        find("table-../../etc", store)


def test_a_table_that_makes_no_data_set_is_not_kept(store):
    with pytest.raises(DataError, match="no column"):
        uploads.keep(store, as_csv(rows()), Choices("sold"), "a.csv")
    assert uploads.tables(store, "") == ()


def test_a_home_without_room_says_so(tmp_path):
    store = Store(tmp_path, limit_bytes=3_000)
    with pytest.raises(DataError, match="at most 0 MB of uploads"):
        uploads.keep(store, as_csv(rows(400)), LABEL, "a.csv")


def test_a_column_of_ever_other_texts_is_soon_told_from_a_label():
    counts = {f"review number {at}": 1 for at in range(40_000)}
    before = time.process_time()
    assert len(labels.rare_labels(counts)) == 40_000
    lines = "\n".join(f"{at},review number {at},{'ab'[at % 2]}" for at in range(20_000))
    table = read(f"x,review,y\n{lines}\n".encode())
    assert not labels.can_be_label(table, Column("review", "text", 20_000, (), ()))
    assert time.process_time() - before < 10, "once a label, and not once a pair of labels"
