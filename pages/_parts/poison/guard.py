"""Which training images to watch, over all test images."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import poison
from influence_core.studies import Study
from influence_core.words import percent
from pages._common.picture_grid import picture_grid
from pages._common.table import download_csv
from pages._parts.poison.cards import SHOWN, cards
from pages._shell import results
from pages._shell.address import go_to


def show(study: Study) -> None:
    """The most dangerous ones, their share of the danger, and the whole ranking."""
    found = results.load("Asking every training image", poison.guard, study)
    st.subheader("Images to guard")
    st.caption(
        f"Training images by ‖I_pert‖ in feature space, the mean over {found.tests:,} test images, nats per unit of feature. "
        "Small changes of the first ones move answers most: keep their originals under lock, check them first, and give the "
        "model more examples like them. They are often those of which the model itself is least sure."
    )
    picture_grid(
        cards(study, found, found.norms),
        key="guard",
        on_click=lambda train_id: go_to(panel="one", out=train_id),
        columns_min_px=92,
    )
    st.caption(
        f"These {SHOWN} of {len(found.ids):,} training images hold {percent(found.share(SHOWN))} of the sum of all norms."
    )
    label = "All training images by their danger (CSV)"
    download_csv(label, f"guard-{study.spec.name}", lambda: poison.guard_table(study, found))
