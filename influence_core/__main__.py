"""The same experiments without a browser: ``python -m influence_core COMMAND``; ``--help`` lists them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from influence_core import studies
from influence_core.commands import ask, compare, explain, flip, health, missing, report, reproduce, table
from influence_core.commands import studies as studies_command
from influence_core.errors import InfluenceError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 where a checked figure falls short, 2 for any error."""
    options = _parser().parse_args(arguments)
    try:
        studies.load_module()
        code: int = options.run(options)
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 0
    except (InfluenceError, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m influence_core", description="Which training examples made it so?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (studies_command, ask, explain, flip, missing, health, compare, report, table, reproduce):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
