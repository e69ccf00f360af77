"""The page that leaves examples out, asked about a network: ways, bad addresses, forecast and truth."""

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st

from influence_core.experiments import network_leave_one_out
from influence_core.experiments.network_leave_one_out import NetworkLeaveOneOut, Retrainings
from influence_core.spectrum import ExtremeEigenvalues
from tests.visits import charts, keys, metrics, said, title, visit_page

K = 5


@pytest.fixture(autouse=True)
def server():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def found(study, explanation, k, ways, *_, **__) -> NetworkLeaveOneOut:
    """What training again says, made up: twice the forecast, and one network that does not arrive."""
    order = np.argsort(-np.abs(explanation.scores), kind="stable")[:k]
    predicted, norms = explanation.scores[order], np.full(k, 9e-5)
    others = np.array([0.9, 0.4, 0.8])
    truth = Retrainings(ways[0], 2 * predicted, 1e-5, norms, 1e-4, np.ones(k), 0.5, others, 12.0)
    late = replace(truth, gradient_norms=norms + 1e-4 * (np.arange(k) == 2))
    retrainings = {ways[0]: late if ways[0] == "pbrf" else truth}
    ends = ExtremeEigenvalues(
        smallest=-0.002, largest=70.0, smallest_error=1e-6, largest_error=1e-6, steps=80, floor=-np.inf
    )
    return NetworkLeaveOneOut(explanation.ids[order], predicted, retrainings, np.arange(3), ends, 0.01, 2616)


@pytest.mark.slow
def test_before_anything_is_trained_the_ways_are_offered():
    at = visit_page("leave_one_out", study="digits-network", k=str(K))
    assert title(at) == "Do the forecasts come true?"
    assert "leave_out" in keys(at) and not charts(at)
    assert "the valleys are flat" in said(at)


@pytest.mark.slow
def test_forecast_and_truth_with_chance_proof_control_and_curvature(monkeypatch):
    monkeypatch.setattr(network_leave_one_out.run, "compute", found)
    at = visit_page("leave_one_out", study="digits-network", k=str(K), retrain="1")
    assert metrics(at)["Pearson"] == "1.00000" and metrics(at)["Slope"] == "0.5000"
    for words in (
        "0.80 in the middle, 0.40 at worst",
        "9.0e-05",
        "+0.0000100 nats",
        "-2.00e-03 to 70",
        "damping of 0.01",
    ):
        assert words in said(at), words
    assert "left_out" in charts(at)
    assert "NOT reach" not in said(at)
    late = visit_page("leave_one_out", study="digits-network", k=str(K), retrain="1", panel="pbrf")
    assert "NOT reach" in said(late)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"panel": "guess"}, "no way “guess”"),
        ({"k": "1"}, "between 2 and 200"),
        ({"k": "500"}, "between 2 and 200"),
    ],
)
def test_a_bad_address_is_a_sentence(query, words):
    assert words in said(visit_page("leave_one_out", study="digits-network", **query))


@pytest.mark.slow
def test_the_papers_schedule_is_offered_with_its_time():
    at = visit_page("leave_one_out", study="digits-network", k=str(K), panel="paper")
    assert "hours" in said(at) and "30,000 steps" in said(at)
