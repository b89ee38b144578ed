"""``perdure namespace ...``: the spaces of workflow ids."""

from typing import Annotated

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, Place, Server, ServerPlace, Token
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure namespace list

perdure namespace set staging --retention 30d --description "what testers do"

perdure namespace attributes staging Amount=float Note=text"""

namespace = group("namespace", "Look at namespaces, create and change them.", EXAMPLES)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The namespace.", show_default=False)]


@namespace.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_namespaces(place: Place = None, json: Json = False, server: Server = "", token: Token = "") -> None:
    """List the namespaces: how long closed runs are kept, and what they are for."""
    from perdure.app.setting_kinds import duration_text
    from perdure.cli.output import Column, Output
    from perdure.cli.sources import look
    from perdure.cli.values import jsonable, visible

    found = look(place, server, token, lambda source: source.namespaces())
    output = Output()
    if json:
        for each in found:
            output.json(jsonable(each))
        return
    rows = [
        [
            visible(each.name),
            duration_text(each.retention_ns) if each.retention_ns else "for ever",
            visible(each.description),
        ]
        for each in found
    ]
    output.table([Column("NAMESPACE", flexible=True), Column("KEPT"), Column("DESCRIPTION", flexible=True)], rows)


@namespace.command("set", cls=PlaceCommand, epilog=EXAMPLES)
def set_namespace(
    place: ServerPlace,
    name: Name,
    retention: Annotated[
        str | None,
        typer.Option(
            "--retention",
            metavar="DURATION",
            help="How long closed runs are kept, such as 30d; 0 for ever.",
            show_default=False,
        ),
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is for.", show_default=False)
    ] = None,
    server: Server = "",
    token: Token = "",
) -> None:
    """Create a namespace, or change one; what is not said stays."""
    import msgspec

    from perdure.cli.inputs import nanoseconds
    from perdure.cli.output import note
    from perdure.cli.sources import ask
    from perdure.model.service import Namespace, Service

    changes: dict[str, object] = {}
    if retention is not None:
        changes["retention_ns"] = nanoseconds(retention, "--retention")
    if description is not None:
        changes["description"] = description

    async def change(service: Service) -> bool:
        known = {each.name: each for each in await service.namespaces()}
        await service.set_namespace(msgspec.structs.replace(known.get(name) or Namespace(name), **changes))
        return name in known

    was_there = ask(place, server, token, change)
    note(f"{'Changed' if was_there else 'Created'} namespace {name!r}.")


@namespace.command("attributes", cls=PlaceCommand, epilog=EXAMPLES)
def attributes(
    place: ServerPlace,
    name: Name,
    types: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=TYPE",
            help="Fix the type of a search attribute before its first use: keyword, text, int, float, bool, datetime or "
            "keyword_list.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List a namespace's search attributes and their types, after fixing those that are given."""
    from perdure.cli.output import Column, Output
    from perdure.cli.sources import ask
    from perdure.cli.values import visible
    from perdure.model.errors import InvalidArgumentError
    from perdure.model.service import Service
    from perdure.sdk.client import Client

    given = dict(each.partition("=")[::2] for each in types or ())
    if wrong := [each for each in types or () if "=" not in each]:
        raise InvalidArgumentError(f"{wrong[0]!r} must be NAME=TYPE, such as Amount=float.")

    async def change(service: Service) -> dict[str, str]:
        client = Client(service, name)
        if given:
            await client.add_search_attributes(given)  # type: ignore[arg-type]  # wrong words are refused there
        return await client.search_attributes()

    found = ask(place, server, token, change)
    if json:
        Output().json(found)
    else:
        Output().table(
            [Column("ATTRIBUTE", flexible=True), Column("TYPE")],
            [[visible(attribute), kind] for attribute, kind in sorted(found.items())],
        )
