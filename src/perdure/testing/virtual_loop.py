"""An event loop whose time passes only while nothing can run, and then at once.

``check`` runs each seed on a loop of its own. Once all callbacks have been called and nothing comes from outside, time
goes on to whatever is due next: a timer of the engine, or a ``sleep`` of an activity or of the test. So days cost
nothing, and the order of things depends on nothing but the program: the same seed gives the same run. While a thread
works, or something may come from an open socket, real time passes.
"""

import asyncio
import selectors
from collections.abc import Callable, Mapping, Sequence
from time import monotonic_ns
from typing import Any, Protocol

from perdure.model.options import SECOND_NS
from perdure.testing.clock import VirtualClock

END_NS = 50 * 365 * 86_400 * SECOND_NS
"""What is due later than this is only the engine's own rounds, put off for good: nothing will happen any more."""

_OUTSIDE_POLL_SECONDS = 0.05


class Lodger(Protocol):
    """An environment on the loop."""

    @property
    def clock(self) -> VirtualClock:
        """Moved on with the loop."""
        ...

    @property
    def only_waits(self) -> bool:
        """Whether nothing runs in it, and the test awaits a run."""
        ...

    async def explain(self) -> Sequence[str]:
        """What waits for what, in lines."""
        ...


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. ``on_stuck`` is called when everything waits and nothing will come."""

    def __init__(self) -> None:
        self._elapsed_ns = 0
        self.lodgers: list[Lodger] = []
        self.outside = 0
        """How many threads work whose end will be heard of."""
        self.on_stuck: Callable[[], None] = lambda: None
        self.on_round: Callable[[], None] = lambda: None
        """Called whenever the loop has run all it could."""
        super().__init__(_IdleSelector(self))

    def time(self) -> float:
        """Seconds since it was made."""
        return self._elapsed_ns / SECOND_NS

    def run_in_executor(  # type: ignore[override]  # as the base class has it, without its type variables
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As any loop; real time passes until the function returns."""
        future = super().run_in_executor(executor, func, *args)
        self.outside += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: object) -> None:
        self.outside -= 1

    def pass_time(self, passed_ns: int) -> None:
        """Move on; what comes due on the clocks is called."""
        self._elapsed_ns += passed_ns
        for lodger in tuple(self.lodgers):
            lodger.clock.advance_to(lodger.clock.now_ns() + passed_ns)

    def skip(self, timeout_seconds: float | None) -> None:
        """Move on to what is due next, on the loop in ``timeout_seconds`` or on a clock."""
        clocks = [lodger.clock for lodger in self.lodgers]
        waits = [due - clock.now_ns() for clock in clocks if (due := clock.next_due())]
        if timeout_seconds is not None:
            waits.append(int(timeout_seconds * SECOND_NS) + 1)
        wait = min(waits, default=END_NS)
        if self._elapsed_ns + wait >= END_NS:
            self.on_stuck()
        else:
            self.pass_time(max(wait, 0))


class _IdleSelector(selectors.BaseSelector):
    """Asks the real selector, and instead of sleeping lets virtual time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        self._loop.on_round()
        # One file is always there: the loop's own, by which threads wake it.
        has_sockets = len(self._real.get_map()) > 1
        if self._loop.outside or (has_sockets and not any(lodger.only_waits for lodger in self._loop.lodgers)):
            began = monotonic_ns()
            events = self._real.select(min(timeout or _OUTSIDE_POLL_SECONDS, _OUTSIDE_POLL_SECONDS))
            self._loop.pass_time(monotonic_ns() - began)
        else:
            self._loop.skip(timeout)
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
