"""What must be there once in a whole machine, and what is allowed but hardly meant.

Source: Amazon's list of the codes of ValidateStateMachineDefinition, which gives no wording; the messages are its
descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks.diagnostics import Findings

PATH: Final = re.compile(r"\$\$?[.\[]|\$$|States\.[A-Z]\w+\(")
TEMPLATES: Final = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
# Fields that hold a text, and have a sibling that holds a path.
TEXTS: Final = ("Error", "Cause", "Timestamp")


def judge(definition: dict[str, Any], found: Findings) -> None:
    """Notes names that are there twice, and warns of paths where none is read."""
    names: set[str] = set()
    labels: set[str] = set()
    for place, name, state, is_jsonpath in every(definition, (), found.query_language == "JSONPath"):
        if name in names:
            found.add(place, f"Duplicate State name: {name}", code="DUPLICATE_STATE_NAME", expected="another name")
        names.add(name)
        label = state.get("Label")
        if isinstance(label, str) and state.get("Type") == "Map":
            if label in labels:
                found.add((*place, "Label"), f"Duplicate Label name: {label}", code="DUPLICATE_LABEL_NAME")
            labels.add(label)
        if is_jsonpath:
            warn(state, place, found)


def every(holder: Any, place: Place, is_jsonpath: bool) -> Iterator[tuple[Place, str, dict[str, Any], bool]]:
    """Every state of a machine, with its place, its name, and whether it is a JSONPath one."""
    states = holder.get("States") if isinstance(holder, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        where = (*place, "States", name)
        yield where, name, state, state.get("QueryLanguage", "JSONPath" if is_jsonpath else "") == "JSONPath"
        for field in ("ItemProcessor", "Iterator"):
            yield from every(state.get(field), (*where, field), is_jsonpath)
        branches = state.get("Branches")
        for number, branch in enumerate(branches if isinstance(branches, list) else ()):
            yield from every(branch, (*where, "Branches", number), is_jsonpath)


def warn(state: dict[str, Any], place: Place, found: Findings) -> None:
    if state.get("Type") == "Pass" and "Result" in state and any(True for _ in paths(state["Result"], (), True)):
        found.warn((*place, "Result"), "Attempt to use a path in the result of a pass state.", "PASS_RESULT_IS_STATIC")
    for field in TEMPLATES:
        for where in paths(state.get(field), (*place, field), False):
            found.warn(where, "No .$ on a field that appears to be a JSONPath or Intrinsic Function.", "NO_DOLLAR")
    for field in TEXTS:
        if looks_like_path(state.get(field)):
            found.warn(
                (*place, field), "Field value looks like a path, but field name does not end with 'Path'.", "NO_PATH"
            )


def paths(value: Any, place: Place, is_static: bool) -> Iterator[Place]:
    """Where a template holds what looks like a path and is not read as one."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.endswith(".$"):
                if is_static:
                    yield (*place, name)
            else:
                yield from paths(inner, (*place, name), is_static)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*place, number), is_static)
    elif looks_like_path(value):
        yield place


def looks_like_path(value: Any) -> bool:
    return isinstance(value, str) and PATH.match(value) is not None
