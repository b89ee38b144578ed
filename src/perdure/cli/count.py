"""``perdure count``: how many runs there are, by whatever one likes."""

from perdure.cli.parameters import Filter, Json, LookIn, Statuses, StoreFile, Utc, WorkflowType

EXAMPLES = """Examples:

perdure count perdure.db

perdure count perdure.db "StartTime > '2026-01-31' GROUP BY ExecutionStatus"

perdure count perdure.db "GROUP BY WorkflowType, BuildId" --status open --json"""


def count(
    file: StoreFile,
    filter: Filter = "",
    namespace: LookIn = "default",
    status: Statuses = None,
    workflow_type: WorkflowType = "",
    json: Json = False,
    utc: Utc = False,
) -> None:
    """Count runs, and those of each group of a GROUP BY, the largest first."""
    from perdure.cli import count_view, runs_view, stores
    from perdure.cli.output import Output
    from perdure.cli.times import TimeStyle

    with stores.opened(file) as store:
        counted = stores.counts(store, namespace, filter, runs_view.statuses_of(status or []), workflow_type)
    if json:
        Output().json(count_view.count_json(counted))
    else:
        count_view.print_count(Output(), TimeStyle(utc=utc), counted)
