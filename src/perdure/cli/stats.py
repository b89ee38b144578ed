"""``perdure stats``: what a store holds, in figures."""

from typing import Annotated

import typer

from perdure.cli.parameters import Json, StoreFile, Utc

EXAMPLES = """Examples:

perdure stats perdure.db

perdure stats perdure.db --days 30 --json"""


def stats(
    file: StoreFile,
    days: Annotated[
        int, typer.Option("--days", "-d", metavar="N", min=0, max=3660, help="How many days to tell of, in UTC.")
    ] = 7,
    json: Json = False,
    utc: Utc = False,
) -> None:
    """Count what is in a store: runs, waiting tasks, timers, messages, bytes. Looks at every run once, not at histories."""
    from time import perf_counter_ns

    from perdure.cli import stats_view, stores
    from perdure.cli.output import Output
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)
    began = perf_counter_ns()
    with stores.opened(file) as store:
        figures = store.figures(style.now, days)
        oldest = {
            key: stats_view.oldest_wait(store, key, style.now) for key in {each.oldest_key for each in figures.tasks}
        }
    took_ns = perf_counter_ns() - began
    if json:
        output.json(stats_view.stats_json(figures, oldest, took_ns), indented=True)
    else:
        stats_view.print_stats(output, style, figures, oldest, took_ns)
