"""The page of the paper's figures: one row each, computed at the press of a button, kept, beside the paper's number."""

import time
from dataclasses import replace

import pytest
import streamlit as st

from influence_core.reproduce import FIGURES
from influence_core.reproduce.checks import Check
from influence_core.studies import StudySpec
from pages._parts import paper
from pages._shell.catalogue import PAGES, PAPER, SMOOTH_HINGE, WRONG_LABELS
from tests.visits import address, charts, keys, press, said, settle, title, visit_page

PATIENCE = 120


@pytest.fixture(scope="module")
def computed():
    """Figure 1, computed at the press of its button."""
    st.cache_resource.clear()
    at = press(visit_page("paper"), "compute_fig1")
    end = time.monotonic() + PATIENCE
    while "open_fig1" not in keys(at):
        assert time.monotonic() < end, said(at)
        time.sleep(0.2)
        at = settle(at)
    yield at
    st.cache_resource.clear()


def test_every_figure_has_a_row_with_what_the_paper_says_and_how_long_it_takes(computed):
    at = visit_page("paper")
    assert title(at) == PAPER.question
    labels = {button.key: button.label for button in at.button}
    for figure in FIGURES.values():
        assert f"**{figure.title}**  \n{figure.claim}" in said(at)
        if figure.name != "fig1":
            assert labels[f"compute_{figure.name}"].startswith("Compute (about ")


def test_the_papers_number_stands_beside_ours_and_every_number_below(computed):
    assert "The paper: **none** · here: **0 ✓** (without the Hessian" in said(computed)
    assert "**The one figure computed here comes out as the paper has it.** 7 are left" in said(computed)
    assert list(charts(computed)) == ["drawing_fig1"]
    numbers = computed.dataframe[0].value
    assert len(numbers) > 10
    assert "equal" in numbers["the paper"].tolist()
    assert "Taken from" in said(computed) or "stand-in" in said(computed).lower()


def test_it_is_kept_and_hidden_again(computed):
    again = visit_page("paper", figure="fig1")
    assert list(charts(again)) == ["drawing_fig1"]
    hidden = press(again, "open_fig1")
    assert charts(hidden) == {}
    assert "figure" not in address(hidden)
    assert hidden.button(key="open_fig1").label == "Show"


def test_nothing_is_computed_by_a_link_alone(computed):
    at = visit_page("paper", figure="fig3")
    assert "compute_fig3" in keys(at)
    assert not charts(at)


def test_the_papers_data_are_offered_only_where_all_of_them_are(monkeypatch, tmp_path):
    at = visit_page("paper")
    assert not at.segmented_control
    monkeypatch.setattr(paper, "data_folder", lambda: str(tmp_path))
    assert not any(paper._at_hand(figure) for figure in FIGURES.values())
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    download = paper.data.CATALOGUE["mnist"].download
    for name in download.missing(str(tmp_path)):
        (folder / name).touch()
    there = {figure.name for figure in FIGURES.values() if paper._at_hand(figure)}
    assert there == {"fig1", "fig2", "fig3"}


def test_figures_that_are_no_download_are_made_of_the_stand_in():
    specs = FIGURES["labels"].specs(original=True)
    assert [type(one) for one in specs] == [StudySpec]
    assert not paper._at_hand(FIGURES["labels"])
    assert FIGURES["fig2-network"].specs(original=True) == ()


def test_the_headline_is_the_first_number_that_is_required_and_that_the_paper_has():
    silent, known = Check("a", 1.0), Check("b", 2.0, paper="3")
    required = Check("c", 4.0, "at least 5", False, "6")
    at = replace_checks(silent, known, required)
    assert at.headline is required
    assert replace_checks(silent, known).headline is known


def replace_checks(*checks):
    from influence_core.reproduce import Reproduction

    return replace(Reproduction("x", "X", {}, (), None), checks=checks)


def test_the_kinked_loss_and_the_wrong_labels_are_the_papers_and_keep_their_links():
    group = [row for row in PAGES if row.group == "The paper"]
    assert group == [PAPER, SMOOTH_HINGE, WRONG_LABELS]
    assert [row.name for row in group] == ["paper", "smooth_hinge", "wrong_labels"]
