"""The parts of the page about a group that the model fails on: its errors, its rows, why, and the proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from influence_core import studies
from influence_core.data.readers.tables import EMPTY
from influence_core.data.sets.hospital import FIRST_TEST_ID
from influence_core.errors import DataError
from influence_core.experiments import domain_mismatch, features, questions
from influence_core.experiments.domain_mismatch import DomainMismatch, Errors, Group, GroupCounts
from influence_core.experiments.explain import Explanation
from influence_core.experiments.take_out import TakeOut
from influence_core.figures import domain_mismatch as drawn
from influence_core.figures.features import feature_bars
from influence_core.studies import Study
from influence_core.words import nats, percent
from pages._common import badge
from pages._common.cards import show_record
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown

OFFERED = ("diabetes-thinned", "hospital-thinned", "diabetes", "hospital")
THE_PAPERS_CHILD = FIRST_TEST_ID + 1742
MOST_TESTS = 20
RARE = 0.05
MOST_ROWS = 8
"""Rows of the group that are listed and, on request, taken out one by one."""


@dataclass(frozen=True)
class Told:
    """What the page tells, and from what."""

    study: Study
    whole: Study | None
    columns: tuple[str, ...]
    tests: tuple[int, ...]
    groups: tuple[GroupCounts, ...]
    story: DomainMismatch

    @property
    def explanation(self) -> Explanation:
        """The scores of the test row."""
        return self.story.explanation

    @property
    def group(self) -> Group:
        """The group in question."""
        return self.story.counts.group


def fits(name: str) -> bool:
    """Whether the study is one on a table."""
    return name in OFFERED or name.startswith(studies.UPLOADED)


def load(view: View) -> Told:
    """The story of the view's group, by the view's test row or the first one that the model gets wrong."""
    view.check()
    study = results.load_study(view)
    spec = study.spec
    whole = results.load_spec(studies.find(spec.whole), view.device) if spec.whole else None
    columns = results.ask(
        study, "group columns", (), "Reading the columns", lambda _: domain_mismatch.columns(study)
    )
    group = _asked(study, view, columns)
    found = results.ask(
        study, "groups", (group.column,), "Counting", lambda _: domain_mismatch.groups(study, group.column)
    )
    tested = [one.group for one in found if one.errors.rows]
    if group not in tested:
        known = ", ".join(one.value or EMPTY for one in tested)
        raise DataError(f"No test row has {group.name}; choose one of {known}.")
    tests = _tests(study, whole, group, view.test_id)
    test_id = view.test_id if view.test_id in tests else tests[0]
    question = questions.ask(study, test_id)
    assert question.true_label is not None
    asked = questions.with_label(study, question, question.true_label)
    explanation = results.load_explanation(study, view, asked)
    story = results.ask(
        study,
        "domain mismatch",
        (explanation.s, test_id, group.column, group.value),
        "Telling the group's story",
        lambda _: domain_mismatch.run(study, group, explanation, whole),
    )
    return Told(study, whole, columns, tests, found, story)


def _asked(study: Study, view: View, columns: tuple[str, ...]) -> Group:
    """The group that the address names as "column=value", or the one that is suggested, of a column where one is named."""
    if not view.group or view.group in columns:
        return domain_mismatch.suggest(study, view.group)
    for column in columns:
        if view.group.startswith(f"{column}="):
            return Group(column, view.group.removeprefix(f"{column}="))
    raise DataError(f"The address asks for the group “{view.group[:60]}”, but a group is “column=value”.")


def _tests(study: Study, whole: Study | None, group: Group, named: int | None) -> tuple[int, ...]:
    """The group's test rows that are wrong, the paper's own child first; where none is, those least sure.

    A row that the address names goes along if it is of the group; another is left to the other pages.
    """
    if named is not None:
        study.data.test.position(named)  # refuses in words what there is not
    wrong, members = results.ask(
        study,
        "tests of a group",
        (group.column, group.value),
        "Asking the model about the group",
        lambda _: (domain_mismatch.mistakes(study, group, whole), domain_mismatch.least_sure(study, group)),
    )
    first = wrong == THE_PAPERS_CHILD
    offered = [int(one) for one in (*wrong[first], *wrong[~first])] or members[:MOST_TESTS].tolist()
    return (*offered, *([named] if named in members and named not in offered else ()))


def answer(told: Told) -> None:
    """The page's answer: how the group fares, and whether its own rows make it so."""
    st.markdown("  \n".join(_fares(told) + [_makes_it_so(told)]))
    if told.study.data.stand_in:
        st.caption(told.study.data.stand_in)


def _fares(told: Told) -> list[str]:
    counts, whole = told.story.counts, told.story.whole
    lines = [
        f"On test rows with **{escape_markdown(counts.group.name)}** the model is wrong on **{_share(counts.errors)}**; on all "
        f"others on {_share(counts.elsewhere)}."
    ]
    if whole is not None:
        gone = int((whole.train - counts.train).sum())
        lines.append(
            f"With the **{gone:,}** training rows put back that are missing here, it is wrong on **{_share(whole.errors)}**."
        )
    return lines


def _makes_it_so(told: Told) -> str:
    story, row = told.story, told.explanation.test_id
    mine, all_, leading = int(story.in_group.sum()), len(story.in_group), story.leading
    if not mine:
        return "No training row is of this group: the model has never seen one."
    seen = f"{'Only ' if mine < RARE * all_ else ''}**{mine:,}** of {all_:,} training rows {'is' if mine == 1 else 'are'} of it"
    times = f"**{story.times_next(int(story.top(1)[0])):.1f} times** as much as any row of another group"
    if not leading:
        return f"{seen}; the row that matters most to test row {row} is not among them."
    if leading == 1:
        return f"{seen}; the row that matters most to test row {row} is among them and counts {times}."
    return f"{seen}; the **{leading}** rows that matter most to test row {row} are all among them, and the first counts {times}."


def choose(view: View, told: Told) -> None:
    """Which column, which group, which test row."""
    groups = {one.group.value: one for one in told.groups}
    with st.container(border=True, key="question"):
        first, second, third = st.columns(3, gap="medium")
        with first:
            st.session_state["group_column"] = told.group.column
            st.selectbox(
                "Groups by column",
                told.columns,
                key="group_column",
                on_change=lambda: go_to(group=st.session_state["group_column"], test=""),
            )
        with second:
            st.session_state["group_value"] = told.group.value
            st.selectbox(
                "Group",
                [value for value, one in groups.items() if one.errors.rows],
                key="group_value",
                format_func=lambda value: f"{value or EMPTY}: wrong on {_short(groups[value].errors)}",
                on_change=lambda: go_to(
                    group=f"{told.group.column}={st.session_state['group_value']}", test=""
                ),
            )
        with third:
            st.session_state["group_test"] = told.explanation.test_id
            st.selectbox(
                "Test row of the group",
                told.tests,
                key="group_test",
                format_func=lambda one: _test_name(told, one),
                on_change=lambda: go_to(test=str(st.session_state["group_test"])),
            )
        st.markdown(_test_sentence(told))
        badge.show(told.study, view, told.explanation)


def _test_name(told: Told, test_id: int) -> str:
    name = f"row {test_id}"
    return f"{name} (the paper's child 1742)" if test_id == THE_PAPERS_CHILD else name


def _test_sentence(told: Told) -> str:
    answer, story = told.explanation, told.story
    names = [escape_markdown(one) for one in answer.class_names]
    said = names[answer.predicted_label]
    words = (
        f"**Test row {answer.test_id}** is **{names[answer.label]}**; the model says **{said}** "
        f"({percent(float(answer.probabilities.max()))})."
    )
    if story.whole_probabilities is not None:
        before = story.whole_probabilities
        words += (
            f" Trained with the missing rows it says **{names[int(before.argmax())]}** "
            f"({percent(float(before.max()))})."
        )
    return words


def errors(told: Told) -> None:
    """Errors and training rows of the group, and of the column's other groups."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Rows of the group")
        st.dataframe(_counts(told), hide_index=True, width="stretch")
        if told.whole is not None:
            st.plotly_chart(drawn.before_and_after(told.story), key="before_after")
            st.caption("Open: trained with the missing rows; filled: without them.")
    with right:
        st.subheader("Errors of every group")
        st.plotly_chart(drawn.group_errors(told.groups, told.group), key="group_errors")


def _counts(told: Told) -> dict[str, list[str]]:
    """Training and test rows of the group by label, as columns of a table."""
    story, names = told.story, told.study.data.class_names
    rows = {"training": story.counts.train, "test": story.counts.test}
    if story.whole is not None:
        rows = {"training, none missing": story.whole.train} | rows
    columns: dict[str, list[str]] = {"rows": list(rows)}
    columns |= {name: [f"{int(one[label]):,}" for one in rows.values()] for label, name in enumerate(names)}
    return columns | {"in all": [f"{int(one.sum()):,}" for one in rows.values()]}


def rows(view: View, told: Told) -> None:
    """The training rows that matter most to the test row, and those of the group."""
    answer, story = told.explanation, told.story
    chart, table = st.columns(2, gap="large")
    with chart:
        st.subheader("The training rows that matter most")
        st.plotly_chart(drawn.strongest_rows(story), key="strongest_rows")
        st.caption(
            f"Full: of the group; pale: others. :orange[Minus]: without it the loss of “{escape_markdown(answer.label_name)}” "
            "falls, so it harms. :blue[Plus]: it helps."
        )
    with table:
        st.subheader("The group's training rows")
        if not story.in_group.any():
            st.caption("There is none.")
            return
        at = story.group_rows()[:MOST_ROWS]
        ranks = answer.ranks()
        st.dataframe(
            {
                "row": answer.ids[at],
                "label": [answer.class_names[one] for one in answer.labels[at]],
                "loss change": [nats(float(one)) for one in answer.scores[at]],
                "rank": ranks[at],
                "times others": [f"{story.times_next(int(one)):.2g}" for one in at],
            },
            hide_index=True,
            width="stretch",
        )
        more = int(story.in_group.sum()) - len(at)
        if more:
            st.caption(f"And {more:,} more of the group that matter less.")
        with st.expander(f"Test row {answer.test_id} as it is in the table"):
            show_record(told.study.data.record(int(answer.test_id or 0)), "row")


def reasons(view: View, told: Told) -> None:
    """What the coefficients say, and what in one training row makes it matter."""
    story, answer = told.story, told.explanation
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Would the coefficients have told?")
        st.plotly_chart(drawn.coefficients(story), key="coefficients")
        st.caption(f"Full: {_full(story)}. {_coefficient_rank(story)}")
    with right:
        st.subheader("What in a row makes it matter?")
        offered = [int(one) for one in answer.ids[_offered_rows(story)]]
        if view.opened is not None and view.opened not in offered:
            answer.position(view.opened)  # refuses in words what there is not
            offered.append(view.opened)
        row = offered[0] if view.opened is None else view.opened
        st.session_state["group_row"] = row
        st.selectbox(
            "Training row",
            offered,
            key="group_row",
            format_func=lambda one: f"row {one}: {answer.class_names[answer.labels[answer.position(one)]]}",
            on_change=lambda: go_to(open=str(st.session_state["group_row"])),
        )
        found = features.run(told.study, answer, row)
        st.plotly_chart(feature_bars(found, 10, story.group_features), key="row_features")
        st.caption(
            f"The change of the loss of “{escape_markdown(answer.label_name)}” for each unit by which a feature of this "
            f"row rose. Full: {_full(story)}."
        )


def _offered_rows(story: DomainMismatch) -> np.ndarray:
    """The group's rows, the one that helps most first; the strongest of all where the group has none."""
    at = story.group_rows()[:MOST_ROWS]
    if not len(at):
        return story.top(MOST_ROWS)
    return at[np.argsort(-story.explanation.scores[at], kind="stable")]


def _full(story: DomainMismatch) -> str:
    """What the full bars are."""
    names = [story.feature_names[at] for at in story.group_features]
    return (
        escape_markdown(names[0])
        if len(names) == 1
        else f"features of the column “{escape_markdown(story.counts.group.column)}”"
    )


def _coefficient_rank(story: DomainMismatch) -> str:
    name = story.counts.group.name
    if name not in story.feature_names:
        return ""
    at = story.feature_names.index(name)
    larger = int((np.abs(story.coefficients) > abs(story.coefficients[at])).sum())
    return f"{larger:,} of {len(story.coefficients):,} coefficients are larger than that of {escape_markdown(name)}."


def proof(view: View, told: Told) -> None:
    """The group's strongest rows really taken out, on request."""
    story, answer = told.story, told.explanation
    ids = tuple(int(one) for one in answer.ids[story.group_rows()[:MOST_ROWS]])
    if not ids:
        return
    with st.container(border=True, key="proof"):
        st.subheader("Is it so? Take the rows out and train again")
        if not view.retrain:
            st.caption(
                f"The {len(ids)} strongest rows of the group are taken out one by one, then the harmful ones together; "
                "each time the model is trained to the end again."
            )
            st.button(
                "Take out and retrain", key="retrain", type="primary", on_click=lambda: go_to(retrain="1")
            )
            return
        found = _removals(view, told, ids)
        st.plotly_chart(drawn.removals(found), key="removals")
        st.caption(
            f"Open: the forecast; filled: after real training; loss change of “{escape_markdown(answer.label_name)}”. "
            + (
                ""
                if all(one.converged for one in found)
                else "A training did NOT reach its end: do not rely on it. "
            )
            + "Rows of a small group have much leverage, so the forecast is a little too small."
        )
        harmful = tuple(one for one in ids if answer.scores[answer.position(one)] < 0)
        if harmful:
            _together(told, harmful, results.load_take_out(told.study, view, answer, harmful))


def _removals(view: View, told: Told, ids: tuple[int, ...]) -> tuple[TakeOut, ...]:
    study, answer = told.study, told.explanation
    ready, store = results.engine_if_ready(study, view), results.get_store()
    return results.ask(
        study,
        "remove each",
        (answer.s, answer.label, ids),
        f"Training again without each of {len(ids)} rows",
        lambda progress: domain_mismatch.remove_each(study, answer, ids, ready, store, progress),
    )


def _together(told: Told, ids: tuple[int, ...], result: TakeOut) -> None:
    names = [escape_markdown(one) for one in told.study.data.class_names]
    label, after = told.explanation.label, names[int(result.after.argmax())]
    rows = "harmful row" if len(ids) == 1 else f"{len(ids)} harmful rows"
    st.markdown(
        f"Without the {rows} ({', '.join(map(str, ids))}) the model says **{after}** for test row "
        f"{told.explanation.test_id}: the probability of {names[label]} goes from "
        f"{percent(float(result.before[label]))} to **{percent(float(result.after[label]))}** "
        f"(forecast {nats(result.predicted)}, truth {nats(result.actual)})."
    )


def _share(errors: Errors) -> str:
    return f"{errors.wrong:,} of {errors.rows:,} ({percent(errors.rate)})"


def _short(errors: Errors) -> str:
    return f"{errors.wrong:,} of {errors.rows:,}"
