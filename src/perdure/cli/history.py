"""``perdure history``: the events of one run."""

from typing import Annotated

import typer

from perdure.cli.parameters import Full, Json, Namespace, Place, RunId, Server, Token, Utc, WorkflowId

EXAMPLES = """Examples:

perdure history order-17 --follow

perdure history perdure.db order-17 --after 40 --full

perdure history perdure.db order-17 --json"""


def history(
    place: Place,
    workflow_id: WorkflowId,
    run_id: RunId = "",
    namespace: Namespace = "default",
    after: Annotated[
        int, typer.Option("--after", "-a", metavar="EVENT_ID", min=0, help="Only events with higher numbers than this.")
    ] = 0,
    limit: Annotated[
        int, typer.Option("--limit", "-l", metavar="N", min=0, help="How many events at most; 0 for all.")
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-F", help="Go on with events as they happen, until the run is closed.")
    ] = False,
    full: Full = False,
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show the events of one run, the oldest first."""
    import sys

    from perdure.cli import events_view
    from perdure.cli.finding import find
    from perdure.cli.output import Output, note
    from perdure.cli.sources import PAGE, Source, look
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)

    async def show(source: Source) -> None:
        address = await find(source, namespace, workflow_id, run_id)
        shown, last = 0, after
        while True:
            wanted = min(PAGE, limit - shown) if limit else PAGE
            page = await source.history(address, after=last, limit=wanted, wait=follow)
            if json:
                for event in page.events:
                    output.json(events_view.event_json(event))
            else:
                events_view.print_events(output, style, page.events, full=full, with_header=not shown)
            sys.stdout.flush()
            shown += len(page.events)
            last = page.events[-1].id if page.events else last
            if page.is_closed or shown == limit > 0 or not (page.events or follow):
                break
        if follow or (shown and (page.is_closed or not limit)):
            return
        total = (await source.describe(address)).summary.history_length
        if not shown:
            note(f"There are {total:,} events, and none with a number above {after:,}.")
        elif total > last:
            note(f"There are {total - last:,} more; go on with --after {last}.")

    look(place, server, token, show)
