"""The parts of the page that puts one question to several solvers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from influence_core import solvers
from influence_core.experiments import eigenvalues, solver_comparison
from influence_core.experiments.eigenvalues import Eigenvalues
from influence_core.experiments.solver_comparison import MIN_FOUND, TOP, Attempt, SolverComparison, table
from influence_core.figures.solver_comparison import agreement, convergence
from influence_core.solvers.lissa import DEPTH_LIMIT
from influence_core.studies import Study, StudySpec
from influence_core.words import percent, ratio, seconds, sign_rule, three_digits
from pages._common import question
from pages._common.question import Answer
from pages._common.table import download_csv, number
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.own_params import SolverComparisonParams
from pages._shell.widgets import bound, metric

QUICK = ("cholesky", "ekfac")
"""What a page on a network begins with: its products take long."""
MAY_BE_READ = {
    "sizes": "sizes and order",
    "order": "the order",
    "strongest": "the strongest",
    "nothing": "nothing",
}
PANELS_A_LINE = 3


def names(spec: StudySpec, params: SolverComparisonParams) -> tuple[str, ...]:
    """The solvers compared, in the order of the catalogue."""
    if params.with_:
        return params.with_
    return QUICK if spec.is_network else tuple(one for one in solvers.CATALOGUE if one != "lissa")


def load_question(view: View) -> Answer:
    """The question with its answer by the study's own settings: those of the view may have none, which is the point."""
    view.check()
    return question.load(replace(view, solver="auto", damping="", curvature="auto"))


def choose(chosen: tuple[str, ...]) -> None:
    """Which solvers are compared."""
    bound(
        st.pills,
        "with_",
        list(chosen),
        "Solvers to compare",
        list(solvers.CATALOGUE),
        key="compared",
        selection_mode="multi",
        format_func=solvers.title,
        help="The exact answer is always there to compare with: Cholesky's, or that of conjugate gradient where a dense "
        "factor is too large or too slow. On a network a product takes long: conjugate gradient and Nyström take "
        "minutes there, LiSSA an hour.",
    )


def load(view: View, asked: Answer, chosen: tuple[str, ...]) -> SolverComparison:
    """All attempts; those that were made before are kept."""
    title = f"Asking {len(chosen)} solvers"
    return results.load(title, solver_comparison.run, asked.study, asked.question, chosen, view.settings)


def show_answer(result: SolverComparison) -> None:
    """The page's question, answered in a few sentences."""
    exact = result.exact
    if exact is None:
        failed = result.attempt(result.reference)
        st.markdown(
            f"**None, with these settings.** Even {failed.title} has no answer: {escape_markdown(failed.words)}"
        )
        return
    right = [one for one in result.attempts if _trust(result, one) == "sizes"]
    first = min(right, key=lambda one: one.preparation + one.solving)
    words = f"The exact solution is met by **{len(right)} of {len(result.attempts)}**; soonest is **{first.title}** "
    words += f"({seconds(first.preparation + first.solving)} from nothing)."
    for trust, said in (
        ("order", "Only the order is right with"),
        ("strongest", "Only the strongest are found by"),
        ("nothing", "Do not rely on"),
    ):
        found = [one.title for one in result.attempts if _trust(result, one) == trust]
        words += f" {said} {_list(found)}." if found else ""
    without = [one.title for one in result.attempts if not one.answered]
    words += f" No answer came from {_list(without)}." if without else ""
    st.markdown(words)


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _trust(result: SolverComparison, attempt: Attempt) -> str:
    found = result.agreement(attempt)
    return found.trust if found else ""


def show_table(study: Study, result: SolverComparison) -> None:
    """A row a solver, and what to do about those that failed."""
    st.dataframe(
        _columns(result),
        hide_index=True,
        key="solvers_table",
        column_config={
            "solver": st.column_config.TextColumn(width=235),
            "top": number(f"of top {TOP}", format="%d"),
            "error": number("error of s", format="%.1e", help="‖s − exact s‖ / ‖exact s‖"),
            "residual": number(format="%.1e", help="True relative residual"),
            "prepare": number("prepare, s", format="%.2f"),
            "solve": number("solve, s", format="%.3f"),
            "memory": number("MB", format="%.1f", help="Memory besides the data and one product"),
        },
    )
    for one in result.attempts:
        if not one.answered:
            st.warning(f"**{one.title}**: {one.status}. {escape_markdown(one.words)}")
    st.caption(
        "May be read: the sizes where no example is off by more than a tenth of the largest; the order from a rank "
        f"agreement (Spearman) of 0.8; the strongest where {MIN_FOUND} of the top {TOP} are found. Preparing happens once a "
        "model, solving once a question. Time was measured when the row was first computed; memory is a formula: what the "
        "solver holds besides the data and one product. "
        f"Curvature: {result.curvature.title()}, damping {result.damping:g}; n = {result.n:,}, p = {result.p:,}."
    )
    download_csv("This table (CSV)", f"solvers-{study.spec.name}", lambda: table(result), "download_solvers")


def _columns(result: SolverComparison) -> dict[str, np.ndarray]:
    columns = table(result)
    read = [
        MAY_BE_READ.get(trust, "unknown" if status == "converged" else status)
        for trust, status in zip(columns["may_be_read"], columns["status"], strict=True)
    ]
    once = [f" + {one} once" if one else "" for one in columns["products_to_prepare"]]
    return {
        "solver": columns["solver"],
        "may be read": np.array(read),
        "top": columns[f"of_top_{TOP}"],
        "error": columns["error_of_s"],
        "residual": columns["relative_residual"],
        "prepare": columns["seconds_to_prepare"],
        "solve": columns["seconds_to_solve"],
        "products": np.array(
            [f"{one:.0f}{more}" for one, more in zip(columns["products"], once, strict=True)]
        ),
        "memory": columns["memory_bytes"] / 1e6,
    }


def show_convergence(result: SolverComparison) -> None:
    """Residual over products, where any solver takes some."""
    if not any(one.products for one in result.attempts):
        return
    st.header("How soon they get there")
    show_chart(convergence(result), key="convergence", alt="relative residual against products")
    st.caption(
        "Each product goes over all training examples once; those of preparing are not counted. Conjugate gradient "
        "reports its own residual after every product. Of LiSSA four runs of growing depth are shown, because what it "
        "reports itself, a norm, does not tell an answer from a wrong one. Filled: claims to be exact; open: an approximation."
    )


def show_agreement(study: Study, result: SolverComparison) -> None:
    """Each approximation's scores over the exact ones."""
    shown = [one for one in result.attempts if not one.exact and result.agreement(one)]
    if not shown:
        return
    st.header("What the approximations make of it")
    for start in range(0, len(shown), PANELS_A_LINE):
        columns = st.columns(PANELS_A_LINE, gap="medium")
        for column, one in zip(columns, shown[start : start + PANELS_A_LINE], strict=False):
            with column:
                _panel(result, one)
    kind = study.data.kind
    st.caption(
        f"Each point is a training {kind}: the exact D across, this solver's upward; dashed: the same. "
        f":blue[Blue: helps]; :orange[orange: harms], by the exact D. {sign_rule(kind)} Unit: nats. "
        "Exact solvers are not drawn: they lie on the line."
    )


def _panel(result: SolverComparison, attempt: Attempt) -> None:
    found = result.agreement(attempt)
    assert found is not None
    st.markdown(f"**{attempt.title}**: {MAY_BE_READ[found.trust]}")
    show_chart(
        agreement(result, attempt), key=f"agreement_{attempt.name}", alt=f"{attempt.title} against exact"
    )
    st.caption(
        f"Pearson {ratio(found.scores.pearson)}, Spearman {ratio(found.scores.spearman)}, slope {ratio(found.scores.slope)}, "
        f"{found.top} of the top {TOP}. {escape_markdown(attempt.words).capitalize()}."
    )


def show_eigenvalues(view: View, study: Study) -> None:
    """Both ends of the spectrum, with the damping and the scale that they suggest."""
    with st.container(border=True, key="eigenvalues"):
        st.header("How much damping, and which scale for LiSSA?")
        title = "Measuring the extreme eigenvalues"
        found = results.load(title, eigenvalues.run, study, view.settings)
        ends = found.ends
        spread = three_digits(ends.largest / ends.smallest) if ends.smallest > 0 else "–"
        limit = ", its limit: too few" if found.lissa_depth == DEPTH_LIMIT else ""
        for column, (label, value, below) in zip(
            st.columns(4),
            (
                ("Smallest eigenvalue", _signed(ends.smallest), _within(ends.smallest, ends.smallest_error)),
                ("Largest eigenvalue", _signed(ends.largest), _within(ends.largest, ends.largest_error)),
                ("Largest / smallest", spread, None),
                ("Scale for LiSSA", three_digits(found.lissa_scale), f"{found.lissa_depth:,} steps{limit}"),
            ),
            strict=True,
        ):
            metric(column, label, value, below)
        _suggestion(found)
        st.caption(
            f"By Lanczos' method with {ends.steps} products, the damping of {found.damping:g} included: the smallest "
            "found is never below the true one, the largest never above. LiSSA's scale is twice the largest "
            "eigenvalue of a few batches; it is used unless another is set."
        )


def _suggestion(found: Eigenvalues) -> None:
    if found.suggested_damping > found.damping:
        st.markdown(
            f"**The curvature is not positive definite**: a damping of **{three_digits(found.suggested_damping)}** makes it so, "
            "and its most negative direction as positive as it was negative. The more damping, the smaller all numbers get."
        )
        label = f"Use a damping of {three_digits(found.suggested_damping)}"
        value = f"{found.suggested_damping:.3g}"
        st.button(label, key="use_damping", type="primary", on_click=lambda: go_to(damping=value))
    else:
        st.markdown("The curvature is positive definite: **no more damping is needed**.")


def _within(value: float, error: float) -> str:
    return f"± {percent(error / abs(value))}" if value else f"± {three_digits(error)}"


def _signed(value: float) -> str:
    return three_digits(value) if value >= 0 else "\u2212" + three_digits(-value)
