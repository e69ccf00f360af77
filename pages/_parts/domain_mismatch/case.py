"""A group that a model fails on, and the test row that tells its story."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core import studies
from influence_core.data.readers.tables import EMPTY
from influence_core.data.sets.hospital import PAPERS_CHILD
from influence_core.errors import DataError
from influence_core.experiments import domain_mismatch, group_fails, groups, questions
from influence_core.experiments.domain_mismatch import DomainMismatch
from influence_core.experiments.explain import Explanation
from influence_core.experiments.group_fails import Fared
from influence_core.experiments.groups import Group, GroupCounts
from influence_core.studies import Study
from pages._common.question import load_explanation
from pages._shell import results
from pages._shell.address import View
from pages._shell.own_params import DomainMismatchParams

MAX_TESTS = 20


@dataclass(frozen=True)
class Case:
    """What the page tells, and from what.

    Attributes:
        study: The model in question.
        whole: The one that was trained on all rows, where the study lacks some.
        columns: Those that tell groups apart.
        tests: Ids of the group's test rows that are offered.
        groups: All groups of the column.
        story: Of the group, by one of its test rows.
        fared: Whether the model fails on the group more than elsewhere; the column's groups are looked at together.
    """

    study: Study
    whole: Study | None
    columns: tuple[str, ...]
    tests: tuple[int, ...]
    groups: tuple[GroupCounts, ...]
    story: DomainMismatch
    fared: Fared

    @property
    def explanation(self) -> Explanation:
        """The scores of the test row."""
        return self.story.explanation

    @property
    def group(self) -> Group:
        """The group in question."""
        return self.story.counts.group


def load(view: View, params: DomainMismatchParams) -> Case:
    """The story of the view's group, by the view's test row or the first one that the model gets wrong."""
    view.check()
    study = results.load_study(view)
    spec = study.spec
    whole = results.load_spec(studies.find(spec.whole), view.device) if spec.whole else None
    columns = results.load("Reading the columns", groups.columns, study)
    group = _named(study, params.group, columns)
    found = results.load("Counting", groups.counts, study, group.column)
    tested = [one.group for one in found if one.errors.rows]
    if group not in tested:
        known = ", ".join(one.value or EMPTY for one in tested)
        raise DataError(f"No test row has {group.name}; choose one of {known}.")
    tests = _tests(study, whole, group, view.test_id)
    explanation = _explanation(study, view, view.test_id if view.test_id in tests else tests[0])
    title = "Telling the group's story"
    story = results.load(title, domain_mismatch.run, study, group, explanation, whole)
    counts = story.counts
    title = "Comparing the group with all other rows"
    fared = results.load(title, group_fails.run, counts.errors, counts.elsewhere, len(tested))
    return Case(study, whole, columns, tests, found, story, fared)


def _named(study: Study, text: str, columns: tuple[str, ...]) -> Group:
    """The group that a text names as "column=value", or the one that is suggested, of a column where one is named."""
    if not text or text in columns:
        return groups.suggest(study, text)
    for column in columns:
        if text.startswith(f"{column}="):
            return Group(column, text.removeprefix(f"{column}="))
    raise DataError(
        f"The address asks for the group “{text[:60]}”, but a group is “column=value”, and the columns that tell groups "
        f"apart are {', '.join(columns)[:200]}."
    )


def _tests(study: Study, whole: Study | None, group: Group, named: int | None) -> tuple[int, ...]:
    """The group's test rows that are wrong, the paper's own child first; where none is, those least sure.

    A row that the address names goes along if it is of the group; another is left to the other pages.
    """
    if named is not None:
        study.data.test.position(named)  # refuses in words what there is not
    title = "Asking the model about the group"
    wrong = results.load(title, groups.mistakes, study, group, whole)
    members = results.load(title, groups.least_sure, study, group)
    first = wrong == PAPERS_CHILD
    offered = [int(one) for one in (*wrong[first], *wrong[~first])] or members[:MAX_TESTS].tolist()
    return (*offered, *([named] if named in members and named not in offered else ()))


def _explanation(study: Study, view: View, test_id: int) -> Explanation:
    """The scores for the true label of a test row."""
    question = questions.ask(study, test_id)
    assert question.true_label is not None
    return load_explanation(study, view, questions.with_label(study, question, question.true_label))
