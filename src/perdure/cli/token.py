"""``perdure token ...``: the API tokens of a server."""

from typing import Annotated

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, Place, Server, Token
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure token create perdure.db first-admin --role admin

perdure token create billing-worker --role worker:billing --role operator:billing --lifetime 90d

perdure token create ci --role operator --for-signing

perdure token create partner --role operator:orders --requests-per-second 20 --request-bytes 64KiB

perdure token list

perdure token revoke 3f9c21d07be4a658"""

token = group("token", "Make, list and revoke the API tokens of a server.", EXAMPLES)


@token.command("create", cls=PlaceCommand, epilog=EXAMPLES)
def create_token(
    place: Place,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Who uses it, such as billing-worker.", show_default=False)
    ],
    roles: Annotated[
        list[str],
        typer.Option(
            "--role",
            metavar="ROLE[:NAMESPACE]",
            help="What it may do: reader, operator, worker or admin, everywhere or in a namespace. May be given again.",
            show_default=False,
        ),
    ],
    lifetime: Annotated[
        str,
        typer.Option("--lifetime", metavar="DURATION", help="How long it is good, such as 12h or 365d; 0 for ever."),
    ] = "90d",
    for_signing: Annotated[
        bool,
        typer.Option(
            "--for-signing",
            help="AWS's clients may sign with it: the access key is its id, the secret access key the token. It is kept as it is.",
        ),
    ] = False,
    requests_per_second: Annotated[
        int,
        typer.Option(
            "--requests-per-second",
            metavar="N",
            help="How often it may ask, in the long run. Without it, as the server's settings say.",
            show_default=False,
            min=0,
        ),
    ] = 0,
    messages_per_second: Annotated[
        int,
        typer.Option(
            "--messages-per-second",
            metavar="N",
            help="How many messages its workers may send, in the long run. Without it, as the server's settings say.",
            show_default=False,
            min=0,
        ),
    ] = 0,
    request_bytes: Annotated[
        str,
        typer.Option(
            "--request-bytes",
            metavar="BYTES",
            help="How large one request or message may be, such as 64KiB. Without it, as the server's settings say.",
            show_default=False,
        ),
    ] = "0",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Make a token, and show it: this once, for only its hash is kept.

    In a file that no engine uses, or at a server that runs. The token alone goes to standard output.
    """
    from perdure.cli import access_source
    from perdure.cli.inputs import nanoseconds, size
    from perdure.cli.output import Output, note

    allowance = {
        "requests_per_second": requests_per_second,
        "messages_per_second": messages_per_second,
        "request_bytes": size(request_bytes, "--request-bytes"),
    }
    given = {limit: value for limit, value in allowance.items() if value}
    record, text = access_source.create(
        place, server, token, name, roles, nanoseconds(lifetime, "--lifetime"), for_signing, given
    )
    if json:
        Output().json({**record, "token": text})
        return
    print(text)
    until = f"good until {record['expires']}" if record["expires"] else "good for ever"
    note(
        f"Token {record['id']} for {record['name']!r}: {access_source.joined(record['grants'])}, {until}. "
        "It can't be shown again; put it where secrets are kept."
    )


@token.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_tokens(place: Place = None, json: Json = False, server: Server = "", token: Token = "") -> None:
    """List the tokens: what they may do, until when, and when they were last used, to the hour."""
    from perdure.cli import access_source
    from perdure.cli.output import Column, Output
    from perdure.cli.values import visible

    output = Output()
    records = access_source.listed(place, server, token)
    if json:
        for record in records:
            output.json({**record, "status": access_source.status(record)})
        return
    columns = [
        Column("TOKEN"),
        Column("NAME", flexible=True),
        Column("ROLES", flexible=True),
        Column("LIMITS"),
        Column("STATUS"),
        Column("EXPIRES"),
        Column("LAST USED"),
        Column("MADE BY", flexible=True),
    ]
    output.table(
        columns,
        [
            [
                record["id"],
                visible(record["name"]),
                visible(access_source.joined(record["grants"])),
                access_source.limits(record),
                access_source.status(record),
                (record["expires"] or "never")[:19],
                (record["last_used"] or "never")[:16],
                visible(record["created_by"]),
            ]
            for record in records
        ],
    )


@token.command("revoke", cls=PlaceCommand, epilog=EXAMPLES)
def revoke_token(
    place: Place,
    id: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN_ID", help="The token's id: the part between perdure_ and the next _.", show_default=False
        ),
    ],
    server: Server = "",
    token: Token = "",
) -> None:
    """End a token at once, also for whoever uses it just now."""
    from perdure.cli import access_source
    from perdure.cli.output import note

    record = access_source.revoke(place, server, token, id)
    note(f"Revoked token {record['id']} ({record['name']}).")
