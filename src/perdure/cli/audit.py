"""``perdure audit ...``: who was refused, and who changed what."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import typer

from perdure.cli.groups import group
from perdure.cli.parameters import Json, Place, Server, StoreFile, Token, Yes
from perdure.cli.places import PlaceCommand

EXAMPLES = """Examples:

perdure audit list perdure.db --limit 20

perdure audit verify perdure.db

perdure audit prune perdure.db --older-than 365d

perdure audit verify --expect 1842:5b0c61f0c9f5a1d2a4d0e1b7c8f9a0b1c2d3e4f5061728394a5b6c7d8e9f0a1b

Exit codes of verify: 0 when the log is whole and unchanged, 1 when it is not."""

audit = group("audit", "Read the audit log of a server, and check it.", EXAMPLES)


@audit.command("list", cls=PlaceCommand, epilog=EXAMPLES)
def list_entries(
    place: Place = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The last N entries.")] = 50,
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """List refusals and administrative acts, the last ones last."""
    from collections import deque

    import msgspec

    from perdure.cli import access_source
    from perdure.cli.output import Column, Output, busy, note
    from perdure.cli.values import visible

    output = Output()
    with busy("Reading the audit log"):
        last = deque(access_source.audit_entries(place, server, token), limit)
    entries = [msgspec.json.decode(entry) for entry in last]
    if json:
        for entry in entries:
            output.json(entry)
        return
    if not entries:
        note("The audit log is empty.")
        return
    known = ("seq", "time", "act", "who", "remote", "outcome", "hash", "prev")
    columns = ["#", "TIME", "WHO", "FROM", "ACT", "OUTCOME"]
    rows = [
        [
            str(entry["seq"]),
            str(entry.get("time", ""))[:19],
            visible(str(entry.get("who", ""))) or "-",
            visible(str(entry.get("remote", ""))) or "-",
            visible(str(entry.get("act", ""))),
            visible(str(entry.get("outcome", ""))),
            visible(", ".join(f"{name}={value}" for name, value in entry.items() if name not in known)),
        ]
        for entry in entries
    ]
    output.table([*map(Column, columns), Column("DETAILS", flexible=True)], rows)


@audit.command("prune", epilog=EXAMPLES)
def prune_log(
    file: StoreFile,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="DURATION", help="Remove what is older, such as 90d.", show_default=False),
    ],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove old entries of the audit log, from a store that no server uses.

    An entry that stands for them is left, so that the rest can be verified. A server removes them by itself with its setting
    audit_retention; nobody can make it do so from outside.
    """
    from perdure.cli import access_source
    from perdure.cli.confirming import confirm
    from perdure.cli.inputs import nanoseconds
    from perdure.cli.output import Output, busy, note

    older_than_ns = nanoseconds(older_than, "--older-than")
    confirm(f"Remove all entries of the audit log of {file} that are older than {older_than}?", yes)
    with busy("Removing old entries"):
        pruned = access_source.prune(file, older_than_ns)
    if json:
        Output().json({"pruned": pruned})
    else:
        note(f"Removed {pruned:,} entries." if pruned else "There are none that are so old.")


@audit.command("verify", cls=PlaceCommand, epilog=EXAMPLES)
def verify_log(
    place: Place = None,
    expect: Annotated[
        str,
        typer.Option(
            "--expect",
            metavar="HEAD",
            help="A head that this command, or the server's log, has shown before: the log must still have that entry. "
            "Nothing else can tell whether its end was cut off.",
            show_default=False,
        ),
    ] = "",
    json: Json = False,
    server: Server = "",
    token: Token = "",
) -> None:
    """Check that no entry of the audit log was changed, removed or put in, and print its head."""
    from perdure.cli import access_source
    from perdure.cli.output import Output, busy, note
    from perdure.security.chain import Head, verify

    expected = Head.parse(expect) if expect else None
    with busy("Verifying the audit log") as show:
        verdict = verify(_counted(access_source.audit_entries(place, server, token), show), expected)
    if json:
        facts = {"entries": verdict.head.count, "pruned": verdict.pruned, "head": str(verdict.head)}
        Output().json({**facts, "problem": verdict.problem or None})
    else:
        print(verdict.head)
        entries = f"The {verdict.head.count:,} entries are"
        if verdict.pruned:
            entries = f"Entries {verdict.pruned + 1:,} to {verdict.head.count:,}, which are left after pruning, are"
        good = f"{entries} whole and unchanged. Keep the head elsewhere, for --expect."
        note(f"Bad: {verdict.problem}." if verdict.problem else good)
    if verdict.problem:
        raise typer.Exit(1)


def _counted(entries: Iterable[bytes], show: Callable[[str], None] | None) -> Iterator[bytes]:
    """The same, and how many there were so far is shown to whoever looks."""
    for number, entry in enumerate(entries, 1):
        yield entry
        if show is not None and number % 1_000 == 0:
            show(f"Verifying the audit log: {number:,} entries")
