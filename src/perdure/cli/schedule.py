"""``perdure schedule list``: the schedules in a store."""

import typer

from perdure.cli.parameters import Json, LookIn, Place, Server, Token, Utc
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure schedule list perdure.db

perdure schedule list perdure.db --utc --json"""

schedule = typer.Typer(
    name="schedule", no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)


@schedule.callback(epilog=EXAMPLES)
def about() -> None:
    """Look at schedules, which start workflows by the clock."""


@schedule.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_schedules(
    place: Place = None,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List the open schedules, the newest first: when they are due next, what they start, whether they are paused."""
    from perdure.cli import schedules_view
    from perdure.cli.output import Output, note
    from perdure.cli.sources import Source, look
    from perdure.cli.times import TimeStyle
    from perdure.sdk.schedules.client import open_schedules
    from perdure.sdk.schedules.descriptions import ScheduleInfo

    output, style = Output(), TimeStyle(utc=utc)

    async def read(source: Source) -> list[ScheduleInfo]:
        return [info async for info in open_schedules(source, namespace)]

    found = look(place, server, token, read)
    if json:
        for info in found:
            output.json(schedules_view.schedule_json(info, style.now))
    elif found:
        schedules_view.print_schedules(output, style, found)
    else:
        note(f"There are no schedules in namespace {namespace!r}.")
