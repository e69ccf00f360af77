"""A Python script that repeats an answer with the library alone, and says whether it comes to the same."""

from __future__ import annotations

from dataclasses import asdict

from influence_core.agreement import strongest
from influence_core.report.material import Compared, Material

LARGEST = 20
"""Influences that are held against what the script finds."""

_HEAD = '''"""Computes an answer of Influence Explorer again: python repeat.py [FOLDER OF DATA THAT DO NOT SHIP]"""

import sys
from dataclasses import asdict

from influence_core import studies
from influence_core.engines import SolverSettings
from influence_core.experiments import before_after, explain, questions

CLOSE = 1e-4  # as a share of the largest influence
folder = sys.argv[1] if len(sys.argv) > 1 else None
wrong = []
'''

_ANSWER = """
# the question: which training examples made the model say that?
study = studies.open_study(studies.find({study!r}), folder=folder)
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
version = studies.open_study(studies.find({version!r}), folder=folder)
unchanged = studies.open_study(version.spec.unchanged, folder=folder)
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
    return _HEAD + _answer(material) + (_changes(material, compared) if compared else "") + _END


def _answer(material: Material) -> str:
    explanation = material.explanation
    if explanation.test_id is None:
        return _OWN
    at = strongest(explanation.scores, LARGEST)
    return _ANSWER.format(
        study=material.study.spec.address,
        test=explanation.test_id,
        label=explanation.label,
        settings=asdict(explanation.settings),
        expected={int(explanation.ids[one]): float(explanation.scores[one]) for one in at},
    )


def _changes(material: Material, compared: Compared) -> str:
    asked = material.explanation.test_id
    return _CHANGES.format(
        version=compared.after.spec.address,
        asked=() if asked is None else (asked,),
        counts=asdict(compared.result.total),
    )
