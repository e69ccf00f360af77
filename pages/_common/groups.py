"""Groups that explain: the training examples that carry an answer, a few cards, each taken out and trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from influence_core.experiments import causes, target_edits
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.causes import Cause, Causes
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.target_edits import TargetTruth
from influence_core.experiments.targets import Target
from influence_core.figures.causes import cause_bars
from influence_core.retraining.edits import Edit
from influence_core.studies import Study
from influence_core.words import percent, ratio, seconds
from pages._common import judge
from pages._common.cards import show_grid, training_card
from pages._common.number import SHORT, unbroken
from pages._common.picture_grid import Picture
from pages._shell import results
from pages._shell.address import go_to
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown

COLUMNS = 2
MAX_SHOWN = 24
"""Members of an unfolded group."""
LONGEST_NAME = 60


@dataclass(frozen=True)
class Asked:
    """A study, what is asked about, and what each training example does to it."""

    study: Study
    target: Target
    effects: TargetEffects


def show(asked: Asked, cause: str) -> None:
    """The groups as cards; the one around training example ``cause`` is taken out and the model trained again."""
    study, effects = asked.study, asked.effects
    found = results.load("Grouping the training examples by how they act", causes.run, study, effects)
    positions = tuple(one.positions for one in found.groups)
    title = "Forecasting each group together"
    forecasts = results.load(title, target_edits.forecast_removals, study, asked.target, effects, positions)
    shown = sorted(zip(found.groups, forecasts.each, strict=True), key=lambda pair: -abs(pair[1].best))
    _introduce(asked, found)
    middles = [str(int(study.data.train.ids[group.medoid])) for group, _ in shown]
    if cause and cause not in middles:
        st.info(f"No group lies around training {study.data.kind} {cause}: choose one below.")
    drawn = st.container()
    truths = [_recalled(asked, group) for group, _ in shown]
    for start in range(0, len(shown), COLUMNS):
        places = range(start, min(start + COLUMNS, len(shown)))
        for column, at in zip(st.columns(COLUMNS, gap="small"), places, strict=False):
            with column.container(border=True, key=f"cause_{at}"):
                _card(asked, *shown[at], at)
                if middles[at] == cause and truths[at] is None:
                    truths[at] = _load_truth(asked, shown[at][0])
                if (truth := truths[at]) is not None:
                    outcome(asked, truth)
    with drawn:
        _chart(asked, shown, truths)


def _chart(
    asked: Asked, shown: Sequence[tuple[Cause, GroupForecast]], truths: Sequence[TargetTruth | None]
) -> None:
    names = [_name(asked, group) for group, _ in shown]
    having = np.array([-forecast.best for _, forecast in shown])
    proven = [None if one is None else -one.change for one in truths]
    show_chart(cause_bars(asked.target, names, having, proven), key="cause_bars")
    diamond = "; diamond: after real training" if any(one is not None for one in truths) else ""
    kind = asked.study.data.kind
    st.caption(
        f"Bar: the forecast of all of a group together{diamond}. A card's own number is about one {kind} alone; those of a group "
        "stand in for one another, so their numbers do not add up to the group's."
    )


def _introduce(asked: Asked, found: Causes) -> None:
    study = asked.study
    members, count = sum(len(one.positions) for one in found.groups), len(found.groups)
    st.markdown(
        f"**{members:,} of {len(study.data.train.ids):,} training {study.data.kind}s carry {percent(found.carried)} of all "
        f"effects** on {escape_markdown(asked.target.words)}. By how they act on it they fall into {count} groups."
    )
    if found.stable:
        st.caption(
            f"Grouped again from another seed, they come out nearly the same (adjusted Rand index {ratio(found.rand)}). "
            "Names are suggested from labels and neighbours; write your own."
        )
    else:
        st.warning(
            f"These groups are unstable: from another seed they come out differently (adjusted Rand index "
            f"{ratio(found.rand)}, stable from {causes.STABLE:g}). Each group's numbers hold; do not read much into where one "
            "group ends and the next begins."
        )


def _card(asked: Asked, group: Cause, forecast: GroupForecast, at: int) -> None:
    better = -asked.target.good * forecast.best > 0
    picture, words = st.columns([1, 2.2], gap="small")
    with picture:
        show_grid(asked.study, [training_card(asked.study, group.medoid, ())], key=f"medoid_{at}")
    with words:
        _rename_field(asked, group, at)
        _forecast(asked, group, forecast, "blue" if better else "orange")
    folded = st.expander(f"All {len(group.positions)}", key=f"members_{at}", on_change="rerun")
    if folded.open:
        with folded:
            shown = [_member(asked, int(one)) for one in group.positions[:MAX_SHOWN]]
            show_grid(asked.study, shown, key=f"cause_members_{at}", width=74)
            few = f"The strongest {MAX_SHOWN}. " if len(group.positions) > MAX_SHOWN else ""
            st.caption(f"{few}On each card: what having that one alone does ({SHORT[asked.effects.number]}).")
    with st.container(horizontal=True, gap="xsmall"):
        press, middle = f"cause_out_{at}", str(int(asked.study.data.train.ids[group.medoid]))
        st.button("Take out and retrain", key=press, on_click=lambda: go_to(cause=middle))
        ids = asked.study.data.train.ids[group.positions.tolist()].tolist()
        judge.remove_all(asked.study, ids, f"cause_remove_{at}")


def _rename_field(asked: Asked, group: Cause, at: int) -> None:
    key = f"cause_name_{at}_{asked.effects.content[:12]}"
    st.text_input(
        "Name of the group",
        _name(asked, group),
        max_chars=LONGEST_NAME,
        key=key,
        on_change=lambda: _rename(asked, group, st.session_state[key]),
    )


def _forecast(asked: Asked, group: Cause, forecast: GroupForecast, colour: str) -> None:
    target, kind = asked.target, asked.study.data.kind
    examples = f"{len(group.positions)} {kind}{'s' if len(group.positions) > 1 else ''}"
    together, added = (unbroken(target.change_text(-one)) for one in (forecast.best, forecast.alone))
    st.markdown(f"{examples}; having them: :{colour}[**{together}**], by forecast")
    if forecast.together is None:
        st.caption("The influence of each, added up.")
    else:
        st.caption(
            f"One Newton step without them all together; the influence of each, added up, says {added}."
        )


def _member(asked: Asked, at: int) -> Picture:
    having = float(asked.effects.having[at])
    tone = "helpful" if asked.target.good * having > 0 else "harmful"
    return training_card(asked.study, at, (asked.target.change_text(having),), tone)


def _load_truth(asked: Asked, group: Cause) -> TargetTruth:
    title = f"Training again without {len(group.positions)} {asked.study.data.kind}s"
    edit = Edit.removal(group.positions.tolist())
    return results.load(title, target_edits.retrain, asked.study, asked.target, edit)


def _recalled(asked: Asked, group: Cause) -> TargetTruth | None:
    """The truth, where somebody has trained again without this group."""
    edit = Edit.removal(group.positions.tolist())
    return target_edits.retrain.recall(asked.study, asked.target, edit, context=results.context())


def outcome(asked: Asked, truth: TargetTruth) -> None:
    """The quantity before and after real training, with the proof."""
    target = asked.target
    before, after = target.text(truth.before), target.text(truth.after)
    total = len(truth.answers_before)
    if total == 1:
        said = escape_markdown(asked.study.data.class_names[int(truth.answers_after[0])])
        answers = f"The model now says **{said}**." if truth.changed_answers else f"It still says **{said}**."
    else:
        answers = f"{truth.changed_answers:,} of {total:,} answers change."
    reached = "" if truth.converged else " Training did NOT reach its end: do not rely on it."
    words = f"**{target.change_text(-truth.change)}** ({before} with them, {after} without). {answers}"
    st.markdown(f"Having them, by real training: {unbroken(words)}")
    st.caption(
        f"Gradient norm {truth.gradient_norm:.1e} (asked for {truth.asked_norm:.1e}), {seconds(truth.seconds)}.{reached}"
    )


def _names() -> dict[tuple[str, int], str]:
    """Names that this visitor gave, by answer and medoid."""
    return st.session_state.setdefault("cause_names", {})


def _name(asked: Asked, group: Cause) -> str:
    return _names().get((asked.effects.content, group.medoid), group.name)[:LONGEST_NAME]


def _rename(asked: Asked, group: Cause, name: str) -> None:
    """Keep a name for this visit; none is the suggested one again."""
    _names()[asked.effects.content, group.medoid] = name.strip() or group.name
