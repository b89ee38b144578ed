"""Runs in a list, as a table and as JSON."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from perdure.cli.output import FAINT, STATUS_STYLES, Cell, Column, Output
from perdure.cli.progress import progress_of
from perdure.cli.times import TimeStyle, duration
from perdure.cli.values import jsonable, status_text, visible
from perdure.model.options import RunStatus
from perdure.model.service import RunSummary


def statuses_of(choices: Iterable[Enum]) -> list[RunStatus]:
    """The statuses that ``--status`` options ask for; empty for any."""
    chosen: dict[RunStatus, None] = {}
    for choice in choices:
        match choice.value:
            case "open":
                chosen |= {status: None for status in RunStatus if not status.is_closed}
            case "closed":
                chosen |= {status: None for status in RunStatus if status.is_closed}
            case _:
                chosen[RunStatus[choice.name]] = None
    return list(chosen)


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """A run as a program sees it in the list: ``RunSummary``, its duration, and its progress."""
    shown: dict[str, Any] = jsonable(summary)
    shown["duration_ns"] = summary.close_time - summary.start_time if summary.close_time else None
    shown["progress"] = jsonable(progress_of(summary.memo))
    return shown


def print_runs(output: Output, style: TimeStyle, summaries: Sequence[RunSummary], *, with_header: bool) -> None:
    """One line for each run."""
    offsets = {style.offset(summary.start_time) for summary in summaries}
    offset = offsets.pop() if len(offsets) == 1 else ""
    rows = [_row(summary, style, offset) for summary in summaries]
    columns = [
        Column("WORKFLOW ID", flexible=True),
        Column("TYPE", flexible=True),
        Column("STATUS"),
        Column("STARTED", suffix=offset),
        Column("DURATION", right=True),
        Column("RUN"),
        Column("PROGRESS", flexible=True),
    ]
    if output.is_terminal and not any(row[-1] for row in rows):
        columns.pop()
        rows = [row[:-1] for row in rows]
    output.table(columns, rows, with_header=with_header)


def _row(summary: RunSummary, style: TimeStyle, offset: str) -> list[Cell]:
    progress = progress_of(summary.memo)
    return [
        visible(summary.workflow_id),
        visible(summary.workflow_type),
        (status_text(summary.status), STATUS_STYLES[summary.status]),
        style.moment(summary.start_time).removesuffix(offset),
        duration(max(0, (summary.close_time or style.now) - summary.start_time)),
        (_short(summary.run_id), FAINT),
        "" if progress is None else progress.text(),
    ]


def _short(run_id: str) -> str:
    """Enough of a run id to tell it from others of its workflow, and for ``--run-id``. Its beginning is the time."""
    return run_id[-8:]
