"""The library as a package of its own: what it says it needs, and a wheel that works where it stands alone."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import influence_core

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = [
    Requirement(one)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for one in group
]
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}
"""What a package is called where it is installed from, if not by its own name."""


OPTIONAL = {"pillow_heif"}
"""Used where somebody has installed it."""


def _pins(path: str) -> dict[str, str]:
    """Versions by name, as a requirements file pins them."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def _imports() -> Iterator[str]:
    """The first word of every import of the library."""
    for path in (ROOT / "influence_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (one.name.split(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.split(".")[0]


@pytest.mark.parametrize("needed", NEEDED, ids=lambda one: one.name)
def test_what_the_package_needs_is_what_the_app_pins(needed):
    assert _pins("requirements.txt")[needed.name] in needed.specifier


def test_the_package_needs_what_the_library_imports():
    foreign = set(_imports()) - {*sys.stdlib_module_names, "influence_core", *OPTIONAL}
    assert {DISTRIBUTIONS.get(one, one.replace("_", "-")) for one in foreign} | {"torchvision"} == {
        one.name for one in NEEDED
    }


def test_the_changelog_begins_with_this_version():
    first = re.search(r"^## \[(.+?)\] - \d{4}-\d{2}-\d{2}$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert first and first[1] == influence_core.__version__


def test_the_public_names_are_there_and_say_what_they_are():
    for name in influence_core.__all__:
        assert getattr(influence_core, name).__doc__, name


@pytest.mark.slow
def test_a_wheel_works_where_it_stands_alone(tmp_path):
    """Built from this checkout, unpacked into an empty folder, used from another one."""
    built, alone, elsewhere = (tmp_path / name for name in ("built", "alone", "elsewhere"))
    elsewhere.mkdir()
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", built, ROOT)
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = built.glob(f"influence_core-{influence_core.__version__}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(alone)
    program = """
import influence_core
from influence_core import data, studies
print(influence_core.__file__)
print(studies.open_study(studies.find("one-or-seven")).gradient_norm)
print(len(data.load("mails").train), len(data.load("photos").train), len(list(studies.PACKAGED.glob("*.npz"))))
"""
    settings = os.environ | {"PYTHONPATH": str(alone)}
    run = subprocess.run(
        (sys.executable, "-c", program),
        cwd=elsewhere,
        env=settings,
        check=True,
        capture_output=True,
        text=True,
    )
    where, gradient_norm, counts = run.stdout.splitlines()
    assert Path(where).is_relative_to(alone)
    assert float(gradient_norm) <= 1e-10
    assert counts == "4137 1800 1"
