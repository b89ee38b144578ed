"""The table of events: the docstrings of ``perdure.model.events``, with each record's number and attributes."""

import inspect
import typing
from collections.abc import Sequence

from perdure.model.events import Record

# What all records have, so that no row needs to say it.
_SHARED = ("id", "time")


def of(union: object) -> list[type[Record]]:
    """The records of a union, by number."""
    return sorted(typing.get_args(union), key=lambda record: int(record.__struct_config__.tag))


def description(record: type[Record]) -> str:
    """What a record says has happened: its docstring, in one line; empty if it has none."""
    return " ".join(inspect.cleandoc(record.__doc__ or "").split())


def table(kind: str, records: Sequence[type[Record]]) -> str:
    """A row for each record."""
    rows = [f"| number | {kind} | what happened | attributes |", "| --- | --- | --- | --- |"]
    for record in records:
        attributes = ", ".join(f"`{name}`" for name in record.__struct_fields__ if name not in _SHARED)
        number = record.__struct_config__.tag
        rows.append(f"| {number} | `{record.__name__}` | {description(record)} | {attributes} |")
    return "\n".join(rows)
