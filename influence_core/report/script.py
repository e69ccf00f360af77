"""A Python script that repeats an answer with the library alone, and says whether it comes to the same."""

from __future__ import annotations

from dataclasses import asdict

from influence_core.agreement import strongest
from influence_core.report.material import Compared, Material
from influence_core.studies import StudySpec

LARGEST = 20
"""Influences that are held against what the script finds."""

_HEAD = '''"""Computes an answer of Influence Explorer again: python repeat.py {argument}"""

import sys
import tempfile
from dataclasses import asdict

from influence_core import studies
from influence_core.engines import SolverSettings
from influence_core.experiments import before_after, explain, questions
from influence_core.store import NO_STORE, Store
from influence_core.studies import origins

CLOSE = 1e-4  # as a share of the largest influence
wrong = []
'''

_SHIPPED = """
name, store = {name!r}, NO_STORE
folder = sys.argv[1] if len(sys.argv) > 1 else None
"""

_BROUGHT = """
# the study was made of somebody's own file, which is not in this one
if len(sys.argv) != 2:
    sys.exit("Say where the file is of which the study was made: python repeat.py " + {file!r})
place, folder = tempfile.TemporaryDirectory(), None
store = Store(place.name)
with open(sys.argv[1], "rb") as file:
    name = origins.make(origins.read({origin!r}), file, store)
"""

_ANSWER = """
# the question: which training examples made the model say that?
study = studies.open_study(studies.find(name + {version!r}, store), store, folder)
question = questions.ask(study, {test}, {label})
found = explain.run(study, question, SolverSettings(**{settings!r}))
expected = {expected!r}  # change of the loss without each, nats, first order
largest = max(map(abs, expected.values()))
for train_id, before in expected.items():
    now = float(found.scores[found.position(train_id)])
    print(f"training example {{train_id}}: {{now:+.6g}} nats, in the report {{before:+.6g}}")
    if abs(now - before) > CLOSE * largest:
        wrong.append(f"training example {{train_id}}")
"""

_OWN = """
# the question was about a picture of somebody's own, which is not in this file
"""

_CHANGES = """
# the changes: what got better, and what broke?
version = studies.open_study(studies.find(name + {version!r}, store), store, folder)
unchanged = studies.open_study(version.spec.unchanged, store, folder)
total = before_after.run(unchanged, version, {asked!r}).total
print(f"right of {{total.total}}: {{total.right_before}} before, {{total.right_after}} after")
print(f"got better: {{total.better}}, broke: {{total.broke}}, wrong in another way: {{total.between}}")
if asdict(total) != {counts!r}:
    wrong.append("before and after")
"""

_END = """
print("the same as in the report" if not wrong else f"NOT as in the report: {', '.join(wrong)}")
sys.exit(1 if wrong else 0)
"""


def script(material: Material) -> str:
    """The script; it ends with 0 where it comes to the same numbers, with 1 where it does not.

    Args:
        material: Of the report.
    """
    compared = material.compared
    return _begin(material) + _answer(material) + (_changes(material, compared) if compared else "") + _END


def _begin(material: Material) -> str:
    """Where the study comes from."""
    origin = material.origin
    if origin is None:
        head = _HEAD.format(argument="[FOLDER OF DATA THAT DO NOT SHIP]")
        return head + _SHIPPED.format(name=material.study.spec.unchanged.name)
    head = _HEAD.format(argument="FILE OF WHICH THE STUDY WAS MADE")
    return head + _BROUGHT.format(file=origin.file, origin=asdict(origin))


def _version(spec: StudySpec) -> str:
    """What an address has behind the study's name."""
    return spec.address.removeprefix(spec.unchanged.name)


def _answer(material: Material) -> str:
    explanation = material.explanation
    if explanation.test_id is None:
        return _OWN
    at = strongest(explanation.scores, LARGEST)
    return _ANSWER.format(
        version=_version(material.study.spec),
        test=explanation.test_id,
        label=explanation.label,
        settings=asdict(explanation.settings),
        expected={int(explanation.ids[one]): float(explanation.scores[one]) for one in at},
    )


def _changes(material: Material, compared: Compared) -> str:
    asked = material.explanation.test_id
    return _CHANGES.format(
        version=_version(compared.after.spec),
        asked=() if asked is None else (asked,),
        counts=asdict(compared.result.total),
    )
