"""Every story here is told on each store, and over a server.

``opened`` and ``environment`` do that, so a test that uses neither needs a reason, which is one of these: it opens a store
again or kills its process (over a server the tests of ``test_server_kills``, ``test_callbacks_killed`` and
``test_batches_recovery`` do), it looks into a file, it is about what ``perdure.open`` alone can do (serve all namespaces
with one worker), or it needs no engine.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest
from tests.e2e.afar import far_environment

import perdure
from perdure import testing
from perdure.app.server import Server


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}"


OVER_GRPC = ("test_activities", "test_affinity", "test_messages", "test_task_queues")
"""What is told over gRPC as well. Nothing but the carrier differs, so what uses most kinds of messages is enough."""


def pytest_generate_tests(metafunc):
    if "opened" in metafunc.fixturenames:
        over_grpc = metafunc.module.__name__.rpartition(".")[2] in OVER_GRPC
        metafunc.parametrize("opened", ["memory", "sqlite", "remote", *["grpc"] * over_grpc], indirect=True)


@pytest.fixture
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
            url = f"grpc://127.0.0.1:{server.grpc_port}" if request.param == "grpc" else server.url
            async with await perdure.connect(url, *apps, namespace=namespace) as client:
                if not apps:
                    yield client
                    return
                async with perdure.Worker(client, *apps, grace=0.2, **options):
                    yield client
        finally:
            await server.close()

    return connect_apps if request.param in ("remote", "grpc") else open_apps


@pytest.fixture(params=["embedded", "remote"])
def environment(request):
    """``testing.environment``, and the same with worker and client beside a server."""
    return far_environment if request.param == "remote" else testing.environment


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
