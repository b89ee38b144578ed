"""``/health/live``, ``/health/ready`` and ``/metrics`` in front of the REST application, whose requests are counted.

Plain ASGI, so it stands before any application. Health needs no credentials and says nothing that would be worth any:
whoever restarts or routes has none. Metrics name namespaces, workflow types and task queues, so they need a reader of all
namespaces; on a server that trusts whoever reaches it, that is everybody.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from perdure.model.access import ALL_NAMESPACES, Credentials, Gate, Permission
from perdure.model.errors import LimitExceededError, PerdureError, PermissionDeniedError, UnauthenticatedError
from perdure.observability.exposition import Exposition
from perdure.observability.series import OTHER
from perdure.observability.watched import Watched

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_STATUS: dict[type[PerdureError], int] = {
    UnauthenticatedError: 401,
    PermissionDeniedError: 403,
    LimitExceededError: 429,
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ObservedApplication:
    """An ASGI application with its operator's pages.

    Args:
        application: what answers everything else; None for nothing.
        watched: the engine.
        gate: who may read metrics.
        version: of Perdure, for ``perdure_build_info``.
        with_metrics: whether there is a ``/metrics``.
    """

    def __init__(
        self, application: Application | None, watched: Watched, gate: Gate, version: str, *, with_metrics: bool = True
    ) -> None:
        self._application = application
        self._watched = watched
        self._gate = gate
        self._exposition = Exposition(watched, version) if with_metrics else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            if self._application is not None:
                await self._application(scope, receive, send)
            return
        match scope["path"]:
            case "/health/live":
                await _answer(scope, send, 200, {"status": "live"})
            case "/health/ready":
                await self._ready(scope, send)
            case "/metrics" if self._exposition is not None:
                await self._metrics(scope, send, self._exposition)
            case _ if self._application is not None:
                await self._observed(self._application, scope, receive, send)
            case _:
                await _problem(scope, send, 404, "Not found", f"There is nothing at {scope['path']}.")

    # --- the pages

    async def _ready(self, scope: Scope, send: Send) -> None:
        reasons = self._watched.reasons_not_ready()
        answer = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
        await _answer(scope, send, 503 if reasons else 200, answer)

    async def _metrics(self, scope: Scope, send: Send, exposition: Exposition) -> None:
        try:
            session = await self._gate.admit(_credentials(scope))
            session.require(Permission.READ, ALL_NAMESPACES)
        except (UnauthenticatedError, PermissionDeniedError, LimitExceededError) as error:
            await _problem(scope, send, _STATUS[type(error)], type(error).__name__, str(error))
            return
        body, content_type = exposition.render(_header(scope, b"accept"))
        await _send(scope, send, 200, content_type, body)

    # --- everything else

    async def _observed(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = perf_counter(), "500"

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await application(scope, receive, note_status)
        finally:
            # Litestar says which of its routes it was; a path itself would be a label without bounds.
            route = str(scope.get("path_template") or OTHER)
            method = scope["method"] if scope["method"] in _METHODS else OTHER
            self._watched.http_requests[method, route, status].value += 1
            self._watched.http_seconds[method, route].observe(perf_counter() - began)


def _credentials(scope: Scope) -> Credentials:
    client = scope.get("client")
    return Credentials(authorization=_header(scope, b"authorization"), remote=str(client[0]) if client else "")


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), "")


async def _answer(scope: Scope, send: Send, status: int, answer: dict[str, Any]) -> None:
    await _send(scope, send, status, "application/json", json.dumps(answer).encode())


async def _problem(scope: Scope, send: Send, status: int, title: str, detail: str) -> None:
    """An answer as RFC 9457 has it."""
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
    await _send(scope, send, status, "application/problem+json", body)


async def _send(scope: Scope, send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if scope["method"] not in ("GET", "HEAD"):
        status, body = 405, b""
        headers = [(b"allow", b"GET, HEAD"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
