"""The training pictures through which the answer is moved most easily, and which of them are changed."""

from __future__ import annotations

import streamlit as st

from influence_core.errors import DataError
from influence_core.experiments import poison
from influence_core.experiments.poison import MAX_POISONED, Candidates
from influence_core.studies import Study
from pages._common.picture_grid import picture_grid
from pages._parts.poison.cards import cards
from pages._parts.poison.panels import Asking
from pages._shell import results
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown
from pages._shell.own_params import PoisonParams
from pages._shell.widgets import bound

HOW_MANY = (1, 2, 3, 5, 10)


def choose(study: Study, view: View, params: PoisonParams, asking: Asking) -> list[int]:
    """The pictures to change: the most dangerous ones, or those that were ticked."""
    if len(view.chosen) > MAX_POISONED:
        raise DataError(f"At most {MAX_POISONED} pictures are changed at once, not {len(view.chosen)}.")
    known = _load(study, asking)
    st.subheader("Through which training images?")
    st.caption(
        f"The training images whose smallest change moves {_moved(study, asking)} most: the "
        f"{len(known.ids)} of largest gradient in feature space, ranked by that of their pixels, ‖I_pert‖. They are changed from "
        "the first on; tick some to choose yourself. Labels are never changed."
    )
    picture_grid(
        cards(study, known, known.pixel_norms),
        key="candidates",
        on_click=toggle_chosen,
        on_select=toggle_chosen,
        selected=[str(one) for one in view.chosen],
        select_label="choose for poisoning",
        columns_min_px=92,
    )
    bound(
        st.segmented_control,
        "poisons",
        params.poisons,
        "How many of them, all at once",
        sorted({*HOW_MANY, params.poisons}),
        key="poison_count",
        required=True,
        disabled=bool(view.chosen),
    )
    return list(view.chosen) or known.ids[: params.poisons].tolist()


def _load(study: Study, asking: Asking) -> Candidates:
    title = "Asking training images for their pixels"
    return results.load(title, poison.shortlist, study, asking.questions, goal=asking.attack.goal)


def _moved(study: Study, asking: Asking) -> str:
    name = escape_markdown(study.data.class_names[asking.label])
    if asking.attack.goal == poison.ANSWERS:
        return f"the mean probability of “{name}” for {len(asking.questions)} test images that are {name}"
    return f"the loss of “{name}”"
