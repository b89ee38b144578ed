"""A store's figures, as text and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from perdure.cli.output import FAINT, STATUS_STYLES, Column, Output
from perdure.cli.stores import Reader, read
from perdure.cli.times import TimeStyle, duration, rfc3339
from perdure.cli.values import byte_count, jsonable, status_text, visible
from perdure.engine.figures import Figures, TaskFigures
from perdure.kernel.explain import waits
from perdure.model.errors import PerdureError
from perdure.model.explanation import WaitKind


class Oldest(msgspec.Struct, frozen=True):
    """The run that waits for a worker and started first; ``since`` is when this wait began, in ns since 1970."""

    workflow_id: str
    run_id: str
    since: int


def oldest_wait(store: Reader, key: int, now: int) -> Oldest | None:
    """What is known of that run; None if it is gone, or can't be read."""
    stored = store.read(key) if key else None
    if stored is None:
        return None
    try:
        run = read(store, stored.row).run()
    except PerdureError:
        return None
    since = [wait.since for wait in waits(run, now) if wait.kind in (WaitKind.TURN, WaitKind.ACTIVITY)]
    return Oldest(run.workflow_id, run.run_id, min(since)) if since else None


def stats_json(figures: Figures, oldest: Mapping[int, Oldest | None], took_ns: int) -> dict[str, Any]:
    """The figures as a program sees them."""
    shown: dict[str, Any] = jsonable(figures)
    for run in shown["runs"]:
        run["oldest_start"] = rfc3339(run["oldest_start"])
    for task, figure in zip(shown["tasks"], figures.tasks, strict=True):
        del task["oldest_key"]
        task["oldest"] = jsonable(oldest.get(figure.oldest_key))
    for day in shown["days"]:
        day["day"] = (rfc3339(day["day"]) or "")[:10]
    return shown | {"next_timer": rfc3339(figures.next_timer), "duration_ns": took_ns}


def print_stats(
    output: Output, style: TimeStyle, figures: Figures, oldest: Mapping[int, Oldest | None], took_ns: int
) -> None:
    """One table for each kind of thing."""
    total = sum(run.count for run in figures.runs)
    output.fields(
        [
            ("runs", f"{total:,}"),
            ("timers", f"{figures.timers:,}{_next(figures, style)}"),
            ("messages under way", f"{figures.messages:,}"),
            ("large payloads", f"{figures.blobs:,}, {byte_count(figures.blob_bytes)}"),
            ("file", f"{byte_count(figures.file_bytes)}, of which free {byte_count(figures.free_bytes)}"),
            ("log beside it", byte_count(figures.log_bytes)),
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
        _print_tasks(output, style, figures.tasks, oldest)
    if figures.days:
        output.heading("Days (UTC)")
        output.table(
            [Column("DAY"), Column("STARTED", right=True), Column("CLOSED", right=True)],
            [[(rfc3339(day.day) or "")[:10], f"{day.started:,}", f"{day.closed:,}"] for day in figures.days],
        )
    output.line()
    output.line((f"Looked at {total:,} run{'s' * (total != 1)} in {duration(took_ns)}.", FAINT))


def _next(figures: Figures, style: TimeStyle) -> str:
    return f", the next {style.until(figures.next_timer)}" if figures.next_timer else ""


def _print_tasks(
    output: Output, style: TimeStyle, tasks: Sequence[TaskFigures], oldest: Mapping[int, Oldest | None]
) -> None:
    output.heading("Tasks")
    rows = []
    for task in tasks:
        known = oldest.get(task.oldest_key)
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
