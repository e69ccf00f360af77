"""The page about a group that the model fails on: its story, its widgets, its address, and a table of one's own."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from influence_core.experiments import at_hand, domain_mismatch, explain, group_fails, groups, questions
from influence_core.experiments.groups import Errors, Group
from influence_core.studies import find, open_study
from influence_core.words import nats, percent, tenths
from pages._common import upload
from pages._parts.domain_mismatch import answer
from pages._shell import downloads, results
from tests.data.test_tables import as_csv, rows
from tests.visits import address, charts, keys, press, said, settle, title, visit_page

PAGE, TWENTIES = "domain_mismatch", Group("age group", "[20-30)")


@pytest.fixture(scope="module")
def story():
    study, whole = open_study(find("diabetes-thinned")), open_study(find("diabetes"))
    answered = at_hand.improve(study, explain.run(study, questions.ask(study, 4, label=0)))
    return domain_mismatch.run(study, TWENTIES, answered, whole)


def box(at, key):
    return next(one for one in at.selectbox if one.key == key)


def choose(at, key, value):
    box(at, key).set_value(value)
    return settle(at)


# -------------------------------------------------------------------------------------------------- the story


def test_the_embedded_story(story):
    at = visit_page(PAGE, "diabetes-thinned")
    assert title(at) == "Why does it fail on this group?"
    assert [one.key for one in at.get("download_button")] == ["download_csv"]
    words = said(at)
    assert "**age group = \\[20-30\\)**" in words
    for fact in (
        "**Too few to tell** whether it fails more on **age group = \\[20-30\\)**",
        "**3 of 11 (27.3 %)**",
        "16 of 99 (16.2 %)",
        "**25** training rows put back",
        "**0 of 11 (0.0 %)**",
        "Only **5** of 307 training rows",
        "the **3** rows that matter most to test row 4 are all among them",
        f"**{story.times_next(int(story.top(1)[0])):.1f} times**",
        f"the model says **fast** ({percent(float(story.explanation.probabilities[1]))})",
        f"it says **slow** ({percent(float(story.whole_probabilities[0]))})",
        "stand-in for the hospital stays",
    ):
        assert fact in words, fact
    assert set(charts(at)) == {
        "before_after",
        "group_errors",
        "strongest_rows",
        "coefficients",
        "row_features",
    }
    listed = at.dataframe[1].value
    at_rows = story.group_rows()
    assert listed["row"].tolist() == story.explanation.ids[at_rows].tolist()
    assert listed["loss change"].tolist() == [nats(float(one)) for one in story.explanation.shown[at_rows]]
    assert listed["rank"].tolist()[:3] == [1, 2, 3]
    counts = at.dataframe[0].value
    assert counts["slow"].tolist() == ["26", "1", "11"] and counts["fast"].tolist() == ["4", "4", "0"]


@pytest.mark.parametrize(
    "group, errors, elsewhere, words",
    [
        (
            "more",
            Errors(137, 30),
            Errors(4000, 300),
            "Yes, it **fails more** on **city = A**: wrong on **30 of 137 (21.9 %)**",
        ),
        ("less", Errors(4000, 300), Errors(137, 30), "No, it **fails less** on"),
        ("not more", Errors(2000, 200), Errors(2000, 200), "No, it does **not fail more** on"),
        ("too few", Errors(11, 3), Errors(99, 16), "**Too few to tell** whether"),
    ],
)
def test_the_first_sentence_says_whether_it_fails(group, errors, elsewhere, words):
    fared = group_fails.run(errors, elsewhere, 3)
    assert fared.fails == group
    assert words in answer._fails(fared, "city = A")
    low, high = fared.interval
    told = answer._how_sure(fared)
    assert f"{tenths(low)} to {tenths(high)} (95 %, for all 3 groups of the column together)" in told
    chance = f"with a chance of up to {percent(fared.chance)}" if fared.chance < 0.99 else "all but always"
    assert f"at one of the 3 groups {chance} (Fisher" in told
    assert ("is ruled out" in told) == (group == "not more")
    assert ("With so few rows" in told) == (group == "too few")


def test_a_row_of_the_group_is_opened_in_full(story):
    at = visit_page(PAGE, "diabetes-thinned")
    ids = story.explanation.ids[story.group_rows()]
    assert "**Rank**: its place among all 307 training rows" in said(at)
    picked = int(ids[2])
    assert f"Training row {picked} in full" not in said(at)
    opened = visit_page(PAGE, "diabetes-thinned", open=str(picked))
    assert f"Training row {picked} in full" in said(opened)
    record = open_study(find("diabetes-thinned")).data.record(picked)
    shown = [one.value for one in opened.dataframe if "value" in one.value]
    assert list(record.values()) in [one["value"].tolist() for one in shown]


def test_the_rows_are_really_taken_out_on_request():
    at = visit_page(PAGE, "diabetes-thinned")
    assert "removals" not in charts(at)
    press(at, "retrain")
    drawn = charts(at)["removals"]["data"]
    assert len(drawn) == 5
    study = open_study(find("diabetes-thinned"))
    answer = explain.run(study, questions.ask(study, 4, label=0))
    (alone,) = domain_mismatch.remove_each(study, answer, [103])
    assert drawn[0]["x"] == pytest.approx([alone.forecast.alone, alone.actual], abs=1e-6)
    assert "Without the 4 harmful rows (103, 113, 10, 423) the model says **slow**" in said(at)
    assert address(at)["retrain"] == "1"


def test_widgets_change_the_address_and_the_story():
    at = visit_page(PAGE, "diabetes-thinned")
    choose(at, "group_test", 356)
    assert address(at)["test"] == "356"
    assert "**Test row 356** is **slow**" in said(at)
    choose(at, "group_row", 103)
    assert address(at)["open"] == "103"
    choose(at, "group_value", "[30-40)")
    assert address(at) == {"study": "diabetes-thinned", "group": "age group=[30-40)"}
    assert "**3 of 12 (25.0 %)**" in said(at)
    choose(at, "group_column", "bmi")
    assert address(at)["group"] == "bmi"
    study = open_study(find("diabetes-thinned"))
    assert box(at, "group_value").value == groups.suggest(study, "bmi").value


def test_an_address_opens_the_same_view():
    at = visit_page(PAGE, "diabetes-thinned", group="age group=[20-30)", test="220", open="426")
    assert "**Test row 220**" in said(at)
    assert box(at, "group_row").value == 426
    assert "removals" not in charts(at)


def test_any_row_of_the_group_can_be_asked_about_and_any_training_row_opened():
    at = visit_page(PAGE, "diabetes-thinned", test="48", open="1")
    assert "**Test row 48** is **slow**; the model says **slow**" in said(at)
    assert box(at, "group_row").value == 1
    elsewhere = visit_page(PAGE, "diabetes-thinned", test="8")
    assert "**Test row 4**" in said(elsewhere), "row 8 is of another group"


@pytest.mark.parametrize("query", [{"test": "5"}, {"open": "4"}])
def test_a_row_that_is_not_there_is_said(query):
    (id,) = query.values()
    at = visit_page(PAGE, "diabetes-thinned", **query)
    assert re.search(rf"no (example with id|training row) {id}\b", at.error[0].value)


def test_a_group_without_mistakes_shows_its_least_sure_rows():
    at = visit_page(PAGE, "diabetes")
    assert "**0 of 11 (0.0 %)**" in said(at)
    assert "Test row 4" in said(at) and "before_after" not in charts(at)


@pytest.mark.parametrize(
    "group, message",
    [
        ("nonsense", "a group is “column=value”"),
        ("age group=[200-210)", "No test row has age group = [200-210); choose one of [20-30), [30-40)"),
        ("age group=[10-20)", "No test row has age group = [10-20)"),
        ("<b>x</b>=1", "a group is “column=value”"),
    ],
)
def test_a_bad_group_in_the_address_is_said(group, message):
    at = visit_page(PAGE, "diabetes-thinned", group=group)
    assert message in at.error[0].value.replace("\\", "")
    assert "start_over" in keys(at)


def test_a_study_without_a_table_offers_some():
    at = visit_page(PAGE, "one-or-seven")
    assert "told apart by the columns of a table" in at.info[0].value
    press(at, "use_diabetes-thinned")
    assert address(at)["study"] == "diabetes-thinned"
    assert "**3 of 11 (27.3 %)**" in said(at)


def test_missing_hospital_data_offer_a_download_and_fetch_nothing_unasked(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.DATA_VARIABLE, str(tmp_path))
    at = visit_page(PAGE, "hospital-thinned")
    assert "Hospital readmission data is not on this machine" in said(at)
    assert "download_hospital-thinned" in keys(at)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_papers_own_story(shared_data, monkeypatch):
    monkeypatch.setenv(downloads.DATA_VARIABLE, str(shared_data))
    at = visit_page(PAGE, "hospital-thinned")
    words = said(at)
    assert "**30 of 137 (21.9 %)**" in words and "**0 of 137 (0.0 %)**" in words
    assert "Only **4** of 19,980 training rows" in words
    assert "the **4** rows that matter most to test row 101742" in words
    assert at.dataframe[1].value["row"].tolist() == [13685, 9366, 19590, 11116]


# ------------------------------------------------------------------------------------------- a table of one's own


@dataclass
class File:
    """What the browser hands over."""

    content: bytes
    name: str = "cus*tomers.csv"
    file_id: str = field(default="file")

    def getvalue(self) -> bytes:
        return self.content


@pytest.fixture
def uploaded(monkeypatch):
    """Puts a file into the upload form."""
    held: dict = {"file": None}
    monkeypatch.setattr(upload.st, "file_uploader", lambda *_, **__: held["file"])
    return held


def table(n: int = 200) -> list[dict[str, str]]:
    made = [{**one, "name": f"customer {at}", "ward": str(at % 5)} for at, one in enumerate(rows(n))]
    made[3]["spent"] = "n/a"
    return made


def test_a_table_without_signal_says_so_and_what_was_done_to_it(uploaded):
    rng = np.random.default_rng(0)
    rows = [
        {"a": f"{one:.3f}", "y": "0" if luck else "1.0" if at % 2 else "1"}
        for at, (one, luck) in enumerate(zip(rng.normal(size=80), rng.random(80) < 0.5, strict=True))
    ]
    at = visit_page(PAGE, "diabetes-thinned")
    uploaded["file"] = File(as_csv(rows))
    press(settle(at), "table_train")
    explained = visit_page("explain", address(at)["study"])
    assert "The model has learnt nothing that shows" in said(explained)
    assert "The same numbers, so the same labels" in said(explained)


def test_another_file_in_the_same_form_has_its_own_columns_left_out(uploaded):
    at = visit_page(PAGE, "diabetes-thinned")
    for name, column in (("first", "ward"), ("second", "name"), ("third", "")):
        left = [{key: cell for key, cell in row.items() if key != column} for row in table()]
        uploaded["file"] = File(as_csv(left), file_id=name)
        settle(at)
        kept = [] if column == "name" else ["name"]
        assert at.multiselect(key=f"table_ignored_{name}").value == kept


def test_an_uploaded_table_is_told_and_usable_on_other_pages(uploaded):
    at = visit_page(PAGE, "diabetes-thinned")
    uploaded["file"] = File(as_csv(table()))
    settle(at)
    preview = at.dataframe[0].value
    assert preview["column"].tolist() == list(table()[0])
    assert at.multiselect(key="table_ignored_file").value == ["name"]
    choose(at, "table_label_file", "bought")
    choose(at, "table_group_file", "city")
    at.multiselect(key="table_codes_file").set_value(["ward"])
    settle(at)
    press(at, "table_train")
    assert "row 4 ('n/a')" in at.error[0].value.replace("\\", "")
    at.checkbox(key="table_leave_out_file").check()
    settle(at)
    at.button(key="table_train").click()
    at.run()
    uploaded["file"] = None  # the form is new and empty
    settle(at)
    name = address(at)["study"]
    study = open_study(find(name, results.get_store()), results.get_store())
    assert (len(study.data.train), len(study.data.test)) == (149, 50)
    assert "ward = 3" in study.data.feature_names
    group = groups.suggest(study)
    assert group.column == "city"
    assert f"**city = {group.value}**" in said(at)
    assert box(at, "side_study").value == name
    assert "ready · Your table: cus_tomers.csv" in box(at, "side_study").options
    explained = visit_page("explain", name)
    assert "training rows" in title(explained)
    assert "cus_tomers.csv" in said(explained)


BAD = {
    "an empty file": (b"", "file is empty"),
    "a workbook": (b"PK\x03\x04" + bytes(9), "workbook"),
    "garbage": (bytes(range(256)), "no text in an encoding that is known"),
    "a ragged row": (b"a,b\n1,2\n1\n", "Row 2 has 1 cells"),
    "no label": (
        as_csv([{"a": str(at), "b": str(at / 7)} for at in range(99)]),
        "No column has 2 to 50 different values",
    ),
    "too large": (bytes(50 * 10**6 + 1), "at most 50 MB"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_said_and_the_story_stays(uploaded, name):
    content, message = BAD[name]
    uploaded["file"] = File(content)
    at = visit_page(PAGE, "diabetes-thinned")
    assert message in at.error[0].value.replace("\\", "")
    assert "**3 of 11 (27.3 %)**" in said(at)


def test_the_encoding_is_shown_with_the_first_words_and_can_be_changed(uploaded):
    content = (
        as_csv(table())
        .decode()
        .replace("Ürümqi", "Нижний Новгород")
        .replace("Köln", "Санкт-Петербург")
        .encode("cp1251")
    )
    uploaded["file"] = File(content)
    at = visit_page(PAGE, "diabetes-thinned")
    assert not at.error
    assert "Нижний Новгород" in " ".join(at.dataframe[0].value["for example"])
    box = at.selectbox(key="table_encoding_file")
    assert box.options[0].startswith("Cyrillic (Windows-1251): ") and "Санкт-Петербург" in box.options[0]
    box.set_value("cp1252")
    settle(at)
    assert "Ñàíêò-Ïåòåðáóðã" in " ".join(at.dataframe[0].value["for example"])
    assert "Read as Western Europe" in said(at)


def test_an_encoding_can_be_chosen_where_the_guess_cannot_be_read(uploaded):
    """Georgian is no alphabet that is known, and without a mark nothing else tells UTF-16."""
    content = as_csv(table()).decode().replace("Ürümqi", "თბილისი").replace("Köln", "ბათუმი")
    uploaded["file"] = File(content.encode("utf-16-le"))
    at = visit_page(PAGE, "diabetes-thinned")
    assert "no text in an encoding that is known" in at.error[0].value
    for chosen in ("big5", "utf-16-le"):
        box = at.selectbox(key="table_encoding_file")
        assert box.options[0] == "the most plausible" and any("ბათუმი" in one for one in box.options)
        box.set_value(chosen)
        settle(at)
    assert not at.error
    assert "ბათუმი" in " ".join(at.dataframe[0].value["for example"])


@pytest.mark.parametrize("content", [b"%PDF\xff", b"a,b\n1,2\n1\n"], ids=["a PDF", "plain letters"])
def test_no_encoding_is_offered_where_it_changes_nothing(uploaded, content):
    uploaded["file"] = File(content)
    at = visit_page(PAGE, "diabetes-thinned")
    assert at.error
    assert not [one for one in at.selectbox if "ncoding" in one.label]


def asked_table() -> bytes:
    """No header, amounts that can be read in two ways, labels that look alike, one that occurs once."""
    labels = ("ja", "nein", "JA")
    lines = [f"{1 + at % 9},{100 + at};{at * at};{labels[at % 3]}" for at in range(60)]
    return "\n".join([*lines, "7,777;8;einmal"]).encode()


def test_whether_none_is_a_label_is_asked_before_training(uploaded):
    lines = ["age,age,severity"] + [
        f"{at % 9},{100 + at * 7 % 40},{('mild', 'severe', 'None')[at % 3]}" for at in range(60)
    ]
    uploaded["file"] = File("\n".join(lines).encode())
    at = visit_page(PAGE, "diabetes-thinned")
    assert "Another column called “age” is “age (2)” here." in said(at).replace("\\", "")
    assert at.button(key="table_train").disabled
    at.radio(key="table_none_file_severity").set_value(False)
    settle(at)
    at.checkbox(key="table_leave_out_file").check()
    at.button(key="table_train").click()
    at.run()
    uploaded["file"] = None
    settle(at)
    study = open_study(find(address(at)["study"], results.get_store()), results.get_store())
    assert study.data.class_names == ("mild", "severe")
    assert study.data.feature_names[:2] == ("age", "age (2)")


def test_what_fits_two_readings_is_asked_before_training(uploaded):
    uploaded["file"] = File(asked_table())
    at = visit_page(PAGE, "diabetes-thinned")
    assert "The first row looks like data: '1,100', '0', 'ja'" in at.error[0].value.replace("\\", "")
    at.radio(key="table_header_file").set_value(False)
    settle(at)
    assert not at.error
    assert at.dataframe[0].value["becomes"].tolist()[:2] == ["asked below", "a number"]
    assert at.multiselect(key="table_without_file_column 3").value == ["einmal"]
    assert at.button(key="table_train").disabled
    reading = at.radio(key="table_reading_file_column 1")
    assert "1,100 → 1100, 2,101 → 2101" in reading.options[0]
    assert "1,100 → 1.1, 2,101 → 2.101" in reading.options[1]
    reading.set_value(reading.options[0])
    settle(at)
    assert at.button(key="table_train").disabled, "the labels are still open"
    (same,) = [one for one in at.radio if one.key.startswith("table_same_file")]
    same.set_value(True)
    settle(at)
    at.button(key="table_train").click()
    at.run()
    uploaded["file"] = None
    settle(at)
    study = open_study(find(address(at)["study"], results.get_store()), results.get_store())
    assert study.data.class_names == ("JA", "nein")
    assert len(study.data.train) + len(study.data.test) == 60
    assert study.data.feature_names[:2] == ("column 1", "column 2")


def test_hostile_names_are_shown_to_the_letter(uploaded):
    hostile = "![x](http://evil/x.png) <script>alert(1)</script> :red[y] $x$"
    made = [{hostile: one["city"], **one} for one in rows(120)]
    uploaded["file"] = File(as_csv(made))
    at = visit_page(PAGE, "diabetes-thinned")
    choose(at, "table_label_file", "bought")
    choose(at, "table_group_file", hostile)
    at.button(key="table_train").click()
    at.run()
    uploaded["file"] = None
    settle(at)
    words = said(at)
    assert not re.search(r"(?<!\\)(\]\(http|<script|:red\[)", words), (
        "every sign that could come alive is escaped"
    )
    assert "\\!\\[x\\]" in words
    assert "<script" not in str(charts(at))


def test_a_table_that_is_gone_says_so_and_can_be_uploaded_again():
    at = visit_page(PAGE, "table-" + "0" * 32)
    assert "table is not on this machine" in at.error[0].value
    assert "Use a table of your own" in [one.label for one in at.expander]
