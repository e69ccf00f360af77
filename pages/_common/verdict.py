"""The verdict on an answer: proven, green, amber or red, one sentence saying why, and the way to be surer."""

from __future__ import annotations

from typing import Literal

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments import spot_check, truths
from influence_core.experiments import verdict as experiment
from influence_core.experiments.explain import Explanation
from influence_core.experiments.truths import Truths
from influence_core.studies import Study
from influence_core.trust import FEW, Level, Verdict
from influence_core.words import UNIT, percent, ratio
from pages._common.number import SHORT, unit_rule, worth
from pages._shell import proving, results
from pages._shell.address import View, go_to
from pages._shell.jobs import job_status

Look = tuple[Literal["green", "yellow", "red"], str, str]
LOOKS: dict[Level, Look] = {
    "proven": ("green", ":material/verified:", "Proven"),
    "green": ("green", ":material/check_circle:", "Trustworthy"),
    "amber": ("yellow", ":material/error:", "With care"),
    "red": ("red", ":material/dangerous:", "Do not trust"),
}
EVIDENCE_ROWS = 10


def show(study: Study, view: View, explanation: Explanation, unit: str = UNIT) -> DeltaGenerator:
    """The verdict of one answer; what is being proven; a spot check where it was asked for, its numbers in a unit.

    Returns:
        The row of its buttons, for others to join.
    """
    if view.spot and explanation.number != "proven":
        job = results.attempt(
            "Checking the forecast with real retraining", spot_check.run, study, explanation
        )
    else:
        job = None
    found = of(study, explanation)
    known = truths.recall(study, explanation, context=results.context())
    with st.container(key="badge", gap=None):
        show_judged(found)
        line, buttons = (
            st.container(key="proving"),
            st.container(horizontal=True, vertical_alignment="center"),
        )
        proving.show(study, explanation.number, line, buttons)
        with buttons:
            if job is not None and job.result is None:
                job_status(job)
            elif job is None and explanation.number != "proven" and found.level != "red":
                label = f"Check with {spot_check.count(study)} real retrainings"
                st.button(label, key="spot_check", on_click=lambda: go_to(spot="1"))
    if explanation.number != "proven" and len(known.train_ids) >= FEW:
        _evidence(known, explanation, unit)
    return buttons


def of(study: Study, explanation: Explanation) -> Verdict:
    """The verdict, the same on every page."""
    return experiment.run(study, explanation, context=results.context())


def show_judged(found: Verdict) -> None:
    """A level, why, and what to do."""
    colour, icon, title = LOOKS[found.level]
    advice = f" {found.advice}" if found.advice else ""
    st.markdown(f":{colour}-badge[{icon} {title}] {found.reason}{advice}")


def _evidence(known: Truths, explanation: Explanation, unit: str) -> None:
    count, p = len(known.train_ids), explanation.probability
    with st.expander(f"The {count} real retrainings of this answer"):
        order = np.argsort(-np.abs(known.actual), kind="stable")[:EVIDENCE_ROWS]
        at = [explanation.position(int(one)) for one in known.train_ids[order]]
        rows = zip(known.train_ids[order], explanation.shown[at], known.actual[order], strict=True)
        lines = [
            f"| {one} | {worth(p, float(forecast), unit)} | {worth(p, float(truth), unit)} |"
            for one, forecast, truth in rows
        ]
        name = SHORT[explanation.number]
        head = f"| training {explanation.kind} left out | {name} | after real retraining |\n|---|---|---|\n"
        st.markdown(head + "\n".join(lines))
        agreement = known.agreement(explanation)
        st.caption(
            f"The {len(order)} largest. Largest miss: {percent(agreement.worst)} of the largest true change; "
            f"rank agreement {ratio(agreement.spearman)}. {unit_rule(explanation, unit)}"
        )
