"""The list of examples, so that a new one is never forgotten."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def examples() -> str:
    """The programs in ``examples``, with the problem that each solves."""
    rows = ["| program | the problem |", "| --- | --- |"]
    for path in sorted((ROOT / "examples").glob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        rows.append(f"| [{path.name}](../examples/{path.name}) | {_first_sentence(docstring)} |")
    return "\n".join(rows)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.?!:])\s", " ".join(text.split("\n\n")[0].split()))[0]
