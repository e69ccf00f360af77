"""The whole view in the address: there and back, what it forgets, what it refuses, and clicks that overtake it."""

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.engines import SolverSettings
from influence_core.errors import DataError
from pages._common import chooser
from pages._shell import address
from pages._shell.address import DEFAULT_STUDY, MAX_CHOSEN, View, changed
from pages._shell.own_params import ExplainParams, LeaveOneOutParams, SmoothHingeParams, WhatIfParams

LONG = "9" * 5_000
FULL = {
    "study": "one-or-seven",
    "test": "5040",
    "ask": "true",
    "solver": "cg",
    "damping": "0.25",
    "curvature": "hessian",
    "device": "cpu",
    "show": "unsure",
    "of": "1",
    "said": "2",
    "page": "3",
    "open": "12",
    "out": "12,40",
    "chart": "anatomy",
    "spot": "1",
    "beside": "one-or-seven:5041",
}
WHAT_IF = {
    "panel": "class",
    "k": "100",
    "group": "1",
    "edit": "relabel",
    "to": "1",
    "weight": "0.5",
    "retrain": "groups",
}
KEPT_FOR_ANOTHER_TEST = {
    *("study", "solver", "damping", "curvature", "device", "show", "of", "said", "page", "chart", "beside"),
    *("panel", "k", "group", "edit", "to", "weight"),
}
KEPT_FOR_ANOTHER_STUDY = {"solver", "device", "chart", "beside", "k"}


# ------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize(
    "texts", [{}, FULL, {"picture": "ab" * 32, "ask": "7"}, {"out": "1,2,3", "page": "2"}], ids=len
)
def test_there_and_back(texts):
    assert View.read(texts).query() == texts


def test_defaults_are_not_in_the_address():
    assert View().query() == {}
    assert View(test="5", chart="distance", ask="model").query() == {"test": "5"}
    assert View.read(FULL).query("study", "picture", "ask") == {"study": "one-or-seven", "ask": "true"}


def test_every_field_of_the_full_view_differs_from_its_default():
    assert set(FULL) == set(View.defaults()) - {"picture"}
    assert all(FULL[name] != View.defaults()[name] for name in FULL)


def test_what_the_address_does_not_know_is_ignored():
    assert View.read({"test": "5", "utm_source": "mail", "embed": "true", "t": "0.1"}) == View(test="5")


def test_what_the_full_view_means():
    full = View.read(FULL)
    full.check()
    assert full.spec.name == "one-or-seven"
    assert full.settings == SolverSettings("cg", 0.25, "hessian")
    assert (full.test_id, full.opened, full.chosen) == (5040, 12, (12, 40))
    assert (full.only_label, full.only_said, full.page_number) == (1, 2, 3)
    assert full.settings_changed
    assert full.pinned == ("one-or-seven", 5041)


def test_what_the_empty_view_means():
    empty = View()
    empty.check()
    assert empty.spec.name == DEFAULT_STUDY == "digits"
    assert empty.settings == SolverSettings()
    assert (empty.test_id, empty.opened, empty.chosen, empty.only_label) == (None, None, (), None)
    assert empty.page_number is None
    assert not empty.settings_changed


@pytest.mark.parametrize(
    ("out", "chosen"),
    [
        ("", ()),
        (",", ()),
        ("3", (3,)),
        ("3,1,3,1", (3, 1)),
        (",3,,1,", (3, 1)),
        (",".join(map(str, range(200))), tuple(range(MAX_CHOSEN))),
    ],
)
def test_chosen_examples(out, chosen):
    assert View(out=out).chosen == chosen


@pytest.mark.parametrize(("page", "number"), [("1", 1), ("0", 1), ("007", 7)])
def test_pages_count_from_one(page, number):
    assert View(page=page).page_number == number


# -------------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"study": "mnist"}, KEPT_FOR_ANOTHER_STUDY),
        ({"test": "5041"}, KEPT_FOR_ANOTHER_TEST),
        ({"picture": "cd" * 32}, KEPT_FOR_ANOTHER_TEST),
        ({"show": "all"}, {*FULL, *WHAT_IF} - {"page"}),
        ({"of": "0"}, {*FULL, *WHAT_IF} - {"page"}),
        ({"said": "0"}, {*FULL, *WHAT_IF} - {"page"}),
        ({"open": "7"}, {*FULL, *WHAT_IF}),
        ({"ask": "7"}, {*FULL, *WHAT_IF} - {"retrain", "spot"}),
        ({"damping": "1"}, {*FULL, *WHAT_IF} - {"retrain", "spot"}),
        ({"out": "3"}, {*FULL, *WHAT_IF} - {"retrain"}),
        ({"panel": "0"}, {*FULL, *WHAT_IF} - {"retrain", "group"}),
        *(
            ({name: "0"}, {*FULL, *WHAT_IF} - {"retrain"})
            for name in WHAT_IF
            if name not in ("retrain", "panel")
        ),
        ({"study": "mnist", "test": "5001"}, KEPT_FOR_ANOTHER_STUDY),
        ({"k": "7", "retrain": "1"}, {*FULL, *WHAT_IF}),
    ],
    ids=lambda one: str(one) if isinstance(one, dict) else str(len(one)),
)
def test_a_change_forgets_what_no_longer_makes_sense(changes, kept):
    before = FULL | WHAT_IF
    expected = {name: text for name, text in before.items() if name in kept} | changes
    expected = {name: text for name, text in expected.items() if (name, text) != ("weight", "0")}
    assert changed(before, WhatIfParams, changes) == expected
    assert before == FULL | WHAT_IF


def test_the_study_on_show_chosen_again_forgets_nothing():
    assert changed(FULL, WhatIfParams, {"study": FULL["study"]}) == FULL
    assert changed({"test": "5"}, ExplainParams, {"study": DEFAULT_STUDY}) == {"test": "5"}


@pytest.mark.parametrize(
    ("own", "texts", "changes", "kept"),
    [
        (ExplainParams, {"word": "free", "panel": "word", "retrain": "1"}, {"word": "win"}, {"retrain"}),
        (ExplainParams, {"word": "free", "panel": "word", "retrain": "1"}, {"test": "5"}, set()),
        (LeaveOneOutParams, {"k": "7", "panel": "lissa", "retrain": "1"}, {"test": "5"}, {"k", "panel"}),
        (LeaveOneOutParams, {"k": "7", "panel": "lissa", "retrain": "1"}, {"study": "mnist"}, {"k"}),
        (
            LeaveOneOutParams,
            {"k": "7", "panel": "lissa", "retrain": "1"},
            {"panel": "newton"},
            {"k", "retrain"},
        ),
        (SmoothHingeParams, {"t": "0.1"}, {"study": "mnist"}, {"t"}),
    ],
)
def test_every_page_forgets_what_is_its_own(own, texts, changes, kept):
    assert changed(texts, own, changes) == {name: texts[name] for name in kept} | changes


def test_a_field_that_the_page_does_not_have_cannot_be_changed():
    with pytest.raises(AssertionError, match="ExplainParams has no field weight"):
        changed({}, ExplainParams, {"weight": "1"})


# ------------------------------------------------------------------------------------------------- refusals

MALFORMED = {
    "study": ("no study", ["foo", "Digits", "../digits", " ", "\x00", LONG]),
    "test": ("test image", ["abc", "-1", "1.5", "1e3", "²", "٣", " 5", "5;6", "nan", LONG]),
    "open": ("training image", ["-1", "abc", "0x10", LONG]),
    "out": ("training image", ["1,x", "1,-2", "1;2", "1, 2", LONG]),
    "ask": ("label", ["xyz", "-1", "True", "1.0", LONG]),
    "solver": ("no solver", ["foo", "Cholesky", ""]),
    "damping": ("at least 0", ["abc", "-1", "-1e-9", "nan", "inf", "1e400", "0,5", "1/2", LONG, "x" * 5_000]),
    "curvature": ("no curvature", ["foo", "Hessian", "", LONG]),
    "device": ("no device", ["tpu", "cuda:0", ""]),
    "of": ("label", ["x", "-1", LONG]),
    "page": ("page", ["abc", "-1", "1.5", LONG]),
    "spot": ("spot", ["yes", "2", LONG]),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, values) in MALFORMED.items() for value in values]
)
def test_a_malformed_address_is_refused_in_a_short_sentence(name, value):
    with pytest.raises(DataError, match=MALFORMED[name][0]) as caught:
        View.read({name: value}).check()
    message = str(caught.value)
    assert message.endswith(".")
    assert len(message) < 300


@pytest.mark.parametrize("value", ["0", "0.0", "1e-3", "+5", " 1 "])
def test_a_damping_is_any_number_from_zero(value):
    View(damping=value).check()
    assert View(damping=value).settings.damping == float(value)


# ------------------------------------------------------------------------------------------- in a visit


def _page():
    import streamlit as st

    from pages._shell.address import go_to, read_address, start_over, toggle_chosen
    from pages._shell.own_params import ExplainParams

    view, texts = read_address(ExplainParams)
    st.text(f"{view.test}|{view.open}|{view.out}")
    st.button("test", key="test", on_click=lambda: go_to(test="6"))
    st.button("open", key="open", on_click=lambda: go_to(open="9"))
    st.button("three", key="three", on_click=lambda: toggle_chosen("3"))
    st.button("four", key="four", on_click=lambda: toggle_chosen("4"))
    st.button("word", key="word", on_click=lambda: go_to(word="free"))
    st.text(texts.get("word", ""))
    st.button("over", key="over", on_click=start_over)


def visit(**query):
    at = AppTest.from_function(_page)
    return look(at, **query)


def look(at, **query):
    """The page at an address, as a browser would ask for it."""
    at.query_params.clear()
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def state(at):
    assert not at.exception
    query = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    return at.text[0].value, query


def press(at, key):
    return at.button(key=key).click().run()


def test_the_address_is_read():
    assert state(visit(test="5", open="7")) == ("5|7|", {"test": "5", "open": "7"})


def test_a_click_changes_view_and_address_together():
    at = visit(test="5")
    assert state(press(at, "open")) == ("5|9|", {"test": "5", "open": "9"})
    assert state(press(at, "test")) == ("6||", {"test": "6"})
    assert state(press(at, "over")) == ("||", {})


def test_a_field_of_the_page_itself_goes_with_the_question():
    at = press(visit(test="5"), "word")
    assert (at.text[1].value, state(at)[1]) == ("free", {"test": "5", "word": "free"})
    assert state(press(at, "test")) == ("6||", {"test": "6"})


def test_an_address_stays_as_it_was_typed_until_something_changes():
    typed = {"test": "5", "chart": "distance", "utm_source": "mail"}
    at = visit(**typed)
    assert state(at) == ("5||", typed)
    assert state(press(at, "open")) == ("5|9|", {"test": "5", "open": "9"})


def test_ticking_twice_puts_back():
    at = visit(test="5")
    assert state(press(at, "three"))[0] == "5||3"
    assert state(press(at, "four"))[0] == "5||3,4"
    assert state(press(at, "three"))[0] == "5||4"
    assert state(press(at, "four")) == ("5||", {"test": "5"})


def turn(at, name):
    """Another page, as `app.py` tells."""
    at.session_state["page_now"] = name
    return at


def test_another_page_of_the_menu_keeps_the_question():
    at = press(visit(study="one-or-seven", test="5", retrain="1", k="7"), "open")
    kept = {"study": "one-or-seven", "test": "5", "open": "9"}
    assert state(look(turn(at, "other"))) == ("5|9|", kept)
    assert state(press(at, "test")) == ("6||", {"study": "one-or-seven", "test": "6"})
    assert state(look(turn(at, ""))) == ("6||", {"study": "one-or-seven", "test": "6"})


def test_a_link_to_another_page_is_taken_even_where_its_address_was_left_a_moment_ago():
    at = press(visit(test="5"), "open")
    assert state(look(turn(at, "other"), test="5")) == ("5||", {"test": "5"})


def test_the_same_page_without_an_address_is_the_first_view():
    at = turn(visit(test="5"), "")
    assert state(look(at)) == ("||", {})


def test_an_address_that_was_typed_is_taken():
    at = press(visit(test="5"), "open")
    assert state(look(at, test="8")) == ("8||", {"test": "8"})


def test_a_click_that_overtakes_the_address_is_not_undone():
    """The browser still shows the address of before the click when the next run begins."""
    at = press(visit(test="5"), "open")
    assert state(look(at, test="5")) == ("5|9|", {"test": "5", "open": "9"})


def test_going_back_later_is_taken(monkeypatch):
    at = press(visit(test="5"), "open")
    monkeypatch.setattr(address, "LATE_SECONDS", 0.0)
    assert state(look(at, test="5")) == ("5||", {"test": "5"})


def test_going_back_and_forth_in_a_hurry_is_taken_each_time(monkeypatch):
    at = press(press(visit(test="5"), "open"), "three")
    with monkeypatch.context() as later:
        later.setattr(address, "LATE_SECONDS", 0.0)
        assert state(look(at, test="5", open="9"))[0] == "5|9|"
    assert state(look(at, test="5"))[0] == "5||"
    assert state(look(at, test="5", open="9"))[0] == "5|9|"


def test_going_back_at_once_is_taken(monkeypatch):
    at = press(visit(test="5"), "open")
    monkeypatch.setattr(address, "_went_back", lambda: True)
    assert state(look(at, test="5")) == ("5||", {"test": "5"})
    assert state(look(turn(at, "other"))) == ("||", {})


@pytest.mark.parametrize("name", ["test", "open"])
def test_a_number_below_zero_is_none_that_there_is(name):
    with pytest.raises(DataError, match=r"There is no (test|training) image -1: they are counted from 0\."):
        View.read({name: "-1"}).check()


def test_a_page_that_a_shorter_strip_does_not_have_is_no_wish(monkeypatch):
    """A browser may still say what it said of a longer strip; then the strip stays where it is."""
    said, turned = {"chooser_page_2": 194}, []
    monkeypatch.setattr(chooser.st, "session_state", said)
    monkeypatch.setattr(chooser, "go_to", lambda **one: turned.append(one))
    chooser._turn("chooser_page_2", 2, 63)
    assert turned == [] and said == {"chooser_page_2": 2}
    said["chooser_page_2"] = 63
    chooser._turn("chooser_page_2", 2, 63)
    assert turned == [{"page": "63"}]
