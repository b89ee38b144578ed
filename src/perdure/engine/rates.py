"""Rates: how much may happen in a time, counted by a token bucket."""

SECOND_NS = 1_000_000_000


class Bucket:
    """Fills with ``per_second`` tokens each second up to ``burst``; what happens takes one.

    Without ``burst``, a second's worth may come at once, and one at least.
    """

    __slots__ = ("_at", "_burst", "_per_ns", "_tokens")

    def __init__(self, per_second: float, burst: float = 0.0) -> None:
        self._per_ns = per_second / SECOND_NS
        self._burst = burst or max(1.0, per_second)
        self._tokens = self._burst
        self._at = 0

    def take(self, now: int) -> int:
        """Take one. 0, or in how many ns there is one."""
        wait = self.wait(now)
        if not wait:
            self._tokens -= 1.0
        return wait

    def wait(self, now: int) -> int:
        """In how many ns there is one, without taking it."""
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_ns)
            self._at = now
        return 0 if self._tokens >= 1.0 else max(1, int((1.0 - self._tokens) / self._per_ns))

    def owe(self, now: int, count: int) -> int:
        """Take so many, also those that are not there yet. In how many ns all of them will have been."""
        self.wait(now)
        self._tokens -= count
        return 0 if self._tokens >= 0.0 else max(1, int(-self._tokens / self._per_ns))
