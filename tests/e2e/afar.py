"""``testing.environment`` with the worker and the client at the other end of connections to a server.

The clock is virtual here as well, so a story of nine days is told over the wire too. Time skips when nothing is under
way on either side: the engine is idle, no worker has anything in hand, and all that the client has asked has come to
the server, and its answers back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import perdure
from perdure.app import store_of
from perdure.app.server import Server
from perdure.engine.settings import Settings
from perdure.model.limits import Limits
from perdure.model.options import DEFAULT_NAMESPACE, SECOND_NS
from perdure.protocols.worker.connection import connection_of
from perdure.protocols.worker.runner import Runner
from perdure.sdk.worker import LocalWorker
from perdure.testing.clock import VirtualClock
from perdure.testing.environment import POLL_SECONDS, QUIET_ROUNDS, TURN_ATTEMPTS, Environment

CENTURY_NS = 100 * 365 * 86_400 * SECOND_NS
TURN_SLOTS = 200


class Afar:
    """What an ``Environment`` asks of its engine and worker, where these are a connection apart."""

    def __init__(self, server: Server, client: perdure.Client, host: LocalWorker) -> None:
        self.service = server.service
        self.calls = 0
        """How many the client has made."""
        self._server, self._host = server, host
        connection = connection_of(client.service)
        self._call = connection.call
        connection.call = self._count  # type: ignore[method-assign]

    async def _count(self, *args):
        self.calls += 1
        return await self._call(*args)

    async def come_and_go(self) -> None:
        """Ask the server something small: what was asked before is there then, and what was answered before is here."""
        await self._call("workers", ("default",), {})

    @property
    def runs_activities(self) -> bool:
        """Whether code runs that takes as long as it takes."""
        return self._host.running_count > 0

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        workers = self._server.workers
        return (
            not self.service.engine.is_idle
            or self.runs_activities
            or bool(workers.running)
            or any(worker.turns or worker._queries for worker in workers.connected)
        )

    @property
    def is_awaited(self) -> bool:
        """Whether a client waits for a run."""
        return bool(self.service.engine.waiting)


class FarEnvironment(Environment):
    """An ``Environment`` that skips no time while something is on its way."""

    def __init__(self, afar: Afar, client: perdure.Client, clock: VirtualClock) -> None:
        super().__init__(afar, client, clock)  # type: ignore[arg-type]
        self.afar = afar

    async def keep_time(self) -> None:
        """As ``Environment.keep_time``."""
        quiet, asked = 0, -1
        while True:
            await asyncio.sleep(0)
            if not self._is_quiet():
                quiet = 0
                if self.afar.runs_activities:
                    await self._pass_real_time()
                self.clock.advance_to(self.clock.now_ns())
                continue
            quiet += 1
            if quiet < QUIET_ROUNDS:
                continue
            quiet = 0
            if asked != self.afar.calls:
                asked = self.afar.calls
                await self.afar.come_and_go()
            elif self._skip():
                asked = -1
            else:
                await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def far_environment(
    *apps, mocks=None, start_time=None, namespace=DEFAULT_NAMESPACE, store="memory://", **worker_options
) -> AsyncIterator[FarEnvironment]:
    """As ``testing.environment``, without its faults."""
    clock = VirtualClock(int((start_time or datetime.now(UTC)).timestamp() * 1e6) * 1000)
    settings = Settings(
        limits=Limits(turn_attempts=TURN_ATTEMPTS), timer_horizon_ns=CENTURY_NS, retention_sweep_ns=CENTURY_NS
    )
    server = Server(
        store_of(store),
        settings,
        rest_address="127.0.0.1:0",
        grpc_address="127.0.0.1:0",
        clock=clock,
        with_metrics=False,
    )
    await server.open()
    try:
        async with await perdure.connect(server.url, *apps, namespace=namespace) as client:
            host = LocalWorker(apps, mocks=mocks, **worker_options)
            afar = Afar(server, client, host)
            runner = Runner(connection_of(client.service), host, namespace, TURN_SLOTS, host.labels, clock.now_ns)
            host.open(runner.report)
            await runner.open()
            env = FarEnvironment(afar, client, clock)
            keeper = asyncio.create_task(env.keep_time())
            try:
                yield env
            finally:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
                await runner.drain()
                await host.close()
                await runner.close()
    finally:
        await server.close()
