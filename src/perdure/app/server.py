"""An engine that others connect to: one process, one event loop, one store."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any, Protocol

from starlette.routing import Route

from perdure.app.access import Access, AccessControl
from perdure.app.asl import asl_queue
from perdure.app.embedded import tuned
from perdure.app.nexus import Nexus
from perdure.app.rest import Outside, rest_server
from perdure.app.stepfunctions import StepFunctions, StepFunctionsServer
from perdure.app.stores import store_of
from perdure.engine.clock import SystemClock
from perdure.engine.deployments import Deployments
from perdure.engine.polls import Polls
from perdure.engine.ports import Clock, Store
from perdure.engine.service import EngineService
from perdure.engine.settings import Settings
from perdure.engine.turn_polls import TurnPolls
from perdure.engine.workers import Workers
from perdure.model.access import Gate
from perdure.model.service import Service
from perdure.observability.tracing import Tracing
from perdure.observability.watched import Watched
from perdure.protocols.rest.listening import Switch
from perdure.protocols.worker.server import WorkerProtocol
from perdure.sdk.own_apps import own_apps
from perdure.sdk.schedules.client import keep_records
from perdure.sdk.standalone import standalone_queues
from perdure.sdk.worker import LocalWorker

DEFAULT_REST_ADDRESS = "127.0.0.1:7420"
DEFAULT_GRPC_ADDRESS = "127.0.0.1:7421"


class Listener(Protocol):
    """A protocol that is loaded only where it is asked for."""

    port: int

    async def open(self) -> None:
        """Begin to listen."""
        ...

    async def close(self) -> None:
        """Let go of everybody."""
        ...


class Server:
    """Store, engine, the engine's own workflows, and whoever connects.

    Args:
        store: a URL, or a store.
        settings: of the engine.
        rest_address: where the REST interface listens; port 0 picks a free one.
        grpc_address: where the worker protocol listens; port 0 picks a free one.
        access: who may do what, and TLS. Without it everybody who reaches the server may do all, so it must listen on
            this machine alone.
        with_metrics: whether the REST interface has a page for metrics.
        tracing: gets the spans of runs, and of the calls of whoever brings no trace along.
        temporal_address: where Temporal's own SDKs connect; port 0 picks a free one. Nowhere without it; needs the extra
            ``perdure[temporal]``.
        callback_hosts: the only hosts that callbacks may go to, such as ``*.example.com``; any without them.
        public_url: where others reach the REST interface; at its own address without it.
        stepfunctions: where and how AWS's clients reach the Step Functions API. Nowhere without it; needs the extra
            ``perdure[stepfunctions]``.
        clock: what the time is; the system's without it.
    """

    def __init__(
        self,
        store: str | Store,
        settings: Settings | None = None,
        *,
        rest_address: str = DEFAULT_REST_ADDRESS,
        grpc_address: str = DEFAULT_GRPC_ADDRESS,
        access: Access | None = None,
        with_metrics: bool = True,
        tracing: Tracing | None = None,
        callback_hosts: Sequence[str] = (),
        public_url: str = "",
        temporal_address: str = "",
        stepfunctions: StepFunctions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock
        self._store = store_of(store) if isinstance(store, str) else store
        self._settings = settings
        self._rest_address = rest_address
        self._grpc_address = grpc_address
        self._access = access or Access()
        self._with_metrics = with_metrics
        self._tracing = tracing
        # Whoever must say who they are may not be somebody of this machine, and its other services trust what comes from it.
        self._outside = Outside(self._store, callback_hosts, with_loopback=not self._access.has_authentication)
        self._public_url = public_url
        self._temporal_address = temporal_address
        self._temporal: Listener | None = None
        self._stepfunctions_settings = stepfunctions
        self._stepfunctions: StepFunctionsServer | None = None
        self._calls_may_go = asyncio.Event()
        self._stack = AsyncExitStack()
        self.service: EngineService
        self.workers: Workers
        self.watched: Watched
        self.gate: Gate
        self.nexus: Nexus

    async def open(self) -> None:
        """Take the store, go on with what is in it, and listen. Raises ``StoreError``, ``InvalidArgumentError``."""
        clock = self._clock or SystemClock(asyncio.get_running_loop())
        control = AccessControl(self._access, self._store, clock)
        host, _, port = self._rest_address.rpartition(":")
        control.check_address("rest_address", host, int(port))
        grpc_host, _, grpc_port = self._grpc_address.rpartition(":")
        control.check_address("grpc_address", grpc_host, int(grpc_port))
        if self._temporal_address:
            temporal_host, _, temporal_port = self._temporal_address.rpartition(":")
            control.check_address("temporal_address", temporal_host, int(temporal_port))
        if self._stepfunctions_settings is not None:
            aws_host, _, aws_port = self._stepfunctions_settings.address.rpartition(":")
            control.check_address("stepfunctions_address", aws_host, int(aws_port))
        tls, proxies = control.tls, self._access.proxy_options
        own = LocalWorker(
            [],
            own_apps=[*own_apps(lambda: self._for_clients), self._outside.app(lambda: self.service)],
            own_queues=[
                asl_queue(None if self._stepfunctions_settings is None else self._call_task),
                *standalone_queues(),
            ],
        )
        self.workers = workers = Workers(own)
        self.service = EngineService(self._store, clock, workers, self._settings)
        workers.open(self.service.engine)
        own.open(self.service.engine.report)
        self.watched = Watched(self.service, self._tracing)
        self._for_clients: Service = self.service if self._tracing is None else self._tracing.traced(self.service)
        try:
            self._stack.enter_context(tuned())
            self._stack.push_async_callback(self.service.close)
            await self.service.open()
            await keep_records(self.service)
            self._stack.push_async_callback(own.close)
            self._stack.push_async_callback(self._outside.close)
            self.watched.begin()
            self._stack.callback(self.watched.end)
            self._stack.push_async_callback(control.close)
            self.gate = await control.open(self._for_clients)
            credentials = None if tls is None else tls.grpc_credentials()
            self._protocol = WorkerProtocol(
                self.gate, workers, self._grpc_address, credentials, observer=self.watched.grpc
            )
            self._stack.push_async_callback(self._protocol.close)
            await self._protocol.open()
            engine = self.service.engine
            self.nexus = Nexus(self._store, engine.operations, self._outside.outbound.ask, engine.clock.now_ns)
            await self.nexus.endpoints.by_name()  # what is counted by endpoint is so from the first one
            polls = Polls(workers)
            deployments = None
            if self._temporal_address:
                deployments = await self._open_temporal(workers, polls, None if tls is None else tls.context())
            if self._stepfunctions_settings is not None:
                await self._open_stepfunctions(
                    self._stepfunctions_settings,
                    polls,
                    ssl_context_factory=None if tls is None else tls.context,
                    **proxies,
                )
            self._rest = rest_server(
                self.service,
                self.gate,
                self._outside,
                host.strip("[]"),
                int(port),
                version=version("perdure"),
                poll_activity=polls.poll,
                about={
                    "version": version("perdure"),
                    "grpc_port": self.grpc_port,
                    "upgrade": self._protocol.upgrade,
                },
                switch=Switch(self._protocol.upgrade, self._protocol.paths, self._protocol.switch),
                trusts_everybody=not self._access.has_authentication,
                administration=control.administration,
                more_routes=self._more_routes(),
                endpoints=self.nexus.endpoints,
                deployments=deployments,
                watched=self.watched,
                with_metrics=self._with_metrics,
                ssl_context_factory=None if tls is None else tls.context,
                **proxies,
            )
            self._stack.push_async_callback(self._rest.stop)
            await self._rest.start()
            scheme = "http" if tls is None else "https"
            self.nexus.open(self._public_url or f"{scheme}://{_reached(host)}:{self.rest_port}")
            self._stack.push_async_callback(self.nexus.close)
        except BaseException:
            await self._stack.aclose()
            raise

    @property
    def grpc_port(self) -> int:
        """Where the worker protocol listens."""
        return self._protocol.port

    async def _open_temporal(self, workers: Workers, polls: Polls, tls: ssl.SSLContext | None) -> Deployments:
        from perdure.app.temporal import temporal_server

        deployments = Deployments(self._store, self.service.engine.clock.now_ns)
        await deployments.open()
        self._stack.push_async_callback(deployments.close)
        turns = TurnPolls(self.service.engine, workers, deployments)
        self._stack.callback(turns.close)
        self._temporal = temporal_server(
            self._for_clients,
            self.gate,
            polls,
            turns,
            self.service.engine.operations,
            self._temporal_address,
            tls,
            self.nexus.endpoints,
            self.nexus.seals,
            self.service.engine.clock.now_ns,
            self._outside,
        )
        self._stack.push_async_callback(self._temporal.close)
        await self._temporal.open()
        return deployments

    async def _open_stepfunctions(self, settings: StepFunctions, polls: Polls, **uvicorn_options: Any) -> None:
        self._stepfunctions = StepFunctionsServer(
            settings,
            self._for_clients,
            self.gate,
            self._store,
            polls,
            self._outside.outbound.ask,
            has_authentication=self._access.has_authentication,
            watched=self.watched,
            **uvicorn_options,
        )
        self._calls_may_go.set()
        self._stack.push_async_callback(self._stepfunctions.close)
        await self._stepfunctions.open()

    def _more_routes(self) -> list[Route]:
        """How operations of Nexus ended is said at the address of REST. AWS's clients may ask there, too: what they ask is a
        POST of ``/``."""
        api = self._stepfunctions
        aws = [] if api is None else [Route("/", api.application, methods=["POST"])]
        return [self.nexus.route(), *aws]

    async def _call_task(self, resource: str, parameters: Any, about: dict[str, Any]) -> Any:
        # Calls that were lost with the last server are made again as soon as the store is open.
        await self._calls_may_go.wait()
        assert self._stepfunctions is not None
        return await self._stepfunctions.call(resource, parameters, about)

    @property
    def stepfunctions_port(self) -> int:
        """Where AWS's clients reach the Step Functions API; 0 if nowhere."""
        return 0 if self._stepfunctions is None else self._stepfunctions.port

    @property
    def temporal_port(self) -> int:
        """Where Temporal's SDKs connect; 0 if nowhere."""
        return 0 if self._temporal is None else self._temporal.port

    @property
    def rest_port(self) -> int:
        """Where the REST interface listens."""
        return self._rest.port

    @property
    def url(self) -> str:
        """What clients on this machine connect to."""
        return f"http://127.0.0.1:{self.rest_port}"

    async def close(self) -> None:
        """Stop, leaving everything in the store."""
        self.watched.drain()
        await self._stack.aclose()


def _reached(host: str) -> str:
    """What a program on this machine calls an address that is listened at."""
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)
