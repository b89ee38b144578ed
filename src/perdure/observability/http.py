"""``/health/live``, ``/health/ready`` and ``/metrics``, and an eye on the requests of the REST application.

Plain ASGI, so it goes with any application. Health needs no credentials and says nothing that would be worth any:
whoever restarts or routes has none. Metrics name namespaces, workflow types and task queues, so they need a reader of all
namespaces; on a server that trusts whoever reaches it, that is everybody.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
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


PAGES = ("/health/live", "/health/ready", "/metrics")

OBSERVED = "perdure.observed"
"""A dictionary in the scope of a request, in which the application behind may name its ``route``; a path itself would be a
label without bounds."""


class OperatorPages:
    """An ASGI application that answers at ``PAGES``.

    Args:
        watched: the engine.
        gate: who may read metrics.
        version: of Perdure, for ``perdure_build_info``.
        with_metrics: whether there is a ``/metrics``.
    """

    def __init__(self, watched: Watched, gate: Gate, version: str, *, with_metrics: bool = True) -> None:
        self._watched = watched
        self._gate = gate
        self._exposition = Exposition(watched, version) if with_metrics else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        match scope["path"]:
            case "/health/live":
                await _answer(scope, send, 200, {"status": "live"})
            case "/health/ready":
                await self._ready(scope, send)
            case "/metrics" if self._exposition is not None:
                await self._metrics(scope, send, self._exposition)
            case _:
                await _problem(scope, send, 404, "Not found", f"There is nothing at {scope['path']}.")

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


class ObservedApplication:
    """An ASGI application whose requests are counted, and belong to the traces that they name."""

    def __init__(self, application: Application, watched: Watched) -> None:
        self._application = application
        self._watched = watched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began, status = perf_counter(), "500"
        observed: dict[str, str] = {}

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        tracing = self._watched.tracing
        try:
            with (
                nullcontext()
                if tracing is None
                else tracing.below(_header(scope, b"traceparent"), _header(scope, b"tracestate"))
            ):
                await self._application({**scope, OBSERVED: observed}, receive, note_status)
        finally:
            path = scope["path"]
            route = observed.get("route") or (path if path in PAGES else OTHER)
            method = scope["method"] if scope["method"] in _METHODS else OTHER
            self._watched.http_requests[method, route, status].value += 1
            if (error := observed.get("error")) is not None:
                self._watched.http_errors[route, error].value += 1
            self._watched.http_seconds[method, route].observe(perf_counter() - began)


def _credentials(scope: Scope) -> Credentials:
    client = scope.get("client")
    return Credentials(
        _header(scope, b"authorization"),
        scope.get("state", {}).get("certificate", ""),
        str(client[0]) if client else "",
    )


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
