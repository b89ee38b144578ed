"""Recorded things as JSON: failures and events, by their own names, without what is at its default.

``..._ns`` durations become ``..._seconds``, times RFC 3339, enumerations their names in lower case, payloads values.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from perdure.model.events import Event
from perdure.model.failures import Failure, FailureKind
from perdure.model.payloads import Payload
from perdure.protocols.rest.values import Value, attributes_to_values, to_seconds, to_time, to_value, to_value_map


class FailureView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something did not succeed; ``cause`` is what led to it. ``kind`` is "application", "timeout", "canceled",
    "terminated", "server", "activity" or "child_workflow"."""

    message: str
    kind: str
    type: str = ""
    non_retryable: bool = False
    details: list[Value] = []
    timeout_type: str = ""
    retry_state: str = ""
    activity_type: str = ""
    activity_id: str = ""
    workflow_type: str = ""
    workflow_id: str = ""
    run_id: str = ""
    identity: str = ""
    stack_trace: str = ""
    cause: "FailureView | None" = None


class EventView(msgspec.Struct, frozen=True):
    """An event of a history. ``type`` is its name in Temporal's words, such as "ActivityTaskCompleted"."""

    id: int
    type: str
    time: Any
    attributes: dict[str, Any]


def failure_view(failure: Failure | None) -> FailureView | None:
    """A chain of failures."""
    if failure is None:
        return None
    return FailureView(
        failure.message,
        _word(failure.kind),
        failure.type,
        failure.non_retryable,
        [to_value(payload) for payload in failure.details],
        _word(failure.timeout_type) if failure.timeout_type else "",
        _word(failure.retry_state) if failure.retry_state else "",
        failure.activity_type,
        failure.activity_id,
        failure.workflow_type,
        failure.workflow_id,
        failure.run_id,
        failure.identity,
        failure.stack_trace,
        failure_view(failure.cause),
    )


def failure_text(failure: Failure) -> str:
    """A chain of failures in one line."""
    parts = []
    link: Failure | None = failure
    while link is not None:
        name = link.type or ("" if link.kind is FailureKind.APPLICATION else _word(link.kind))
        parts.append(f"{name}: {link.message}" if name and link.message else name or link.message)
        link = link.cause
    return ", caused by ".join(parts)


def event_view(event: Event) -> EventView:
    """One event."""
    fields = _fields(event)
    fields.pop("id", None)
    fields.pop("time", None)
    return EventView(event.id, type(event).__name__, to_time(event.time), fields)


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if field.default is not msgspec.NODEFAULT and value == field.default:
            continue
        name, plain = _plain(field.name, value)
        shown[name] = plain
    return shown


def _plain(name: str, value: Any) -> tuple[str, Any]:
    match value:
        case Payload():
            return name, to_value(value)
        case Failure():
            return name, failure_view(value)
        case msgspec.Struct():
            return name, _fields(value)
        case Enum():
            return name, _word(value)
        case Mapping() if name == "search_attributes":
            return name, attributes_to_values(value)  # type: ignore[arg-type]
        case Mapping() if all(isinstance(item, Payload) for item in value.values()):
            return name, to_value_map(value)  # type: ignore[arg-type]
        case Mapping():
            return name, {str(key): _plain("", item)[1] for key, item in value.items()}
        case tuple() | list():
            return name, [_plain("", item)[1] for item in value]
        case bool() | None | str() | float():
            return name, value
        case int() if name.endswith("_ns"):
            return name.removesuffix("_ns") + "_seconds", to_seconds(value)
        case int() if name.endswith("_time") or name == "time":
            return name, to_time(value)
        case _:
            return name, value


def _word(value: Enum) -> str:
    return value.name.lower()
