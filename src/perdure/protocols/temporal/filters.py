"""Temporal's list filters, which the engine's own language is; a few names differ."""

import re
from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "ExecutionTime": "StartTime",
    "BuildIds": "BuildId",
    "TemporalScheduledById": "ScheduledById",
    "TemporalScheduledStartTime": "ScheduledStartTime",
}
"""Attributes that the engine has under another name."""

_PARTS = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\b([A-Za-z]\w*)\b""")


def filter_of(query: str) -> str:
    """A filter for the engine's search."""
    return _PARTS.sub(lambda part: part[1] or NAMES.get(part[2], part[2]), query)
