"""``perdure worker ...``: serve apps to a server, and see who does."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from perdure.cli.groups import group
from perdure.cli.parameters import Json, LookIn, Namespace, Server, ServerPlace, Token, Utc
from perdure.cli.places import PlaceCommand
from perdure.cli.worker_settings import WorkerCommand
from perdure.model.options import DEFAULT_MAX_ASYNC, DEFAULT_MAX_THREADS, DEFAULT_MAX_TURNS

EXAMPLES = """Examples:

perdure worker app.py:app

perdure worker shop.workflows:app shop.payments:app --server https://flows.example --queue orders --queue payments

perdure worker list"""


class RunOrList(TyperGroup):
    """``perdure worker app.py:app`` means ``perdure worker run app.py:app``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` before what is no command of the group."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


worker = group("worker", "Serve apps to a server, and see which workers do.", EXAMPLES, RunOrList)

Apps = Annotated[
    list[str],
    typer.Argument(
        metavar="APP...", help="The code: a file or module, and the app in it, such as app.py:app.", show_default=False
    ),
]
Queues = Annotated[
    list[str] | None,
    typer.Option(
        "--queue",
        "-q",
        metavar="NAME",
        help="A task queue to serve; without this, all that the apps name. May be repeated.",
        show_default=False,
    ),
]


@worker.command("run", cls=WorkerCommand, epilog=EXAMPLES)
def run(
    apps: Apps,
    queues: Queues = None,
    namespace: Namespace = "default",
    identity: Annotated[
        str,
        typer.Option(
            "--identity",
            metavar="NAME",
            help="Who this is, in histories; process and host without it.",
            show_default=False,
        ),
    ] = "",
    max_async: Annotated[
        int, typer.Option("--max-async", metavar="N", min=1, help="How many async activities may run at once.")
    ] = DEFAULT_MAX_ASYNC,
    max_threads: Annotated[
        int, typer.Option("--max-threads", metavar="N", min=1, help="How many activities may run in threads at once.")
    ] = DEFAULT_MAX_THREADS,
    max_processes: Annotated[
        int | None,
        typer.Option(
            "--max-processes",
            metavar="N",
            min=1,
            help="How many in child processes; as many as processors without it.",
            show_default=False,
        ),
    ] = None,
    max_turns: Annotated[
        int, typer.Option("--max-turns", metavar="N", min=1, help="How many turns of workflows it may have in hand.")
    ] = DEFAULT_MAX_TURNS,
    grace: Annotated[
        str,
        typer.Option(
            "--grace", metavar="DURATION", help="How long running activities may take to end, once it is to stop."
        ),
    ] = "10s",
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="NAME=TEXT",
            help="What this worker is, such as gpu=a100, which tasks may ask for. May be repeated.",
            show_default=False,
        ),
    ] = None,
    max_cpu: Annotated[
        float | None,
        typer.Option(
            "--max-cpu",
            metavar="SHARE",
            help="Offer fewer slots while more than this share of the processors is in use, such as 0.8.",
            show_default=False,
        ),
    ] = None,
    max_memory: Annotated[
        float | None,
        typer.Option("--max-memory", metavar="SHARE", help="The same for the machine's memory.", show_default=False),
    ] = None,
    wait: Annotated[
        str, typer.Option("--wait", metavar="DURATION", help="How long to wait for a server that is not there yet.")
    ] = "0s",
    parent: Annotated[int, typer.Option("--parent", hidden=True, help="End once this is not the parent process.")] = 0,
    server: Server = "",
    token: Token = "",
) -> None:
    """Serve apps to a server until told to stop: run their workflows and activities.

    What is not said here may come from the environment, such as PERDURE_WORKER_QUEUES, or from [worker] in the TOML file; perdure
    config shows it. SIGTERM and Ctrl-C let what runs end, for as long as --grace says, and take nothing new; a second one ends at once.
    """
    from perdure.cli import inputs
    from perdure.cli.app_loading import load_app
    from perdure.cli.serving import serve_apps
    from perdure.cli.sources import server_of

    serve_apps(
        server_of(None, server),
        token,
        namespace,
        [load_app(name) for name in apps],
        inputs.seconds(wait, "--wait") or 0.0,
        parent,
        task_queues=queues or None,
        identity=identity or None,
        max_async=max_async,
        max_threads=max_threads,
        max_processes=max_processes,
        max_turns=max_turns,
        grace=inputs.seconds(grace, "--grace") or 0.0,
        labels=inputs.labels(labels, "--label"),
        max_cpu=max_cpu,
        max_memory=max_memory,
    )


@worker.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_workers(
    place: ServerPlace = None,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List the workers that are connected, or were a moment ago: what they serve, and how busy they are."""
    from perdure.cli.output import BAD, Column, Output, note
    from perdure.cli.sources import ask
    from perdure.cli.times import TimeStyle
    from perdure.cli.values import jsonable, visible

    found = ask(place, server, token, lambda service: service.workers(namespace))
    output, style = Output(), TimeStyle(utc=utc)
    if json:
        for each in found:
            output.json(jsonable(each))
        return
    if not found:
        note(f"No worker serves namespace {namespace!r}. Start one: perdure worker app.py:app")
        return
    labelled = any(each.labels for each in found)
    columns = [
        Column("WORKER", flexible=True),
        Column("STATE"),
        Column("SINCE"),
        Column("QUEUES", flexible=True),
        Column("ACTIVITIES", right=True),
        Column("TURNS", right=True),
        Column("BUILD", flexible=True),
        *([Column("LABELS", flexible=True)] if labelled else ()),
    ]
    output.table(
        columns,
        [
            [
                visible(each.identity),
                "connected" if each.is_connected else ("lost", BAD),
                style.moment(each.connected_time),
                visible(", ".join(each.task_queues)),
                f"{each.activities}/{each.activity_slots}",
                f"{each.turns}/{each.turn_slots}",
                visible(each.build_id),
                *([visible(", ".join(f"{name}={text}" for name, text in each.labels.items()))] if labelled else ()),
            ]
            for each in found
        ],
    )
