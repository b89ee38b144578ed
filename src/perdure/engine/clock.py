"""Time as the machine tells it."""

import asyncio
import time
from collections.abc import Callable

_time_ns = time.time_ns
_monotonic_ns = time.monotonic_ns


_CHECK_NS = 1_000_000_000


class SystemClock:
    """Wall-clock time that never goes back: read once, then carried on by the monotonic clock.

    Once a second it is compared with the machine's clock. Where that is ahead, because it was set or corrected, it is
    followed; where it is behind, time here goes on as it was, since a recorded history must not run backwards.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._checked = _monotonic_ns()
        self._offset = _time_ns() - self._checked

    def now_ns(self) -> int:
        """Now, in ns since 1970."""
        monotonic = _monotonic_ns()
        if monotonic - self._checked > _CHECK_NS:
            self._checked = monotonic
            offset = _time_ns() - monotonic
            if offset > self._offset:
                self._offset = offset
        return monotonic + self._offset

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``due_ns`` or as soon after it as possible."""
        return self._loop.call_later(max(0.0, (due_ns - self.now_ns()) / 1e9), callback).cancel
