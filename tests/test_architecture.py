"""The house rules, tested: style, types, floors, page length, and the commands that the README promises."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -r tests/requirements.txt && .venv/bin/python -m pytest"
)
APP_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/streamlit run app.py"
)
LONGEST_PAGE = 90


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def _lines(path: str) -> list[str]:
    return [line.strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]


def _files() -> list[Path]:
    """Every file that is, or would be, committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]


def test_ruff_finds_nothing():
    _run(sys.executable, "-m", "ruff", "check", ".")


def test_ruff_would_not_reformat():
    _run(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_types():
    _run(sys.executable, "-m", "mypy")


def test_imports_point_down_only():
    _run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")


def test_pages_are_short():
    pages = sorted((ROOT / "pages").glob("*.py"))
    assert pages, "there is no page"
    long = {page.name: len(page.read_text(encoding="utf-8").splitlines()) for page in pages}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_PAGE} == {}


@pytest.mark.parametrize("command", [TEST_COMMAND, APP_COMMAND])
def test_readme_holds_the_two_commands(command):
    assert command in _lines("README.md")


def test_ci_runs_the_test_command_of_the_readme():
    assert TEST_COMMAND in _lines(".ci/run")


def test_core_imports_without_streamlit_and_plotly():
    """Every module of the library but the figures, with both packages blocked."""
    program = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"streamlit", "plotly"}:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
import influence_core

names = [module.name for module in pkgutil.walk_packages(
    influence_core.__path__, "influence_core.", onerror=lambda name: None)]
names = [name for name in names if not name.startswith("influence_core.figures") and name[-8:] != "__main__"]
for name in names:
    importlib.import_module(name)
assert len(names) > 10, names
"""
    _run(sys.executable, "-c", program)


def test_no_file_names_a_path_of_our_machines():
    forbidden = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "../sha" + "red/"]
    found = []
    for path in _files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {word}" for word in forbidden if word in text]
    assert found == []
