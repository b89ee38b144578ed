"""The REST interface of a server: which gate, which schedules, which socket."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from perdure.model.access import Gate
from perdure.model.service import Service
from perdure.observability.http import PAGES, ObservedApplication, OperatorPages
from perdure.observability.watched import Watched
from perdure.protocols.rest import Bounds, Parts, RestServer, create_app
from perdure.protocols.rest.parts import Documents, PollActivity
from perdure.sdk.schedules.translated import TranslatedSchedules

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def rest_server(
    service: Service,
    gate: Gate,
    documents: Documents,
    host: str,
    port: int,
    *,
    version: str = "",
    poll_activity: PollActivity | None = None,
    about: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    trusts_everybody: bool = False,
    more_routes: Iterable[BaseRoute] = (),
    watched: Watched | None = None,
    with_metrics: bool = True,
    **uvicorn_options: Any,
) -> RestServer:
    """The REST interface, ready to be started.

    Args:
        service: the engine.
        gate: who knows the callers.
        documents: where webhooks and their secrets are kept: the store.
        host, port: where it listens; port 0 is any that is free.
        version: of the server.
        poll_activity: where activity tasks come from.
        about: what ``GET /api/v1/server`` tells; may be filled later.
        bounds: how much a caller may ask.
        trusts_everybody: nobody has to say who they are. Then it answers to the names of this machine alone, so that no
            web page can reach it under a name of its own.
        more_routes: of other rooms.
        watched: whose health and metrics there are pages for, and where requests are counted.
        with_metrics: whether there is a page for metrics.
        uvicorn_options: of ``uvicorn.Config``, for TLS.
    """
    parts = Parts(
        gate=gate,
        service=service,
        documents=documents,
        schedules=lambda namespace, identity: TranslatedSchedules(service, namespace, identity),
        poll_activity=poll_activity,
        about=about if about is not None else {"version": version},
        bounds=bounds or Bounds(),
        allowed_hosts=LOOPBACK_NAMES if trusts_everybody else None,
    )
    if watched is not None:
        pages = OperatorPages(watched, gate, version, with_metrics=with_metrics)
        more_routes = [*more_routes, *(Route(path, pages) for path in PAGES)]
    app = create_app(parts, more_routes, version)
    if watched is not None:
        app = ObservedApplication(app, watched)
    return RestServer(app, host, port, bounds=parts.bounds, closing=parts.closing, **uvicorn_options)
