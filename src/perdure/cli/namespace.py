"""``perdure namespace ...``: the spaces of workflow ids."""

from typing import Annotated, Any

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, Place, Server, ServerPlace, Token, Yes
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure namespace list

perdure namespace create staging --retention 30d --description "what testers do" --attribute Amount=float

perdure namespace update staging --open-runs 10000 --starts-per-second 50 --share 0.5

perdure namespace attributes staging Amount=float Note=text

perdure namespace attributes staging --remove Note

perdure namespace delete staging --force"""

namespace = group("namespace", "Look at namespaces, create, change and delete them.", EXAMPLES)


def _limit(option: str, metavar: str, help: str) -> Any:
    return typer.Option(option, metavar=metavar, min=0, help=f"{help} 0 for no limit.", show_default=False)


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


Retention = Annotated[
    str | None,
    typer.Option(
        "--retention",
        metavar="DURATION",
        help="How long closed runs are kept, such as 30d; 0 for ever.",
        show_default=False,
    ),
]
Description = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="What it is for.", show_default=False)
]
OpenRuns = Annotated[int | None, _limit("--open-runs", "N", "How many runs may be open at once.")]
Starts = Annotated[float | None, _limit("--starts-per-second", "N", "How many may start a second.")]
Requests = Annotated[
    float | None,
    _limit("--requests-per-second", "N", "How much may be asked of its runs a second, starts included."),
]
PayloadBytes = Annotated[int | None, _limit("--payload-bytes", "N", "How large one value may be.")]
Share = Annotated[
    float | None,
    typer.Option(
        "--share",
        metavar="N",
        help="Its share of the workers' slots where several namespaces wait: one with 2 gets twice as many as one with 1.",
        show_default=False,
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="NAME=TYPE",
        help="Fix the type of a search attribute: keyword, text, int, float, bool, datetime or keyword_list. May be repeated.",
        show_default=False,
    ),
]


def _changing(verb: str, help: str, *, must_exist: bool | None) -> None:
    """A command that sets what there is to set about a namespace; ``must_exist`` as for ``change``."""

    @namespace.command(verb, cls=PlaceCommand, help=help, epilog=EXAMPLES)
    def set_namespace(
        place: ServerPlace,
        name: Name,
        retention: Retention = None,
        description: Description = None,
        open_runs: OpenRuns = None,
        starts_per_second: Starts = None,
        requests_per_second: Requests = None,
        payload_bytes: PayloadBytes = None,
        share: Share = None,
        attributes: Attributes = None,
        server: Server = "",
        token: Token = "",
    ) -> None:
        from perdure.cli.namespace_changes import Changes, change

        changes = Changes.read(
            retention, description, attributes, open_runs, starts_per_second, requests_per_second, payload_bytes, share
        )
        change(place, server, token, name, changes, must_exist=must_exist)


_changing("create", "Create a namespace that is not there yet.", must_exist=False)
_changing("update", "Change a namespace that is there; what is not said stays.", must_exist=True)
_changing("set", "Create a namespace, or change one, whichever is needed; what is not said stays.", must_exist=None)


@namespace.command("show", cls=PlaceCommand, epilog=EXAMPLES)
def show_namespace(place: ServerPlace, name: Name, json: Json = False, server: Server = "", token: Token = "") -> None:
    """Show a namespace: how many runs it has, its quotas and search attributes."""
    from perdure.app.setting_kinds import duration_text
    from perdure.cli.output import Output
    from perdure.cli.sources import ask
    from perdure.cli.values import jsonable, visible

    found = ask(place, server, token, lambda service: service.describe_namespace(name))
    settings, quota = found.namespace, found.namespace.quota
    attributes = {attribute: str(kind) for attribute, kind in found.search_attributes.items()}
    if json:
        shown = jsonable(settings)
        shown |= {"open_runs": found.open_runs, "closed_runs": found.closed_runs, "search_attributes": attributes}
        Output().json(shown, indented=True)
        return
    limits = {name: getattr(quota, name) for name in quota.__struct_fields__}
    output = Output()
    output.line(visible(settings.name))
    output.fields(
        [
            ("description", visible(settings.description)),
            ("kept", duration_text(settings.retention_ns) if settings.retention_ns else "for ever"),
            ("runs", f"{found.open_runs:,} open, {found.closed_runs:,} closed"),
            ("state", "is being deleted" if settings.is_deleted else ""),
            *((limit.replace("_", " "), f"{value:g}") for limit, value in limits.items() if value),
        ]
    )
    if attributes:
        output.heading("Search attributes")
        output.fields([(visible(attribute), kind) for attribute, kind in sorted(attributes.items())])


@namespace.command("delete", cls=PlaceCommand, epilog=EXAMPLES)
def delete_namespace(
    place: ServerPlace,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Also if it has open runs, which are terminated.")] = False,
    yes: Yes = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Remove a namespace with all its runs, their histories and its schedules, for good."""
    from perdure.cli.confirming import confirm
    from perdure.cli.output import busy, note
    from perdure.cli.sources import ask
    from perdure.cli.values import visible

    confirm(f"Delete namespace {name!r} with all its runs for good?", yes)
    with busy(f"Deleting namespace {visible(name)}"):
        ask(place, server, token, lambda service: service.delete_namespace(name, force=force))
    note(f"Namespace {name!r} takes nothing more, and its runs are being removed.")


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
    removed: Annotated[
        list[str] | None,
        typer.Option(
            "--remove",
            metavar="NAME",
            help="Let nobody set or filter by this one any more; what runs have stays in their histories. May be repeated.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List a namespace's search attributes and their types, after removing and fixing those that are given."""
    from perdure.cli.namespace_changes import attribute_types
    from perdure.cli.output import Column, Output
    from perdure.cli.sources import ask
    from perdure.cli.values import visible
    from perdure.model.service import Service
    from perdure.sdk.client import Client

    given = attribute_types(types)

    async def change(service: Service) -> dict[str, str]:
        client = Client(service, name)
        if removed:
            await client.remove_search_attributes(*removed)
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
