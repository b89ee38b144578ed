"""Schedules in a list, as a table and as JSON. What is shown is their memo, so that no history need be read."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from perdure.cli.output import FAINT, Cell, Column, Output
from perdure.cli.times import TimeStyle
from perdure.cli.values import jsonable, visible
from perdure.sdk.schedules.descriptions import ScheduleInfo
from perdure.sdk.schedules.times import times, to_datetime

_NEXT = 5


def schedule_json(info: ScheduleInfo, now: int) -> dict[str, Any]:
    """A schedule as a program sees it; ``next_times`` is empty while it is paused."""
    return {
        "id": info.id,
        "namespace": info.namespace,
        "workflow_type": info.workflow_type,
        "task_queue": info.task_queue,
        "when": info.when,
        "spec": jsonable(info.spec),
        "overlap": info.overlap,
        "is_paused": info.is_paused,
        "note": info.note,
        "next_times": [f"{to_datetime(nominal):%Y-%m-%dT%H:%M:%S.%f}000Z" for nominal in _next(info, now, _NEXT)],
    }


def print_schedules(output: Output, style: TimeStyle, found: Sequence[ScheduleInfo]) -> None:
    """One line for each schedule."""
    columns = [
        Column("SCHEDULE", flexible=True),
        Column("WORKFLOW", flexible=True),
        Column("WHEN", flexible=True),
        Column("NEXT"),
        Column("OVERLAP"),
        Column("NOTE", flexible=True),
    ]
    output.table(columns, [_row(info, style) for info in found])


def _row(info: ScheduleInfo, style: TimeStyle) -> list[Cell]:
    following = _next(info, style.now, 1)
    upcoming: Cell = style.moment(following[0]) if following else ("paused" if info.is_paused else "never", FAINT)
    return [
        visible(info.id),
        visible(info.workflow_type),
        visible(info.when),
        upcoming,
        info.overlap,
        visible(info.note),
    ]


def _next(info: ScheduleInfo, now: int, count: int) -> list[int]:
    return [] if info.is_paused else list(islice(times(info.spec, now), count))
