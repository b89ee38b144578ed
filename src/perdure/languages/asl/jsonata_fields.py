"""JSONata in the fields of states: "{% ... %}", what it may see, and what AWS says when it fails."""

from __future__ import annotations

from typing import Any, Final

from perdure.languages.asl.failure import query_evaluation
from perdure.languages.asl.json_text import compact
from perdure.languages.asl.scope import ABSENT, Scope

OPEN: Final = "{%"
CLOSE: Final = "%}"


def is_jsonata(text: Any) -> bool:
    """Does the text stand for an expression?"""
    return isinstance(text, str) and text.startswith(OPEN) and text.endswith(CLOSE) and len(text) >= 4


def inside(text: str) -> str:
    """The expression between the marks."""
    return text[2:-2].strip()


def states(scope: Scope) -> dict[str, Any]:
    """The value of `$states`."""
    found = {"input": scope.input, "context": scope.context}
    if scope.result is not ABSENT:
        found["result"] = scope.result
    if scope.error_output is not ABSENT:
        found["errorOutput"] = scope.error_output
    return found


def evaluate_jsonata(text: str, scope: Scope, *, field: str, expected: str | None = None) -> Any:
    """The value of "{% ... %}".

    Args:
        text: with its marks.
        scope: what it may see.
        field: where it stands, as causes name it ("Output/result").
        expected: the only kind of value that the field takes: "array", "object", "string", "number", "integer" or
            "boolean"; None takes any.

    Raises:
        StateFailure: States.QueryEvaluationError: the expression failed, gave nothing, or gave another kind.
    """
    from perdure.expressions import jsonata  # a large library, so only where a definition uses it

    expression = inside(text)
    said = f"The JSONata expression '{expression}' specified for the field '{field}'"
    try:
        value = jsonata.compile_expression(expression).evaluate(
            {**scope.variables, "states": states(scope)},
            now_ms=scope.now_ms,
            random=scope.chance.random,
            uuid=scope.chance.uuid,
        )
    except jsonata.InvalidExpression as e:
        raise query_evaluation(f"{said} is not valid. {e.code}: {e.message}", field) from None
    except jsonata.EvaluationFailed as e:
        told = f". {e.code}: {e.message}" if e.code else f": {e.message}"
        raise query_evaluation(f"{said} threw an error during evaluation{told}", field) from None
    except jsonata.UnsupportedResult:
        raise query_evaluation(f"{said} returned an unsupported result type.", field) from None
    if value is jsonata.UNDEFINED:
        raise query_evaluation(f"{said} returned nothing (undefined).", field)
    if expected is not None and not fits(value, expected):
        raise query_evaluation(
            f"{said} returned an unexpected result type. Expected '{expected}', but was '{kind(value)}' for value: "
            f"{compact(value)}",
            field,
        )
    return value


def kind(value: Any) -> str:
    """The name of a value's kind in AWS's causes."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def fits(value: Any, expected: str) -> bool:
    if expected == "integer":
        return kind(value) == "number" and float(value).is_integer()
    return kind(value) == expected
