"""The page that puts one question to several solvers, driven without a browser."""

from dataclasses import dataclass

import pytest
import torch

from influence_core.__main__ import main
from influence_core.engines import SolverSettings
from influence_core.experiments import eigenvalues, questions, solver_comparison
from influence_core.operators import LinearOperator
from influence_core.solvers import CATALOGUE, Solution
from pages._shell import results
from tests.experiments.test_take_out import network_study
from tests.visits import address, charts, keys, metrics, press, said, settle, title, visit, visit_page

QUICK = "cholesky,cg-nystrom,ekfac,nystrom"


pytestmark = pytest.mark.usefixtures("one_server")


@pytest.fixture(scope="module")
def result(one_or_seven):
    return solver_comparison.run(one_or_seven, first_question(one_or_seven), QUICK.split(","))


def first_question(study):
    """That of the page: the most confident mistake."""
    known = study.predictions
    return questions.ask(study, int(known.ids[known.misclassified()[0]]))


def rows(at):
    return at.dataframe[0].value.set_index("solver")


def test_the_page_answers_its_question(result):
    at = visit_page("solver_comparison", **{"with": QUICK})
    assert title(at) == "Which solver can I trust here?"
    assert "The exact solution is met by **3 of 4**" in said(at)
    assert "Only the order is right with EK-FAC." in said(at)
    shown = rows(at)
    assert list(shown.index) == [row.title for row in result.attempts]
    for row in result.attempts:
        one, found = shown.loc[row.title], result.agreement(row)
        assert one["residual"] == pytest.approx(row.residual, rel=1e-6)
        assert one["error"] == pytest.approx(found.error, rel=1e-6)
        assert (one["top"], one["memory"]) == (found.top, row.memory / 1e6)
    assert shown["may be read"].tolist() == ["sizes and order"] * 2 + ["the order", "sizes and order"]
    assert shown["products"].tolist()[1::2] == [
        f"{result.attempt('cg-nystrom').products:.0f} + 50 once",
        "0 + 100 once",
    ]
    assert {"convergence", "agreement_ekfac", "agreement_nystrom"} == set(charts(at))
    assert "n = 1,092, p = 784" in said(at)
    assert "speaks for the label" in said(at)
    assert "Curvature: Hessian, damping 0" in said(at)


def test_eigenvalues_of_a_convex_model_suggest_no_damping():
    at = visit_page("solver_comparison", **{"with": "ekfac"})
    assert metrics(at)["Smallest eigenvalue"] == "0.0100"
    assert float(metrics(at)["Largest eigenvalue"]) == pytest.approx(0.56, abs=0.01)
    assert "no more damping is needed" in said(at)
    assert "use_damping" not in keys(at)
    assert set(charts(at)) == {"agreement_ekfac"}  # nothing that takes steps, no curve


def test_another_choice_goes_into_the_address():
    at = visit_page("solver_comparison", **{"with": "ekfac"})
    chosen = at.button_group(key="compared")
    assert chosen.value == ["ekfac"]
    chosen.set_value(["ekfac", "cg"])
    settle(at)
    assert address(at)["with"] == "ekfac,cg"
    assert len(rows(at)) == 3


def test_the_first_choice_leaves_out_what_takes_long():
    at = visit_page("solver_comparison")
    assert at.button_group(key="compared").value == [name for name in CATALOGUE if name != "lissa"]
    assert len(rows(at)) == len(CATALOGUE) - 1
    assert "with" not in address(at)


@pytest.mark.parametrize("bad", ["gauss", "cg,<b>x</b>", "cg;ekfac"])
def test_a_solver_that_there_is_not_is_said(bad):
    at = visit_page("solver_comparison", **{"with": bad})
    assert "There is no solver" in at.error[0].value
    assert "<b>" not in at.error[0].value
    assert "start_over" in keys(at)


def test_a_curvature_that_is_not_positive_is_an_answer_and_one_click_mends_it(monkeypatch):
    study = network_study(away=3.0)
    monkeypatch.setattr(results, "load_study", lambda view: study)
    how = {"curvature": "hessian", "damping": "0", "with": "cholesky,ekfac"}
    at = visit_page("solver_comparison", study="digits-network", **how)
    assert "**None, with these settings.** Even conjugate gradient has no answer" in said(at)
    assert rows(at)["may be read"].tolist() == ["no answer", "negative curvature", "unknown"]
    warned = "\n".join(one.value for one in at.warning)
    assert "Cholesky" in warned and "add damping" in warned
    assert "**The curvature is not positive definite**" in said(at)
    assert set(charts(at)) == {"convergence"}
    press(at, "use_damping")
    suggested = eigenvalues.run(study, SolverSettings("auto", 0.0, "hessian")).suggested_damping
    assert float(address(at)["damping"]) == pytest.approx(suggested, rel=0.01)
    assert rows(at)["may be read"].tolist()[:2] == ["sizes and order"] * 2
    assert "no more damping is needed" in said(at)


# ------------------------------------------------------------------------------------------------- a new solver


@dataclass(frozen=True)
class Diagonal:
    """The inverse of the curvature's diagonal."""

    floor: float = 0.0
    name = "the diagonal alone"
    exact = False

    def prepare(self, operator: LinearOperator, progress=None):
        return DiagonalInverse(operator, operator.dense().diagonal().clamp_min(self.floor))

    def memory(self, operator: LinearOperator) -> int:
        return operator.dim


@dataclass(frozen=True, eq=False)
class DiagonalInverse:
    operator: LinearOperator
    diagonal: torch.Tensor

    def solve(self, rhs, progress=None) -> Solution:
        value = (rhs.reshape(len(rhs), -1) / self.diagonal[:, None]).reshape(rhs.shape)
        return Solution(value, rhs, self.operator, "converged", 0, settings="one number a parameter")


TITLE = "the diagonal alone (approximate)"


@pytest.fixture
def diagonal(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "diagonal", Diagonal())


def test_a_new_row_of_the_catalogue_is_compared(diagonal, one_or_seven):
    at = visit_page("solver_comparison", **{"with": "ekfac,diagonal"})
    shown = rows(at)
    assert list(shown.index) == ["Cholesky", "EK-FAC", "the diagonal alone"]
    assert TITLE in at.button_group(key="compared").options
    compared = solver_comparison.run(one_or_seven, first_question(one_or_seven), ["diagonal"])
    one = compared.attempt("diagonal")
    assert shown.loc["the diagonal alone"]["error"] == pytest.approx(compared.agreement(one).error)
    assert (one.title, one.exact) == ("the diagonal alone", False)
    assert {"agreement_ekfac", "agreement_diagonal"} == set(charts(at))
    assert "One number a parameter." in said(at)
    assert "diagonal" in visit_page("solver_comparison").button_group(key="compared").value


def test_a_new_row_of_the_catalogue_is_on_every_menu(diagonal, capsys):
    at = visit(solver="diagonal")
    (box,) = (one for one in at.selectbox if one.key == "side_solver")
    assert (box.value, box.options[-1]) == ("diagonal", TITLE)
    assert "the diagonal alone" in said(at)
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert ", diagonal" in " ".join(capsys.readouterr().out.split())
