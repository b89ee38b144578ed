"""Everything together as one ASGI application."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from perdure.protocols.rest import (
    activities,
    batches,
    deployments,
    documentation,
    endpoints,
    histories,
    lists,
    messages,
    namespaces,
    openapi,
    pending_activities,
    runs,
    schedules,
    server_facts,
    signing,
    starting,
    starting_activities,
    starting_operations,
    task_queues,
    tokens,
    webhooks,
    workers,
)
from perdure.protocols.rest.endpoint import Endpoint, send_problem
from perdure.protocols.rest.idempotency import Remembered
from perdure.protocols.rest.operations import Operation
from perdure.protocols.rest.parts import Parts
from perdure.protocols.rest.problems import problem_of_http

OPERATIONS: Sequence[Operation] = (
    *starting.operations.all,
    *starting_activities.operations.all,
    *starting_operations.operations.all,
    *lists.operations.all,
    *runs.operations.all,
    *messages.operations.all,
    *pending_activities.operations.all,
    *histories.operations.all,
    *activities.operations.all,
    *schedules.operations.all,
    *batches.operations.all,
    *task_queues.operations.all,
    *tokens.operations.all,
    *workers.operations.all,
    *namespaces.operations.all,
    *signing.operations.all,
    *webhooks.operations.all,
    *endpoints.operations.all,
    *deployments.operations.all,
    *server_facts.operations.all,
)


def create_app(parts: Parts, more_routes: Iterable[BaseRoute] = (), version: str = "") -> ASGIApp:
    """The REST interface.

    Args:
        parts: what it is put together from.
        more_routes: of other rooms: health, metrics, a page.
        version: of the server, for its document.
    """
    remembered = Remembered(parts.bounds)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    described = openapi.document(OPERATIONS, version)

    async def to_documentation(request: Request) -> Response:
        return RedirectResponse("/api/docs")

    starlette = Starlette(
        routes=[
            *(
                Route(openapi.PREFIX + path, Endpoint(operations, parts, remembered))
                for path, operations in by_path.items()
            ),
            *documentation.routes(described),
            *more_routes,
            Route("/api", to_documentation),
        ],
        exception_handlers={HTTPException: _http_problem},
    )
    return _Door(starlette, parts)


class _Door:
    """What is checked and put right before anything else."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._hosts = parts.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name: value for name, value in scope["headers"] if name in (b"host", b"origin")}
            host = headers.get(b"host", b"").decode("latin-1").lower()
            if self._hosts is not None and _name(host) not in self._hosts:
                names = ", ".join(sorted(self._hosts))
                await send_problem(send, problem_of_http(421, f"Without authentication it answers to {names} only."))
                return
            origin = headers.get(b"origin")
            if origin is not None and urlsplit(origin.decode("latin-1")).netloc.lower() != host:
                # A page of somebody else's site must not use a browser that may reach this server.
                await send_problem(send, problem_of_http(403))
                return
            # Routed before it is decoded, so that a name may have slashes in it.
            scope = {**scope, "path": scope.get("raw_path", scope["path"].encode()).decode("latin-1")}
        await self._app(scope, receive, send)


def _name(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


async def _http_problem(request: Request, error: Exception) -> "_ProblemResponse":
    assert isinstance(error, HTTPException)
    return _ProblemResponse(error.status_code)


class _ProblemResponse(Response):
    """A problem document, for what the router itself refuses."""

    def __init__(self, status: int) -> None:
        super().__init__(status_code=status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_problem(send, problem_of_http(self.status_code))
