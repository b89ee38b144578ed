"""How `$string` and `&` write values: as the reference implementation does, which writes numbers to fifteen digits.

Whole numbers of 64 bits are exact, as they are everywhere in AWS's dialect.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from jsonata.functions import Functions
from jsonata.jsonata import Jsonata
from jsonata.parser import Parser

from perdure.expressions.jsonata import slips
from perdure.expressions.jsonata.values import NULL

DIGITS = 15
LARGEST_WHOLE = 2**63
"""From here on whole numbers are floats."""

LEAST_WITH_EXPONENT = 10**21
MOST_WITH_EXPONENT = 1e-6


def write_as_the_reference() -> None:
    """Has the library write values so, wherever it does."""
    Functions._string = staticmethod(written)


def written(value: Any, prettify: bool) -> str:
    """A value that is no text, as a text; a function is an empty one."""
    if isinstance(value, Jsonata.JFunction | Parser.Symbol):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        raise slips.failed("D3001")
    return text_of(value, "  " if prettify else "", "\n" if prettify else "")


def text_of(value: Any, indent: str, line: str) -> str:
    """JSON of a value.

    Args:
        value: as the library has it.
        indent: one level's; "" for all on one line.
        line: what parts stand behind: a new line with the blanks of those around it; "" for all on one line.
    """
    if value is NULL or value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, dict):
        colon = ": " if indent else ":"
        parts = [
            json.dumps(name, ensure_ascii=False) + colon + text_of(inner, indent, line + indent)
            for name, inner in value.items()
            if inner is not None
        ]
        return enclosed("{", parts, "}", indent, line)
    if isinstance(value, list):
        parts = [text_of(value[place], indent, line + indent) for place in range(len(value))]
        return enclosed("[", parts, "]", indent, line)
    return '""'


def enclosed(start: str, parts: list[str], end: str, indent: str, line: str) -> str:
    if not parts:
        return start + end
    inner = line + indent
    return start + inner + ("," + inner).join(parts) + line + end


def number(value: float) -> str:
    """A number, as JavaScript writes one of so many digits."""
    if not math.isfinite(value):
        return "null"
    if isinstance(value, int) and -LARGEST_WHOLE <= value < LARGEST_WHOLE:
        return str(value)
    rounded = Decimal(repr(float(f"{value:.{DIGITS}g}")))
    if rounded == 0:
        return "0"
    if MOST_WITH_EXPONENT <= abs(rounded) < LEAST_WITH_EXPONENT:
        return f"{rounded.normalize():f}"
    sign, digits, exponent = rounded.normalize().as_tuple()
    first, *rest = map(str, digits)
    power = int(exponent) + len(rest)
    point = "." if rest else ""
    return f"{'-' if sign else ''}{first}{point}{''.join(rest)}e{'+' if power > 0 else ''}{power}"
