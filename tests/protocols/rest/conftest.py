"""A server on a socket of its own, over each store, with workflows to play with."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest
from tests.protocols.rest.programs import app

from perdure.app import Embedded, store_of
from perdure.app.rest import rest_server
from perdure.engine.clock import SystemClock
from perdure.model.access import OpenGate
from perdure.protocols.rest import Bounds, RestServer


@dataclass
class Running:
    """A server, and somebody who talks to it."""

    embedded: Embedded
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
            embedded = Embedded([app], store, SystemClock(asyncio.get_running_loop()))
            await embedded.open()
            stack.push_async_callback(embedded.close)
            gate = options.pop("gate", None) or OpenGate(embedded.service)
            server = rest_server(
                embedded.service,
                gate,
                store,
                "127.0.0.1",
                0,
                bounds=bounds or Bounds(),
                trusts_everybody=True,
                **options,
            )
            await server.start()
            stack.push_async_callback(server.stop)
            base = f"http://127.0.0.1:{server.port}/api/v1"
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, timeout=30))
            return Running(embedded, server, http)

        yield start


@pytest.fixture
async def rest(serve):
    return await serve()


@pytest.fixture
def http(rest):
    return rest.http
