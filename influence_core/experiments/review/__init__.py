"""Review the suspects: a person looks at the most suspect training labels one after the other and says what is right.

A `Review` never changes; each verdict makes a new one. `influence_core.sessions.reviews` keeps them.
"""

from influence_core.experiments.review import copies
from influence_core.experiments.review.evidence import Outcome, SuspectEvidence, evidence
from influence_core.experiments.review.judged import Judged, corrected_tests, judged
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
    Kind,
    Review,
    Training,
    Verdict,
    session_name,
)
from influence_core.experiments.review.verdicts import keep, relabel, remove, table, unsure, with_verdicts

__all__ = [
    "LONGEST_NAME",
    "Judged",
    "Kind",
    "Outcome",
    "Review",
    "Suspect",
    "SuspectEvidence",
    "Training",
    "Verdict",
    "adopt",
    "copies",
    "corrected_tests",
    "evidence",
    "find",
    "judged",
    "keep",
    "rank_again",
    "relabel",
    "remove",
    "session_name",
    "start",
    "supports",
    "suspect",
    "table",
    "train",
    "unsure",
    "with_verdicts",
]
