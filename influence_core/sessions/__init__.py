"""Sessions: what people said about training examples, their versions and their questions, kept for good."""

from influence_core.sessions.carried import Carried, begin, packed, unpacked
from influence_core.sessions.entries import LONGEST_NOTE, Entry, Remark, Said, State
from influence_core.sessions.session import LONGEST_NAME, Session
from influence_core.sessions.sessions import Sessions

__all__ = [
    "LONGEST_NAME",
    "LONGEST_NOTE",
    "Carried",
    "Entry",
    "Remark",
    "Said",
    "Session",
    "Sessions",
    "State",
    "begin",
    "packed",
    "unpacked",
]
