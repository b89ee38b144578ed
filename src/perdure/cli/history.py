"""``perdure history``: the events of one run."""

from typing import Annotated

import typer

from perdure.cli.parameters import Full, Json, Namespace, RunId, StoreFile, Utc, WorkflowId

EXAMPLES = """Examples:

perdure history perdure.db order-17

perdure history perdure.db order-17 --after 40 --full

perdure history perdure.db order-17 --json"""


def history(
    file: StoreFile,
    workflow_id: WorkflowId,
    run_id: RunId = "",
    namespace: Namespace = "default",
    after: Annotated[
        int, typer.Option("--after", "-a", metavar="EVENT_ID", min=0, help="Only events with higher numbers than this.")
    ] = 0,
    limit: Annotated[
        int, typer.Option("--limit", "-l", metavar="N", min=0, help="How many events at most; 0 for all.")
    ] = 0,
    full: Full = False,
    json: Json = False,
    utc: Utc = False,
) -> None:
    """Show the events of one run, the oldest first."""
    from perdure.cli import events_view, stores
    from perdure.cli.output import Output, note
    from perdure.cli.times import TimeStyle

    with stores.opened(file) as store:
        all_events = stores.read(store, stores.find(store, namespace, workflow_id, run_id)).events()
    events = [event for event in all_events if event.id > after]
    shown = events[:limit] if limit else events
    output = Output()
    if json:
        for event in shown:
            output.json(events_view.event_json(event))
    else:
        events_view.print_events(output, TimeStyle(utc=utc), shown, full=full)
    if not shown:
        note(f"There are {len(all_events):,} events, and none with a number above {after:,}.")
    elif len(shown) < len(events):
        note(f"There are {len(events) - len(shown):,} more; go on with --after {shown[-1].id}.")
