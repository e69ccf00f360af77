"""The words of an opened training e-mail: which carry its influence, and what if one were not there?"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

import numpy as np
import streamlit as st

from influence_core.experiments import word_edit
from influence_core.experiments.explain import Explanation
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.word_edit import AskedWords, WordShares
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.figures.word_edit import asked_words, word_shares
from influence_core.studies import Study
from influence_core.words import percent, signed
from pages._common import retraining
from pages._common.cards import asked_name, beginning, called
from pages._common.number import MADE, unit_name, worth
from pages._shell import results
from pages._shell.address import go_to
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import choice

FAINTEST = 0.03
"""Words with a smaller share of the largest one are left unmarked ..."""
STRONGEST = 0.55
"""... and the largest is this opaque, so that its letters stay readable."""
LONG = 400
"""Letters, markup included, from which on a text scrolls."""


def show(study: Study, params: ExplainParams, explanation: Explanation, train_id: int) -> None:
    """The text with its words marked, their shares as bars, and one word changed."""
    found = word_edit.shares(study, explanation, train_id)
    asked, unit = escape_markdown(explanation.label_name), params.unit
    values = found.shares if unit else found.points(explanation.probability)
    _both_texts(study, explanation, found, values, unit)
    st.caption(
        f":blue[Blue words] speak for {asked}, :orange[orange words] against it: on the left without any training, on the right "
        f"by having learnt from this {study.data.kind}. Together the latter are its influence, exactly."
    )
    show_chart(word_shares(found, values, unit_name(unit), chosen=params.word), key="word_shares")
    if found.words:
        _one_word(study, params, explanation, found)


def show_asked(study: Study, params: ExplainParams, explanation: Explanation) -> None:
    """The test text's own words, each left out in turn; nothing is trained for that."""
    if explanation.test_id is None or not word_edit.answers(study):
        return
    folded = st.expander("Which of its own words make it so?", key="own_words", on_change="rerun")
    if not folded.open:
        return
    asked = escape_markdown(explanation.label_name)
    with folded:
        found = word_edit.asked_words(study, explanation)
        chart = asked_words(found, _of_asked(found, params.unit), unit_name(params.unit))
        show_chart(chart, key="asked_words")
        st.caption(
            f"What the same model would say without one of the words, as often as it stands there. :blue[Blue words] speak "
            f"for {asked}: without them it would be less likely. :orange[Orange words] speak against it. No training is needed."
        )


def _of_asked(found: AskedWords, unit: str) -> np.ndarray:
    return found.loss_change if unit else found.points


def _both_texts(
    study: Study, explanation: Explanation, found: WordShares, values: np.ndarray, unit: str
) -> None:
    """The test text beside the training text, each with the words that matter marked."""
    own, opened = st.columns(2, gap="small")
    if explanation.test_id is not None:
        asked = word_edit.asked_words(study, explanation)
        with own:
            st.markdown(f"**{beginning(asked_name(study, explanation))}**")
            of_asked = dict(zip(asked.words, _of_asked(asked, unit).tolist(), strict=True))
            _marked_text(study, explanation.test_id, of_asked, unit, "marked_own")
    with opened:
        st.markdown(f"**{beginning(called(study, found.train_id, 'training'))}**")
        shares = dict(zip(found.words, values.tolist(), strict=True))
        _marked_text(study, found.train_id, shares, unit, "marked_text")


def _marked_text(study: Study, example_id: int, share: Mapping[str, float], unit: str, key: str) -> None:
    """The text, every letter escaped; the stronger a word, the fuller its colour."""
    record = study.data.record(example_id)
    largest = max(map(abs, share.values()), default=0.0) or 1.0

    def piece(text: str, word: str) -> str:
        part = share.get(word, 0.0) / largest
        if abs(part) < FAINTEST:
            return html.escape(text)
        colour = (HELPFUL if part > 0 else HARMFUL).both
        opaque = round(255 * STRONGEST * abs(part))
        title = f"{word}: {signed(share[word])} {unit_name(unit)}"
        return (
            f'<mark style="background:{colour}{opaque:02x};color:inherit;border-radius:3px;padding:0 2px" '
            f'title="{html.escape(title)}">{html.escape(text)}</mark>'
        )

    subject, text = (
        "".join(piece(*one) for one in word_edit.marked(study, record.get(part, "")))
        for part in ("subject", "text")
    )
    head = f'<div style="font-weight:600;margin-bottom:.6em">{subject or "no subject"}</div>'
    with st.container(height=260 if len(text) > LONG else "content", border=False, key=key):
        st.html(
            f"{head if 'subject' in record else ''}"
            f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{text}</div>'
        )


def _one_word(study: Study, params: ExplainParams, explanation: Explanation, found: WordShares) -> None:
    """A word taken out or replaced: forecast at once, truth when asked for."""
    word, _, other = params.word.partition("=")
    word = word if word in found.words else found.words[0]
    goes, comes = st.columns(2)
    with goes:
        _choice("word_goes", "Take out the word", found.words, word, lambda one: f"{one}={other}")
    with comes:
        others = ("", *(one for one in study.data.feature_names if one != word))
        _choice("word_comes", "Put in its place", others, other, lambda one: f"{word}={one}")
    other = st.session_state["word_comes"]
    edit = word_edit.forecast(study, explanation, found.train_id, word, other)
    times = f" ({edit.count} times)" if edit.count > 1 else ""
    st.markdown(
        f"Forecast with “{word}”{times} {f'replaced by “{other}”' if other else 'taken out'}: {_what(explanation, params)} "
        f"changes by **{worth(explanation.probability, edit.predicted, params.unit or MADE)}**."
    )
    if params.panel != "word":
        st.button("Train again and compare", key="word_run", on_click=lambda: go_to(panel="word"))
        return
    title = "Training again without the word"
    _outcome(
        params,
        explanation,
        results.load(title, word_edit.run, study, explanation, found.train_id, word, other),
    )


def _choice(
    key: str, label: str, options: tuple[str, ...], value: str, address: Callable[[str], str]
) -> None:
    titles = {one: one or "nothing" for one in options}
    choice("word", value, label, titles, widget=st.selectbox, key=key, write=address)


def _what(explanation: Explanation, params: ExplainParams) -> str:
    return f"the {'loss' if params.unit else 'probability'} of “{escape_markdown(explanation.label_name)}”"


def _outcome(params: ExplainParams, explanation: Explanation, result: TakeOut) -> None:
    st.markdown(
        f"After training again it changes by **{worth(explanation.probability, result.actual, params.unit or MADE)}**; "
        f"the probability is then {percent(float(result.after[explanation.label]))}."
    )
    st.caption(f"Gradient norm {retraining.proof(result)}.")
