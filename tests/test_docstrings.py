"""The examples in the library's docstrings work."""

import doctest
import importlib.util
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _with_examples() -> list[str]:
    """The modules whose source holds an example; those that draw only where there is Plotly."""
    drawing = importlib.util.find_spec("plotly") is not None
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / "influence_core").rglob("*.py"))]
    chosen = [path for path in paths if ">>> " in (ROOT / path).read_text(encoding="utf-8")]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in chosen]
    return [name for name in names if drawing or "figures" not in name.split(".")]


def test_the_examples_in_docstrings_work():
    found = {name: doctest.testmod(import_module(name), optionflags=FLAGS) for name in _with_examples()}
    assert {name: one.failed for name, one in found.items() if one.failed} == {}  # said above in detail
    assert all(one.attempted for one in found.values()), "an example that is no docstring's"
