"""``perdure batch ...``: one thing done to many runs."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.batch_job import Job, begins_batch
from perdure.cli.groups import group
from perdure.cli.parameters import Arguments, Json, LookIn, Namespace, Place, Reason, Server, ServerPlace, Token, Utc
from perdure.cli.places import PlaceCommand

if TYPE_CHECKING:
    from perdure.sdk.batches.client import BatchHandle

EXAMPLES = """Examples:

perdure batch cancel --filter "WorkflowType = 'fulfil' AND StartTime < '2026-01-31'" --dry-run

perdure batch signal retry --filter "ExecutionStatus = 'Running' AND Region = 'eu'" --rate 20

perdure batch reset --filter "BuildId = 'v41' AND ExecutionStatus = 'Failed'" --yes --detach

perdure batch show 3f9a2c1e

What is done to open runs (signal, cancel, terminate) looks at open runs only; reset and delete at all that the filter names."""

batch = group(
    "batch", "Do one thing to all runs that a filter names; look at such jobs, pause, resume and stop them.", EXAMPLES
)

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.", show_default=False)]


@batch.command("signal", cls=PlaceCommand, epilog=EXAMPLES)
@begins_batch
def signal(
    job: Job,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal.", show_default=False)],
    args: Arguments = None,
) -> None:
    """Send a signal to all open runs that a filter names."""
    from perdure.cli.inputs import payloads_of
    from perdure.sdk.batches.definition import Signal

    job.run(Signal(name, payloads_of(args)))


@batch.command("cancel", cls=PlaceCommand, epilog=EXAMPLES)
@begins_batch
def cancel(
    job: Job,
    reason: Reason = "",
) -> None:
    """Ask all open runs that a filter names to stop."""
    from perdure.sdk.batches.definition import Cancel

    job.run(Cancel(reason))


@batch.command("terminate", cls=PlaceCommand, epilog=EXAMPLES)
@begins_batch
def terminate(
    job: Job,
    reason: Reason = "",
) -> None:
    """Close all open runs that a filter names at once."""
    from perdure.sdk.batches.definition import Terminate

    job.run(Terminate(reason))


@batch.command("reset", cls=PlaceCommand, epilog=EXAMPLES)
@begins_batch
def reset(
    job: Job,
    to_last: Annotated[
        bool, typer.Option("--to-last", help="Begin with the last turn of each run again, rather than with the first.")
    ] = False,
    reason: Reason = "",
) -> None:
    """Start all runs that a filter names again from a copy of their history; open ones are terminated."""
    from perdure.sdk.batches.definition import Reset

    job.run(Reset(to_last, reason))


@batch.command("delete", cls=PlaceCommand, epilog=EXAMPLES)
@begins_batch
def delete(
    job: Job,
) -> None:
    """Remove all runs that a filter names, and their histories, for good."""
    from perdure.sdk.batches.definition import Delete

    job.run(Delete())


@batch.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_batches(
    place: Place = None,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List the batches, the newest first: what they do, and how far they have come."""
    from perdure.cli import batch_view
    from perdure.cli.output import Output, note
    from perdure.cli.sources import Source, look
    from perdure.cli.times import TimeStyle
    from perdure.sdk.batches.client import BatchDescription, batches

    async def read(source: Source) -> list[BatchDescription]:
        return [found async for found in batches(source, namespace)]

    found = look(place, server, token, read)
    output = Output()
    if json:
        for each in found:
            output.json(batch_view.batch_json(each))
    elif found:
        batch_view.print_batches(output, TimeStyle(utc=utc), found)
    else:
        note(f"There are no batches in namespace {namespace!r}.")


@batch.command("show", cls=PlaceCommand, epilog=EXAMPLES)
def show(
    place: ServerPlace,
    id: BatchId,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show how far a batch has come, and which runs it could not deal with, and why."""
    from perdure.cli import batch_view
    from perdure.cli.asking import ask_client
    from perdure.cli.output import Output
    from perdure.cli.times import TimeStyle

    found = ask_client(place, server, token, namespace, lambda client: client.batches.get(id).describe())
    if json:
        Output().json(batch_view.batch_json(found), indented=True)
    else:
        batch_view.print_batch(Output(), TimeStyle(utc=utc), found)


@batch.command("pause", cls=PlaceCommand, epilog=EXAMPLES)
def pause(
    place: ServerPlace,
    id: BatchId,
    reason: Reason = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a batch begin with no more runs until it is resumed."""
    _tell(place, server, token, namespace, id, "Paused", lambda handle: handle.pause(reason))


@batch.command("resume", cls=PlaceCommand, epilog=EXAMPLES)
def resume(
    place: ServerPlace,
    id: BatchId,
    reason: Reason = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a paused batch go on."""
    _tell(place, server, token, namespace, id, "Resumed", lambda handle: handle.resume(reason))


@batch.command("stop", cls=PlaceCommand, epilog=EXAMPLES)
def stop(
    place: ServerPlace,
    id: BatchId,
    reason: Reason = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """End a batch; what is done stays done."""
    _tell(place, server, token, namespace, id, "Stopped", lambda handle: handle.stop(reason))


def _tell(
    place: str | None,
    server: str,
    token: str,
    namespace: str,
    id: str,
    done: str,
    action: "Callable[[BatchHandle], Awaitable[None]]",
) -> None:
    from perdure.cli.asking import ask_client
    from perdure.cli.output import note

    ask_client(place, server, token, namespace, lambda client: action(client.batches.get(id)))
    note(f"{done} batch {id!r}.")
