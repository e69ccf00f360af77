"""What CONTRIBUTING.md says is so: its paths and commands are there, and its recipes work as they are written."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", CONTRIBUTING, re.DOTALL | re.MULTILINE)
TOOLS = {"python", "pip", "streamlit", "ruff", "mypy", "lint-imports"}
"""What the requirements put into ``.venv/bin``."""


def _of(language: str) -> dict[str, list[str]]:
    """Blocks of a language by the file that their first line names."""
    found: dict[str, list[str]] = {}
    for kind, text in BLOCKS:
        if kind == language:
            first, rest = text.split("\n", 1)
            found.setdefault(first.removeprefix("# "), []).append(rest)
    return found


FILES = {path: text for path, (text,) in _of("python").items() if path.endswith(".py") and " " not in path}
APPENDED = {path: text for path, (text,) in _of("python").items() if path.startswith("append to ")}
CHANGES = _of("diff")


def _changed(text: str, change: str) -> str:
    """A file after a change, whose hunks must each fit in one place."""
    for hunk in change.split("@@\n"):
        lines = hunk.splitlines()
        old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        assert f"\n{text}".count(f"\n{old}\n") == 1, old
        text = f"\n{text}".replace(f"\n{old}\n", f"\n{new}\n")[1:]
    return text


def _follow(root: Path) -> None:
    """Every recipe, in a copy of the project."""
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    for name, text in APPENDED.items():
        with (root / name.removeprefix("append to ")).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{text}")
    for name, changes in CHANGES.items():
        for change in changes:
            path = root / name
            path.write_text(_changed(path.read_text(encoding="utf-8"), change), encoding="utf-8")


def test_every_path_that_it_names_is_there():
    prose = re.sub(r"^```.*?^```$", "", CONTRIBUTING, flags=re.DOTALL | re.MULTILINE)
    named = {one for one in re.findall(r"`([\w./-]+)`", prose) if re.search(r"/|\.(py|md|toml|json)$", one)}
    here = {one for one in named if one not in FILES and one != "tests/browser/screenshots/"}
    assert len(here) > 15
    assert sorted(one for one in here if not (ROOT / one).exists()) == []


def test_every_floor_is_a_folder_or_a_file():
    drawn = CONTRIBUTING.split("## The floors")[1].split("## ")[0]
    told = [line[4:].split("  ")[0] for line in drawn.splitlines() if line.startswith("    ")]
    floors = [one for line in told for one in re.split(r", ", line.split("{")[0]) if re.match(r"[\w.]", one)]
    core = [
        one if "/" in one.rstrip("/") or one in ("app.py", "assets/", "tests/") else f"influence_core/{one}"
        for one in floors
    ]
    assert [one for one in core if not list(ROOT.glob(one.rstrip("/")))] == []
    rooms = {
        f"influence_core/{path.name}" for path in (ROOT / "influence_core").iterdir() if path.stem[:2] != "__"
    }
    assert rooms == {one.rstrip("/") for one in core if one.startswith("influence_core/")} - {
        "influence_core/__main__.py"
    }


def test_every_command_is_one():
    lines = [line for kind, text in BLOCKS if not kind for line in text.splitlines()]
    for command in (one for line in lines for one in line.split(" && ")):
        program, *words = shlex.split(command)
        assert program in ("python3", ".ci/run") or program.removeprefix(".venv/bin/") in TOOLS, command
        files = [word for word in words if re.search(r"\.(py|txt)$", word)]
        assert [one for one in files if not (ROOT / one).exists()] == []


def test_every_piece_of_python_is_python():
    assert len(FILES) >= 7
    for texts in _of("python").values():
        for text in texts:
            ast.parse(text)


def test_every_change_of_a_recipe_fits():
    for name, changes in CHANGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for change in changes:
            text = _changed(text, change)


@pytest.mark.parametrize(
    ("recipe", "files", "rows"),
    [("A solver", 1, 1), ("A data set", 1, 2), ("A figure", 1, 0), ("A page", 3, 2), ("A model", 1, 2)],
    ids=lambda one: str(one),
)
def test_so_many_files_of_the_product_a_recipe_touches(recipe, files, rows):
    """New files, and files that take a row; beside them stand a test and, where a table shows it, a row of the README."""
    (text,) = re.findall(rf"^### {recipe}: .*?(?=^###? |^#### )", CONTRIBUTING, re.DOTALL | re.MULTILINE)
    named = re.findall(r"^```(python|diff)\n# (\S+)$", text, re.MULTILINE)
    product = {
        kind: {path for found, path in named if found == kind and path.startswith(("pages", "influ"))}
        for kind, _ in named
    }
    assert (len(product["python"]), len(product.get("diff", ()))) == (files, rows)


def test_the_answer_in_python_comes_true(capsys):
    (program,) = _of("python")["any script"]
    exec(compile(program, "CONTRIBUTING.md", "exec"), {})
    assert float(capsys.readouterr().out) > 0, "without the image that speaks most for it the loss rises"


@pytest.mark.slow
def test_the_recipes_work_as_they_are_written(tmp_path):
    """Followed in a copy, whose own tests then judge them: menus, catalogues, floors, style, and the recipes' tests."""
    copy = tmp_path / "copy"
    passed_over = shutil.ignore_patterns(".git", ".venv", "__pycache__", "screenshots")
    shutil.copytree(ROOT, copy, ignore=passed_over)
    _follow(copy)
    settings = os.environ | {"INFLUENCE_EXPLORER_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(copy)}
    new = [name for name in FILES if "/" in name]
    tests = [
        "tests/pages/test_params.py",
        "tests/core/test_solvers.py",
        "tests/core/test_studies.py",
        "tests/test_readme.py",
    ]
    tests += ["tests/pages/test_by_class_page.py", "tests/pages/test_solver_comparison_page.py"]
    program = """
from influence_core import studies
from influence_core.experiments import explain, questions
for name in ("tumours", "diabetes-perceptron"):
    study = studies.open_study(studies.find(name))
    assert study.gradient_norm <= study.spec.gradient_norm, study.gradient_norm
    assert explain.run(study, questions.ask(study, int(study.data.test.ids[0]))).helpful(3).size
"""
    for command in (
        ("-m", "ruff", "check", *new),
        ("-m", "ruff", "format", "--check", *new),
        ("-m", "mypy", *(name for name in new if not name.startswith("tests/"))),
        ("-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"),
        ("-c", program),
        ("-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", *tests),
    ):
        done = subprocess.run(
            (sys.executable, *command), cwd=copy, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
