"""How often it works: the attack on many test images one by one."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import poison_many
from influence_core.experiments.poison import Attack
from influence_core.experiments.poison_many import Shares
from influence_core.figures.poison import flips
from influence_core.studies import Study
from influence_core.words import percent
from pages._common.table import download_csv
from pages._shell import results
from pages._shell.charts import show_chart
from pages._shell.own_params import PoisonParams
from pages._shell.widgets import begin_button, number_choice

TESTS = (5, 10, 25, 50, 100)
SIZES = (1, 2, 10)


def show(study: Study, params: PoisonParams) -> None:
    """The attack on many test images one by one."""
    st.header("How often does it work?")
    st.caption(
        "Each test image with a right answer is attacked alone: through the best training image, then the second, then the best "
        "two and ten, until its answer turns. Outcomes are kept: a run that was stopped goes on where it was."
    )
    tests = next((one for one in TESTS if one >= params.k), TESTS[-1])
    label = "Test images, drawn at random"
    number_choice("k", tests, label, TESTS, key="poison_tests")
    cost = "About a minute for each on one processor."
    begin_button("Attack them one by one", "poison_share_run", help=cost)
    if params.retrain:
        ids = poison_many.answered_rightly(study)[:tests]
        title = f"Attacking {len(ids)} test images"
        _show(study, results.load(title, poison_many.run, study, ids, Attack(box=params.box), SIZES))


def _show(study: Study, shares: Shares) -> None:
    show_chart(flips({f"here, box ± {shares.attack.box:g}": shares}), key="poison_flips")
    worst = max(one.gradient_norm for one in shares.tries)
    st.caption(
        f"{len(shares.outcomes)} test images. One picture is the best alone or the second alone, as in the authors' code; "
        f"by the best alone it is {percent(shares.flipped_by_first)}. Every answer counts after real retraining, to a gradient "
        f"norm of at most {worst:.1e}. The paper's bars are Inception v3 on dogs and fish; this model is another."
    )
    download_csv("Every try (CSV)", f"poison-{study.spec.name}", lambda: poison_many.table(shares))
