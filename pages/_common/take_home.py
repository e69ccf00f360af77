"""An answer to take home: a zip with a page that opens by itself, the files that belong to it, and a script."""

from __future__ import annotations

import streamlit as st

from influence_core import report
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study, open_study, plain_name
from influence_core.studies.changes import settled
from pages._shell import my_changes, results
from pages._shell.address import View
from pages._shell.places import data_folder


def button(view: View, study: Study, explanation: Explanation, after: Study | None = None) -> None:
    """The download, made beside the page when it is pressed.

    Args:
        view: Of the page.
        study: Who was asked.
        explanation: The question and its answer.
        after: The version whose changes are told, where the question was asked of the unchanged study.
    """
    mine = my_changes.readable(view.spec)  # whose it is nobody knows any more once the download is asked for
    st.download_button(
        "Take this answer home (zip)",
        lambda: report.bundle(material(view, study, explanation, after), mine),
        file_name=f"answer-{plain_name(study.spec)}-{explanation.test_id}.zip",
        mime="application/zip",
        key="take_home",
        icon=":material/folder_zip:",
        on_click="ignore",
        help="A page that opens in any browser without this app, the numbers as CSV, corrected labels and removals where there "
        "are changes, a Python script that computes it again, and your list of changes, which *Build* opens again.",
    )


def material(
    view: View, study: Study, explanation: Explanation, after: Study | None = None
) -> report.Material:
    """What the report is made of; a version is told of beside the study that it is one of."""
    context = results.context()
    if after is not None:
        return report.gather(study, explanation, study, after, context=context)
    if not settled(study.spec.changes):
        return report.gather(study, explanation, context=context)
    before = open_study(study.spec.unchanged, context.store, data_folder(), view.device)
    return report.gather(study, explanation, before, study, context=context)
