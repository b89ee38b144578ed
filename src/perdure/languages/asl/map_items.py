"""What a Map goes over: its items, how many at once, and what of each an iteration gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl import paths, state_data, templates
from perdure.languages.asl.data import encode
from perdure.languages.asl.failure import StateFailure, query_evaluation

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.scope import Scope


def processor_pointer(state: State) -> str:
    """Where the states of the iterations are."""
    return f"{state.pointer}/{'ItemProcessor' if 'ItemProcessor' in state.fields else 'Iterator'}"


def scope_of(run: Interpreter, line: Line, state: State) -> Scope:
    """What the Map's own expressions may see; ``input`` is the effective input."""
    scope = run.scope(line, state)
    scope.input = state_data.effective_input(state, line.input.value, scope)
    return scope


def items_of(run: Interpreter, line: Line, state: State) -> list[Any]:
    """The items of a Map that reads none from elsewhere."""
    return items_in(state, scope_of(run, line, state))


def items_in(state: State, scope: Scope) -> list[Any]:
    """The items of a Map that reads none from elsewhere; ``scope.input`` is the effective input.

    Raises:
        StateFailure: they are no array.
    """
    fields = state.fields
    if state.is_jsonata:
        if "Items" not in fields:
            items = scope.input
        elif templates.is_jsonata(fields["Items"]):
            items = templates.evaluate_jsonata(fields["Items"], scope, field="Items", expected="array")
        else:
            items = templates.fill_jsonata(fields["Items"], scope, field="Items")
        return checked(items, "States.QueryEvaluationError", None)
    if "ItemsPath" in fields:
        path = fields["ItemsPath"]
        items = paths.read(path, scope, field="ItemsPath")
        return checked(items, "States.Runtime", path)
    return checked(scope.input, "States.Runtime", None)


def checked(items: Any, error: str, path: str | None) -> list[Any]:
    """Raises ``StateFailure`` if the items are no array."""
    if isinstance(items, list):
        return items
    shown = encode(items).decode()
    if path is not None:
        raise StateFailure(error, f'Reference path "{path.replace("$$", "$")}" must point to array.')
    raise StateFailure(error, f"Map state input must be an array but was: {shown}")


def concurrency(run: Interpreter, line: Line, state: State) -> int:
    """How many at once; 0 for as many as there can be."""
    return number(state, state.fields, "MaxConcurrency", scope_of(run, line, state))


def tolerated(run: Interpreter, line: Line, state: State) -> tuple[int, float]:
    """How many items may fail, and how many of a hundred."""
    scope = scope_of(run, line, state)
    return number(state, state.fields, "ToleratedFailureCount", scope), percentage(state, scope)


def percentage(state: State, scope: Scope) -> float:
    """ToleratedFailurePercentage; 0 without it.

    Raises:
        StateFailure: it is no number from 0 to 100.
    """
    fields, field = state.fields, "ToleratedFailurePercentage"
    if field + "Path" not in fields and field not in fields:
        return 0.0
    value = _given(fields, field, scope, "number")
    try:
        found = float("no" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise _not_valid(state, fields, field, value, "float") from None
    if not 0 <= found <= 100:
        raise out_of_range(state, field, f"{field} must be between 0 and 100.")
    return found


def number(state: State, fields: dict[str, Any], field: str, scope: Scope) -> int:
    """A field that holds an integer, a path to one, or an expression that gives one; 0 without it.

    Args:
        state: whose query language it is.
        fields: the state's, or those of an object in it.
        field: its name, without "Path".
        scope: what a path or an expression may see.

    Raises:
        StateFailure: it is something else, or negative.
    """
    if field + "Path" not in fields and field not in fields:
        return 0
    value = _given(fields, field, scope, "integer")
    try:
        found = int("no" if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()) else value)
    except (TypeError, ValueError, OverflowError):
        raise _not_valid(state, fields, field, value, "integer") from None
    if found < 0:
        raise out_of_range(state, field, f"{field} cannot be negative.")
    return found


def out_of_range(state: State, field: str, cause: str) -> StateFailure:
    """The failure of a number that the field does not take: of its expression, where the state is a JSONata one."""
    return query_evaluation(cause, field) if state.is_jsonata else StateFailure("States.Runtime", cause)


def _given(fields: dict[str, Any], field: str, scope: Scope, expected: str) -> Any:
    if field + "Path" in fields:
        return paths.read(fields[field + "Path"], scope, field=field + "Path")
    if templates.is_jsonata(fields[field]):
        return templates.evaluate_jsonata(fields[field], scope, field=field, expected=expected)
    return fields[field]


def _not_valid(state: State, fields: dict[str, Any], field: str, value: Any, kind: str) -> StateFailure:
    shown = value if isinstance(value, str) else encode(value).decode()
    if field + "Path" in fields:
        path = fields[field + "Path"]
        return StateFailure(
            "States.Runtime", f'The {field}Path field refers to value "{shown}" which is not a valid {kind}: {path}'
        )
    return out_of_range(state, field, f'The {field} field has value "{shown}" which is not a valid {kind}')


def selected(run: Interpreter, line: Line, state: State, index: int, item: Any) -> Any:
    """What an iteration gets: ItemSelector, or the item."""
    fields = state.fields
    template = fields.get("ItemSelector", fields.get("Parameters"))
    if template is None:
        return item
    scope = scope_of(run, line, state)
    scope.context = {**scope.context, "Map": {"Item": {"Index": index, "Value": item}}}
    if state.is_jsonata:
        return templates.fill_jsonata(template, scope, field="ItemSelector")
    return templates.fill(template, scope, field="ItemSelector" if "ItemSelector" in fields else "Parameters")
