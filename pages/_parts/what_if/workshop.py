"""The changes of a version: each with its picture and a way back, a form for more, and the way from a group to a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from influence_core.errors import DataError
from influence_core.experiments import before_after
from influence_core.experiments.explain import Explanation
from influence_core.experiments.what_if import Change as GroupChange
from influence_core.studies import Change, Study
from influence_core.studies.changes import HEAVIEST, LABELLED, OF_TEST, Kind, apply, settled
from pages._common import table
from pages._common.cards import example_card, show_grid
from pages._common.picture_grid import Picture
from pages._common.question import Answer
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown

MOST = 200
"""Changes that an address still holds."""
SHOWN = 60
"""Cards of changes on the page."""
KINDS: dict[Kind, str] = {
    "relabel": "Relabel",
    "remove": "Remove",
    "reweight": "Reweight",
    "add": "Add a test example",
    "retest": "Set a test label right",
}


def unchanged(view: View) -> View:
    """The view of the study that this one's is a version of; itself where nothing is changed."""
    view.check()
    return replace(view, study=view.spec.unchanged.name) if settled(view.spec.changes) else view


def open_version(view: View, made: Sequence[Change], test_id: int | None) -> None:
    """The page of another version, with the question as it is."""
    study = replace(view.spec, changes=tuple(made)).address
    test = "" if test_id is None else str(test_id)
    go_to(study=study, test=test, picture=view.picture, ask=view.ask)


def show_changes(view: View, answer: Answer) -> None:
    """Every change that counts, as a card, with a way to the version without it."""
    made, study = settled(view.spec.changes), answer.study
    st.header(f"The {len(made):,} changes" if len(made) > 1 else "The change")
    show_grid(
        study,
        [_card(study, one) for one in made[:SHOWN]],
        key="changes",
        width=104,
        on_click=lambda _: None,
        on_select=lambda name: _show_without(view, answer, name),
        selected=[str(one.example) for one in made[:SHOWN]],
        select_label="with this change; unticked, the model is shown without it",
        marked=False,
    )
    more = f"The first {SHOWN}; {len(made) - SHOWN:,} more are in the file. " if len(made) > SHOWN else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            f"{more}Untick a change to see the model without it. Your list stays as it is.", width="content"
        )
        plain = f"Without all changes: “{escape_markdown(view.spec.title)}”"
        st.button(
            plain, key="no_changes", type="tertiary", on_click=lambda: open_version(view, (), _test(answer))
        )
        table.download_csv(
            "The changes (CSV)",
            f"changes-{view.spec.name}",
            lambda: before_after.describe(study, view.spec.changes),
            key="download_changes",
            type="tertiary",
        )
    add(view, answer)


def _test(answer: Answer) -> int | None:
    return answer.explanation.test_id


def _show_without(view: View, answer: Answer, name: str) -> None:
    made = [one for one in view.spec.changes if str(one.example) != name]
    open_version(view, made, _test(answer))


def _card(study: Study, one: Change) -> Picture:
    of = study.data.test if one.kind in OF_TEST else study.data.train
    at = of.position(one.example)
    names, old = study.data.class_names, int(of.y[at])
    what = {
        "remove": "removed",
        "relabel": f"{names[old]} → {names[one.label or 0]}",
        "reweight": f"counts {one.weight or 0:g} times",
        "add": f"added as {names[one.label or 0]}",
        "retest": f"test label {names[old]} → {names[one.label or 0]}",
    }[one.kind]
    return example_card(study, of, at, f": {what}", what, (f"{one.example}, labelled {names[old]}",))


def offer(study: Study, view: View, explanation: Explanation, at: np.ndarray, change: GroupChange) -> None:
    """The way from a group and its edit to a model that all pages can ask."""
    rows = [one for one in at if change.kind != "relabel" or explanation.labels[one] != change.label]
    label, weight = (change.label if change.kind == "relabel" else None), None
    if change.kind == "reweight":
        weight = change.weight
    made = [Change(change.kind, int(explanation.ids[one]), label=label, weight=weight) for one in rows]
    if len(made) > MOST:
        return
    st.button(
        f"As a version: open the model with {'these' if len(made) > 1 else 'this'} {len(made)} "
        f"change{'s' * (len(made) > 1)}",
        key="as_version",
        icon=":material/fork_right:",
        help="Every page can then be asked about the model that was trained with them.",
        on_click=lambda: open_version(view, [*view.spec.changes, *made], explanation.test_id),
    )


def add(view: View, answer: Answer) -> None:
    """One more change, by the number of its example."""
    with st.expander("Add a change by its number", key="add_change"):
        kind: Kind = st.segmented_control(
            "What happens",
            list(KINDS),
            format_func=KINDS.__getitem__,
            default="relabel",
            required=True,
            key="add_kind",
        )
        number, value, press = st.columns([1, 1.4, 1], vertical_alignment="bottom", gap="small")
        with number:
            part = "Test" if kind in OF_TEST else "Training"
            st.number_input(f"{part} {answer.study.data.kind}, its number", 0, step=1, key="add_example")
        with value:
            _value(answer.study, kind)
        press.button(
            "Add", key="add_change_now", type="primary", width="stretch", on_click=lambda: _add(view, answer)
        )
        refused = st.session_state.pop("change_refused", "")
        if refused:
            st.error(escape_markdown(refused))


def _value(study: Study, kind: Kind) -> None:
    names = study.data.class_names
    if kind in LABELLED:
        title = "Its label" if kind == "add" else "New label"
        st.selectbox(title, range(len(names)), format_func=names.__getitem__, key="add_label")
    elif kind == "reweight":
        st.number_input("Counts … times", 0.0, HEAVIEST, 2.0, step=0.25, key="add_weight")


def _add(view: View, answer: Answer) -> None:
    """Open the version with the change that the form describes, or say why it cannot be made."""
    state = st.session_state
    kind: Kind = state["add_kind"]
    label = int(state["add_label"]) if kind in LABELLED else None
    weight = float(state["add_weight"]) if kind == "reweight" else None
    try:
        made = [*view.spec.changes, Change(kind, int(state["add_example"]), label=label, weight=weight)]
        if len(settled(made)) > MOST:
            raise DataError(f"An address holds at most {MOST} changes.")
        apply(answer.study.data, made)
    except DataError as error:
        state["change_refused"] = str(error)
        return
    open_version(view, made, _test(answer))
