"""From a text to diagnostics, and from diagnostics to AWS's refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perdure.expressions.located_json import InvalidJson, Position, parse_unique, positions
from perdure.languages.asl.checks import machines, names, states
from perdure.languages.asl.checks.diagnostics import NOT_JSON, SCHEMA, Diagnostic, Findings, with_positions

# The name that AWS gives a state that is tested alone.
TESTED = "StateName"


def check(text: str, *, type: str = "STANDARD") -> list[Diagnostic]:
    """All that is wrong with a definition, each with its line and column; nothing if it is right.

    Args:
        text: the definition.
        type: "STANDARD" or "EXPRESS".
    """
    if not text.strip():
        return [no_object()]
    try:
        definition = parse_unique(text)
    except InvalidJson as e:
        return [no_json(e)]
    if not isinstance(definition, dict):
        return [no_object()]
    found = Findings(of_express=type == "EXPRESS")
    try:
        machines.judge(definition, found)
        names.judge(definition, found)
    except RecursionError:
        found.add((), "The definition is nested too deeply", told=False)
    if not found.found:
        return []
    try:
        places = positions(text)
    except InvalidJson:  # nested more deeply than places are noted
        places = {(): Position(1, 1)}
    return with_positions(found.found, places)


def check_state(state: Any, *, query_language: str = "JSONPath", name: str = TESTED) -> list[Diagnostic]:
    """What is wrong with one state, as TestState tells it; where it leads is not asked.

    Args:
        state: its definition, as a value.
        query_language: of the machine around it.
        name: of the state, for locations.
    """
    found = Findings(query_language=query_language)
    try:
        states.judge(state, ("States", name), found)
    except RecursionError:
        found.add((), "The definition is nested too deeply", told=False)
    return found.found


def no_object() -> Diagnostic:
    return Diagnostic(SCHEMA, "Definition must be a valid JSON object", None, position=Position(1, 1))


def no_json(error: InvalidJson) -> Diagnostic:
    return Diagnostic(NOT_JSON, str(error), error.source, position=Position(error.line, error.column))


def refusal(text: str, diagnostics: Sequence[Diagnostic]) -> str:
    """The message of CreateStateMachine's and UpdateStateMachine's InvalidDefinition.

    Args:
        text: the definition.
        diagnostics: what `check` found; at least one of them an error.
    """
    errors = [one for one in diagnostics if one.severity == "ERROR"]
    alone = next((one for one in errors if one.said_alone), None)
    if alone is not None:
        return f"Error=ValueError Args={[alone.message]!r} in definition '{text}'."
    told = ", ".join(f"{one.code}: {one.message} at {one.location or 'null'}" for one in errors)
    return f"Invalid State Machine Definition: '{told}'"
