"""Arguments and options that several commands share, and what the shell completes for them."""

from enum import StrEnum
from typing import Annotated

import typer

StoreFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="The store: a SQLite file written by Perdure, or its URL. It may be in use.",
        show_default=False,
    ),
]

Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace that the workflow is in.")
]

LookIn = Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace to look in.")]

Filter = Annotated[
    str,
    typer.Argument(
        metavar="[FILTER]",
        help="Only runs that this is true of: \"Amount > 100 AND ExecutionStatus = 'Running'\"; see docs/search.md.",
        show_default=False,
    ),
]


class StatusChoice(StrEnum):
    """What ``--status`` takes: a status, or ``open`` and ``closed`` for all of a kind."""

    OPEN = "open"
    CLOSED = "closed"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    CONTINUED_AS_NEW = "continued_as_new"
    TIMED_OUT = "timed_out"


Statuses = Annotated[
    list[StatusChoice] | None,
    typer.Option(
        "--status",
        "-s",
        help="Only runs with this status; open means running and paused, closed all others. May be repeated.",
        case_sensitive=False,
        show_default=False,
    ),
]

WorkflowType = Annotated[
    str, typer.Option("--type", "-t", metavar="TYPE", help="Only runs of this workflow type.", show_default=False)
]

RunId = Annotated[
    str,
    typer.Option(
        "--run-id",
        "-r",
        metavar="RUN_ID",
        help="One run of the workflow, by its run id or its beginning or end. Without this, the last one started.",
        show_default=False,
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

Utc = Annotated[bool, typer.Option("--utc", help="Show times in UTC instead of local time.")]

Full = Annotated[bool, typer.Option("--full", help="Show every attribute and every value, and cut nothing short.")]


def complete_workflow_id(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of recent workflows in the file that the command line names before; none if it can't be read."""
    file = ctx.params.get("file")
    if file is None:
        return []
    # A shell must not be shown an error while somebody types.
    try:
        from perdure.cli.stores import opened, recent_runs

        with opened(file) as store:
            rows = recent_runs(store, ctx.params.get("namespace") or "default")
            return list(dict.fromkeys(row.workflow_id for row in rows if row.workflow_id.startswith(incomplete)))[:100]
    except Exception:
        return []


WorkflowId = Annotated[
    str,
    typer.Argument(
        metavar="WORKFLOW_ID", help="The workflow's id.", autocompletion=complete_workflow_id, show_default=False
    ),
]
