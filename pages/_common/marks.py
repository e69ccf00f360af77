"""What the visitor has said of an example, on its card wherever that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from influence_core.sessions import Said
from influence_core.studies import Study
from influence_core.studies.changes import Change, settled
from pages._common.picture_grid import Picture
from pages._shell import change_list, my_changes

_SAID = {"remove": "removed it", "keep": "kept it"}
_DONE = {"remove": "removed", "add": "added"}


def put(study: Study, cards: Sequence[Picture]) -> list[Picture]:
    """The same cards; those of examples of which something was said, or which the model on show has otherwise, say so.

    Args:
        study: Whose examples they are.
        cards: Their ids are example ids.
    """
    mine = my_changes.state(study.spec).verdicts
    made = {one.example: one for one in settled(study.spec.changes)}
    known = {*mine, *made}
    return [
        replace(one, mark=_words(study, int(one.id), mine, made)) if int(one.id) in known else one
        for one in cards
    ]


def _words(study: Study, example: int, mine: Mapping[int, Said], made: Mapping[int, Change]) -> str:
    """Old and new word, and which is which."""
    said, names = mine.get(example), study.data.class_names
    one, who = said or made[example], "" if said is None else my_changes.by_another(study.spec, said) or "you"
    if isinstance(one, Change) and one.kind in ("relabel", "retest"):
        says = {"": "now", "you": "you say"}.get(who, f"{who} says")
        return f"was {names[_given(study, example)]}, {says} {change_list.label_name(one, names)}"
    if isinstance(one, Change) and one.kind == "reweight":
        return f"counts {one.weight:g} times"
    if one.kind == "unsure":
        return f"{who} {'are' if who == 'you' else 'is'} unsure"
    return f"{who} {_SAID[one.kind]}" if who and one.kind in _SAID else _DONE.get(one.kind, "")


def _given(study: Study, example: int) -> int:
    """The label that an example bears in the unchanged data."""
    known = study.data.given.get(example)
    if known is not None:
        return known
    train, test = study.data.train, study.data.test
    of = train if bool((train.ids == example).any()) else test
    return int(of.y[of.position(example)])
