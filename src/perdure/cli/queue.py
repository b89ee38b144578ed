"""``perdure queue ...``: task queues, what may run of them, and how they stand."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, LookIn, Namespace, Reason, Server, ServerPlace, Token
from perdure.cli.places import PlaceCommand

if TYPE_CHECKING:
    from perdure.model.task_queues import TaskQueueDescription

EXAMPLES = """Examples:

perdure queue list

perdure queue show warehouse

perdure queue set warehouse --concurrency 20 --rate 5 --per 1s

perdure queue pause warehouse --reason stocktaking"""

queue = group("queue", "Look at task queues, limit, pause and resume them.", EXAMPLES)

Name = Annotated[str, typer.Argument(metavar="QUEUE", help="The task queue.", show_default=False)]
Limit = int | None


@queue.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_queues(
    place: ServerPlace = None,
    namespace: LookIn = "default",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List the task queues that are known of: how many wait and since when, how many run, what limits them."""
    from perdure.cli import queue_view
    from perdure.cli.output import Output, note
    from perdure.cli.sources import ask
    from perdure.model.service import Service

    async def read(service: Service) -> "list[TaskQueueDescription]":
        known = await service.task_queues(namespace)
        return [await service.describe_task_queue(namespace, each.name) for each in known]

    found = ask(place, server, token, read)
    output = Output()
    if json:
        for each in found:
            output.json(queue_view.queue_json(each))
    elif found:
        queue_view.print_queues(output, found)
    else:
        note(f"No task queue of namespace {namespace!r} is known of yet.")


@queue.command("show", cls=PlaceCommand, epilog=EXAMPLES)
def show_queue(
    place: ServerPlace,
    name: Name,
    namespace: LookIn = "default",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show how a task queue stands: what waits for what, what runs, its limits and circuit breakers."""
    from perdure.cli import queue_view
    from perdure.cli.output import Output
    from perdure.cli.sources import ask

    found = ask(place, server, token, lambda service: service.describe_task_queue(namespace, name))
    if json:
        Output().json(queue_view.queue_json(found), indented=True)
    else:
        queue_view.print_queue(Output(), found)


def _limit(option: str, help: str) -> Any:
    return typer.Option(option, metavar="N", min=0, help=f"{help} 0 for no limit.", show_default=False)


@queue.command("set", cls=PlaceCommand, epilog=EXAMPLES)
def set_queue(
    place: ServerPlace,
    name: Name,
    concurrency: Annotated[Limit, _limit("--concurrency", "How many of its activities may run at once.")] = None,
    rate: Annotated[Limit, _limit("--rate", "How many may start within --per.")] = None,
    per: Annotated[
        str | None,
        typer.Option("--per", metavar="DURATION", help="What --rate is counted by; 1s at first.", show_default=False),
    ] = None,
    concurrency_per_key: Annotated[
        Limit, _limit("--concurrency-per-key", "How many may run at once of each limit key.")
    ] = None,
    rate_per_key: Annotated[
        Limit, _limit("--rate-per-key", "How many may start within --per of each limit key.")
    ] = None,
    ageing: Annotated[
        str | None,
        typer.Option(
            "--ageing",
            metavar="DURATION",
            help="What has waited longer gets a share whatever its priority.",
            show_default=False,
        ),
    ] = None,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Set the limits of a task queue; what is not said stays. Takes effect at once, and stops nothing that runs."""
    import msgspec

    from perdure.cli.inputs import nanoseconds
    from perdure.cli.output import note
    from perdure.cli.sources import ask
    from perdure.model.service import Service
    from perdure.model.task_queues import TaskQueue

    given = {
        "concurrency": concurrency,
        "rate": rate,
        "per_ns": None if per is None else nanoseconds(per, "--per"),
        "concurrency_per_key": concurrency_per_key,
        "rate_per_key": rate_per_key,
        "ageing_ns": None if ageing is None else nanoseconds(ageing, "--ageing"),
    }
    changes = {option: value for option, value in given.items() if value is not None}

    async def change(service: Service) -> None:
        known = {each.name: each for each in await service.task_queues(namespace)}
        settings = known.get(name) or TaskQueue(namespace, name)
        await service.set_task_queue(msgspec.structs.replace(settings, **changes))

    ask(place, server, token, change)
    note(f"Set task queue {name!r}.")


@queue.command("pause", cls=PlaceCommand, epilog=EXAMPLES)
def pause_queue(
    place: ServerPlace,
    name: Name,
    reason: Reason = "",
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Start none of a queue's activities until it is resumed; those that run go on, and so do workflows."""
    from perdure.cli.output import note
    from perdure.cli.sources import ask

    ask(place, server, token, lambda service: service.pause_task_queue(namespace, name, reason))
    note(f"Paused task queue {name!r}.")


@queue.command("resume", cls=PlaceCommand, epilog=EXAMPLES)
def resume_queue(
    place: ServerPlace,
    name: Name,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a paused queue go on."""
    from perdure.cli.output import note
    from perdure.cli.sources import ask

    ask(place, server, token, lambda service: service.pause_task_queue(namespace, name, None))
    note(f"Resumed task queue {name!r}.")
