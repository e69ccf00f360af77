"""The product's colours, for pages; `.streamlit/config.toml` gives Streamlit's own widgets the same ones."""

from influence_core.figures.palette import GREY, HARMFUL, HELPFUL, NEUTRAL, Shades

__all__ = ["GREY", "HARMFUL", "HELPFUL", "NEUTRAL", "Shades"]
