"""The map on the Explain page."""

from tests.visits import address, charts, said, settle, visit


def test_the_map_is_drawn_when_it_is_asked_for():
    at = visit("one-or-seven", test="5040")
    assert "plane" not in charts(at)
    at.segmented_control(key="chart").set_value("map")
    at = settle(at)
    assert address(at)["chart"] == "map"
    assert "plane" in charts(at)
    assert any(" pp" in one for trace in charts(at)["plane"]["data"] for one in trace.get("hovertext", []))
    at.toggle(key="unit").set_value(True)
    hover = [one for trace in charts(settle(at))["plane"]["data"] for one in trace.get("hovertext", [])]
    assert hover and all(one.endswith(" nats") for one in hover)
    assert "Drawn are 1,092 of 1,092 training images" in said(at)
    assert "lasso or box select" in said(at)
