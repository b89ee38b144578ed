"""``perdure list``: the runs in a store, newest first."""

from enum import StrEnum
from typing import Annotated

import typer

from perdure.cli.parameters import Json, StoreFile, Utc

EXAMPLES = """Examples:

perdure list perdure.db

perdure list perdure.db --status open --type fulfil

perdure list perdure.db --status failed --limit 0 --json"""

_PAGE = 500


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


def list_runs(
    file: StoreFile,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace to look in.")
    ] = "default",
    status: Annotated[
        list[StatusChoice] | None,
        typer.Option(
            "--status",
            "-s",
            help="Only runs with this status; open means running and paused, closed all others. May be repeated.",
            case_sensitive=False,
            show_default=False,
        ),
    ] = None,
    workflow_type: Annotated[
        str, typer.Option("--type", "-t", metavar="TYPE", help="Only runs of this workflow type.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-l", metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
    json: Json = False,
    utc: Utc = False,
) -> None:
    """List runs, the newest first."""
    from itertools import islice

    from perdure.cli import runs_view, stores
    from perdure.cli.output import Output, note
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)
    with stores.opened(file) as store:
        found = stores.summaries(store, namespace, runs_view.statuses_of(status or []), workflow_type)
        shown = 0
        while page := list(islice(found, min(_PAGE, limit - shown) if limit else _PAGE)):
            if json:
                for summary in page:
                    output.json(runs_view.summary_json(summary))
            else:
                runs_view.print_runs(output, style, page, with_header=not shown)
            shown += len(page)
            if shown == limit:
                break
        if not shown:
            names = ", ".join(known.name for known in store.namespaces())
            note(f"No runs in namespace {namespace!r} match. Namespaces here: {names}.")
        elif limit and next(found, None) is not None:
            note(f"There are more than {limit:,}; see all with --limit 0.")
