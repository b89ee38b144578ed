"""``perdure versions``: the open runs by build of the code."""

from typing import Annotated

import typer

from perdure.cli.parameters import Json, LookIn, Place, Server, Token, Utc

EXAMPLES = """Examples:

perdure versions perdure.db

perdure versions perdure.db --app app.py:app

perdure versions --server https://flows.example

perdure list perdure.db "BuildId = 'v41'" --status open"""


def versions(
    place: Place = None,
    namespace: LookIn = "default",
    app: Annotated[
        str,
        typer.Option(
            "--app",
            metavar="APP",
            help="Code, such as app.py:app: say which of the builds it is.",
            show_default=False,
        ),
    ] = "",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List the builds of the code that open runs are on: how many of each workflow type, and since when."""
    from perdure.cli import versions_view
    from perdure.cli.app_loading import load_app
    from perdure.cli.output import Output, busy, note
    from perdure.cli.sources import Source, look
    from perdure.cli.times import TimeStyle

    here = load_app(app).build_id if app else None

    async def read(source: Source) -> tuple[list[versions_view.Version], str]:
        found = await versions_view.versions_of(source, namespace, here)
        return found, ", ".join(known.name for known in await source.namespaces())

    with busy("Counting the builds of open runs"):
        found, names = look(place, server, token, read)
    output = Output()
    if json:
        for version in found:
            output.json(versions_view.version_json(version))
    elif found:
        versions_view.print_versions(output, TimeStyle(utc=utc), found)
    if not found:
        note(f"No runs are open in namespace {namespace!r}. Namespaces here: {names}.")
    elif here is not None and not any(version.is_here for version in found):
        note(f"No open run is on build {here} of {app} yet.")
