"""Temporal's list filters, which the engine's own language is; a few names differ."""

import re
from collections.abc import Collection, Mapping

from perdure.model import standalone_operation as operations
from perdure.model.standalone import PREFIX, QUEUE_ATTRIBUTE, TASK_QUEUE

NAMES: Mapping[str, str] = {
    "ExecutionTime": "StartTime",
    "BuildIds": "BuildId",
    "TemporalScheduledById": "ScheduledById",
    "TemporalScheduledStartTime": "ScheduledStartTime",
}
"""Attributes that the engine has under another name."""

SHOWN: Mapping[str, str] = {own: name for name, own in NAMES.items() if own.startswith("Scheduled")}
"""The names that clients know of attributes which schedules set."""

ACTIVITY_NAMES: Mapping[str, str] = {
    **NAMES,
    "ActivityId": "WorkflowId",
    "ActivityType": "WorkflowType",
    "TaskQueue": QUEUE_ATTRIBUTE,
}
"""Those of standalone activities."""

OPERATION_NAMES: Mapping[str, str] = {
    **NAMES,
    "OperationId": "WorkflowId",
    "Endpoint": operations.ENDPOINT_ATTRIBUTE,
}
"""Those of standalone operations."""

_PARTS = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\b([A-Za-z]\w*)\b""")


def filter_of(query: str) -> str:
    """A filter for the engine's search."""
    return _PARTS.sub(lambda part: part[1] or NAMES.get(part[2], part[2]), query)


def workflow_filter(query: str, types: Collection[str]) -> str:
    """A filter for runs of workflows: standalone activities and operations are none. ``types`` are the names of the
    namespace's search attributes, which say whether there are any."""
    found = filter_of(query)
    for attribute, queue in ((QUEUE_ATTRIBUTE, TASK_QUEUE), (operations.ENDPOINT_ATTRIBUTE, operations.TASK_QUEUE)):
        if attribute in types:
            found = _narrowed(found, f"TaskQueue != '{queue}'")
    return found


def activity_filter(query: str) -> str:
    """A filter for standalone activities."""
    return _own_filter(query, ACTIVITY_NAMES, "ActivityId", PREFIX, TASK_QUEUE)


def operation_filter(query: str) -> str:
    """A filter for standalone operations."""
    return _own_filter(query, OPERATION_NAMES, "OperationId", operations.PREFIX, operations.TASK_QUEUE)


def _own_filter(query: str, names: Mapping[str, str], id_name: str, prefix: str, task_queue: str) -> str:
    is_id = False
    parts: list[str] = []
    end = 0
    for part in _PARTS.finditer(query):
        parts.append(query[end : part.start()])
        end = part.end()
        text, name = part[1], part[2]
        if name is not None and name.upper() not in _WORDS:
            is_id = name == id_name
            parts.append(names.get(name, name))
        elif text is not None and is_id:
            parts.append(f"{text[0]}{prefix}{text[1:]}")
        else:
            parts.append(part[0])
    return _narrowed("".join([*parts, query[end:]]), f"TaskQueue = '{task_queue}'")


_WORDS = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN", "STARTS_WITH", "IS", "NULL", "TRUE", "FALSE"})
"""Words of the language that may stand between an attribute and its values."""


def _narrowed(query: str, condition: str) -> str:
    tail = next(
        (part.start() for part in _PARTS.finditer(query) if (part[2] or "").upper() in ("ORDER", "GROUP")), None
    )
    where, rest = (query, "") if tail is None else (query[:tail], query[tail:])
    return f"{condition} AND ({where}) {rest}" if where.strip() else f"{condition} {rest}"
