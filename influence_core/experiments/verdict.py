"""The verdict on an answer, of all that is known of it."""

from __future__ import annotations

import numpy as np

from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments import truths
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.spot_check import SIDE_BY_SIDE
from influence_core.studies import Study
from influence_core.trust import Evidence, Verdict, judge


def run(study: Study, explanation: Explanation, *, context: Context = ALONE) -> Verdict:
    """How far the number that an explanation shows may be believed.

    Args:
        study: The trained model.
        explanation: With every number at hand.
        context: Its store knows the retrainings that were made of this answer.
    """
    known = truths.recall(study, explanation, context=context)
    best = next(iter(explanation.numbers))
    seen = Evidence(
        number=explanation.number,
        count=len(explanation.ids),
        examples=explanation.examples,
        largest=float(np.abs(explanation.shown).max(initial=0.0)),
        better=None if best == explanation.number else best,
        miss=explanation.miss,
        doubt=explanation.doubt,
        left_open=explanation.left_open,
        retrained=known.agreement(explanation),
        retrainings=len(known.train_ids),
        covered=bool(np.isin(_first(explanation), known.train_ids).all()),
    )
    return judge(explanation.provenance, seen)


def _first(explanation: Explanation) -> np.ndarray:
    """Ids of the examples that are strongest by the number that is shown."""
    return explanation.ids[strongest(explanation.shown, SIDE_BY_SIDE)]
