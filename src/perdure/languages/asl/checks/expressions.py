"""JSONata in definitions: every text between `{%` and `%}` must be an expression, and may see only what is there."""

from __future__ import annotations

import re
from typing import Any

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks.diagnostics import INVALID, UNSUPPORTED, Findings
from perdure.languages.asl.jsonata_fields import CLOSE, OPEN, inside, is_jsonata

# Fields that hold states of their own, whose texts are judged with them.
INNER = frozenset({"ItemProcessor", "Iterator", "Branches"})
WORKING = ("Task", "Map", "Parallel")
WHERE = {"errorOutput": "in a Catch", "result": "in Output and Assign of a Task, Map or Parallel state"}
AFTERWARDS = re.compile(r"\$states\.(errorOutput|result)\b")
TEXTS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|/\*.*?\*/", re.DOTALL)


def judge(state: dict[str, Any], place: Place, found: Findings) -> None:
    """Notes each text inside a state that is opened as an expression and is none, or sees what is not there.

    As Amazon's page on `$states` has it, `result` is there in Output and Assign of a state that has done work, and
    `errorOutput` in a catcher.
    """
    for key, inner in state.items():
        if key in INNER:
            continue
        seen = "errorOutput" if key == "Catch" else ""
        if key in ("Output", "Assign") and state.get("Type") in WORKING:
            seen = "result"
        texts(inner, (*place, key), found, seen)


def texts(value: Any, place: Place, found: Findings, seen: str) -> None:
    if isinstance(value, str):
        text(value, place, found, seen)
    elif isinstance(value, dict):
        for key, inner in value.items():
            texts(inner, (*place, key), found, seen)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            texts(inner, (*place, number), found, seen)


def text(value: str, place: Place, found: Findings, seen: str) -> None:
    if not value.startswith(OPEN) and not value.endswith(CLOSE):
        return
    if not is_jsonata(value):
        found.add(place, "JSONata string must start with {% and end with %}", expected="both marks, or neither of them")
        return
    from perdure.expressions.jsonata import InvalidExpression  # a large library, so only where a definition uses it
    from perdure.expressions.jsonata.top_level import ROOT, top_level

    expression = inside(value)
    try:
        names = top_level(expression)
    except InvalidExpression as e:
        where = f", at character {e.position} of the expression" if e.position > 0 else ""
        found.add(place, e.message, code=INVALID, expected=f"a JSONata expression ({e.code}{where})")
        return
    for name in names:
        if name == ROOT:
            found.add(
                place, "Reference to '$$' is not supported.", code=UNSUPPORTED, expected="$states.input or a variable"
            )
        else:
            found.add(
                place,
                f"Reference to '{name}' at the top level is not supported.",
                code=UNSUPPORTED,
                expected=f"$states.input.{name}, or ${name} for a variable",
            )
    for name in dict.fromkeys(AFTERWARDS.findall(TEXTS.sub("''", expression))):
        if name != seen:
            found.add(
                place,
                f"Field '$states.{name}' does not exist.",
                code=UNSUPPORTED,
                expected=f"$states.input or $states.context; {name} is there {WHERE[name]} alone",
            )
