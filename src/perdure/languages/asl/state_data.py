"""What happens to the data on its way through a state: from what comes in to what goes out.

All functions are pure. ``scope`` holds the context object and the variables; its ``input`` is set here.

1. ``effective_input``: InputPath. JSONata has none.
2. ``arguments``: Parameters, or Arguments - what the state works on.
3. ``result``: ResultSelector. JSONata has none.
4. ``output``: ResultPath and OutputPath, or Output.
5. ``assigned``: Assign.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from perdure.languages.asl import paths, reference_paths, templates
from perdure.languages.asl.definition import State
from perdure.languages.asl.scope import ABSENT, Scope


def effective_input(state: State, raw: Any, scope: Scope) -> Any:
    """What InputPath leaves of a state's input."""
    if state.is_jsonata or "InputPath" not in state.fields:
        return raw
    return _path(state.fields["InputPath"], raw, scope, "InputPath")


def arguments(state: State, effective: Any, scope: Scope) -> Any:
    """What the state works on: its Parameters or Arguments, else its effective input."""
    if state.is_jsonata:
        if "Arguments" not in state.fields:
            return effective
        return templates.fill_jsonata(state.fields["Arguments"], replace(scope, input=effective), field="Arguments")
    if "Parameters" not in state.fields:
        return effective
    return templates.fill(state.fields["Parameters"], replace(scope, input=effective), field="Parameters")


def result(state: State, given: Any, scope: Scope) -> Any:
    """What ResultSelector makes of what the state's work gave."""
    if state.is_jsonata or "ResultSelector" not in state.fields:
        return given
    return templates.fill(state.fields["ResultSelector"], replace(scope, input=given), field="ResultSelector")


def output(state: State, fields: Mapping[str, Any], raw: Any, outcome: Any, scope: Scope, *, within: str = "") -> Any:
    """What goes to the next state.

    Args:
        state: whose query language it is.
        fields: its own, or those of one of its Choices or Catch.
        raw: the state's input.
        outcome: what came out of it: a result, or an error's output.
        scope: with ``result`` and ``error_output`` for JSONata.
        within: where the fields stand, for causes: "Catch[1]/".
    """
    if state.is_jsonata:
        if "Output" not in fields:
            return outcome
        return templates.fill_jsonata(fields["Output"], replace(scope, input=raw), field=f"{within}Output")
    merged = outcome
    if "ResultPath" in fields:
        merged = reference_paths.insert(raw, fields["ResultPath"], outcome)
    if "OutputPath" not in fields:
        return merged
    return _path(fields["OutputPath"], merged, scope, "OutputPath")


def assigned(state: State, fields: Mapping[str, Any], seen: Any, scope: Scope, *, within: str = "") -> dict[str, Any]:
    """The variables that are assigned.

    Args:
        state: whose query language it is.
        fields: its own, or those of one of its Choices or Catch.
        seen: what ``$`` is in JSONPath; the state's input in JSONata.
        scope: with ``result`` and ``error_output`` for JSONata.
        within: where the fields stand, for causes: "Catch[1]/".
    """
    if "Assign" not in fields:
        return {}
    fill = templates.fill_jsonata if state.is_jsonata else templates.fill
    values: dict[str, Any] = fill(fields["Assign"], replace(scope, input=seen), field=f"{within}Assign")
    return values


def in_jsonata(scope: Scope, raw: Any, *, result: Any = ABSENT, error_output: Any = ABSENT) -> Scope:
    """The scope of a state's end."""
    return replace(scope, input=raw, result=result, error_output=error_output)


def _path(path: str | None, document: Any, scope: Scope, field: str) -> Any:
    if path is None:
        return {}
    if path == "$":
        return document
    return paths.read(path, replace(scope, input=document), field=field)
