"""Where others say how an operation has ended: a POST with the token that came with the operation.

The token is sealed and names one operation of one run, so having it is all the right that there is. A completion is
taken once; the same again answers 404, as do those for runs that no longer wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from perdure.engine.operation_tokens import CallbackToken, Seals
from perdure.model.errors import InvalidArgumentError, NotFoundError, PerdureError
from perdure.model.ids import RunAddress
from perdure.model.requests import EndOperation, Request
from perdure.protocols.nexus.contents import value_of
from perdure.protocols.nexus.dialect import Dialect
from perdure.protocols.nexus.failures import said_in, unsuccessful
from perdure.protocols.nexus.links import links_in
from perdure.protocols.nexus.requests import LARGEST_BYTES, STATE, TOKEN, TOKEN_HEADER

log = logging.getLogger("perdure.server")

PATH = "/namespaces/{namespace}/nexus/callback"
BODY_SECONDS = 30.0

Answer = Callable[[RunAddress, Request], Awaitable[bool]]
"""Hands a request to a run; whether the run took it."""


class Wrong(Exception):
    """A completion is not taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def callback_path(namespace: str) -> str:
    """Where those of a namespace's runs go."""
    return PATH.replace("{namespace}", quote(namespace, safe=""))


def callback_route(seals: Seals, answer: Answer, dialect: Dialect) -> Route:
    """The page that takes completions."""

    async def take(request: HttpRequest) -> Response:
        try:
            await _take(request, seals, answer, dialect)
        except Wrong as error:
            return Response(msgspec.json.encode({"message": str(error)}), error.status, media_type="application/json")
        return Response()

    return Route(PATH, take, methods=["POST"])


async def _take(request: HttpRequest, seals: Seals, answer: Answer, dialect: Dialect) -> None:
    headers = dict(request.headers.items())
    try:
        token = await seals.opened_text(headers.get(TOKEN_HEADER, ""))
    except InvalidArgumentError:
        token = None
    if not isinstance(token, CallbackToken) or token.namespace != unquote(request.path_params["namespace"]):
        raise Wrong(400, "invalid callback token")
    ended = _ended(token, headers, await _body(request), dialect)
    if links := links_in(request.headers.items()):
        ended = msgspec.structs.replace(ended, links=dialect.links(links))
    try:
        is_taken = await answer(RunAddress(token.namespace, token.workflow_id), ended)
    except NotFoundError:
        is_taken = False
    except PerdureError as error:
        log.warning("The end of an operation of %s is not recorded: %s", token.workflow_id, error)
        raise Wrong(503, "the store does not take it now; try again") from None
    if not is_taken:
        raise Wrong(404, "nobody waits for this operation: it has ended, or the run that asked for it has")


def _ended(token: CallbackToken, headers: Mapping[str, str], body: bytes, dialect: Dialect) -> EndOperation:
    state = headers.get(STATE, "")
    ended = EndOperation(token.scheduled_event_id, token.request_id, headers.get(TOKEN, ""))
    if state == "succeeded":
        return msgspec.structs.replace(ended, result=(value_of(headers, body, dialect),))
    if state not in ("failed", "canceled"):
        raise Wrong(400, f'invalid request operation state: "{state[:100]}"')
    said = said_in(headers, body)
    if said is None:
        raise Wrong(400, 'the body of a failure must be JSON, such as {"message": "no funds"}')
    is_cancelled = state == "canceled"
    failure = unsuccessful(said, dialect, is_cancelled=is_cancelled)
    return msgspec.structs.replace(ended, failure=failure, canceled=is_cancelled)


async def _body(request: HttpRequest) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST_BYTES:
                    raise Wrong(413, f"the body has more than {LARGEST_BYTES} bytes")
    except (TimeoutError, ClientDisconnect):
        raise Wrong(408, "the body did not arrive") from None
    return bytes(body)


__all__ = ["PATH", "callback_path", "callback_route"]
