"""How charts are shown: in one place, with a toolbar that covers nothing."""

import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from influence_core.figures.toolbar import ROOM, has_toolbar, make_room
from pages._shell import charts
from tests.visits import visit

PAGES = Path(charts.__file__).parents[1]


def test_no_page_shows_a_chart_by_itself():
    found = [
        one.name for one in PAGES.rglob("*.py") if re.search(r"\.plotly_chart\(", one.read_text("utf-8"))
    ]
    assert found == ["charts.py"]


@pytest.mark.parametrize(
    ("fixed", "there"), [((True, True), False), ((True, None), True), ((None, None), True)]
)
def test_there_are_tools_where_something_can_be_moved(fixed, there):
    figure = go.Figure(go.Scatter(x=[1], y=[2]))
    figure.update_xaxes(fixedrange=fixed[0]).update_yaxes(fixedrange=fixed[1])
    assert has_toolbar(figure) == there


def test_a_figure_without_axes_of_its_own_has_tools():
    assert has_toolbar(go.Figure(go.Scatter(x=[1], y=[2])))


@pytest.mark.parametrize(("top", "after"), [(10, 10 + ROOM), (None, 100 + ROOM)])
def test_the_drawing_makes_room_for_them_and_the_rest_of_the_figure_stays_as_it_is(top, after):
    drawn, expected = (
        go.Figure(go.Scatter(x=[1], y=[2])).update_layout(height=300, margin_t=margin)
        for margin in (top, after)
    )
    make_room(drawn)
    assert drawn == expected


def test_a_chart_has_as_much_room_in_every_run():
    at = visit("one-or-seven", test="5040")
    first, again = (
        next(one.proto.spec for one in run.get("plotly_chart") if one.key == "scatter")
        for run in (at, at.run())
    )
    assert first == again


def test_on_a_page_bars_have_no_tools_and_the_scatter_has_them_above_its_points():
    shown = {one.key: one.proto for one in visit("one-or-seven", test="5040").get("plotly_chart")}
    assert '"displayModeBar": false' in shown["probabilities"].config
    assert '"displayModeBar": "hover"' in shown["scatter"].config
    assert f'"t":{10 + ROOM}' in shown["scatter"].spec.replace(" ", "")
