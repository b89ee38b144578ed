"""``perdure schedule list``: the schedules in a store."""

import typer

from perdure.cli.parameters import Json, LookIn, StoreFile, Utc

EXAMPLES = """Examples:

perdure schedule list perdure.db

perdure schedule list perdure.db --utc --json"""

schedule = typer.Typer(
    name="schedule", no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES
)


@schedule.callback(epilog=EXAMPLES)
def about() -> None:
    """Look at schedules, which start workflows by the clock."""


@schedule.command("list", epilog=EXAMPLES)
def list_schedules(
    file: StoreFile,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
) -> None:
    """List the open schedules, the newest first: when they are due next, what they start, whether they are paused."""
    from perdure.cli import schedules_view, stores
    from perdure.cli.output import Output, note
    from perdure.cli.times import TimeStyle

    output, style = Output(), TimeStyle(utc=utc)
    with stores.opened(file) as store:
        found = schedules_view.schedules(store, namespace)
    if json:
        for info in found:
            output.json(schedules_view.schedule_json(info, style.now))
    elif found:
        schedules_view.print_schedules(output, style, found)
    else:
        note(f"There are no schedules in namespace {namespace!r}.")
