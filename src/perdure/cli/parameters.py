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


def complete_place(ctx: typer.Context, incomplete: str) -> list[str]:
    """Store files here, and whatever else may stand first: ids of workflows where the command takes one."""
    from pathlib import Path

    from perdure.cli.places import looks_like_place

    folder, _, _ = incomplete.rpartition("/")
    try:
        beside = [f"{folder}/{each.name}" if folder else each.name for each in Path(folder or ".").iterdir()]
    except OSError:
        beside = []
    files = sorted(each for each in beside if each.startswith(incomplete) and looks_like_place(each))
    takes_id = any(each.name == "workflow_id" for each in ctx.command.params)
    return files + (complete_workflow_id(ctx, incomplete) if takes_id else [])


def complete_workflow_id(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of recent workflows in the file or server that the command line names; none if it can't be asked."""
    # A shell must not be shown an error while somebody types, and must not wait for long.
    try:
        from perdure.cli.completing import workflow_ids

        given = ctx.params
        return workflow_ids(
            given.get("place"),
            given.get("server") or "",
            given.get("token") or "",
            given.get("namespace") or "default",
            incomplete,
        )
    except Exception:
        return []


Place = Annotated[
    str | None,
    typer.Argument(
        metavar="PLACE",
        help="A store file, perdure.db or sqlite:///perdure.db, which may be in use; or the URL of a server. "
        "Without it, the server of --server.",
        autocompletion=complete_place,
        show_default=False,
    ),
]

Server = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="PERDURE_SERVER",
        help="The server to ask. With it, the first argument is never a place. Default: http://127.0.0.1:7420.",
        show_default=False,
    ),
]

ServerPlace = Annotated[
    str | None,
    typer.Argument(
        metavar="URL",
        help="The URL of a server, http://127.0.0.1:7420. Without it, that of --server.",
        show_default=False,
    ),
]

Token = Annotated[
    str,
    typer.Option(
        "--token",
        metavar="TOKEN",
        envvar="PERDURE_TOKEN",
        help="Who is asking, for a server that wants to know. Better in the environment, where no list of processes shows it.",
        show_default=False,
    ),
]

Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", metavar="NAME", envvar="PERDURE_NAMESPACE", help="The namespace that the workflow is in."
    ),
]

LookIn = Annotated[
    str,
    typer.Option("--namespace", "-n", metavar="NAME", envvar="PERDURE_NAMESPACE", help="The namespace to look in."),
]

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


WorkflowId = Annotated[
    str,
    typer.Argument(
        metavar="WORKFLOW_ID", help="The workflow's id.", autocompletion=complete_workflow_id, show_default=False
    ),
]

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ARG",
        help="What it is given, in order: JSON, @FILE with JSON in it, or - for JSON from standard input. One that begins "
        "with a minus stands behind --.",
        show_default=False,
    ),
]

Reason = Annotated[
    str, typer.Option("--reason", "-m", metavar="TEXT", help="Why, for the history.", show_default=False)
]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")]
