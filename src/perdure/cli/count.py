"""``perdure count``: how many runs there are, by whatever one likes."""

from perdure.cli.parameters import Filter, Json, LookIn, Place, Server, Statuses, Token, Utc, WorkflowType

EXAMPLES = """Examples:

perdure count

perdure count perdure.db "StartTime > '2026-01-31' GROUP BY ExecutionStatus"

perdure count perdure.db "GROUP BY WorkflowType, BuildId" --status open --json"""


def count(
    place: Place = None,
    filter: Filter = "",
    namespace: LookIn = "default",
    status: Statuses = None,
    workflow_type: WorkflowType = "",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Count runs, and those of each group of a GROUP BY, the largest first."""
    from perdure.cli import count_view, runs_view
    from perdure.cli.output import Output, busy
    from perdure.cli.sources import look
    from perdure.cli.times import TimeStyle

    statuses = runs_view.statuses_of(status or [])
    with busy("Counting"):
        counted = look(
            place,
            server,
            token,
            lambda source: source.count(namespace, filter=filter, statuses=statuses, workflow_type=workflow_type),
        )
    if json:
        Output().json(count_view.count_json(counted))
    else:
        count_view.print_count(Output(), TimeStyle(utc=utc), counted)
