"""Schedules in a list, as a table and as JSON. What is shown is their memo, so that no history need be read."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from perdure.cli.output import BAD, FAINT, STRONG, Cell, Column, Output
from perdure.cli.times import TimeStyle, rfc3339
from perdure.cli.values import jsonable, status_text, visible
from perdure.sdk.schedules.descriptions import ScheduleDescription, ScheduledRun, ScheduleInfo
from perdure.sdk.schedules.times import times, to_datetime, to_ns

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


def description_json(found: ScheduleDescription) -> dict[str, Any]:
    """All about a schedule as a program sees it."""
    return {
        "id": found.id,
        "namespace": found.namespace,
        "workflow_type": found.workflow_type,
        "task_queue": found.task_queue,
        "when": found.when,
        "spec": jsonable(found.spec),
        "overlap": found.overlap,
        "catch_up_ns": round(found.catch_up.total_seconds() * 1e9),
        "max_runs": found.max_runs,
        "is_paused": found.is_paused,
        "note": found.note,
        "has_ended": found.has_ended,
        "next_times": [_time(moment) for moment in found.next_times],
        "recent": [_run_json(run) for run in found.recent],
        "open": [_run_json(run) for run in found.open],
        "buffered": found.buffered,
        "counts": jsonable(found.counts),
        "last_error": found.last_error,
        "last_error_time": None if found.last_error_time is None else _time(found.last_error_time),
    }


def print_description(output: Output, style: TimeStyle, found: ScheduleDescription) -> None:
    """All about a schedule."""
    state: Cell = ("ended", FAINT) if found.has_ended else ("paused", "yellow") if found.is_paused else ("open", "cyan")
    output.line((visible(found.id), STRONG), "  ", state)
    counts = jsonable(found.counts)
    error = (
        f"{style.moment(to_ns(found.last_error_time))}: {visible(found.last_error)}" if found.last_error_time else ""
    )
    output.fields(
        [
            ("starts", f"{visible(found.workflow_type)} on {visible(found.task_queue)}"),
            ("when", visible(found.when)),
            ("overlap", found.overlap),
            ("note", visible(found.note)),
            ("next", ", ".join(style.moment(to_ns(moment)) for moment in found.next_times)),
            ("so far", ", ".join(f"{count} {what}" for what, count in counts.items() if count)),
            ("waiting", str(found.buffered) if found.buffered else ""),
            ("last error", (error, BAD)),
        ]
    )
    for title, runs in (("Open runs", found.open), ("Last runs", found.recent)):
        if runs:
            output.heading(title)
            output.fields(
                [(visible(run.id), f"{status_text(run.status)} {visible(run.waits_for)}".rstrip()) for run in runs]
            )


def _run_json(run: ScheduledRun) -> dict[str, Any]:
    return {
        "workflow_id": run.id,
        "run_id": run.run_id,
        "nominal_time": _time(run.nominal),
        "start_time": _time(run.started),
        "status": status_text(run.status),
        "waits_for": run.waits_for,
    }


def _time(moment: datetime) -> str | None:
    return rfc3339(to_ns(moment))
