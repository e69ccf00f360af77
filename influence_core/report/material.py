"""What a report is made of: a question and its answer, and what the changes of a version did."""

from __future__ import annotations

from dataclasses import dataclass, replace

from influence_core.context import ALONE, Context
from influence_core.experiments import before_after, flip, verdict, version_forecast
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.flip_set import FlipSet
from influence_core.experiments.version_forecast import VersionForecast
from influence_core.sessions.entries import State
from influence_core.studies import Origin, Study
from influence_core.studies.changes import Change, settled
from influence_core.studies.origins import origin_of
from influence_core.trust import Verdict


@dataclass(frozen=True, eq=False)
class Compared:
    """A version beside the study that it is one of.

    Attributes:
        before: The unchanged study.
        after: The version.
        result: What got better and what broke.
        forecast: As it was before training, where the question was asked of the unchanged study.
    """

    before: Study
    after: Study
    result: BeforeAfter
    forecast: VersionForecast | None


@dataclass(frozen=True, eq=False)
class Material:
    """All that a report says.

    Attributes:
        study: Who was asked.
        explanation: The question and its answer.
        verdict: How far it may be believed.
        compared: What the changes did; ``None`` where there are none.
        flip: How few training examples the answer hangs on, where that has been found.
        said: The list of changes that belongs to it, with its notes.
        origin: How the study was made, where it is on data of somebody's own.
    """

    study: Study
    explanation: Explanation
    verdict: Verdict
    compared: Compared | None = None
    flip: FlipSet | None = None
    said: State = State(())
    origin: Origin | None = None

    @property
    def unchanged(self) -> Study:
        """The study that all notes are about."""
        return self.study if self.compared is None else self.compared.before

    @property
    def changes(self) -> tuple[Change, ...]:
        """Those that count, as they were said: with who, when and why."""
        made = () if self.compared is None else settled(self.compared.after.spec.changes)
        known, notes = {(one.example, str(one)): one for one in self.said.changes}, self.said.notes
        told = (known.get((one.example, str(one)), one) for one in made)
        return tuple(replace(one, why=one.why or notes.get(one.example, "")) for one in told)


def gather(
    study: Study,
    explanation: Explanation,
    before: Study | None = None,
    after: Study | None = None,
    *,
    context: Context = ALONE,
) -> Material:
    """The material of one answer.

    Args:
        study: Who was asked: an unchanged study or a version.
        explanation: The question and its answer, by ``study``.
        before: The unchanged study, where there are changes to tell of.
        after: The version.
        context: Its store knows what was retrained, and the flip set where one was looked for.

    Raises:
        DataError: If the two models share no test example that was not asked about.
    """
    found, turned = verdict.run(study, explanation, context=context), None
    if not flip.supports(study.spec):
        turned = flip.run.recall(study, explanation.question.x, None, False, context=context)
    origin = origin_of(context.store, study.spec.unchanged.name)
    if before is None or after is None:
        return Material(study, explanation, found, flip=turned, origin=origin)
    asked = () if explanation.test_id is None else (explanation.test_id,)
    result, forecast = before_after.run(before, after, asked), None
    if study.key == before.key:
        forecast = version_forecast.run(before, explanation, after.spec.changes, context=context)
    return Material(
        study, explanation, found, Compared(before, after, result, forecast), turned, origin=origin
    )
