"""``perdure list``: the runs in a store, newest first."""

from typing import Annotated

import typer

from perdure.cli.parameters import Filter, Json, LookIn, Statuses, StoreFile, Utc, WorkflowType

EXAMPLES = """Examples:

perdure list perdure.db

perdure list perdure.db --status open --type fulfil

perdure list perdure.db "Amount > 10000 AND Customer = 'ada' ORDER BY Amount DESC"

perdure list perdure.db --status failed --limit 0 --json"""

_PAGE = 500


def list_runs(
    file: StoreFile,
    filter: Filter = "",
    namespace: LookIn = "default",
    status: Statuses = None,
    workflow_type: WorkflowType = "",
    limit: Annotated[int, typer.Option("--limit", "-l", metavar="N", min=0, help="How many at most; 0 for all.")] = 50,
    json: Json = False,
    utc: Utc = False,
) -> None:
    """List runs, the newest first or in the order of the filter."""
    from itertools import islice

    from perdure.cli import runs_view, stores
    from perdure.cli.output import Output, note
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)
    with stores.opened(file) as store:
        found = stores.summaries(store, namespace, filter, runs_view.statuses_of(status or []), workflow_type)
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
