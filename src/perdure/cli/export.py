"""``perdure export``: a run as one file."""

from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.parameters import Json, Namespace, Place, RunId, Server, ServerPlace, Token, WorkflowId

EXAMPLES = """Examples:

perdure export order-17 order-17.json

perdure export perdure.db order-17 order-17.json.gz --redact --keep status

perdure export perdure.db order-17 - | less"""


def export(
    place: Place,
    workflow_id: WorkflowId,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TARGET",
            help="The file to write, compressed if it ends with .gz; - for standard output.",
            show_default=False,
        ),
    ],
    run_id: RunId = "",
    namespace: Namespace = "default",
    redact: Annotated[
        bool, typer.Option("--redact", help="Put other values of the same type and shape in the place of all values.")
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="NAME",
            help="With --redact, leave the values of this name as they are: an object's member, an activity, a signal ... "
            "May be repeated.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace TARGET if it is there.")] = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Write a run to one file, which replays on any machine that has the code."""
    import sys

    from perdure.cli import exporting
    from perdure.cli.finding import find
    from perdure.cli.output import note, progress
    from perdure.cli.sources import Source, look
    from perdure.sdk.replay import History

    async def read(source: Source) -> History:
        address = await find(source, namespace, workflow_id, run_id)
        with progress("Exporting", "{:,} events".format) as show:
            return await exporting.history_of(source, address, redact=redact, keep=keep or (), progress=show)

    history = look(place, server, token, read)
    if str(target) == "-":
        sys.stdout.buffer.write(history.to_json())
        return
    exporting.write(history, target, replace=force)
    note(
        f"Wrote {len(history.events):,} events to {target}. Play it against code: perdure replay app.py:app --from {target}"
    )


IMPORT_EXAMPLES = """Examples:

perdure import order-17.json

perdure import order-17.json.gz --namespace staging --server http://127.0.0.1:7420"""


def import_run(
    place: ServerPlace,
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A run that perdure export wrote.", show_default=False)
    ],
    namespace: Namespace = "default",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Bring an exported run into a server under its own ids, to look at it, or for it to go on there."""
    from perdure.cli.asking import ask_client
    from perdure.cli.output import Output, busy, note
    from perdure.model.errors import NotFoundError
    from perdure.sdk.replay import History

    if not source.is_file():
        raise NotFoundError(f"There is no file {source}. Name a run that perdure export wrote.")
    history = History.from_file(source)
    if history.about.get("redacted"):
        note("Its values were redacted: an open run would go on with those.")
    with busy(f"Importing {len(history.events):,} events"):
        run = ask_client(place, server, token, namespace, lambda client: client.import_history(history))
    if json:
        Output().json({"namespace": namespace, "workflow_id": run.id, "run_id": run.run_id})
    else:
        Output().line(run.id, "  ", run.run_id)
