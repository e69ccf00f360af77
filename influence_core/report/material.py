"""What a report is made of: a question and its answer, and what the changes of a version did."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.context import ALONE, Context
from influence_core.experiments import before_after, verdict, version_forecast
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.version_forecast import VersionForecast
from influence_core.studies import Study
from influence_core.studies.changes import Change, settled
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

    @property
    def changes(self) -> tuple[Change, ...]:
        """Those that count, the notes with them."""
        return settled(self.after.spec.changes)


@dataclass(frozen=True, eq=False)
class Material:
    """All that a report says.

    Attributes:
        study: Who was asked.
        explanation: The question and its answer.
        verdict: How far it may be believed.
        compared: What the changes did; ``None`` where there are none.
    """

    study: Study
    explanation: Explanation
    verdict: Verdict
    compared: Compared | None = None


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
        context: Its store knows what was retrained.

    Raises:
        DataError: If the two models share no test example that was not asked about.
    """
    found = verdict.run(study, explanation, context=context)
    if before is None or after is None:
        return Material(study, explanation, found)
    asked = () if explanation.test_id is None else (explanation.test_id,)
    result, forecast = before_after.run(before, after, asked), None
    if study.key == before.key:
        forecast = version_forecast.run(before, explanation, after.spec.changes, context=context)
    return Material(study, explanation, found, Compared(before, after, result, forecast))
