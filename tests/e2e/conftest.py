"""Every story here is told on each store, and over a server."""

import asyncio
from contextlib import asynccontextmanager

import pytest

import perdure
from perdure.app.server import Server

OF_SERVER = ("settings",)


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}"


@pytest.fixture(params=["memory", "sqlite", "remote"])
def opened(request, tmp_path):
    """Open apps in one process with their engine, on each store; or on a worker of their own, beside a server."""
    store = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}"

    @asynccontextmanager
    async def open_apps(*apps, **options):
        async with perdure.open(*apps, store=store, **options) as client:
            yield client

    @asynccontextmanager
    async def connect_apps(*apps, namespace="default", **options):
        server = Server(store, options.pop("settings", None), rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
        await server.open()
        try:
            url = server.url
            async with await perdure.connect(url, *apps, namespace=namespace) as client:
                if not apps:
                    yield client
                    return
                async with perdure.Worker(client, *apps, grace=0.2, **options):
                    yield client
        finally:
            await server.close()

    return connect_apps if request.param == "remote" else open_apps


async def settled(run):
    """What a run is like once nobody has a turn of it in hand: a worker elsewhere takes it while the run's caller goes
    on."""
    while True:
        details = await run.describe()
        if details.turn is None or not details.turn.started_time or details.turn.last_failure is not None:
            return details
        await asyncio.sleep(0.01)


async def events_of(run):
    """The names of a run's events, in order."""
    return [event.type async for event in run.history()]
