"""Which variables each state of a definition refers to, as DescribeStateMachine shows them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"(?<![\w$])\$([A-Za-z_][\w]*)")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
_JSONATA_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")


def references_of(definition: Any) -> dict[str, list[str]]:
    """By the name of a state, the variables that its fields refer to, in the order of their names.

    Args:
        definition: as JSON has it; what is no definition has no references.
    """
    assigned = set(_assigned(definition))
    found: dict[str, set[str]] = {}
    for name, state in _states(definition):
        own = {key: value for key, value in state.items() if key not in _INNER}
        names = set(_names(own)) & assigned
        if names:
            found.setdefault(name, set()).update(names)
    return {name: sorted(names) for name, names in found.items()}


_INNER = frozenset({"ItemProcessor", "Iterator", "Branches"})
"""Fields whose states are shown by themselves."""


def _states(machine: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    states = machine.get("States") if isinstance(machine, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        yield name, state
        for key in _INNER:
            inner = state.get(key)
            for one in inner if isinstance(inner, list) else [inner]:
                yield from _states(one)


def _assigned(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Assign" and isinstance(inner, dict):
                yield from (name.removesuffix(".$") for name in inner)
            yield from _assigned(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _assigned(inner)


def _names(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from _names(inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner, key)
    elif isinstance(value, str):
        if value.startswith("{%") and value.endswith("%}"):
            yield from _NAME.findall(_JSONATA_QUOTED.sub("", value))
        elif key.endswith((".$", "Path")) or key == "Variable":
            yield from _NAME.findall(_QUOTED.sub("", value))
