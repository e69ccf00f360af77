"""Review the suspects: a person looks at the most suspect training labels one after the other and says what is right.

A `Review` never changes; each verdict makes a new one. `amend` keeps every step in the store under a session's name.
"""

from influence_core.experiments.review.evidence import Outcome, SuspectEvidence, evidence
from influence_core.experiments.review.jump import find
from influence_core.experiments.review.ranking import (
    Suspect,
    adopt,
    rank_again,
    start,
    supports,
    suspect,
    train,
)
from influence_core.experiments.review.session import (
    LONGEST_NAME,
    Review,
    Training,
    Verdict,
    keep,
    relabel,
    session_name,
    table,
    undo,
)
from influence_core.experiments.review.storage import Change, amend, recall, resume, save, take_over

__all__ = [
    "LONGEST_NAME",
    "Change",
    "Outcome",
    "Review",
    "Suspect",
    "SuspectEvidence",
    "Training",
    "Verdict",
    "adopt",
    "amend",
    "evidence",
    "find",
    "keep",
    "rank_again",
    "recall",
    "relabel",
    "resume",
    "save",
    "session_name",
    "start",
    "supports",
    "suspect",
    "table",
    "take_over",
    "train",
    "undo",
]
