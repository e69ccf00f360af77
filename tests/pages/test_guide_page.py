"""The guide: one rule, every word that the pages use, and a way back."""

import re
from pathlib import Path

import pytest
import streamlit as st

from influence_core.words import sign_rule
from pages._common.word_meanings import WORDS, explained
from pages._shell.catalogue import GUIDE, PAGES
from tests.visits import address, said, settle, title, turn_to, visit, visit_page


@pytest.fixture(scope="module")
def guide():
    st.cache_resource.clear()
    at = visit()
    at.switch_page("pages/guide.py")
    yield settle(at)
    st.cache_resource.clear()


def test_the_sign_rule_is_the_one_of_every_chart(guide):
    assert title(guide) == "How do I read an influence?"
    assert sign_rule("example") in said(guide)
    assert "Plus: speaks for the label" in said(guide)
    assert "Minus: speaks against the label" in said(guide)


@pytest.mark.parametrize(
    "word",
    [
        "nats",
        "Newton step",
        "Cholesky",
        "hinge units",
        "label asked about",
        "influence",
        "self-influence",
        "curvature",
        "Gauss-Newton",
        "damping",
        "l2",
        "relative residual",
        "gradient norm",
        "convergence check",
        "pixel map",
    ],
)
def test_words_that_the_pages_use_are_explained(guide, word):
    rows = [line for line in said(guide).splitlines() if line.startswith("|")]
    assert any(word in row.split("|")[1] for row in rows)


def test_limits_are_named(guide):
    for limit in ("sum of its members", "Networks", "Unfinished training", "Approximate solvers"):
        assert limit in said(guide)


def test_one_picture_the_formulas_and_a_way_back(guide):
    assert len(guide.get("graphviz_chart")) == 1
    formulas = " ".join(one.value for one in guide.latex)
    assert r"D_i=w_i\,s^\top\nabla\ell_i" in formulas
    assert "Koh & Liang" in said(guide)
    assert guide.get("page_link")[0].proto.page == "explain"


def test_the_tour_is_there_and_every_setting_is_named(guide):
    sources = [
        path.read_text("utf-8")
        for folder in ("pages", "influence_core")
        for path in Path(folder).rglob("*.py")
    ]
    settings = {name for text in sources for name in re.findall(r'"(INFLUENCE_EXPLORER_\w+)"', text)}
    assert len(settings) >= 5
    assert [name for name in settings if f"`{name}`" not in said(guide)] == []
    assert "9. **Send the address**" in said(guide)


def test_every_page_stands_in_the_table_under_its_title_in_the_menu(guide):
    rows = [line for line in said(guide).splitlines() if line.startswith("|")]
    for page in PAGES:
        listed = f"| {page.full_title} | {page.question} | {page.section} |" in rows
        assert listed != (page is GUIDE)


@pytest.mark.parametrize("query", [{"test": "5040"}, {}], ids=["a question", "the first view"])
def test_who_looks_something_up_keeps_the_question(query):
    """From a page to the guide and back by the menu, whose links have no address."""
    asked = {"study": "one-or-seven"} | query
    back = turn_to(turn_to(visit(**query), "guide"), "explain")
    assert address(back) == asked


def test_a_text_is_explained_word_by_word():
    words = explained("Corrected forecast, pp of probability: one Newton step. Cholesky, residual 1e-15.")
    assert words is not None
    named = re.findall(r"^\*\*(.+?)\*\*: ", words, re.M)
    assert named == ["pp", "corrected forecast", "Newton step", "residual", "Cholesky"]
    assert explained("D and H are letters, unproven is another word") is None
    assert explained("self-influence") == f"**self-influence**: {WORDS['self-influence']}"


@pytest.mark.parametrize(
    ("page", "query", "words"),
    [
        ("explain", {}, ["Newton step", "Cholesky"]),
        ("explain", {"unit": "nats"}, ["nats"]),
        ("what_if", {}, ["Newton step", "pp"]),
    ],
)
def test_words_are_explained_where_they_stand_first(page, query, words):
    helps = [one.help for one in visit_page(page, test="5040", **query).caption if one.help]
    for word in words:
        assert any(f"{word}**: " in one for one in helps), word
