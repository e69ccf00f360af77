"""What pages read in their addresses: typed, there and back, refused in words; and widgets that stay in step."""

from dataclasses import dataclass, fields

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.errors import DataError
from pages._shell import address
from pages._shell.address import View, changed
from pages._shell.catalogue import PAGES
from pages._shell.own_params import LeaveOneOutParams, WhatIfParams
from pages._shell.params import Params, as_text, between, flag, number, one_of, param, whole

LONG = "9" * 5_000
TEXTS = {
    "explain": {
        "word": "free=win",
        "panel": "word",
        "retrain": "1",
        "unit": "nats",
        "map": "1",
        "to": "3",
        "cause": "2",
        "pool": "own",
        "add": "5",
        "foil": "cosine",
    },
    "ask": {"over": "cell=7,1", "quantity": "margin=7,1", "cause": "3", "retrain": "1"},
    "poison": {"panel": "together", "box": "4", "poisons": "2", "k": "30", "retrain": "1"},
    "paper": {"figure": "fig3", "data": "paper", "retrain": "1"},
    "what_if": {
        "panel": "class",
        "k": "100",
        "group": "1",
        "edit": "relabel",
        "to": "1",
        "weight": "0.5",
        "column": "age",
        "retrain": "groups",
    },
    "leave_one_out": {"k": "100", "panel": "lissa", "retrain": "1"},
    "smooth_hinge": {"t": "0.1"},
    "domain_mismatch": {"group": "age=40s", "retrain": "1"},
    "data_health": {"retrain": "1"},
    "solver_comparison": {"with": "cg,lissa"},
    "wrong_labels": {"flip": "20", "repeats": "10", "panel": "deviation", "retrain": "1"},
    "review": {
        "review": "mine",
        "score": "loss",
        "panel": "practise",
        "flip": "20",
        "by": "ab" * 16,
        "cards": "1",
    },
}
"""Addresses as they were shared in the past, with every field of a page away from its default."""


@dataclass(frozen=True)
class Own(Params):
    """A field of every kind."""

    word: str = param("a", one_of(("a", "b"), "There is no word “{}”."))
    k: int = param(5, whole("number", least=1), after=())
    weight: float = param(0.5, between("weight", 0, 10))
    on: bool = param(False, flag("on"), after=("study", "k"))
    with_: tuple[str, ...] = param((), lambda text: tuple(filter(None, text.split(","))))


# ------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_an_old_address_of_every_page_is_read_and_written_as_it_was(row):
    texts = TEXTS.get(row.name, {})
    assert set(texts) == set(row.params.defaults())
    read = row.params.read(texts)
    written = {one.name.rstrip("_"): as_text(getattr(read, one.name)) for one in fields(read)}
    assert {name: written[name] for name in texts} == texts
    assert all(texts[name] != row.params.defaults()[name] for name in texts)


def test_all_or_a_few_left_out_are_told_apart():
    assert [
        LeaveOneOutParams.read(texts).retrain for texts in ({}, {"retrain": "1"}, {"retrain": "all"})
    ] == [
        "",
        "1",
        "all",
    ]


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_the_defaults_of_every_page_are_what_an_empty_address_means(row):
    known = address._known(row.params.defaults() | View.defaults(), row.params)
    assert known == {}
    assert row.params.read(known) == row.params()


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_every_page_has_fields_of_its_own_that_depend_on_known_ones(row):
    known = set(row.params.defaults()) | set(View.defaults())
    assert not set(row.params.defaults()) & set(View.defaults())
    for name, after in row.params.after().items():
        assert after <= known - {name}


@pytest.mark.parametrize(
    "value", [Own(), Own("b", 7, 2.25, True, ("cg", "lissa")), Own(weight=1e-7, with_=("x",))], ids=str
)
def test_every_kind_of_field_there_and_back(value):
    texts = {one.name.rstrip("_"): as_text(getattr(value, one.name)) for one in fields(value)}
    assert "with" in texts
    assert Own.read(texts) == value


def test_names_of_other_pages_are_passed_over():
    assert Own.read({"word": "b", "test": "5", "utm_source": "mail", "with_": "cg"}) == Own("b")


# ------------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"study": "mnist"}, {"study": "mnist", "k": "7"}),
        ({"k": "8"}, {"k": "8", "word": "b", "weight": "2", "with": "cg"}),
        ({"k": "5"}, {"word": "b", "weight": "2", "with": "cg"}),
        ({"k": "8", "on": "1"}, {"k": "8", "word": "b", "weight": "2", "with": "cg", "on": "1"}),
        ({"test": "5"}, {"test": "5", "k": "7", "word": "b", "weight": "2", "with": "cg", "on": "1"}),
    ],
    ids=str,
)
def test_a_change_resets_what_depends_on_it_and_nothing_else(changes, after):
    before = {"k": "7", "word": "b", "weight": "2", "on": "1", "with": "cg"}
    assert changed(before, Own, changes) == after


# ------------------------------------------------------------------------------------------------ refusals

MALFORMED = {
    "retrain": (WhatIfParams, "retrain", ["yes", "2", LONG]),
    "retrain of leave-one-out": (LeaveOneOutParams, "retrain", ["groups", "yes", "2", LONG]),
    "k": (WhatIfParams, "number of examples", ["x", "-1", "1.5", "²", LONG]),
    "weight": (WhatIfParams, "weight must be", ["x", "1/2", "0,5", "nan", "-1", "11", LONG[:50] + "x"]),
    "panel": (WhatIfParams, "no group", ["lissa", LONG]),
    "edit": (WhatIfParams, "no change", ["burn", LONG]),
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, (_, _, texts) in MALFORMED.items() for text in texts]
)
def test_a_malformed_field_is_refused_in_a_short_sentence(name, text):
    own, words, _ = MALFORMED[name]
    with pytest.raises(DataError, match=words) as caught:
        own.read({name.split()[0]: text})
    message = str(caught.value)
    assert message.endswith(".")
    assert len(message) < 300


def test_small_numbers_count_as_the_least():
    assert [whole("page", least=1)(text) for text in ("0", "1", "007")] == [1, 1, 7]
    assert number("damping")(" 1e-3 ") == 0.001


# ------------------------------------------------------------------------------------------------- widgets


def _page():
    from dataclasses import dataclass

    import streamlit as st

    from pages._shell.address import read_address
    from pages._shell.params import Params, number, param, whole
    from pages._shell.widgets import bound, choice

    @dataclass(frozen=True)
    class Own(Params):
        k: int = param(5, whole("number"), after=())
        mode: str = param("a", after=())
        t: float = param(0.5, number("t"), after=())
        begun: str = param("", after=("k", "mode"))

    _, texts = read_address(Own)
    own = Own.read(texts)
    bound(st.slider, "k", own.k, "How many", 1, 10)
    choice("mode", own.mode, "Mode", {"a": "First", "b": "Second"}, key="the_mode")
    bound(st.select_slider, "t", own.t, "Temperature", [0.5, 1.0, 2.0], key="the_t", also={"begun": "1"})
    st.text(f"{own.k}|{own.mode}|{own.t:g}|{own.begun}")


def look(at, **query):
    at.query_params.clear()
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def state(at):
    assert not at.exception
    query = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    shown = (
        at.slider[0].value,
        at.segmented_control(key="the_mode").value,
        at.select_slider(key="the_t").value,
    )
    return at.text[0].value, shown, query


def test_widgets_show_the_address_and_write_it():
    at = look(AppTest.from_function(_page), k="7", mode="b", begun="1")
    assert state(at) == ("7|b|0.5|1", (7, "b", 0.5), {"k": "7", "mode": "b", "begun": "1"})
    at = at.slider[0].set_value(5).run()
    assert state(at) == ("5|b|0.5|", (5, "b", 0.5), {"mode": "b"})
    at = at.segmented_control(key="the_mode").set_value("a").run()
    assert state(at) == ("5|a|0.5|", (5, "a", 0.5), {})
    at = at.select_slider(key="the_t").set_value(2.0).run()
    assert state(at) == ("5|a|2|1", (5, "a", 2.0), {"t": "2", "begun": "1"})


def test_widgets_follow_an_address_that_was_typed():
    at = look(AppTest.from_function(_page), k="7")
    assert state(look(at, k="9", mode="b")) == ("9|b|0.5|", (9, "b", 0.5), {"k": "9", "mode": "b"})


def test_a_choice_that_is_not_offered_shows_the_first_and_leaves_the_address():
    at = look(AppTest.from_function(_page), mode="z")
    assert state(at) == ("5|z|0.5|", (5, "a", 0.5), {"mode": "z"})
