"""The REST interface of a server: which gate, which schedules and callbacks, which socket."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from perdure.engine.deployments import Deployments
from perdure.engine.documents import Documents, Kept
from perdure.engine.endpoints import Endpoints
from perdure.model.access import Gate
from perdure.model.errors import AlreadyExistsError
from perdure.model.program import PollActivity
from perdure.model.requests import StartWorkflow
from perdure.model.service import Service
from perdure.model.system import SYSTEM_NAMESPACE, system_workflow_id
from perdure.observability.http import PAGES, ObservedApplication, OperatorPages
from perdure.observability.watched import Watched
from perdure.protocols.rest import Bounds, Parts, RestServer, create_app
from perdure.protocols.rest.callbacks import Deliveries, keep_records
from perdure.protocols.rest.kept import SigningSecret, Webhook
from perdure.protocols.rest.listening import Switch
from perdure.protocols.rest.outbound import Outbound
from perdure.protocols.rest.parts import Administration
from perdure.sdk.app import App
from perdure.sdk.batches.translated import TranslatedBatches
from perdure.sdk.callbacks import CALLBACK, Delivery, Order, Target, callback_app, request_of
from perdure.sdk.schedules.translated import TranslatedSchedules

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


Told = tuple[str, Mapping[str, str], int]
"""A URL, the headers that it is to see, and the number of the callback in its start."""


class Outside:
    """What a server has to do with others by itself: callbacks, and what they and webhooks are signed with.

    Args:
        documents: where signing secrets and webhooks are kept: the store.
        hosts: the only ones that callbacks may go to; any without them, but never to addresses that are link-local or the
            cloud's own.
        with_loopback: whether they may go to this machine, too, if ``hosts`` does not name it.
    """

    def __init__(self, documents: Documents, hosts: Sequence[str] = (), *, with_loopback: bool = True) -> None:
        self.signing_secrets = Kept(documents, "signing-secret", SigningSecret)
        self.webhooks = Kept(documents, "webhook", Webhook)
        self.outbound = Outbound(hosts, with_loopback=with_loopback)

    def app(self, service: Callable[[], Service]) -> App:
        """The engine's own app that delivers callbacks; ``service`` gives the engine, once it is there."""

        async def deliver(delivery: Delivery, own_id: str) -> None:
            target, deliveries = delivery.target, Deliveries(service(), self.signing_secrets, self.outbound)
            if target.nexus_header is not None:
                await deliveries.deliver_completion(
                    delivery.namespace, target.url, target.nexus_header, delivery.completion, own_id
                )
                return
            await deliveries.deliver(
                delivery.namespace, target.url, target.secret, delivery.message_id, delivery.completion, own_id
            )

        async def is_awaited(order: Order, own_id: str) -> bool:
            deliveries = Deliveries(service(), self.signing_secrets, self.outbound)
            return await deliveries.is_awaited(order.namespace, order.workflow_id, own_id)

        return callback_app(deliver, is_awaited)

    async def begin_nexus(self, service: Service, start: StartWorkflow, namespace: str, callback: Told) -> str:
        """Begin the run of the engine's own that posts to somebody, in Nexus's way, when the run of a start has closed;
        its workflow id. If that start comes to nothing, it finds out. Raises ``InvalidArgumentError`` and
        ``PermissionDeniedError`` for a URL that is not posted to."""
        url, header, number = callback
        self.outbound.check(url)
        await keep_records(service)
        name = hashlib.sha256(f"nexus\0{start.workflow_id}\0{start.request_id}\0{number}".encode()).hexdigest()[:32]
        own_id = system_workflow_id(CALLBACK, namespace, name)
        order = Order(namespace, start.workflow_id, [Target(url, "", dict(header))])
        try:
            await service.start(SYSTEM_NAMESPACE, request_of(own_id, order, start.request_id, start.identity))
        except AlreadyExistsError:
            pass  # the same start again, whose run has closed and been told of
        return own_id

    async def close(self) -> None:
        """Close what connections there are."""
        await self.outbound.close()


def rest_server(
    service: Service,
    gate: Gate,
    outside: Outside,
    host: str,
    port: int,
    *,
    version: str = "",
    poll_activity: PollActivity | None = None,
    about: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    trusts_everybody: bool = False,
    administration: Administration | None = None,
    more_routes: Iterable[BaseRoute] = (),
    watched: Watched | None = None,
    with_metrics: bool = True,
    switch: Switch | None = None,
    endpoints: Endpoints,
    deployments: Deployments | None = None,
    **uvicorn_options: Any,
) -> RestServer:
    """The REST interface, ready to be started.

    Args:
        service: the engine.
        gate: who knows the callers.
        outside: what the server has to do with others; its app must be served too.
        host, port: where it listens; port 0 is any that is free.
        version: of the server.
        poll_activity: where activity tasks come from.
        about: what ``GET /api/v1/server`` tells; may be filled later.
        bounds: how much a caller may ask.
        trusts_everybody: nobody has to say who they are. Then it answers to the names of this machine alone, so that no
            web page can reach it under a name of its own.
        administration: what there is to do about tokens; None where there are none.
        more_routes: of other rooms.
        watched: whose health and metrics there are pages for, and where requests are counted.
        with_metrics: whether there is a page for metrics.
        switch: what a connection can be switched to, for another protocol.
        endpoints: of operations; the engine's own, which looks at the same ones.
        deployments: of workers; None where nobody can have any.
        uvicorn_options: of ``uvicorn.Config``, for TLS and proxies.
    """
    parts = Parts(
        gate=gate,
        service=service,
        signing_secrets=outside.signing_secrets,
        webhooks=outside.webhooks,
        endpoints=endpoints,
        outbound=outside.outbound,
        schedules=lambda namespace, identity: TranslatedSchedules(service, namespace, identity),
        batches=lambda namespace, identity: TranslatedBatches(service, namespace, identity),
        callback_request=_callback_request,
        poll_activity=poll_activity,
        about=about if about is not None else {"version": version},
        bounds=bounds or Bounds(),
        administration=administration,
        allowed_hosts=LOOPBACK_NAMES if trusts_everybody else None,
        deployments=deployments,
    )
    if watched is not None:
        pages = OperatorPages(watched, gate, version, with_metrics=with_metrics)
        more_routes = [*more_routes, *(Route(path, pages) for path in PAGES)]
    app = create_app(parts, more_routes, version)
    if watched is not None:
        app = ObservedApplication(app, watched)
    return RestServer(app, host, port, bounds=parts.bounds, closing=parts.closing, switch=switch, **uvicorn_options)


def _callback_request(
    own_id: str,
    namespace: str,
    workflow_id: str,
    targets: Sequence[tuple[str, str]],
    request_id: str,
    identity: str,
) -> StartWorkflow:
    order = Order(namespace, workflow_id, [Target(*target) for target in targets])
    return request_of(own_id, order, request_id, identity)
