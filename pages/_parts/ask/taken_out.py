"""The chosen training examples taken out: the forecast of the quantity, and the truth after real training."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import target_edits
from influence_core.retraining.edits import Edit
from pages._common import groups
from pages._common.groups import Asked
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.own_params import AskParams
from pages._shell.widgets import begin_button


def show(asked: Asked, view: View, params: AskParams) -> None:
    """Forecast, retrain where that was asked for, compare."""
    study, train = asked.study, asked.study.data.train
    with st.container(border=True, key="retraining"):
        st.header("Take it out and train again")
        if not view.chosen:
            st.caption(f"Tick {study.data.kind}s above: then the forecast is checked by real training.")
            return
        edit = Edit.removal([train.position(one) for one in view.chosen])
        title = "Forecasting the group together"
        forecast = results.load(title, target_edits.forecast, study, asked.target, asked.effects, edit)
        count = len(view.chosen)
        those = f"this {study.data.kind}" if count == 1 else f"these {count} {study.data.kind}s"
        st.markdown(
            f"Forecast of having {those}: **{asked.target.change_text(-forecast.best)}**; without, the opposite."
        )
        row = st.container(horizontal=True)
        begin_button("Take out and retrain", "retrain", row)
        row.button("Clear selection", key="put_back", on_click=lambda: go_to(out=""))
        if params.retrain:
            truth = results.load(
                f"Training again without {those}", target_edits.retrain, study, asked.target, edit
            )
            groups.outcome(asked, truth)
