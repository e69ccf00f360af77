"""The house rules, tested: how long a file may be, what stands alone, and the commands that README and CI share."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -r tests/requirements.txt && .venv/bin/python -m pytest"
)
APP_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/streamlit run app.py"
)
CHECKS = ["ruff check .", "ruff format --check .", "mypy", "lint-imports --no-cache"]
MAX_LINES, MAX_PAGE_LINES = 300, 40


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


def _product() -> list[Path]:
    return [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "influence_core").rglob("*.py")]


def test_files_are_short():
    pages = list((ROOT / "pages").glob("*.py"))
    assert pages, "there is no page"
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _product()}
    allowed = dict.fromkeys(lines, MAX_LINES) | dict.fromkeys(pages, MAX_PAGE_LINES)
    long = {path.relative_to(ROOT).as_posix() for path in lines if lines[path] > allowed[path]}
    assert long == set()


@pytest.mark.parametrize("command", [TEST_COMMAND, APP_COMMAND], ids=["tests", "app"])
def test_readme_holds_the_two_commands(command):
    assert command in _lines("README.md")


def test_ci_runs_the_test_command_of_the_readme():
    assert TEST_COMMAND in _lines(".ci/run")


@pytest.mark.parametrize("check", CHECKS)
def test_ci_checks_style_types_and_floors(check):
    assert f".venv/bin/{check}" in _lines(".ci/run")


def test_every_module_but_the_figures_is_forbidden_to_draw():
    """A contract names modules one by one; a new one must not slip past it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [one for one in contracts if one["name"] == "Only figures draw"]
    there = {
        one.stem
        for one in (ROOT / "influence_core").iterdir()
        if one.suffix == ".py" or (one / "__init__.py").is_file()
    }
    named = {f"influence_core.{one}" for one in there - {"__init__", "figures"}} | {"pages"}
    assert set(contract["source_modules"]) == named


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
