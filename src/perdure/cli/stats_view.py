"""A store's figures, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from perdure.cli.output import FAINT, STATUS_STYLES, Column, Output
from perdure.cli.times import TimeStyle, duration, rfc3339
from perdure.cli.values import byte_count, jsonable, status_text, visible
from perdure.model.figures import Figures, TaskFigures


def stats_json(figures: Figures, took_ns: int) -> dict[str, Any]:
    """The figures as a program sees them."""
    shown: dict[str, Any] = jsonable(figures)
    for run in shown["runs"]:
        run["oldest_start"] = rfc3339(run["oldest_start"])
    for task in shown["tasks"]:
        del task["oldest_key"]
    for day in shown["days"]:
        day["day"] = (rfc3339(day["day"]) or "")[:10]
    return shown | {"next_timer": rfc3339(figures.next_timer), "duration_ns": took_ns}


def print_stats(output: Output, style: TimeStyle, figures: Figures, took_ns: int) -> None:
    """One table for each kind of thing."""
    total = sum(run.count for run in figures.runs)
    output.fields(
        [
            ("runs", f"{total:,}"),
            ("timers", f"{figures.timers:,}{_next(figures, style)}"),
            ("messages under way", f"{figures.messages:,}"),
            ("large payloads", f"{figures.blobs:,}, {byte_count(figures.blob_bytes)}"),
            ("file", _file(figures)),
            ("log beside it", byte_count(figures.log_bytes) if figures.file_bytes else ""),
        ]
    )
    if figures.runs:
        output.heading("Runs")
        output.table(
            [
                Column("NAMESPACE", flexible=True),
                Column("STATUS"),
                Column("TYPE", flexible=True),
                Column("BUILD"),
                Column("RUNS", right=True),
                Column("OLDEST START"),
            ],
            [
                [
                    visible(run.namespace),
                    (status_text(run.status), STATUS_STYLES[run.status]),
                    visible(run.workflow_type),
                    visible(run.build_id) or ("none yet", FAINT),
                    f"{run.count:,}",
                    style.moment(run.oldest_start),
                ]
                for run in figures.runs
            ],
        )
    if figures.tasks:
        _print_tasks(output, style, figures.tasks)
    if figures.days:
        output.heading("Days (UTC)")
        output.table(
            [Column("DAY"), Column("STARTED", right=True), Column("CLOSED", right=True)],
            [[(rfc3339(day.day) or "")[:10], f"{day.started:,}", f"{day.closed:,}"] for day in figures.days],
        )
    output.line()
    output.line((f"Looked at {total:,} run{'s' * (total != 1)} in {duration(took_ns)}.", FAINT))


def _file(figures: Figures) -> str:
    """Empty for a store that is none."""
    used, free = byte_count(figures.file_bytes), byte_count(figures.free_bytes)
    return f"{used}, of which free {free}" if figures.file_bytes else ""


def _next(figures: Figures, style: TimeStyle) -> str:
    return f", the next {style.until(figures.next_timer)}" if figures.next_timer else ""


def _print_tasks(output: Output, style: TimeStyle, tasks: Sequence[TaskFigures]) -> None:
    output.heading("Tasks")
    rows = []
    for task in tasks:
        known = task.oldest
        rows.append(
            [
                visible(task.task_queue),
                "turn" if task.is_turn else "activity",
                visible(task.type),
                f"{task.waiting:,}",
                f"{task.started:,}",
                "" if known is None else f"{visible(known.workflow_id)}, since {style.since(known.since)}",
            ]
        )
    columns = [
        Column("QUEUE", flexible=True),
        Column("KIND"),
        Column("TYPE", flexible=True),
        Column("WAITING", right=True),
        Column("RUNNING", right=True),
        Column("OLDEST THAT WAITS", flexible=True),
    ]
    output.table(columns, rows)
