"""``perdure verify``: whether a store is sound, and holds what its histories say."""

import typer

from perdure.cli.parameters import Json, StoreFile, Utc

EXAMPLES = """Examples:

perdure verify perdure.db

perdure verify perdure.db --json

Exit codes: 0 when all is as it must be, 1 when something is not, 2 when the file can't be used."""


def verify(file: StoreFile, json: Json = False, utc: Utc = False) -> None:
    """Check the database, and compare every history with what is stored beside it."""
    from time import perf_counter

    from perdure.cli import findings_view, stores
    from perdure.cli.output import Output, progress
    from perdure.cli.times import TimeStyle
    from perdure.engine.verify import check_store

    output, style = Output(), TimeStyle(utc=utc)
    began = perf_counter()
    checked_runs = found = 0
    with stores.opened(file) as store:
        total = stores.stored_runs(store)
        with progress("Verifying", "{:,}".format) as show:

            def checked(count: int) -> None:
                nonlocal checked_runs
                checked_runs = count
                if not count % 100 or count == total:
                    show(count, total)

            for finding in check_store(store, checked):
                found += 1
                if json:
                    output.json(findings_view.finding_json(finding))
                else:
                    findings_view.print_finding(output, style, finding)
    seconds = perf_counter() - began
    if json:
        output.json(findings_view.summary_json(checked_runs, found, seconds))
    else:
        findings_view.print_summary(output, file, checked_runs, found, seconds)
    if found:
        raise typer.Exit(1)
