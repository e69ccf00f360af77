"""What the README shows works."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_python_example_runs(capsys):
    example, _ = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})
    assert float(capsys.readouterr().out) > 0, "without the image that speaks most for it the loss rises"


def test_every_file_that_it_links_to_is_there():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / link).exists(), link
