"""Payload templates: a JSON value with references in it, filled in.

In JSONPath states a member whose name ends with ".$" holds a path or an intrinsic function, and loses that ending. In
JSONata states any text of the form "{% ... %}" stands for the value of the expression.
"""

from __future__ import annotations

from typing import Any

from perdure.expressions.jsonpath import InvalidPath, PathNotFound
from perdure.expressions.jsonpath.steps import Index
from perdure.languages.asl import intrinsics, paths
from perdure.languages.asl.failure import runtime
from perdure.languages.asl.jsonata_fields import evaluate_jsonata, is_jsonata
from perdure.languages.asl.scope import Scope

__all__ = ["evaluate_jsonata", "fill", "fill_jsonata", "is_jsonata", "reference"]


def fill(template: Any, scope: Scope, *, field: str) -> Any:
    """Fills in a template of a JSONPath state.

    Args:
        template: of Parameters, ResultSelector, ItemSelector, Assign ...; parts without references are shared with the
            answer.
        scope: what its paths may see.
        field: the template's own name, for causes.

    Raises:
        StateFailure: a path leads nowhere, or a function refuses what it is given.
    """
    if isinstance(template, dict):
        return {
            (key[:-2] if key.endswith(".$") else key): (
                reference(value, scope, field=key) if key.endswith(".$") else fill(value, scope, field=field)
            )
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [fill(item, scope, field=field) for item in template]
    return template


def reference(text: Any, scope: Scope, *, field: str) -> Any:
    """The value of a path or of an intrinsic function.

    Args:
        text: what stands in the member.
        scope: what it may see.
        field: the member's name, with its ".$".

    Raises:
        StateFailure: as `fill`.
    """
    if not isinstance(text, str):
        raise runtime(f"The value for the field '{field}' must be a valid JSONPath or intrinsic function")
    if text.startswith("$"):
        return beyond_end_is_null(text, scope, field)
    return intrinsics.evaluate(text, scope, field=field)


def beyond_end_is_null(path: str, scope: Scope, field: str) -> Any:
    """Reads a path as templates do: an item beyond the end of an array is null, as AWS has it, and only there."""
    try:
        origin, compiled = paths.split(path)
        document = paths.document(origin, scope)
    except (InvalidPath, KeyError):
        return paths.read(path, scope, field=field)  # says what is wrong
    try:
        return compiled.read(document)
    except PathNotFound as e:
        if compiled.steps and isinstance(compiled.steps[-1], Index) and str(e).startswith("No results for path"):
            return None
        raise paths.missing(path, scope, field, e) from None


def fill_jsonata(template: Any, scope: Scope, *, field: str) -> Any:
    """Fills in a template of a JSONata state.

    Args:
        template: of Arguments, Output, Assign, Items ...
        scope: what its expressions may see.
        field: the template's own name; causes name the place inside it, too ("Output/items/0").

    Raises:
        StateFailure: States.QueryEvaluationError.
    """
    if isinstance(template, str):
        return evaluate_jsonata(template, scope, field=field) if is_jsonata(template) else template
    if isinstance(template, dict):
        return {key: fill_jsonata(value, scope, field=f"{field}/{key}") for key, value in template.items()}
    if isinstance(template, list):
        return [fill_jsonata(item, scope, field=f"{field}[{place}]") for place, item in enumerate(template)]
    return template
