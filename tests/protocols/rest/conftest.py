"""A server on a socket of its own, over each store, with workflows to play with."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
from tests.protocols.rest.programs import app

from perdure.app import store_of
from perdure.app.rest import Outside, rest_server
from perdure.engine.clock import SystemClock
from perdure.engine.polls import Polls
from perdure.engine.service import EngineService
from perdure.engine.workers import Workers
from perdure.model.access import OpenGate
from perdure.protocols.rest import Bounds, RestServer
from perdure.sdk.own_apps import own_apps
from perdure.sdk.standalone import standalone_queues
from perdure.sdk.worker import LocalWorker


@dataclass
class Running:
    """A server, and somebody who talks to it."""

    service: EngineService
    server: RestServer
    http: httpx.AsyncClient

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}"


@pytest.fixture
async def serve(store_url):
    """Starts a server; a second one finds what the first has left in its file."""
    async with AsyncExitStack() as stack:

        async def start(*, bounds=None, **options):
            store = store_of(store_url)
            outside = Outside(store, options.pop("callback_hosts", ()))
            apps = [*own_apps(lambda: service), outside.app(lambda: service)]
            own = LocalWorker([app], own_apps=apps, own_queues=standalone_queues())
            workers = Workers(own)
            service = EngineService(store, SystemClock(asyncio.get_running_loop()), workers)
            workers.open(service.engine)
            own.open(service.engine.report)
            await service.open()
            stack.push_async_callback(service.close)
            stack.push_async_callback(own.close)
            stack.push_async_callback(outside.close)
            gate = options.pop("gate", None) or OpenGate(service)
            server = rest_server(
                service,
                gate,
                outside,
                "127.0.0.1",
                0,
                bounds=bounds or Bounds(),
                version="1.2.3",
                poll_activity=Polls(workers).poll,
                trusts_everybody=True,
                endpoints=service.engine.operations.endpoints,
                **options,
            )
            await server.start()
            stack.push_async_callback(server.stop)
            base = f"http://127.0.0.1:{server.port}/api/v1"
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, timeout=30))
            return Running(service, server, http)

        yield start


@pytest.fixture
async def rest(serve):
    return await serve()


@pytest.fixture
def http(rest):
    return rest.http
