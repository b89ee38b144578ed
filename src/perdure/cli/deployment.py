"""``perdure deployment ...``: deployments of Temporal's workers, and which version takes what is bound to none."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, LookIn, Namespace, Server, ServerPlace, Token, Utc, Yes
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure deployment list

perdure deployment describe shop

perdure deployment set-ramping shop 2.0 --percentage 10

perdure deployment set-current shop 2.0

perdure deployment delete shop 1.0"""

deployment = group(
    "deployment", "Look at deployments of Temporal's workers, and choose which version takes new turns.", EXAMPLES
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The deployment.", show_default=False)]
BuildId = Annotated[
    str, typer.Argument(metavar="[BUILD_ID]", help="The version: what its workers call their code.", show_default=False)
]
Unversioned = Annotated[bool, typer.Option("--unversioned", help="The workers that are of no version, instead of one.")]
IgnoresQueues = Annotated[
    bool,
    typer.Option(
        "--ignore-missing-task-queues",
        help="Even if nobody of it serves a task queue that the present one serves.",
    ),
]
PAGE = 1_000


@deployment.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_deployments(
    place: ServerPlace = None, namespace: LookIn = "default", json: Json = False, server: Server = "", token: Token = ""
) -> None:
    """List the deployments whose workers have asked for work: how many versions, and which of them take new turns."""
    from perdure.cli import deployments_view
    from perdure.cli.output import Output, note
    from perdure.cli.rest_source import path, request

    found: list[Mapping[str, Any]] = []
    cursor: str | None = None
    while cursor != "":
        query = f"?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        page = request(place, server, token, "GET", path("namespaces", namespace, "deployments") + query)
        found += page["deployments"]
        cursor = page["next_cursor"]
    output = Output()
    if json:
        for each in found:
            output.json(each)
    elif found:
        deployments_view.print_deployments(output, found)
    else:
        note(f"No worker of a deployment has asked for work in namespace {namespace!r}.")


@deployment.command("describe", cls=PlaceCommand, epilog=EXAMPLES)
def describe_deployment(
    place: ServerPlace,
    name: Name,
    namespace: LookIn = "default",
    json: Json = False,
    utc: Utc = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Show a deployment with its versions: what they serve, and since when they have taken new turns."""
    from perdure.cli.rest_source import path, request

    found = request(place, server, token, "GET", path("namespaces", namespace, "deployments", name))
    _print(found, json, utc)


@deployment.command("set-current", cls=PlaceCommand, epilog=EXAMPLES)
def set_current(
    place: ServerPlace,
    name: Name,
    build_id: BuildId = "",
    unversioned: Unversioned = False,
    ignores_queues: IgnoresQueues = False,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a version take the turns of runs that are bound to none, new ones among them."""
    from perdure.cli.output import note

    chosen = _version(build_id, unversioned)
    body = {"build_id": chosen, "ignores_queues": ignores_queues}
    _change(place, server, token, namespace, name, "current", body)
    note(f"New turns of {name!r} go to {_named(chosen)}.")


@deployment.command("set-ramping", cls=PlaceCommand, epilog=EXAMPLES)
def set_ramping(
    place: ServerPlace,
    name: Name,
    build_id: BuildId = "",
    percentage: Annotated[
        float, typer.Option("--percentage", metavar="N", min=0, max=100, help="Of how many workflow ids in a hundred.")
    ] = 0.0,
    unversioned: Unversioned = False,
    stop: Annotated[bool, typer.Option("--stop", help="Let none ramp any more.")] = False,
    ignores_queues: IgnoresQueues = False,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Let a version take the turns of a part of the workflow ids, instead of the current one."""
    from perdure.cli.output import note
    from perdure.model.errors import InvalidArgumentError

    if stop and (build_id or unversioned or percentage):
        raise InvalidArgumentError("--stop lets no version ramp: say no version and no --percentage with it.")
    chosen = None if stop else _version(build_id, unversioned)
    body = {"build_id": chosen, "percentage": percentage, "ignores_queues": ignores_queues}
    _change(place, server, token, namespace, name, "ramping", body)
    if chosen is None:
        note(f"No version of {name!r} is ramping.")
    else:
        note(f"New turns of {percentage:g} % of the workflow ids of {name!r} go to {_named(chosen)}.")


@deployment.command("delete", cls=PlaceCommand, epilog=EXAMPLES)
def delete_deployment(
    place: ServerPlace,
    name: Name,
    build_id: Annotated[
        str,
        typer.Argument(
            metavar="[BUILD_ID]", help="The version; without it, the deployment, once it has none.", show_default=False
        ),
    ] = "",
    yes: Yes = False,
    namespace: Namespace = "default",
    server: Server = "",
    token: Token = "",
) -> None:
    """Forget a version that takes no new turns, or a deployment that has no versions any more."""
    from perdure.cli.confirming import confirm
    from perdure.cli.output import note
    from perdure.cli.rest_source import path, request

    what = f"version {build_id!r} of deployment {name!r}" if build_id else f"deployment {name!r}"
    confirm(f"Forget {what}?", yes)
    below = ("versions", build_id) if build_id else ()
    request(place, server, token, "DELETE", path("namespaces", namespace, "deployments", name, *below))
    note(f"Forgot {what}.")


def _version(build_id: str, unversioned: bool) -> str:
    from perdure.model.errors import InvalidArgumentError

    if bool(build_id) is unversioned:
        raise InvalidArgumentError("Name the BUILD_ID of a version, or say --unversioned: one of them.")
    return build_id


def _named(build_id: str) -> str:
    return f"version {build_id!r}" if build_id else "workers of no version"


def _change(
    place: str | None, server: str, token: str, namespace: str, name: str, what: str, body: Mapping[str, Any]
) -> None:
    from perdure.cli.rest_source import path, request

    request(place, server, token, "POST", path("namespaces", namespace, "deployments", name, what), body)


def _print(found: Mapping[str, Any], json: bool, utc: bool) -> None:
    from perdure.cli import deployments_view
    from perdure.cli.output import Output
    from perdure.cli.times import TimeStyle

    if json:
        Output().json(found, indented=True)
    else:
        deployments_view.print_deployment(Output(), TimeStyle(utc=utc), found)
