"""``perdure schedule ...``: workflows started by the clock."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Arguments, Json, LookIn, Namespace, Place, Server, ServerPlace, Token, Utc
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure schedule list

perdure schedule create nightly tidy '"logs"' --cron "0 2 * * *" --timezone Europe/Berlin

perdure schedule create hourly report --every 1h --overlap buffer_one --paused

perdure schedule backfill nightly --from 2026-01-01T00:00:00Z --to 2026-01-07T00:00:00Z"""

schedule = group("schedule", "Look at schedules, which start workflows by the clock; create and change them.", EXAMPLES)

ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id.", show_default=False)]
Note = Annotated[str, typer.Option("--note", "-m", metavar="TEXT", help="A note for people.", show_default=False)]


class OverlapChoice(StrEnum):
    """What to do while a run of the schedule is open."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW_ALL = "allow_all"


Cron = Annotated[
    list[str] | None,
    typer.Option("--cron", metavar="CRON", help='When, such as "0 2 * * *". May be repeated.', show_default=False),
]
Every = Annotated[
    list[str] | None,
    typer.Option("--every", metavar="DURATION", help="An interval, such as 1h. May be repeated.", show_default=False),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--timezone", metavar="ZONE", help="The IANA zone that --cron is meant in; UTC without it.", show_default=False
    ),
]
StartAt = Annotated[
    str | None, typer.Option("--start-at", metavar="TIME", help="Not before this, in RFC 3339.", show_default=False)
]
EndAt = Annotated[
    str | None, typer.Option("--end-at", metavar="TIME", help="Not after this, in RFC 3339.", show_default=False)
]
MaxRuns = Annotated[
    int | None, typer.Option("--max-runs", metavar="N", min=1, help="End after so many runs.", show_default=False)
]
Jitter = Annotated[
    str | None,
    typer.Option(
        "--jitter", metavar="DURATION", help="Put each time off by chance for up to this.", show_default=False
    ),
]
Overlap = Annotated[
    OverlapChoice | None,
    typer.Option("--overlap", help="What to do while a run is open; skip at first.", show_default=False),
]
CatchUp = Annotated[
    str | None,
    typer.Option(
        "--catch-up",
        metavar="DURATION",
        help="Make up for times missed not longer ago than this; 365d at first.",
        show_default=False,
    ),
]


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


@schedule.command("show", cls=PlaceCommand, epilog=EXAMPLES)
def show_schedule(
    place: ServerPlace,
    id: ScheduleId,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show where a schedule stands: its next times, its last runs, what became of all its times, the last error."""
    from perdure.cli import schedules_view
    from perdure.cli.asking import ask_client
    from perdure.cli.output import Output
    from perdure.cli.times import TimeStyle

    found = ask_client(place, server, token, namespace, lambda client: client.schedules.get(id).describe())
    if json:
        Output().json(schedules_view.description_json(found), indented=True)
    else:
        schedules_view.print_description(Output(), TimeStyle(utc=utc), found)


@schedule.command("create", cls=PlaceCommand, epilog=EXAMPLES)
def create_schedule(
    place: ServerPlace,
    id: ScheduleId,
    workflow: Annotated[
        str, typer.Argument(metavar="TYPE", help="The type of the workflow to start.", show_default=False)
    ],
    args: Arguments = None,
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    start_at: StartAt = None,
    end_at: EndAt = None,
    max_runs: MaxRuns = None,
    jitter: Jitter = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    task_queue: Annotated[
        str, typer.Option("--task-queue", "-q", metavar="NAME", help="Where the workers of its runs are.")
    ] = "default",
    workflow_id: Annotated[
        str,
        typer.Option(
            "--workflow-id",
            metavar="ID",
            help="The beginning of its runs' ids; the schedule's id without it.",
            show_default=False,
        ),
    ] = "",
    paused: Annotated[bool, typer.Option("--paused", help="Begin paused.")] = False,
    note: Note = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start a workflow again and again."""
    from perdure.cli import output
    from perdure.cli.asking import ask_client
    from perdure.cli.inputs import values_of

    options = _options(cron, every, timezone, start_at, end_at, max_runs, jitter, overlap, catch_up)
    values = values_of(args)
    options |= {"task_queue": task_queue, "workflow_id": workflow_id or None, "paused": paused, "note": note}
    ask_client(
        place, server, token, namespace, lambda client: client.schedules.create(id, workflow, *values, **options)
    )
    output.note(f"Created schedule {id!r}.")


@schedule.command("update", cls=PlaceCommand, epilog=EXAMPLES)
def update_schedule(
    place: ServerPlace,
    id: ScheduleId,
    cron: Cron = None,
    every: Every = None,
    timezone: Zone = None,
    start_at: StartAt = None,
    end_at: EndAt = None,
    max_runs: MaxRuns = None,
    jitter: Jitter = None,
    overlap: Overlap = None,
    catch_up: CatchUp = None,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Change a schedule; what is not said stays. --cron or --every replaces all its times."""
    options = _options(cron, every, timezone, start_at, end_at, max_runs, jitter, overlap, catch_up)
    _tell(place, server, token, namespace, id, "Changed", "update", **options)


@schedule.command("pause", cls=PlaceCommand, epilog=EXAMPLES)
def pause_schedule(
    place: ServerPlace,
    id: ScheduleId,
    note: Note = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start no more runs until it is resumed. Times that pass meanwhile are left out."""
    _tell(place, server, token, namespace, id, "Paused", "pause", note)


@schedule.command("resume", cls=PlaceCommand, epilog=EXAMPLES)
def resume_schedule(
    place: ServerPlace,
    id: ScheduleId,
    note: Note = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a paused schedule go on with its next time."""
    _tell(place, server, token, namespace, id, "Resumed", "resume", note)


@schedule.command("trigger", cls=PlaceCommand, epilog=EXAMPLES)
def trigger_schedule(
    place: ServerPlace,
    id: ScheduleId,
    overlap: Overlap = None,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start a run of a schedule now, also while it is paused."""
    chosen = None if overlap is None else overlap.value
    _tell(place, server, token, namespace, id, "Triggered", "trigger", overlap=chosen)


@schedule.command("backfill", cls=PlaceCommand, epilog=EXAMPLES)
def backfill_schedule(
    place: ServerPlace,
    id: ScheduleId,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="The first time, in RFC 3339.", show_default=False)
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The last time, in RFC 3339.", show_default=False)],
    overlap: Annotated[
        OverlapChoice, typer.Option("--overlap", help="What to do while a run of these is open.")
    ] = OverlapChoice.BUFFER_ALL,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start the runs of all times between two now, those included; also while it is paused."""
    times = _moment(begin, "--from"), _moment(end, "--to")
    _tell(place, server, token, namespace, id, "Began to backfill", "backfill", *times, overlap=overlap.value)


@schedule.command("delete", cls=PlaceCommand, epilog=EXAMPLES)
def delete_schedule(
    place: ServerPlace,
    id: ScheduleId,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Remove a schedule. Runs that it has started go on."""
    _tell(place, server, token, namespace, id, "Deleted", "delete")


def _tell(
    place: str | None,
    server: str,
    token: str,
    namespace: str,
    id: str,
    done: str,
    method: str,
    *arguments: Any,
    **options: Any,
) -> None:
    from perdure.cli.asking import ask_client
    from perdure.cli.output import note

    ask_client(
        place,
        server,
        token,
        namespace,
        lambda client: getattr(client.schedules.get(id), method)(*arguments, **options),
    )
    note(f"{done} schedule {id!r}.")


def _options(
    cron: list[str] | None,
    every: list[str] | None,
    timezone: str | None,
    start_at: str | None,
    end_at: str | None,
    max_runs: int | None,
    jitter: str | None,
    overlap: OverlapChoice | None,
    catch_up: str | None,
) -> dict[str, Any]:
    """What was said, as ``ScheduleOptions``."""
    from perdure.cli.inputs import seconds

    given = {
        "cron": cron or None,
        "every": [seconds(each, "--every") for each in every or ()] or None,
        "timezone": timezone,
        "start_at": None if start_at is None else _moment(start_at, "--start-at"),
        "end_at": None if end_at is None else _moment(end_at, "--end-at"),
        "max_runs": max_runs,
        "jitter": None if jitter is None else seconds(jitter, "--jitter"),
        "overlap": None if overlap is None else overlap.value,
        "catch_up": None if catch_up is None else seconds(catch_up, "--catch-up"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _moment(text: str, option: str) -> Any:
    from datetime import datetime

    from perdure.model.errors import InvalidArgumentError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise InvalidArgumentError(
            f"{option} is {text!r}, but must be a time with its zone: 2026-01-31T02:00:00+01:00."
        )
    return moment
