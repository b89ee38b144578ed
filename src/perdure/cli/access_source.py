"""What the commands about tokens and the audit log ask: a store's file that nobody uses, or a server by REST."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from perdure.cli.places import is_server
from perdure.cli.rest_source import path, request
from perdure.cli.sources import identity

PAGE = 1_000

Record = Mapping[str, Any]
"""A token's record, as REST has it: times are RFC 3339 or null."""


def create(
    place: str | None,
    server: str,
    token: str,
    name: str,
    grants: Sequence[str],
    lifetime_ns: int,
    for_signing: bool,
    allowance: Mapping[str, int],
) -> tuple[Record, str]:
    """A new token; ``allowance`` has the limits it is given, by name. Raises ``PerdureError``."""
    if place is not None and not is_server(place):

        async def make() -> tuple[Record, str]:
            from perdure.app.access import FileSession, file_administration

            async with file_administration(_url_of(place)) as administration:
                session = FileSession(identity())
                made, text = await administration.create_token(
                    session, "file", name, grants, lifetime_ns, for_signing, **allowance
                )
                return _record(made), text

        return asyncio.run(make())
    lifetime = lifetime_ns / 1e9 if lifetime_ns else None
    body = {"name": name, "grants": list(grants), "lifetime_seconds": lifetime, **allowance}
    if for_signing:
        body["for_signing"] = True
    answer = request(place, server, token, "POST", "/tokens", body)
    return answer["record"], answer["token"]


def listed(place: str | None, server: str, token: str) -> Sequence[Record]:
    """All tokens, the oldest first. Raises ``PerdureError``."""
    if place is not None and not is_server(place):
        from perdure.security.tokens import KIND, decode_token

        with _reader(place) as reader:
            found = [decode_token(data) for _, data in reader.documents(KIND)]
        return [_record(each) for each in sorted(found, key=lambda each: (each.created, each.id))]
    tokens: list[Record] = []
    cursor = ""
    while True:
        page = request(place, server, token, "GET", f"/tokens?limit={PAGE}&cursor={cursor}")
        tokens += page["tokens"]
        if not (cursor := page["next_cursor"]):
            return tokens


def revoke(place: str | None, server: str, token: str, id: str) -> Record:
    """End a token. Raises ``PerdureError``."""
    if place is not None and not is_server(place):

        async def end() -> Record:
            from perdure.app.access import FileSession, file_administration

            async with file_administration(_url_of(place)) as administration:
                return _record(await administration.revoke_token(FileSession(identity()), "file", id))

        return asyncio.run(end())
    answer: Record = request(place, server, token, "DELETE", path("tokens", id))
    return answer


def audit_entries(place: str | None, server: str, token: str) -> Iterator[bytes]:
    """The entries of the audit log, in order, as they are stored. Raises ``PerdureError``."""
    from perdure.security.audit import entries_of
    from perdure.security.chain import canonical

    if place is not None and not is_server(place):
        with _reader(place) as reader, reader.snapshot():
            yield from entries_of(reader.documents)
        return
    after = 0
    while True:
        page = request(place, server, token, "GET", f"/audit?after={after}&limit={PAGE}")["entries"]
        yield from map(canonical, page)
        if len(page) < PAGE:
            return
        after = page[-1]["seq"]


def prune(place: str, older_than_ns: int) -> int:
    """Remove old entries of the audit log in a store's file that nobody uses; how many. Raises ``PerdureError``."""

    with _reader(place):
        pass  # it must be there: taking a store makes one that is not

    async def remove() -> int:
        from perdure.app.access import FileSession, file_administration

        async with file_administration(_url_of(place)) as administration:
            return await administration.prune_audit(FileSession(identity()), "file", older_than_ns)

    return asyncio.run(remove())


def _reader(place: str) -> Any:
    from perdure.cli import stores

    return stores.opened(place)


def _url_of(place: str) -> str:
    return place if place.startswith("sqlite:") else f"sqlite:///{place}"


def _record(token: Any) -> Record:
    found: Record = msgspec.to_builtins(
        {
            "id": token.id,
            "name": token.name,
            "grants": token.grants,
            "created": _time(token.created),
            "created_by": token.created_by,
            "expires": _time(token.expires),
            "revoked": _time(token.revoked),
            "last_used": _time(token.last_used),
            **msgspec.structs.asdict(token.allowance),
        }
    )
    return found


def _time(ns: int) -> str | None:
    from perdure.cli.times import rfc3339

    return rfc3339(ns) if ns else None


def status(record: Record) -> str:
    """``good``, ``expired`` or ``revoked``, as far as this machine's clock knows."""
    if record["revoked"]:
        return "revoked"
    from datetime import datetime

    expires = record["expires"]
    if expires and datetime.fromisoformat(expires).timestamp() <= time.time():
        return "expired"
    return "good"


def limits(record: Record) -> str:
    """What a token allows by itself, in one cell."""
    from perdure.app.setting_kinds import bytes_text

    parts = [f"{rate} {unit}/s" for name, unit in _RATES.items() if (rate := record.get(name))]
    if size := record.get("request_bytes"):
        parts.append(bytes_text(size))
    return ", ".join(parts) or "-"


_RATES = {"requests_per_second": "requests", "messages_per_second": "messages"}


def joined(grants: Iterable[str]) -> str:
    """Grants in one cell."""
    return ", ".join(grants)
