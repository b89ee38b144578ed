"""What a Map goes over: its items, how many at once, and what of each an iteration gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl import paths, state_data, templates
from perdure.languages.asl.data import encode
from perdure.languages.asl.failure import StateFailure

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
    fields = state.fields
    scope = scope_of(run, line, state)
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
        raise StateFailure(error, f'Reference path "{path}" must point to array.')
    raise StateFailure(error, f"Map state input must be an array but was: {shown}")


def concurrency(run: Interpreter, line: Line, state: State) -> int:
    """How many at once; 0 for as many as there can be."""
    return _number(run, line, state, "MaxConcurrency")


def _number(run: Interpreter, line: Line, state: State, field: str) -> int:
    fields = state.fields
    if field + "Path" in fields:
        value = paths.read(fields[field + "Path"], scope_of(run, line, state), field=field + "Path")
    elif templates.is_jsonata(fields.get(field)):
        scope = scope_of(run, line, state)
        value = templates.evaluate_jsonata(fields[field], scope, field=field, expected="integer")
    else:
        value = fields.get(field, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StateFailure(
            "States.Runtime",
            f"The {field} field must be a non-negative integer but was: {encode(value).decode()}",
        )
    return value


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
