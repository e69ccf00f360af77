"""The training pictures through which answers are moved most easily: which are changed, and which to guard."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.errors import DataError
from influence_core.experiments import poison
from influence_core.experiments.poison import MAX_POISONED, Candidates, Guard
from influence_core.studies import Study
from influence_core.words import percent, three_digits
from pages._common.cards import show_grid, training_card
from pages._common.picture_grid import Picture
from pages._common.table import download_csv
from pages._parts.poison.panels import Asking
from pages._shell import results
from pages._shell.address import View, go_to, toggle_chosen
from pages._shell.escape import escape_markdown
from pages._shell.own_params import PoisonParams
from pages._shell.widgets import number_choice

HOW_MANY = (1, 2, 3, 5, 10)
SHOWN = 12


def choose(study: Study, view: View, params: PoisonParams, asking: Asking) -> list[int]:
    """The pictures to change: the most dangerous ones, or those that were ticked."""
    if len(view.chosen) > MAX_POISONED:
        raise DataError(f"At most {MAX_POISONED} pictures are changed at once, not {len(view.chosen)}.")
    known = _load(study, asking)
    st.header("Through which training images?")
    st.caption(
        f"The training images whose smallest change moves {_moved(study, asking)} most: the "
        f"{len(known.ids)} of largest gradient in feature space, ranked by that of their pixels, ‖I_pert‖. They are changed from "
        "the first on; tick some to choose yourself. Labels are never changed."
    )
    show_grid(
        study,
        cards(study, known, known.pixel_norms),
        key="candidates",
        on_click=toggle_chosen,
        on_select=toggle_chosen,
        selected=[str(one) for one in view.chosen],
        select_label="choose for poisoning",
    )
    label, ticked = "How many of them, all at once", bool(view.chosen)
    number_choice("poisons", params.poisons, label, HOW_MANY, key="poison_count", disabled=ticked)
    return list(view.chosen) or known.ids[: params.poisons].tolist()


def _load(study: Study, asking: Asking) -> Candidates:
    title = "Asking training images for their pixels"
    return results.load(title, poison.shortlist, study, asking.questions, goal=asking.attack.goal)


def _moved(study: Study, asking: Asking) -> str:
    name = escape_markdown(study.data.class_names[asking.label])
    if asking.attack.goal == poison.ANSWERS:
        return f"the mean probability of “{name}” for {len(asking.questions)} test images that are {name}"
    return f"the loss of “{name}”"


def show_guard(study: Study) -> None:
    """The most dangerous ones, their share of the danger, and the whole ranking."""
    found = results.load("Asking every training image", poison.guard, study)
    st.header("Images to guard")
    st.caption(
        f"Training images by ‖I_pert‖ in feature space, the mean over {found.tests:,} test images, nats per unit of feature. "
        "Small changes of the first ones move answers most: keep their originals under lock, check them first, and give the "
        "model more examples like them. They are often those of which the model itself is least sure."
    )
    shown = cards(study, found, found.norms)
    show_grid(study, shown, key="guard", on_click=lambda train_id: go_to(panel="one", out=train_id))
    st.caption(
        f"These {SHOWN} of {len(found.ids):,} training images hold {percent(found.share(SHOWN))} of the sum of all norms."
    )
    label = "All training images by their danger (CSV)"
    download_csv(label, f"guard-{study.spec.name}", lambda: poison.guard_table(study, found))


def cards(study: Study, ranked: Candidates | Guard, norms: np.ndarray) -> list[Picture]:
    """Training images as cards, the most dangerous first; ``norms (k,)`` ranked them."""
    return [_card(study, ranked, norms, at) for at in range(min(SHOWN, len(ranked.ids)))]


def _card(study: Study, ranked: Candidates | Guard, norms: np.ndarray, at: int) -> Picture:
    lines = (f"‖I_pert‖ {three_digits(float(norms[at]))}", f"p {percent(float(ranked.own_probability[at]))}")
    return training_card(study, study.data.train.position(int(ranked.ids[at])), lines)
