"""``perdure stats``: what a store holds, in figures."""

from typing import Annotated

import typer

from perdure.cli.parameters import Json, Place, Server, Token, Utc

EXAMPLES = """Examples:

perdure stats perdure.db

perdure stats perdure.db --days 30 --json

perdure stats --server https://flows.example"""


def stats(
    place: Place = None,
    days: Annotated[
        int, typer.Option("--days", "-d", metavar="N", min=0, max=3660, help="How many days to tell of, in UTC.")
    ] = 7,
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Count what is in a store or on a server: runs, waiting tasks, timers, messages, bytes. Looks at every run once, not at histories."""
    from time import perf_counter_ns

    from perdure.cli import stats_view
    from perdure.cli.output import Output, busy
    from perdure.cli.sources import look
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)
    began = perf_counter_ns()
    with busy("Counting"):
        figures = look(place, server, token, lambda source: source.statistics(days))
    took_ns = perf_counter_ns() - began
    if json:
        output.json(stats_view.stats_json(figures, took_ns), indented=True)
    else:
        stats_view.print_stats(output, style, figures, took_ns)
