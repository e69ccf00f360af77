"""What is drawn in a chart, as a person sees it."""

from typing import Any


def colours_of(marker: Any) -> list[str]:
    """The colour of each point of a marker, or of its line, that numbers its colours."""
    scale = [colour for _, colour in marker.colorscale]
    assert (marker.cmin, marker.cmax) == (0, len(scale) - 1)
    return [scale[number] for number in marker.color]
