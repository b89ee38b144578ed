"""JSONata in definitions: every text between `{%` and `%}` must be an expression, and may see only what is there."""

from __future__ import annotations

import re
from typing import Any

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks.diagnostics import INVALID, UNSUPPORTED, Findings
from perdure.languages.asl.jsonata_fields import CLOSE, OPEN, inside, is_jsonata

# Fields that hold states of their own, whose texts are judged with them.
INNER = frozenset({"ItemProcessor", "Iterator", "Branches"})
ERROR_OUTPUT = re.compile(r"\$states\.errorOutput\b")
TEXTS = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|/\*.*?\*/", re.DOTALL)


def judge(value: Any, place: Place, found: Findings, *, errors: bool = False) -> None:
    """Notes each text inside `value` that is opened as an expression and is none.

    Args:
        errors: is `$states.errorOutput` there, as it is in a catcher?
    """
    if isinstance(value, str):
        text(value, place, found, errors)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in INNER:
                judge(inner, (*place, key), found, errors=errors or key == "Catch")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            judge(inner, (*place, number), found, errors=errors)


def text(value: str, place: Place, found: Findings, errors: bool) -> None:
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
    if ERROR_OUTPUT.search(TEXTS.sub("''", expression)) and not errors:
        found.add(
            place,
            "Field '$states.errorOutput' does not exist.",
            code=UNSUPPORTED,
            expected="$states.input or $states.result; errorOutput is there in a Catch alone",
        )
