"""The parts of the page about flipped labels, and how to find them."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import suspects, wrong_labels
from influence_core.experiments.suspects import METHODS
from influence_core.experiments.wrong_labels import FlipSettings, WrongLabels, standard_error
from influence_core.figures.wrong_labels import Bars, accuracy, found
from influence_core.reproduce import labels
from influence_core.studies import Study
from influence_core.trust import Verdict
from influence_core.words import percent, seconds, three_digits
from pages._common import footer, verdict
from pages._common.table import number, show_folded
from pages._common.word_meanings import explained
from pages._shell import results
from pages._shell.address import OF_THE_QUESTION, View
from pages._shell.catalogue import REVIEW
from pages._shell.charts import show_chart
from pages._shell.own_params import WrongLabelsParams
from pages._shell.widgets import begin_button, choice, number_choice

HEADLINE = 1
"""The budget of the headline: 10 % checked."""


def settings(params: WrongLabelsParams) -> FlipSettings:
    """How labels are flipped."""
    return FlipSettings(params.flip / 100, params.repeats)


def choose(params: WrongLabelsParams, begun: bool) -> None:
    """Share, repeats, and the button that starts the work unless it has begun."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="wrong_choices"):
        label = "Flip this share of the training labels"
        number_choice("flip", params.flip, label, params.SHARES, "{} %".format, key="wrong_flip")
        label = "Repeat with other flips"
        number_choice(
            "repeats", params.repeats, label, params.REPEATS, "{} times".format, key="wrong_repeats"
        )
        begin_button("Flip them and look", "wrong_run", disabled=begun, width="content")


def stored(study: Study, chosen: FlipSettings) -> WrongLabels | None:
    """The result, where the store has it."""
    return wrong_labels.run.recall(study, chosen, context=results.context())


def load(study: Study, params: WrongLabelsParams) -> WrongLabels:
    """The result, after the work it takes."""
    title = f"Flipping {params.flip} % of the labels, {params.repeats} times"
    return results.load(title, wrong_labels.run, study, settings(params))


def show_plan(study: Study, chosen: FlipSettings) -> None:
    """What is going to be done."""
    kind = study.data.kind
    methods = suspects.methods_for(study)
    trainings = chosen.repeats * (1 + len(wrong_labels.BUDGETS) * len(methods))
    each = f", and {chosen.repeats + 1} times without each single {kind}" if "proven" in methods else ""
    st.markdown(
        f"Flip some training labels on purpose, rank all training {kind}s by how suspect they are, give the first "
        "ones their true labels back, train again: which ranking finds the flipped labels first?"
    )
    st.caption(
        f"Nothing has been flipped yet. This trains the model {trainings} times on {study.objective.n:,} {kind}s with "
        f"{study.objective.dim:,} parameters{each}; the result is kept. The packaged e-mails take about four minutes."
    )
    st.header("What the paper found", help=explained("self-influence"))
    st.markdown(_of_paper())


def _of_paper() -> str:
    """The paper's curves at three budgets, as a table."""
    names = {"published": "self-influence", "loss": "the training loss", "random": "chance"}
    head = [
        "ranked by",
        *(f"first {wrong_labels.BUDGETS[at]:.0%}".replace("%", "\u00a0%") for at in labels.BUDGETS),
    ]
    rows = [
        [words, *(percent(labels.PUBLISHED[name][0][at]) for at in labels.BUDGETS)]
        for name, words in names.items()
    ]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return (
        "Share of the flipped labels found among the first suspects, of 4,137 e-mails (Enron1):\n\n"
        + "\n".join(lines)
    )


def show_answer(study: Study, result: WrongLabels) -> None:
    """The page's question, answered in two sentences."""
    kind = study.data.kind
    best, *others = _by_success(result)
    found = {one: float(result.mean_fixed(one)[HEADLINE]) for one in result.methods}
    right = float(result.accuracy[:, result.methods.index(best), HEADLINE].mean())
    rest = ", ".join(f"{METHODS[one]} {percent(found[one])}" for one in others)
    said = (
        f"Look first where the ranking by **{METHODS[best]}** points: the {result.checked[HEADLINE]:,} most suspect {kind}s "
        f"({percent(float(result.budgets[HEADLINE]))}) hold **{percent(found[best])}** of the flipped labels "
        f"(by comparison: {rest}). Set right, they change the share of the {len(study.data.test):,} test {kind}s that are "
        f"answered rightly from {percent(float(result.flipped_accuracy.mean()))} to **{percent(right)}**; with no label flipped "
        f"it is {percent(result.clean_accuracy)}."
    )
    st.markdown(said, help=explained(said))
    st.markdown(
        f"Asked about each training {kind} as if it had **never seen it**, the model of the unflipped labels gives the label of "
        f"**{percent(result.unseen_accuracy)}** of them (leave-one-out accuracy, {_named(result)}), beside "
        f"{percent(result.clean_accuracy)} of the test {kind}s: a test on every training {kind}, with none set aside."
    )


def _by_success(result: WrongLabels) -> list[str]:
    """The rankings, that which finds the most flipped labels first."""
    return sorted(result.methods, key=lambda one: float(result.mean_fixed(one)[HEADLINE]), reverse=True)


def _named(result: WrongLabels) -> str:
    """Where the leave-one-out losses come from."""
    return "proven" if "proven" in result.methods else "corrected forecast"


def show_trust(result: WrongLabels) -> None:
    """The badge: whether the ranking that is recommended finds clearly more than chance, measured over the repeats."""
    best = _by_success(result)[0]
    found = result.fixed[:, result.methods.index(best), HEADLINE]
    margin = float(standard_error(found[:, None])[0])
    share, chance = float(found.mean()), float(result.budgets[HEADLINE])
    words = (
        f"Measured {len(found)} times on labels flipped at random: the ranking by {METHODS[best]} finds {percent(share)} of them "
        f"(standard error {percent(margin)}) among the first {percent(chance)}, where chance would find {percent(chance)}. "
        "Labels that people got wrong may be harder to find."
    )
    with st.container(key="badge", gap=None):
        verdict.show_judged(Verdict("green" if share - 2 * margin > chance else "amber", words))


def show_curves(params: WrongLabelsParams, result: WrongLabels) -> None:
    """The two panels of the paper's figure, with the choice of the error bars."""
    bars: Bars = "deviation" if params.panel else "error"
    left, right = st.columns(2, gap="medium")
    show_chart(found(result, bars), key="flips_found", at=left)
    show_chart(accuracy(result, bars), key="repaired_accuracy", at=right)
    names = {"": "Standard error of the mean", "deviation": "Standard deviation of the repeats"}
    choice("panel", params.panel, "Error bars", names, key="wrong_bars")
    published = (
        "The two self-influence scores differ by a power: the exact one (σ²) is the predicted rise of an example's own loss "
        "without it; the paper's figure was drawn with σ to the power of one, which ranks quiet mistakes higher. "
        if "published" in result.methods
        else ""
    )
    unseen = (
        "the model was trained again without each one (proven)"
        if "proven" in result.methods
        else "one Newton step without each one (a corrected forecast, because proof would take too long here)"
    )
    st.caption(
        f"{published}The leave-one-out loss is an example's own loss when the model has never seen it: {unseen}. It finds more "
        "than memorisation, the same minus the loss with the example. The standard error says how sure the mean of the repeats "
        "is, the standard deviation how far single repeats lie apart (the paper's caption says deviation, its code draws the "
        "error). No test example is used to rank."
    )


def show_table(study: Study, result: WrongLabels) -> None:
    """The curves as numbers, and the download."""
    columns = wrong_labels.table(result)
    show_folded(
        "the curves",
        lambda: columns,
        {
            name: number(name.replace("_", " "), format="%d" if name == "examples_checked" else "percent")
            for name in columns
            if name != "ranked_by"
        },
        "The curves (CSV)",
        f"wrong-labels-{study.spec.name}",
        lambda: columns,
    )


def show_origin(study: Study, result: WrongLabels) -> None:
    """Data, model, ranking and proof."""
    scores = "; ".join(METHODS[one] for one in result.methods)
    footer.show_origin(
        study.data.stand_in,
        f"Shares of the flipped labels, mean of {result.settings.repeats} repeats; {result.n:,} {study.data.kind}s.",
        f"**Flips.** {result.flipped:,} of {result.n:,} training labels in each of {result.settings.repeats} repeats (the "
        f"paper: 40), seed {result.settings.seed}; {result.n_test:,} test {study.data.kind}s keep their labels.  \n"
        f"**Rankings.** {scores}. Self-influence is D of an example on itself, by a dense factor of the exact curvature.  \n"
        f"**Model.** {study.spec.title}: p = {result.p:,} parameters, l2 = {study.spec.l2:g}; trained again after every "
        f"repair to a gradient norm of at most {three_digits(result.gradient_norm)}.  \n"
        f"**Time.** {seconds(result.seconds)} on {study.theta.device.type}.",
    )
    st.caption("Koh & Liang 2017, section 5.4 and Figure 6.")


def show_way_on(view: View) -> None:
    """To the queue in which a person looks at the suspects."""
    label = "Review the suspects one by one"
    st.page_link(REVIEW.script, label=label, query_params=view.query(*OF_THE_QUESTION))
