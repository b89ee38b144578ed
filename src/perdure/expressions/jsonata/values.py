"""JSON in, JSON out.

The library has a mark of its own for null, as None is nothing at all to it, and its lists carry flags. So what goes in
and what comes out is copied; to copy no more than an expression can reach, its text is read for the names that follow
a variable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonata.utils import Utils

from perdure.expressions.jsonata.bounds import too_large
from perdure.expressions.jsonata.errors import UnsupportedResult

NULL = Utils.NULL_VALUE

# More values than a payload can hold; a range of ten million would otherwise be written out.
MOST_VALUES = 1_000_000

REFERENCE = re.compile(r"\$(\w+)((?:\.\w+)*)")
# With these a name may be reached from behind: the parent operator, and blanks or comments between the names.
INDIRECT = re.compile(r"%|\.\s|\s\.(?!\.)|/\*")

Paths = dict[str, list[tuple[str, ...]]]


def references(text: str) -> Paths:
    """The variables that an expression names, each with the names that follow it: all of it that can be read."""
    found: Paths = {}
    indirect = INDIRECT.search(text) is not None
    for variable, names in REFERENCE.findall(text):
        found.setdefault(variable, []).append(() if indirect else tuple(names.split(".")[1:]))
    return found


def bound(variables: Mapping[str, Any], paths: Paths) -> dict[str, Any]:
    """The variables that the library is to see."""
    return {name: reached(variables[name], ways) for name, ways in paths.items() if name in variables}


def reached(value: Any, ways: list[tuple[str, ...]]) -> Any:
    """A copy of what the ways lead to, and of what is on them."""
    if not isinstance(value, dict) or () in ways:
        return given(value)
    inner: Paths = {}
    for name, *rest in ways:
        inner.setdefault(name, []).append(tuple(rest))
    return {name: reached(value[name], deeper) for name, deeper in inner.items() if name in value}


def given(value: Any) -> Any:
    if value is None:
        return NULL
    if isinstance(value, dict):
        return {key: given(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [given(item) for item in value]
    return value


def taken(value: Any) -> Any:
    """The value as JSON.

    Raises:
        UnsupportedResult: it is a function or a regular expression.
        EvaluationFailed: it is more than a payload can hold.
    """
    return as_json(value, iter(range(MOST_VALUES)))


def as_json(value: Any, left: Iterator[int]) -> Any:
    if next(left, None) is None:
        raise too_large()
    if value is NULL:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):  # AWS writes them as texts
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {key: as_json(inner, left) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [as_json(value[place], left) for place in range(len(value))]
    if value is None:
        return None
    raise UnsupportedResult("", "the expression gives a function")
