"""What the README shows works, and its tables say what the catalogues say."""

import re
from pathlib import Path

import pytest

from influence_core import solvers, studies
from influence_core.studies.families import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_LINES = 130


def _table(section: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_it_is_read_in_one_sitting():
    assert len(README.splitlines()) <= MAX_LINES


def test_the_quick_start_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    three = r"tensor\(\[\d+, \d+, \d+\]\)"
    printed = re.fullmatch(rf"torch.Size\(\[15, 135\]\) {three} {three} (\S+)\n", capsys.readouterr().out)
    assert printed
    assert float(printed[1]) < 1e-10, "the residual of an exact solver"


def test_every_file_that_it_links_to_is_there():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_table_of_pages_is_the_catalogue():
    from pages._shell.catalogue import PAGES

    assert _table("The pages") == [
        [row.full_title, row.question, row.section] for row in PAGES if row.section
    ]


def test_the_table_of_solvers_is_the_catalogue():
    assert [name for row in _table("The solvers") for name in _names(row[0])] == list(solvers.CATALOGUE)


def test_the_table_of_studies_is_the_catalogue():
    named = [name for row in _table("The studies") for name in _names(row[0])]
    assert sorted(named) == sorted(studies.CATALOGUE)
    assert named[0] == next(iter(studies.CATALOGUE))


ROWS = [
    pytest.param(name, *row[2:], id=name)
    for row in _table("The studies")
    for name in _names(row[0])
    if "the same" not in row[2]
]


@pytest.mark.parametrize(("name", "model", "p"), ROWS)
def test_a_row_of_studies_says_what_is_trained(name, model, p):
    spec = studies.CATALOGUE[name]
    assert FAMILIES[spec.model].title in model
    assert f"l2 {spec.l2:g}" in model
    if spec.data in {"digits", "diabetes", "diabetes-thinned", "mails", "photos"}:  # they ship with the app
        assert f"{studies.sizes(spec)[1]:,}" == p
