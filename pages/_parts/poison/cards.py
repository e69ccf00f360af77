"""Training pictures as cards, the most dangerous first."""

from __future__ import annotations

import numpy as np

from influence_core.experiments.poison import Candidates, Guard
from influence_core.studies import Study
from influence_core.words import percent, three_digits
from pages._common.cards import card_face
from pages._common.picture_grid import Picture
from pages._shell.escape import escape_markdown

SHOWN = 12


def cards(study: Study, ranked: Candidates | Guard, norms: np.ndarray) -> list[Picture]:
    """The first of them; ``norms (k,)`` ranked them."""
    return [_card(study, ranked, norms, at) for at in range(min(SHOWN, len(ranked.ids)))]


def _card(study: Study, ranked: Candidates | Guard, norms: np.ndarray, at: int) -> Picture:
    train_id, name = int(ranked.ids[at]), escape_markdown(study.data.class_names[ranked.labels[at]])
    return Picture(
        id=str(train_id),
        **card_face(study, study.data.train, study.data.train.position(train_id)),
        alt=f"training image {train_id}, labelled {name}",
        title=f"{train_id}: {name}",
        lines=(
            f"‖I_pert‖ {three_digits(float(norms[at]))}",
            f"p {percent(float(ranked.own_probability[at]))}",
        ),
    )
