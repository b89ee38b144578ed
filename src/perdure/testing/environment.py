"""``environment``: engine, worker and client, where nine days of waiting pass at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic_ns
from typing import Any

from perdure.app import Embedded, store_of
from perdure.engine.ports import Store
from perdure.engine.settings import Settings
from perdure.model.limits import Limits
from perdure.model.options import DEFAULT_NAMESPACE, SECOND_NS
from perdure.sdk.app import App
from perdure.sdk.callables import Activity
from perdure.sdk.client import Client
from perdure.testing.attended import AttendedStore
from perdure.testing.clock import VirtualClock
from perdure.testing.faults import Faults
from perdure.testing.lives import Lives, lives_of
from perdure.testing.seeds import Selection
from perdure.testing.virtual_loop import END_NS, VirtualLoop

IN_MEMORY = "memory://"
TEMPORARY_FILE = "sqlite://"

FAULTY_START = datetime(2030, 1, 1, tzinfo=UTC)

_CENTURY_NS = 100 * 365 * 86_400 * SECOND_NS
QUIET_ROUNDS = 5
"""So many rounds of the event loop nothing may have happened before time is skipped: whoever can run has run by
then."""

POLL_SECONDS = 0.001

TURN_ATTEMPTS = 10
"""Nobody mends the code during a test: a run whose turn fails so often is terminated, which says why."""


class Environment:
    """``client`` talks to an engine whose time is virtual.

    Time skips to the next timer, time-out or retry when all that is left is to wait, that is, when no workflow and no
    activity runs and the test awaits something of a run (its result, an update, its history) or ``sleep``. While an
    activity runs, time passes as it does outside.
    """

    def __init__(self, embedded: Embedded | Lives, client: Client, clock: VirtualClock) -> None:
        self._embedded = embedded
        self._client = client
        self.clock = clock
        self._start_ns = clock.now_ns()
        self._sleepers = 0

    @property
    def client(self) -> Client:
        """The client, as ``perdure.open`` gives it."""
        return self._client

    @property
    def elapsed(self) -> timedelta:
        """How much virtual time has passed since the environment was opened."""
        return timedelta(microseconds=(self.clock.now_ns() - self._start_ns) / 1000)

    @property
    def now(self) -> datetime:
        """The virtual time, aware, in UTC."""
        return datetime.fromtimestamp(self.clock.now_ns() / 1e9, UTC)

    async def sleep(self, duration: timedelta | float) -> None:
        """Let virtual time pass, in seconds if a number, and everything happen that comes due in it."""
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        self.clock.call_at(self.clock.now_ns() + round(seconds * SECOND_NS), wake)
        self._sleepers += 1
        try:
            await woken
        finally:
            self._sleepers -= 1

    @property
    def only_waits(self) -> bool:
        """Whether nothing runs here, and the test awaits a run or ``sleep``."""
        return self._is_quiet() and bool(self._sleepers or self._embedded.is_awaited)

    async def explain(self) -> Sequence[str]:
        """What the open runs wait for, in lines."""
        open_runs = [self._client.get(run.id, run.run_id) async for run in self._client.list(status="running")]
        return [line for run in open_runs for line in str(await run.explain()).splitlines()]

    async def keep_time(self) -> None:
        """Skip time whenever nothing can run. While an activity runs, time passes as it does outside."""
        quiet = 0
        while True:
            await asyncio.sleep(0)
            if self.clock.has_due():
                # What is due at once, or was due before the engine was opened, needs no skipping.
                self.clock.advance_to(self.clock.now_ns())
            if not self._is_quiet():
                quiet = 0
                if self._embedded.is_busy:
                    await self._pass_real_time()
                else:
                    # Something was due at once, which takes no time.
                    self.clock.advance_to(self.clock.now_ns())
                continue
            quiet += 1
            if quiet < QUIET_ROUNDS:
                continue
            quiet = 0
            if not self._skip():
                await asyncio.sleep(POLL_SECONDS)

    async def _pass_real_time(self) -> None:
        began = monotonic_ns()
        await asyncio.sleep(POLL_SECONDS)
        self.clock.advance_to(self.clock.now_ns() + monotonic_ns() - began)

    def _is_quiet(self) -> bool:
        return not self._embedded.is_busy and not self.clock.has_due()

    def _skip(self) -> bool:
        due = self.clock.next_due()
        if not due or due - self._start_ns >= END_NS or not (self._sleepers or self._embedded.is_awaited):
            return False
        self.clock.advance_to(due)
        return True


@asynccontextmanager
async def environment(
    *apps: App,
    mocks: Mapping[Activity[..., Any] | str, Callable[..., Any]] | None = None,
    faults: Faults | None = None,
    start_time: datetime | None = None,
    namespace: str = DEFAULT_NAMESPACE,
    store: str | None = None,
    **worker_options: Any,
) -> AsyncIterator[Environment]:
    """An engine with a virtual clock, in memory unless another store is asked for.

    Args:
        apps: what it runs.
        mocks: functions to run in place of activities, by activity or by name.
        faults: what goes wrong, see ``Faults``. Then plain functions run one at a time, process activities in threads.
        start_time: the virtual time it begins at; without one it is now, or the first of 2030 where there are faults.
        namespace: that the client works in.
        store: a URL as for ``perdure.open``, or ``sqlite://`` for a temporary file that is gone with the environment.
            Without one it is what ``--perdure-store`` says, or memory.
        worker_options: as for ``perdure.open``: ``task_queues``, ``max_async``, ``max_threads``, ``max_processes``,
            ``identity``, ``labels``.

    Raises:
        InvalidArgumentError: the store's URL, or an app, can't be used.
    """
    loop = asyncio.get_running_loop()
    virtual = loop if isinstance(loop, VirtualLoop) else None
    if virtual is not None and faults is None:
        faults = Faults()
    begin = start_time or (datetime.now(UTC) if faults is None else FAULTY_START)
    clock = VirtualClock(int(begin.timestamp() * 1e6) * 1000)
    limits = Limits(turn_attempts=TURN_ATTEMPTS)
    settings = Settings(limits=limits, timer_horizon_ns=_CENTURY_NS, retention_sweep_ns=_CENTURY_NS)
    options: dict[str, Any] = dict(worker_options, settings=settings, namespace=namespace)
    embedded: Embedded | Lives
    with _store_of(store or Selection.store or IN_MEMORY) as place:
        if faults is None:
            embedded = Embedded(apps, place, clock, mocks=mocks, **options)
            client = embedded.client
        else:
            embedded = lives_of(apps, place, faults, clock, mocks or {}, options)
            client = Client(embedded, namespace, apps=apps)
        await embedded.open()
        env = Environment(embedded, client, clock)
        keeper: asyncio.Task[None] | None = None
        if virtual is not None:
            virtual.lodgers.append(env)
        else:
            keeper = asyncio.create_task(env.keep_time())
        try:
            yield env
        finally:
            if keeper is not None:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
            await embedded.close()
            if virtual is not None:
                virtual.lodgers.remove(env)


@contextmanager
def _store_of(url: str) -> Iterator[Store]:
    """The store of an environment."""
    if url == IN_MEMORY:
        yield store_of(url)
    elif url == TEMPORARY_FILE:
        with TemporaryDirectory(prefix="perdure-test-") as folder:
            yield AttendedStore(store_of(f"sqlite:///{Path(folder, 'test.db')}"))
    else:
        yield AttendedStore(store_of(url))
