"""The answer to any question: a number, who raised and lowered it, the groups behind it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.errors import DataError
from influence_core.experiments import all_left_out, any_question, targets
from influence_core.experiments import verdict as judgement
from influence_core.experiments.test_sets import EmptySetError
from influence_core.studies import Study
from influence_core.words import percent, seconds
from pages._common import groups, judge, test_label, verdict
from pages._common.cards import example_card, opened_title, show_example, show_grid, training_card
from pages._common.footer import show_origin
from pages._common.groups import Asked
from pages._common.number import NAMES, SHORT
from pages._common.picture_grid import Picture
from pages._common.table import download_csv
from pages._shell import proving, results
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown, escaped, show_error
from pages._shell.own_params import AskParams

TOP = 6
FEW = 12
"""So many test examples are shown unfolded."""
MAX_TESTS = 44
MEANINGS = {
    "loss": "The loss is how surprised the model is by the true label: the lower the better.",
    "gap": "The gap is the mean loss of the first set less that of the second: above 0, the model is worse on the first.",
    "margin": "Log odds: above 0 the model leans to the first label, below 0 to the second.",
    "probability": "The mean of the probabilities that the model gives the label.",
    "recall": "A share of right answers moves in jumps and has no slope; so this is the recall smoothed: the mean probability "
    "that the model gives the class where it is true.",
}


def open_study(view: View) -> Study:
    """The study, with what it says of every test example."""
    view.check()
    study = results.load_study(view)
    results.load_predictions(study)
    return study


def load(study: Study, view: View, params: AskParams) -> Asked:
    """The question, and the best numbers at hand; where there is no such question that is said, and the page ends."""
    try:
        target = targets.ask(study, params.over, params.quantity)
    except DataError as error:
        st.title("What drives it?")
        if _no_mistakes(study, params, error):
            st.info(f"No mistakes are left among the test {study.data.kind}s. Choose others below.")
        else:
            show_error(error)
        st.stop()
    title = f"Asking every training {study.data.kind}"
    first = results.load(title, any_question.run, study, target, view.settings)
    return Asked(study, target, proving.improved_target(study, target, first))


def _no_mistakes(study: Study, params: AskParams, error: DataError) -> bool:
    """Whether mistakes are asked about that are not there because the model makes none."""
    of_mistakes = params.over.partition("=")[0] in ("errors", "cell")
    return isinstance(error, EmptySetError) and of_mistakes and not study.predictions.wrong.any()


def headline(asked: Asked) -> None:
    """The question, and its answer in one sentence."""
    study, target, effects = asked.study, asked.target, asked.effects
    st.title(f"What drives {escape_markdown(target.words)}?")
    names, train = escaped(study.data.class_names), study.data.train
    parts = []
    for at, colour in ((effects.helpful(1), "blue"), (effects.harmful(1), "orange")):
        if len(at):
            having = float(effects.having[at[0]])
            does = "raises" if having > 0 else "lowers"
            label = names[int(train.y[at[0]])]
            parts.append(
                f"{study.data.kind} {int(train.ids[at[0]])} (labelled {label}) {does} it most "
                f"(:{colour}[**{target.change_text(having)}**] by being there)"
            )
    st.markdown(
        f"It is **{target.text(effects.before)}**. Of {len(train.ids):,} training {study.data.kind}s, {'; '.join(parts)}. "
        f"{_right(asked)}"
    )
    st.caption(MEANINGS[target.kind])
    with st.container(key="badge", gap=None):
        verdict.show_judged(judgement.of_target(study, effects))
        line, buttons = st.container(key="proving"), st.container(horizontal=True)
        proving.show(study, effects.number, line, buttons)


def _right(asked: Asked) -> str:
    """How many of the test examples are answered rightly."""
    answers, labels = asked.target.answers(asked.study, asked.study.theta), np.asarray(asked.target.y)
    right, total = int((answers == labels).sum()), len(labels)
    examples = f"test {asked.study.data.kind}{'s' if total > 1 else ''}"
    return f"The model is right on {right:,} of the {total:,} {examples} ({percent(right / total)})."


def examples(asked: Asked, view: View) -> None:
    """The test examples that are asked about, the first of them; a click explains one."""
    study, target, test = asked.study, asked.target, asked.study.data.test
    known, total = study.predictions, len(target.test_ids)
    with st.expander(
        f"The {total:,} test {study.data.kind}{'s' if total > 1 else ''}", expanded=total <= FEW
    ):
        shown = [_test_card(asked, test.position(int(one))) for one in target.test_ids[:MAX_TESTS]]
        show_grid(study, shown, key="asked_about", width=74, on_click=_explain)
        more = f" The first {MAX_TESTS} of them." if total > MAX_TESTS else ""
        st.caption(
            f"Click one to explain it alone.{more} {percent(known.accuracy)} of all {len(known.ids):,} are answered rightly."
        )
    if wanted := st.session_state.pop("explain_this", None):
        query = view.query("study", "solver", "damping", "curvature", "device") | {"test": wanted}
        st.switch_page("pages/explain.py", query_params=query)


def _explain(test_id: str) -> None:
    """A click runs before the page does; the page is turned where it is drawn."""
    st.session_state["explain_this"] = test_id


def _test_card(asked: Asked, at: int) -> Picture:
    known, names = asked.study.predictions, asked.study.data.class_names
    said = names[int(known.predicted[at])]
    bears = test_label.bears(asked.study, int(known.ids[at]), int(known.labels[at]))
    words = f": the model says {said}, {bears}"
    return example_card(asked.study, asked.study.data.test, at, words, f"says {said}", (bears,))


def opened(asked: Asked, view: View) -> None:
    """The training example that is open, large, with what having it does."""
    if view.opened is None:
        return
    study, train = asked.study, asked.study.data.train
    at = train.position(view.opened)
    with st.container(border=True, key="example"):
        opened_title(study, view.opened)
        judge.show(study, view.opened)
        picture, words = st.columns([1, 1.6], gap="medium", vertical_alignment="center")
        with picture:
            show_example(study, train, view.opened, 260)
        words.markdown(
            f"Having it: **{asked.target.change_text(float(asked.effects.having[at]))}** for "
            f"{escape_markdown(asked.target.words)} ({SHORT[asked.effects.number]})."
        )


def ranking(asked: Asked, view: View) -> None:
    """The strongest on both sides."""
    better, worse = ("raise", "lower") if asked.target.good > 0 else ("lower", "raise")
    sides = (
        ("helpful", f"They {better} it most", asked.effects.helpful(TOP), "blue"),
        ("harmful", f"They {worse} it most", asked.effects.harmful(TOP), "orange"),
    )
    for column, (tone, title, at, colour) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.header(f":{colour}[{title}]")
            if not len(at):
                st.caption(f"No training {asked.study.data.kind} is on this side.")
            show_grid(
                asked.study,
                [_card(asked, int(one), tone) for one in at],
                key=f"side_{tone}",
                width=110,
                chosen=[view.open],
                selected=[str(one) for one in view.chosen],
                on_select=toggle_chosen,
            )
    more, less = asked.target.sides
    article = "the " if more == "better" else ""
    st.caption(
        f"The number under each: what having it in the training set does to {escape_markdown(asked.target.words)}. "
        f":blue[Blue]: for {article}{more}; :orange[orange]: for {article}{less}. Click a card to open it; tick it to take it "
        "out."
    )
    download_csv(
        f"Ranking of all training {asked.study.data.kind}s (CSV)",
        f"influence-{asked.study.spec.name}-{asked.target.kind}",
        lambda: any_question.table(asked.study, asked.target, asked.effects),
    )


def _card(asked: Asked, at: int, tone: str) -> Picture:
    label = asked.study.data.class_names[int(asked.study.data.train.y[at])]
    change = asked.target.change_text(float(asked.effects.having[at]))
    return training_card(asked.study, at, (change,), tone, f"labelled {label}", f", {change}")


def reasons(asked: Asked, params: AskParams) -> None:
    """The groups behind it."""
    with st.container(border=True, key="groups"):
        st.header("Groups that explain")
        groups.show(asked, params.cause)


def origin(asked: Asked) -> None:
    """How the numbers came about."""
    effects, study = asked.effects, asked.study
    proof = " Every model's gradient is proof of its training." if effects.number == "proven" else ""
    linear = all_left_out.supports(study.spec) is None
    outlook = (
        ""
        if effects.number == "proven" or not linear
        else " They can be proven: train again without each example."
    )
    facts, unit = effects.provenance, asked.target.unit
    show_origin(
        study.data.stand_in,
        f"{SHORT[effects.number].capitalize()}, {unit}: plus raises it by being there, minus lowers it. {facts.solver}, residual "
        f"{facts.residual:.1e}.",
        f"**Numbers.** {NAMES[effects.number].capitalize()}.{proof}{outlook}  \n"
        f"**Sign and unit.** What having the training {study.data.kind} does to {escape_markdown(asked.target.words)}, in "
        f"{unit}: plus raises it, minus lowers it.  \n"
        f"**One right-hand side.** The slope of this number in the model's parameters, one solve, one product with all "
        f"training {study.data.kind}s: {facts.solver}, {facts.settings}, true relative residual {facts.residual:.1e}; "
        f"convergence check {facts.convergence_check:.1e} (0 at an exact optimum); {seconds(facts.seconds)}.",
    )
    for notice in results.get_store().notices()[-3:]:
        st.info(notice)
