"""The paper's figures in its own look: from a reproduction to its drawings, by file name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import plotly.graph_objects as go
import plotly.io

from influence_core.experiments.network_retraining import WAYS
from influence_core.figures import anatomy, domain_mismatch, poison, smooth_hinge, two_models, wrong_labels
from influence_core.figures.features import feature_bars
from influence_core.figures.leave_one_out import PAPER_LIMIT, Panel, paper_panels
from influence_core.reproduce import Reproduction

Drawings = dict[str, go.Figure]


def _title(found: Reproduction) -> str:
    """What the figure shows, on which data, for which test image."""
    setting = found.setting
    what = f"{setting['data']}, n = {setting['n']:,}; test image {setting['test_id']}, a {setting['label']}."
    return f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"


def _draw_fig1(found: Reproduction) -> Drawings:
    setting = found.setting
    return {found.name: anatomy.anatomy(found.result, setting["label"], paper=True, title=_title(found))}


def _draw_fig2(found: Reproduction) -> Drawings:
    setting, result = found.setting, found.result
    panels = [
        Panel("Linear (exact)", result.exact, result.exact.predicted),
        Panel("Linear (approx)", result.exact, result.paper.predicted),
        Panel("Linear (approx, our settings)", result.exact, result.ours.predicted),
    ]
    return {found.name: paper_panels(panels, None if setting["stand_in"] else PAPER_LIMIT, _title(found))}


def _draw_fig2_network(found: Reproduction) -> Drawings:
    result = found.result
    panels = [Panel(WAYS[way], result.left_out(way), result.predicted) for way in result.retrainings]
    return {found.name: paper_panels(panels, None, _title(found))}


def _draw_fig3(found: Reproduction) -> Drawings:
    result = found.result
    return {
        found.name: smooth_hinge.paper_figure(result.loss, result.forecasts, title=_title(found)),
        f"{found.name}-agreement": smooth_hinge.agreement(result.forecasts, paper=True),
    }


def _draw_fig4(found: Reproduction) -> Drawings:
    result = found.result
    return {found.name: two_models.paper_figure([result.deep, result.kernel], title=_title(found))}


def _draw_fig5(found: Reproduction) -> Drawings:
    setting, result = found.setting, found.result
    return {
        "fig5-picture": poison.triptych(result.example, 0),
        "fig5-steps": poison.steps(result.example, setting["class_names"]),
        "fig5-shares": poison.flips(result.shares, paper=True),
        **{
            f"fig5-together-{name}": poison.steps(one, setting["class_names"])
            for name, one in result.together.items()
        },
    }


def _draw_readmission(found: Reproduction) -> Drawings:
    story, features, removals = found.result.story, found.result.features, found.result.removals
    return {
        "readmission-errors": domain_mismatch.before_and_after(story),
        "readmission-coefficients": domain_mismatch.coefficients(story),
        "readmission-rows": domain_mismatch.strongest_rows(story),
        f"readmission-features-of-{features.train_id}": feature_bars(features, 10, story.group_features),
        "readmission-removals": domain_mismatch.removals(removals),
    }


def _draw_labels(found: Reproduction) -> Drawings:
    setting = found.setting
    what = f"{setting['data']}, n = {setting['n']:,}, p = {setting['p']:,}; {setting['flipped']:.0%} of the labels flipped."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    return {found.name: wrong_labels.paper_figure(found.result, title=title)}


DRAWINGS: dict[str, Callable[[Reproduction], Drawings]] = {
    "fig1": _draw_fig1,
    "fig2": _draw_fig2,
    "fig2-network": _draw_fig2_network,
    "fig3": _draw_fig3,
    "fig4": _draw_fig4,
    "fig5": _draw_fig5,
    "readmission": _draw_readmission,
    "labels": _draw_labels,
}
"""The pictures of every reproducible figure, by file name."""


def as_texts(found: Reproduction) -> dict[str, str]:
    """The drawings of a figure as JSON by file name, to be kept."""
    return {name: str(one.to_json()) for name, one in DRAWINGS[found.name](found).items()}


def from_texts(texts: Mapping[str, str]) -> Drawings:
    """The drawings that were kept."""
    return {name: plotly.io.from_json(text) for name, text in texts.items()}
