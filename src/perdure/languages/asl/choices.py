"""Choice rules.

A rule of a JSONPath state compares the value at `Variable` with a constant or with the value at another path, or
combines rules by And, Or and Not. A value of another kind than the operator's is simply no match; a path that leads
nowhere fails the state, except for IsPresent. A rule of a JSONata state is an expression, `Condition`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from perdure.languages.asl import paths
from perdure.languages.asl.failure import StateFailure, runtime
from perdure.languages.asl.jsonata_fields import evaluate_jsonata, is_jsonata
from perdure.languages.asl.scope import Scope
from perdure.languages.asl.timestamps import InvalidTimestamp, instant

Json = Any


def matches(rule: Mapping[str, Json], scope: Scope, query_language: str, *, index: int) -> bool:
    """Does a rule of a Choice state hold?

    Args:
        rule: one of Choices.
        scope: with the state's effective input.
        query_language: "JSONPath" or "JSONata".
        index: the rule's place in Choices, for causes.

    Raises:
        StateFailure: States.Runtime: a path leads nowhere. States.QueryEvaluationError: the condition is no boolean.
    """
    if query_language == "JSONata":
        condition = rule["Condition"]
        if not is_jsonata(condition):
            return condition is True
        return bool(evaluate_jsonata(condition, scope, field=f"Choices[{index}]/Condition", expected="boolean"))
    return holds(rule, scope)


def holds(rule: Mapping[str, Json], scope: Scope) -> bool:
    if "And" in rule:
        return all(holds(inner, scope) for inner in rule["And"])
    if "Or" in rule:
        return any(holds(inner, scope) for inner in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], scope)
    for operator in rule:
        if operator in OPERATORS:
            break
    else:
        raise runtime("The choice rule has no comparison operator")
    wanted, variable = rule[operator], rule["Variable"]
    if operator == "IsPresent":
        return paths.found(variable, scope)[0] is wanted
    value = read(variable, scope)
    if operator.endswith("Path"):
        wanted = read(wanted, scope)
    return OPERATORS[operator](value, wanted)


def read(path: str, scope: Scope) -> Json:
    present, value = paths.found(path, scope)
    if not present:
        raise invalid(path)
    return value


def invalid(path: str) -> StateFailure:
    return runtime(f"Invalid path '{path}': The choice state's condition path references an invalid value.")


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_text(value: Json) -> bool:
    return isinstance(value, str)


def is_boolean(value: Json) -> bool:
    return isinstance(value, bool)


def is_timestamp(value: Json) -> bool:
    return instant_of(value) is not None


def instant_of(value: Json) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        return instant(value)
    except InvalidTimestamp:
        return None


Comparison = Callable[[Json, Json], bool]
ORDERS: Final[dict[str, Comparison]] = {
    "Equals": lambda left, right: bool(left == right),
    "LessThan": lambda left, right: bool(left < right),
    "GreaterThan": lambda left, right: bool(left > right),
    "LessThanEquals": lambda left, right: bool(left <= right),
    "GreaterThanEquals": lambda left, right: bool(left >= right),
}


def of_kind(is_kind: Callable[[Json], bool], compare: Comparison) -> Comparison:
    return lambda value, wanted: is_kind(value) and is_kind(wanted) and compare(value, wanted)


def of_texts(compare: Comparison) -> Comparison:
    """Java orders texts by their UTF-16 units; so do we."""
    return of_kind(is_text, lambda value, wanted: compare(units(value), units(wanted)))


def units(text: str) -> bytes:
    return text.encode("utf-16-be", errors="surrogatepass")


def of_instants(compare: Comparison) -> Comparison:
    def compared(value: Json, wanted: Json) -> bool:
        left, right = instant_of(value), instant_of(wanted)
        return left is not None and right is not None and compare(left, right)

    return compared


def is_kind(test: Callable[[Json], bool]) -> Comparison:
    return lambda value, wanted: test(value) is wanted


@functools.lru_cache(maxsize=512)
def pieces(pattern: str) -> tuple[str, ...]:
    r"""What stands between the stars of a pattern of StringMatches; `\*` is a star itself, `\\` a backslash."""
    found, at = [""], 0
    while at < len(pattern):
        escaped = pattern[at] == "\\" and pattern[at + 1 : at + 2] in ("*", "\\")
        at += escaped
        if pattern[at] == "*" and not escaped:
            found.append("")
        else:
            found[-1] += pattern[at]
        at += 1
    return tuple(found)


def like(value: Json, wanted: Json) -> bool:
    """Each piece is sought behind the one before it, so time grows with the text alone."""
    if not isinstance(value, str):
        return False
    parts = pieces(wanted)
    if len(parts) == 1:
        return value == parts[0]
    first, *middle, last = parts
    if not value.startswith(first) or len(value) < len(first) + len(last) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in middle:
        at = value.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


OPERATORS: Final[dict[str, Comparison]] = {
    **{f"String{name}{path}": of_texts(order) for name, order in ORDERS.items() for path in ("", "Path")},
    **{f"Numeric{name}{path}": of_kind(is_number, order) for name, order in ORDERS.items() for path in ("", "Path")},
    **{f"Timestamp{name}{path}": of_instants(order) for name, order in ORDERS.items() for path in ("", "Path")},
    **{f"BooleanEquals{path}": of_kind(is_boolean, ORDERS["Equals"]) for path in ("", "Path")},
    "StringMatches": like,
    "IsNull": is_kind(lambda value: value is None),
    "IsPresent": lambda value, wanted: wanted is True,
    "IsNumeric": is_kind(is_number),
    "IsString": is_kind(is_text),
    "IsBoolean": is_kind(is_boolean),
    "IsTimestamp": is_kind(is_timestamp),
}
