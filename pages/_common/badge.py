"""The trust badge: green, amber or red, one sentence saying why, and a check by real retraining."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from influence_core.experiments import spot_check
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
from influence_core.trust import Badge, Colour, SpotCheck, judge
from influence_core.words import nats, ratio, seconds, three_digits
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.jobs import job_status

Look = tuple[Literal["green", "yellow", "red"], str, str]
LOOKS: dict[Colour, Look] = {
    "green": ("green", ":material/verified:", "Trustworthy"),
    "amber": ("yellow", ":material/error:", "With care"),
    "red": ("red", ":material/dangerous:", "Do not trust"),
}


def show(study: Study, view: View, explanation: Explanation) -> None:
    """The badge of one answer; a spot check where it was asked for."""
    title = "Checking the forecast with real retraining"
    job = results.attempt(title, spot_check.run, study, explanation) if view.spot else None
    spot = job.result if job is not None else None
    badge = judge(explanation.provenance, spot)
    with st.container(key="badge", gap=None):
        show_judged(badge)
        if job is not None and spot is None:
            job_status(job)
        elif spot is None and badge.colour != "red":
            label = "Check with 5 real retrainings"
            st.button(label, key="spot_check", type="tertiary", on_click=lambda: go_to(spot="1"))
    if spot is not None:
        _evidence(spot, study.data.kind)


def show_judged(badge: Badge) -> None:
    """A colour, and why."""
    colour, icon, title = LOOKS[badge.colour]
    st.markdown(f":{colour}-badge[{icon} {title}] {badge.reason}")


def _evidence(spot: SpotCheck, kind: str) -> None:
    with st.expander(f"The {len(spot.train_ids)} real retrainings ({seconds(spot.seconds)})"):
        rows = zip(spot.train_ids, spot.predicted, spot.actual, strict=True)
        lines = [f"| {one} | {nats(forecast)} | {nats(truth)} |" for one, forecast, truth in rows]
        head = f"| training {kind} left out | forecast | after real retraining |\n|---|---|---|\n"
        st.markdown(head + "\n".join(lines))
        proof = (
            "" if spot.converged else " A retraining did NOT reach its gradient norm: do not rely on this."
        )
        st.caption(
            f"The three strongest and two drawn among the next. Largest miss: {three_digits(100 * spot.error)} % of the largest "
            f"true change; rank agreement {ratio(spot.agreement)}. Plus: the loss rises without it.{proof}"
        )
