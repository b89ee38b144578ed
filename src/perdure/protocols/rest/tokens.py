"""API tokens and the audit log."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from perdure.model.errors import NotFoundError
from perdure.protocols.rest.asking import Asked, Limit
from perdure.protocols.rest.operations import Call, Nothing, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.parts import Administration, Token
from perdure.protocols.rest.values import to_ns, to_time

operations = Operations("access")

AUDIT_PAGE = 1_000

Allowed = Annotated[int, msgspec.Meta(ge=0, le=1 << 53, description="0 for what the server's settings say.")]


class TokenBody(Asked):
    """A token to be made. ``grants`` are roles: ``admin``, ``reader``, ``operator:billing`` ...; without ``lifetime_seconds``
    it is good for ever. With ``for_signing`` AWS's clients may sign with it: the access key is its id, the secret access key
    the token, which is kept in the store then. How much may be sent with it is what the server's settings say, unless it
    is said here; for more than they say one must be an admin of the whole server."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    grants: Annotated[list[Annotated[str, msgspec.Meta(max_length=1_100)]], msgspec.Meta(min_length=1, max_length=100)]
    lifetime_seconds: Limit | None = None
    for_signing: bool = False
    requests_per_second: Allowed = 0
    messages_per_second: Allowed = 0
    request_bytes: Allowed = 0


class TokenView(msgspec.Struct, frozen=True):
    """What is known of a token; not the token itself. Of what may be sent with it, 0 is what the server's settings say."""

    id: str
    name: str
    grants: list[str]
    created: datetime | None
    created_by: str
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    requests_per_second: int
    messages_per_second: int
    request_bytes: int


class NewTokenView(msgspec.Struct, frozen=True):
    """A new token. It is shown this once."""

    token: str
    record: TokenView


class TokensView(msgspec.Struct, frozen=True):
    """A page of the tokens that the caller could have made, the oldest first; ``next_cursor`` is empty on the last one."""

    tokens: list[TokenView]
    next_cursor: str = ""


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which entry on."""

    after: Annotated[int, msgspec.Meta(ge=0, le=(1 << 53), description="Only entries with higher numbers.")] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=AUDIT_PAGE, description="At most so many.")] = AUDIT_PAGE


class AuditView(msgspec.Struct, frozen=True):
    """Entries of the audit log, in order, and its head: how many there are in all, a colon, and the last one's hash."""

    entries: list[dict[str, Any]]
    head: str


@operations.add("POST", "/tokens", body=TokenBody, answer=NewTokenView, status=201, remembers=True)
async def create_token(call: Call[TokenBody, Nothing]) -> NewTokenView:
    """Make an API token. The answer is the only place where it can ever be seen."""
    body = call.body
    record, token = await _administration(call).create_token(
        call.session,
        _remote(call),
        body.name,
        body.grants,
        to_ns(body.lifetime_seconds),
        body.for_signing,
        body.requests_per_second,
        body.messages_per_second,
        body.request_bytes,
    )
    return NewTokenView(token, _view(record))


@operations.add("GET", "/tokens", query=PageQuery, answer=TokensView)
async def list_tokens(call: Call[None, PageQuery]) -> TokensView:
    """The API tokens, good ones and others."""
    found = await _administration(call).tokens(call.session)
    page, next_cursor = page_of(found, lambda token: (token.created, token.id), call.query)
    return TokensView([_view(token) for token in page], next_cursor)


@operations.add("DELETE", "/tokens/{token_id}", answer=TokenView)
async def revoke_token(call: Call[None, Nothing]) -> TokenView:
    """End a token at once, also for whoever uses it just now. Its record stays."""
    return _view(await _administration(call).revoke_token(call.session, _remote(call), call.path["token_id"]))


@operations.add("GET", "/audit", query=AuditQuery, answer=AuditView)
async def read_audit_log(call: Call[None, AuditQuery]) -> AuditView:
    """Refusals and administrative acts. Each entry has the hash of the one before; `perdure audit verify` checks them."""
    entries, head = await _administration(call).audit(call.session, call.query.after, call.query.limit)
    return AuditView([msgspec.json.decode(entry) for entry in entries], head)


def _administration(call: Call[Any, Any]) -> Administration:
    if call.parts.administration is None:
        raise NotFoundError("This server has no tokens and no audit log.")
    return call.parts.administration


def _remote(call: Call[Any, Any]) -> str:
    return call.request.client.host if call.request.client is not None else ""


def _view(token: Token) -> TokenView:
    return TokenView(
        token.id,
        token.name,
        list(token.grants),
        to_time(token.created),
        token.created_by,
        to_time(token.expires),
        to_time(token.revoked),
        to_time(token.last_used),
        token.allowance.requests_per_second,
        token.allowance.messages_per_second,
        token.allowance.request_bytes,
    )
