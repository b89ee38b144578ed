"""``perdure list``: the runs in a store or on a server, newest first."""

from typing import Annotated

import typer

from perdure.cli.parameters import Filter, Json, LookIn, Place, Server, Statuses, Token, Utc, WorkflowType

EXAMPLES = """Examples:

perdure list

perdure list perdure.db --status open --type fulfil

perdure list perdure.db "Amount > 10000 AND Customer = 'ada' ORDER BY Amount DESC"

perdure list --server https://flows.example --status failed --limit 0 --json"""


def list_runs(
    place: Place = None,
    filter: Filter = "",
    namespace: LookIn = "default",
    status: Statuses = None,
    workflow_type: WorkflowType = "",
    limit: Annotated[int, typer.Option("--limit", "-l", metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List runs, the newest first or in the order of the filter."""
    from perdure.cli import runs_view
    from perdure.cli.output import Output, note
    from perdure.cli.sources import PAGE, Source, look
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)
    statuses = runs_view.statuses_of(status or [])

    async def show(source: Source) -> None:
        cursor, shown = "", 0
        while True:
            page = await source.list(
                namespace,
                filter=filter,
                statuses=statuses,
                workflow_type=workflow_type,
                cursor=cursor,
                limit=min(PAGE, limit - shown) if limit else PAGE,
            )
            if json:
                for summary in page.runs:
                    output.json(runs_view.summary_json(summary))
            elif page.runs:
                runs_view.print_runs(output, style, page.runs, with_header=not shown)
            shown += len(page.runs)
            cursor = page.next_cursor
            if not cursor or shown == limit:
                break
        if not shown:
            names = ", ".join(known.name for known in await source.namespaces())
            note(f"No runs in namespace {namespace!r} match. Namespaces here: {names}.")
        elif cursor:
            more = await source.list(
                namespace, filter=filter, statuses=statuses, workflow_type=workflow_type, cursor=cursor, limit=1
            )
            if more.runs:
                note(f"There are more than {limit:,}; see all with --limit 0.")

    look(place, server, token, show)
