"""The verdict on an answer, of all that is known of it."""

from __future__ import annotations

import numpy as np

from influence_core.agreement import strongest, worst_miss
from influence_core.context import ALONE, Context
from influence_core.experiments import truths
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.spot_check import SIDE_BY_SIDE
from influence_core.experiments.truths import Truths
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
        doubt=_doubt(explanation, known),
        left_open=explanation.left_open,
        retrained=known.agreement(explanation),
        retrainings=len(known.train_ids),
        covered=bool(np.isin(_first(explanation), known.train_ids).all()),
    )
    return judge(explanation.provenance, seen)


def of_target(study: Study, effects: TargetEffects) -> Verdict:
    """How far the number that is shown of any question may be believed, by what is known of the study.

    Args:
        study: The trained model.
        effects: With every number at hand.
    """
    seen = Evidence(
        number=effects.number,
        count=len(effects.shown),
        examples=f"training {study.data.kind}s",
        largest=float(np.abs(effects.shown).max(initial=0.0)),
        doubt=effects.doubt,
    )
    return judge(effects.provenance, seen)


def _doubt(explanation: Explanation, known: Truths) -> float | None:
    """That of the hardest examples, or of the probabilities of those that were left out here, whichever is larger."""
    if explanation.doubt is None:
        return None
    at = [explanation.position(int(one)) for one in known.train_ids]
    changed = np.exp(-explanation.own_loss) * np.expm1(
        -known.actual
    )  # every loss here is minus a log-probability
    return max(explanation.doubt, worst_miss(explanation.effects.probability[at], changed))


def _first(explanation: Explanation) -> np.ndarray:
    """Ids of the examples that are strongest by the number that is shown."""
    return explanation.ids[strongest(explanation.shown, SIDE_BY_SIDE)]
