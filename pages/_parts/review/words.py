"""Plain words for the queues, with what the field calls them, and for the model that a sentence is about."""

from __future__ import annotations

from influence_core.experiments.review import Review
from influence_core.experiments.suspects import QUEUES
from influence_core.studies import Study
from influence_core.studies.changes import settled
from pages._shell.whole_list import changes_words

_UNSEEN = "What all others would say"
PLAIN = {
    "exact": "Its pull on itself",
    "published": "The same as in 2017",
    "proven": _UNSEEN,
    "corrected": _UNSEEN,
    "loss": "How badly it fits",
    "random": "At random",
    "harm": "Harm to test answers",
    "gain": "Gain for test answers",
    "copies": "Copies",
}
"""What each queue goes by."""
_PULL = (
    "how much worse its own label would fit if it were not there; labels that nothing else supports have most"
)
_LOSS = "how surprising its label is to the model"
_MEANS = {
    "exact": _PULL,
    "published": f"{_PULL}, by the formula of the 2017 figure",
    "proven": f"{_LOSS} that has never seen it",
    "corrected": f"{_LOSS} that has never seen it",
    "loss": f"{_LOSS} that was trained on it",
    "random": "no order at all, to compare with",
    "harm": "how much better the test answers would fit without it",
    "gain": "how many more test answers its most likely other label promises",
    "copies": "how often it is there; copies under another label come first",
}


def term(method: str) -> str:
    """What a queue goes by and what the field calls that, for a question mark."""
    return f"**{PLAIN[method]}**: {_MEANS[method]} ({QUEUES[method]})."


def learnt(now: Review) -> int:
    """How many changes of the training set the verdicts are."""
    return now.relabelled + now.count("remove")


def model_name(study: Study, now: Review) -> str:
    """The model whose answers are on show, by the verdicts that it has learnt."""
    if now.up_to_date and learnt(now):
        return f"the model with your {changes_words(learnt(now))}"
    named = now.flips is None and not settled(study.spec.changes)
    return "the original model" if named else "the model"
