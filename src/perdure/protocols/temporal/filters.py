"""Temporal's list filters, which the engine's own language is; a few names differ."""

import re
from collections.abc import Mapping

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

_PARTS = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\b([A-Za-z]\w*)\b""")


def filter_of(query: str) -> str:
    """A filter for the engine's search."""
    return _PARTS.sub(lambda part: part[1] or NAMES.get(part[2], part[2]), query)


def workflow_filter(query: str, *, has_activities: bool) -> str:
    """A filter for runs of workflows: standalone activities, if there are any, are no workflows."""
    return _narrowed(filter_of(query), f"TaskQueue != '{TASK_QUEUE}'") if has_activities else filter_of(query)


def activity_filter(query: str) -> str:
    """A filter for standalone activities."""
    is_id = False
    parts: list[str] = []
    end = 0
    for part in _PARTS.finditer(query):
        parts.append(query[end : part.start()])
        end = part.end()
        text, name = part[1], part[2]
        if name is not None and name.upper() not in _WORDS:
            is_id = name == "ActivityId"
            parts.append(ACTIVITY_NAMES.get(name, name))
        elif text is not None and is_id:
            parts.append(f"{text[0]}{PREFIX}{text[1:]}")
        else:
            parts.append(part[0])
    return _narrowed("".join([*parts, query[end:]]), f"TaskQueue = '{TASK_QUEUE}'")


_WORDS = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN", "STARTS_WITH", "IS", "NULL", "TRUE", "FALSE"})
"""Words of the language that may stand between an attribute and its values."""


def _narrowed(query: str, condition: str) -> str:
    tail = next(
        (part.start() for part in _PARTS.finditer(query) if (part[2] or "").upper() in ("ORDER", "GROUP")), None
    )
    where, rest = (query, "") if tail is None else (query[:tail], query[tail:])
    return f"{condition} AND ({where}) {rest}" if where.strip() else f"{condition} {rest}"
