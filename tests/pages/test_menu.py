"""The menu, and what stands around every page: its groups, its title while it loads, its one line of provenance."""

import tomllib

import pytest

from influence_core.studies import CATALOGUE
from pages._shell import page
from pages._shell.catalogue import PAGES
from tests.visits import APP, said, title, visit, visit_page

GROUPS = {
    "Understand": ["Explain", "Any question", "Compare"],
    "Check": ["Forecast and truth", "Solvers"],
    "Repair": ["Review", "What if", "Failing on a group", "Data health"],
    "Risks": ["Poisoned pictures"],
    "The paper": ["The figures", "A loss with a kink", "Wrong labels"],
    "Your data": ["Build"],
    "Learn": ["How to read it"],
}


@pytest.fixture(scope="module")
def opened():
    return visit()


def test_the_menu_is_in_groups_by_what_a_visitor_wants(opened):
    links = [one.proto.label for one in opened.sidebar.get("page_link")]
    assert links == [name for names in GROUPS.values() for name in names]
    captions = [one.value for one in opened.sidebar.caption]
    assert captions[: len(GROUPS)] == list(GROUPS)
    assert list(page.menu()) == list(GROUPS)


def test_a_browser_is_told_to_show_no_menu_of_file_names_before_the_pages_have_been_named():
    settings = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["client"]["showSidebarNavigation"] is False


def test_studies_are_marked(opened):
    (box,) = [one for one in opened.selectbox if one.key == "side_study"]
    marks = {title: mark for mark, _, title in (one.partition(" · ") for one in box.options)}
    assert marks["Digits 1 and 7, logistic regression"] == "ready"
    assert marks["Photos of dogs and frogs, deep features"] == "ready"
    assert marks["Full MNIST, softmax regression"] == "needs data"
    assert marks["Texts of your own, logistic regression"] == "needs data"


def test_where_numbers_come_from_is_one_line_with_the_details_behind_it(opened):
    (line,) = [one.value for one in opened.caption if "plus speaks for the label" in one.value]
    assert "pp of probability" in line and "residual" in line and "Cholesky" in line
    assert "\n" not in line and len(line) < 120
    (line,) = [one.value for one in visit(unit="nats").caption if "plus speaks for the label" in one.value]
    assert "nats of loss" in line and "residual" in line and len(line) < 120
    assert sum("stand-in" in one.value for one in opened.main.caption) == 1
    assert "**Solver of the influence.**" in said(opened)


def _without_an_answer(row) -> str | None:
    """The first of some quick studies that a page cannot serve."""
    quick = ("one-or-seven", "diabetes", "digits-network")
    return next((name for name in quick if row.supports(CATALOGUE[name])), None)


@pytest.mark.parametrize("row", [one for one in PAGES if _without_an_answer(one)], ids=lambda one: one.name)
def test_a_page_that_a_study_cannot_serve_says_so_under_its_title_and_offers_others(row):
    study = _without_an_answer(row)
    at = visit_page(row.name, study)
    assert len(at.title) == 1 and title(at).endswith("?")
    reason = row.supports(CATALOGUE[study])
    assert any(one.value.startswith(reason) for one in at.info)
    offered = [one for one in at.button if (one.key or "").startswith("use_")]
    assert offered and all(one.label.endswith(("(ready)", "(needs data)")) for one in offered)
    for one in offered:
        assert row.supports(CATALOGUE[one.key.removeprefix("use_")]) is None


def test_missing_data_are_said_under_the_pages_own_title():
    at = visit_page("leave_one_out", "mnist")
    assert title(at) == "Do the forecasts come true?"
    assert "Full MNIST is not on this machine" in said(at)
