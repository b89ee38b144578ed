"""Counts of runs, as a table and as JSON."""

from typing import Any

from perdure.cli.output import FAINT, STATUS_STYLES, Cell, Column, Output
from perdure.cli.times import TimeStyle, duration, rfc3339
from perdure.cli.values import status_text, visible
from perdure.model.options import RunStatus
from perdure.model.search import Attribute, AttributeType, Value
from perdure.model.service import RunCount


def count_json(counted: RunCount) -> dict[str, Any]:
    """The count as a program sees it."""
    groups = [
        {
            "values": {
                attribute.name: _json(attribute, value)
                for attribute, value in zip(counted.attributes, group.values, strict=True)
            },
            "count": group.count,
        }
        for group in counted.groups
    ]
    return {"count": counted.total, "groups": groups if counted.attributes else None}


def print_count(output: Output, style: TimeStyle, counted: RunCount) -> None:
    """The number alone, or one line for each group."""
    if not counted.attributes:
        output.line(str(counted.total))
        return
    columns = [*(Column(visible(attribute.name), flexible=True) for attribute in counted.attributes)]
    rows = [
        [
            *(
                _cell(attribute, value, style)
                for attribute, value in zip(counted.attributes, group.values, strict=True)
            ),
            str(group.count),
        ]
        for group in counted.groups
    ]
    output.table([*columns, Column("RUNS", right=True)], rows)


def _cell(attribute: Attribute, value: Value | None, style: TimeStyle) -> Cell:
    match attribute.type, value:
        case _, None:
            return "none", FAINT
        case AttributeType.STATUS, int():
            status = RunStatus(value)
            return status_text(status), STATUS_STYLES[status]
        case AttributeType.DATETIME, int():
            return style.moment(value, milliseconds=True)
        case AttributeType.DURATION, int():
            return duration(value)
        case _, bool():
            return str(value).lower()
        case _:
            return visible(str(value))


def _json(attribute: Attribute, value: Value | None) -> Any:
    match attribute.type, value:
        case AttributeType.STATUS, int():
            return status_text(RunStatus(value))
        case AttributeType.DATETIME, int():
            return rfc3339(value)
        case _:
            return value
