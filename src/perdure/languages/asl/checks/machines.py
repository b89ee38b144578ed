"""Whole machines, and the machines inside Map and Parallel: what they hold, and whether one state leads to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks import kinds, states
from perdure.languages.asl.checks.diagnostics import NO_END, TARGET, Findings
from perdure.languages.asl.checks.fields import MACHINE_FIELDS, Number

Named = dict[str, Any]


def judge(definition: Named, found: Findings) -> None:
    """Notes what is wrong with a definition."""
    own = definition.get("QueryLanguage", "JSONPath")
    if "QueryLanguage" in definition and found.type_of(("QueryLanguage",), own, "STRING"):
        kinds.one_of(own, states.LANGUAGES, ("QueryLanguage",), found)
    # Whatever is not exactly "JSONPath" counts as JSONata, as AWS has it.
    found.query_language = "JSONPath" if own == "JSONPath" else "JSONata"
    if "Version" in definition and found.type_of(("Version",), definition["Version"], "STRING"):
        kinds.one_of(definition["Version"], ("1.0",), ("Version",), found)
    if "TimeoutSeconds" in definition:
        kinds.judge(definition["TimeoutSeconds"], Number(0, 99_999_999), ("TimeoutSeconds",), found, False)
    if "Comment" in definition:
        found.type_of(("Comment",), definition["Comment"], "STRING")
    container(definition, MACHINE_FIELDS, (), found)


def container(value: Any, fields: tuple[str, ...], place: Place, found: Findings) -> None:
    """Notes what is wrong with something that holds states.

    Args:
        fields: what else it may have.
    """
    if not found.type_of(place, value, "OBJECT"):
        return
    states.unknown(value, fields, place, found)
    states.required(value, ("StartAt", "States"), place, found)
    inner = value.get("States")
    if "StartAt" in value:
        found.type_of((*place, "StartAt"), value["StartAt"], "STRING")
    if "States" not in value or not found.type_of((*place, "States"), inner, "OBJECT"):
        return
    if not inner:
        found.add((*place, "States"), "Value cannot be empty")
        return
    for name, state in inner.items():
        states.judge(state, (*place, "States", name), found)
    graph(value.get("StartAt"), inner, place, found)


def graph(start: Any, inner: Named, place: Place, found: Findings) -> None:
    """Notes transitions to states that are not there, states that none leads to, and a machine without an end."""
    if isinstance(start, str) and start not in inner:
        missing(start, inner, (*place, "StartAt"), found)
    for name, state in inner.items():
        for way, target in transitions(state):
            if target not in inner:
                missing(target, inner, (*place, "States", name, *way), found)
    if not place and not any(is_end(state) for state in inner.values()):
        found.add((), "Workflow has no terminal state", code=NO_END, told=False, expected="a state with 'End': true")
        return
    if not isinstance(start, str):
        return
    reached = reachable(start, inner)
    for name in inner:
        if name not in reached:
            found.add(
                (*place, "States", name),
                f'State "{name}" is not reachable.',
                code=TARGET,
                expected="a state whose 'Next' leads here",
            )


def missing(target: str, inner: Named, place: Place, found: Findings) -> None:
    found.add(
        place,
        f"Missing 'Next' target: {target}",
        code=TARGET,
        expected="the name of a state beside it",
        near=(target, inner),
    )


def reachable(start: str, inner: Named) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in inner and name not in reached:
            reached.add(name)
            waiting.extend(target for _, target in transitions(inner[name]))
    return reached


def transitions(state: Any) -> Iterator[tuple[Place, str]]:
    """Where a state may lead: the place that says so, and the state's name."""
    if not isinstance(state, dict):
        return
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield (field,), state[field]
    for field in ("Choices", "Catch"):
        if isinstance(state.get(field), list):
            for number, one in enumerate(state[field]):
                if isinstance(one, dict) and isinstance(one.get("Next"), str):
                    yield (field, number, "Next"), one["Next"]


def is_end(state: Any) -> bool:
    return isinstance(state, dict) and (state.get("End") is True or state.get("Type") in ("Succeed", "Fail"))
