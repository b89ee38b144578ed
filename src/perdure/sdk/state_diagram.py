"""A state machine as a Mermaid diagram."""

import re
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from perdure.sdk.durations import Duration, to_seconds

if TYPE_CHECKING:
    from perdure.sdk.state_machine import StateMachine, Transition


def name_of(state: Any) -> str:
    """What a state is called: a string is its own name, a member of an enum its value."""
    return str(state.value if isinstance(state, Enum) else state)


def diagram_of(machine: "StateMachine[Any]") -> str:
    """The text, for any page that draws Mermaid."""
    lines = ["stateDiagram-v2"]
    names = {state: _identifier(name_of(state)) for state in machine.states}
    lines += [f'    state "{name_of(state)}" as {name}' for state, name in names.items() if name != name_of(state)]
    lines.append(f"    [*] --> {names[machine.initial]}")
    for way in machine.transitions:
        label = _label(way)
        lines.append(f"    {names[way.source]} --> {names[way.target]}{f' : {label}' if label else ''}")
    lines += [f"    {names[state]} --> [*]" for state in machine.final]
    return "\n".join(lines) + "\n"


def _identifier(name: str) -> str:
    # "end" alone is a keyword of Mermaid's.
    return re.sub(r"\W", "_", name) if name != "end" else "end_"


def _label(way: "Transition[Any]") -> str:
    parts = [way.message] if way.message else []
    if way.after is not None:
        parts.append(f"after {_length(way.after)}")
    if way.guard is not None:
        name = getattr(way.guard, "__name__", "guard")
        parts.append(f"[{'guard' if name == '<lambda>' else name}]")
    return " ".join(parts)


def _length(duration: Duration) -> str:
    whole = timedelta(seconds=to_seconds(duration))
    minutes, seconds = divmod(whole.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f"{seconds + whole.microseconds / 1e6:g}"
    units = [(f"{whole.days}", "d"), (f"{hours}", "h"), (f"{minutes}", "min"), (fraction, "s")]
    return " ".join(f"{count} {unit}" for count, unit in units if count != "0") or "0 s"
