"""The page about flipped labels, and its pictures."""

import csv
import io

import numpy as np
import plotly.graph_objects as go
import pytest
from numpy.testing import assert_allclose

from influence_core import studies
from influence_core.experiments import suspects, wrong_labels
from influence_core.experiments.suspects import METHODS
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.figures.wrong_labels import BARS, LOOKS, PAPER, accuracy, found, paper_figure
from influence_core.words import percent
from tests.experiments.test_wrong_labels import made_up
from tests.visits import address, charts, keys, press, said, settle, title, visit_page

pytestmark = pytest.mark.usefixtures("one_server")


@pytest.fixture(scope="module")
def result():
    return wrong_labels.run(studies.open_study(studies.find("diabetes")), FlipSettings())


def visit(study="diabetes", **query):
    return visit_page("wrong_labels", study, **query)


def test_nothing_is_flipped_unasked_and_then_the_question_is_answered(result):
    at = visit()
    assert title(at) == "Which labels are wrong?"
    assert "Nothing has been flipped yet" in said(at)
    assert "trains the model 155 times on 332 rows" in said(at)
    assert "6 times without each single row" in said(at)
    assert charts(at) == {}
    press(at, "wrong_run")
    assert address(at) == {"study": "diabetes", "retrain": "1"}
    words = said(at)
    found = {method: float(result.mean_fixed(method)[1]) for method in result.methods}
    best = max(found, key=found.get)
    assert best == "proven", "on a few columns self-influence is not the best, and the page says so"
    assert f"ranking by **{METHODS[best]}** points" in words
    assert f"hold **{percent(found[best])}** of the flipped labels" in words
    for method in ("exact", "published", "loss", "random"):
        assert f"{METHODS[method]} {percent(found[method])}" in words
    assert percent(result.clean_accuracy) in words
    assert "they change the share of the 110 test rows that are answered rightly from" in words
    assert f"**{percent(result.unseen_accuracy)}** of them (leave-one-out accuracy, proven)" in words
    assert "when the model has never seen it: the model was trained again without each one (proven)" in words
    assert "32 of 332 training labels in each of 5 repeats" in words
    best = max(result.methods, key=lambda one: result.mean_fixed(one)[1])
    judged = result.fixed[:, result.methods.index(best), 1]
    clear = judged.mean() - 2 * judged.std(ddof=1) / np.sqrt(len(judged)) > result.budgets[1]
    assert (":green-badge" if clear else ":yellow-badge") in words
    assert f"the ranking by {METHODS[best]} finds {percent(float(judged.mean()))} of them" in words
    assert sorted(charts(at)) == ["flips_found", "repaired_accuracy"]
    assert at.button(key="wrong_run").disabled

    again = visit()
    assert sorted(charts(again)) == ["flips_found", "repaired_accuracy"], "a kept result is shown at once"
    assert "Nothing has been flipped yet" not in said(again)


def test_where_proof_would_take_too_long_the_forecast_is_named(monkeypatch):
    monkeypatch.setattr(suspects, "PROVABLE", 0)
    at = visit(flip="5")
    assert "without each single row" not in said(at)
    press(at, "wrong_run")
    words = said(at)
    assert "(leave-one-out accuracy, corrected forecast)" in words
    assert "one Newton step without each one (a corrected forecast" in words
    assert METHODS["corrected"] in words and METHODS["proven"] not in words


def test_error_bars_are_named_and_live_in_the_address(result):
    at = visit(retrain="1")
    legend = charts(at)["flips_found"]["layout"]["legend"]["title"]["text"]
    assert legend == "Mean of 5 repeats; bars: one standard error of the mean"
    at.segmented_control(key="wrong_bars").set_value("deviation")
    settle(at)
    assert address(at)["panel"] == "deviation"
    assert "bars: one standard deviation" in charts(at)["flips_found"]["layout"]["legend"]["title"]["text"]


def test_another_share_is_asked_for_anew():
    at = visit(retrain="1")
    at.segmented_control(key="wrong_flip").set_value(20)
    settle(at)
    assert address(at) == {"study": "diabetes", "flip": "20"}
    assert "Nothing has been flipped yet" in said(at)


def test_the_table_downloads(result):
    at = visit(retrain="1")
    at.session_state["table_folded"] = True
    settle(at)
    assert len(at.dataframe[0].value) == 30
    assert list(at.dataframe[0].value.columns) == list(wrong_labels.table(result))


BAD = {
    "no number": ({"flip": "many"}, "no share of “many” per cent"),
    "a share that is not offered": ({"flip": "11"}, "choose one of 5, 10, 20, 30"),
    "repeats that are not offered": ({"repeats": "7"}, "no “7” repeats"),
    "another panel": ({"panel": "nonsense"}, "no error bars “nonsense”"),
    "no training": ({"retrain": "maybe"}, "retrain=“maybe”"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_address_is_answered_with_a_sentence(name):
    query, message = BAD[name]
    at = visit(**query)
    assert message in at.error[0].value
    assert "start_over" in keys(at)


def test_a_study_that_cannot_answer_offers_others():
    at = visit("digits-network")
    assert "logistic and softmax regressions" in said(at)
    press(at, "use_diabetes")
    assert title(at) == "Which labels are wrong?"


# ----------------------------------------------------------------------------------------------- the figures


@pytest.mark.parametrize("bars", BARS)
def test_the_curves_are_the_means_with_named_bars(bars):
    result = made_up()
    spread = wrong_labels.standard_error if bars == "error" else wrong_labels.standard_deviation
    for figure, values, first in (
        (found(result, bars), result.fixed, np.zeros(3)),
        (accuracy(result, bars), result.accuracy, result.flipped_accuracy),
    ):
        lines = {line.name: line for line in figure.data}
        for row, method in enumerate(result.methods):
            line = lines[METHODS[method]]
            curves = np.column_stack([first, values[:, row]])
            assert_allclose(line.x, [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
            assert_allclose(line.y, curves.mean(0))
            assert_allclose(line.error_y.array, spread(curves))
        assert BARS[bars] in figure.layout.legend.title.text
        assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_methods_are_told_apart_without_colour():
    looks = [(str(one["line"].get("dash")), one["marker"]["symbol"]) for one in LOOKS.values()]
    assert len(set(looks)) == len(METHODS)
    colours = {line.line.color for line in found(made_up()).data}
    assert len(colours) == 1, "colour is for signs"


def test_the_papers_figure_has_both_panels_and_the_papers_colours():
    figure = paper_figure(made_up(), title="Figure 6")
    lines = [line for line in figure.data if isinstance(line, go.Scatter) and line.name in METHODS.values()]
    assert len(lines) == 10
    assert sum(line.showlegend is not False for line in lines) == 5
    assert {line.line.color for line in lines} == set(PAPER.values())
    clean = [line for line in figure.data if line.name.startswith("no label flipped")]
    assert (len(clean), clean[0].line.color, clean[0].y) == (1, "black", (0.97, 0.97))
    assert figure.layout.title.text == "Figure 6"
    assert figure.layout.template.layout.plot_bgcolor == "white"


def test_one_repeat_reads_well():
    result = made_up()
    single = made_up(
        settings=FlipSettings(repeats=1),
        fixed=result.fixed[:1],
        accuracy=result.accuracy[:1],
        flipped_accuracy=result.flipped_accuracy[:1],
    )
    assert found(single).layout.legend.title.text.startswith("Mean of 1 repeat;")
    assert_allclose(found(single).data[0].error_y.array, 0)


def test_the_csv_is_the_table(result):
    from influence_core.exports import as_csv

    rows = list(csv.DictReader(io.StringIO(as_csv(wrong_labels.table(result)))))
    assert len(rows) == 30
    assert rows[0]["ranked_by"] == "self-influence (exact)"
    assert_allclose(float(rows[1]["share_of_flips_found"]), result.mean_fixed("exact")[1])


def test_before_anything_is_flipped_the_papers_curves_are_there():
    at = visit_page("wrong_labels", "one-or-seven", flip="30")
    assert "| self-influence | 62.0 % | 79.0 % | 86.0 % |" in said(at)
    assert "| chance | 10.0 % | 20.0 % | 30.0 % |" in said(at)
