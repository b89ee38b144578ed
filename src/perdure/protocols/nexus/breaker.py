"""A circuit breaker for an endpoint: whoever keeps failing is left alone for a while, and then asked once."""

FAILURES = 6
OPEN_SECONDS = 60.0


class Breaker:
    """Counts what comes of attempts; it knows no clock. As Temporal's: six failures in a row open it for a minute."""

    def __init__(self) -> None:
        self._failures = 0

    def note(self, *, is_down: bool) -> bool:
        """What came of an attempt; whether the breaker is open from now on. While it is open nobody should ask; the first
        failure after that opens it again."""
        self._failures = self._failures + 1 if is_down else 0
        return self._failures >= FAILURES

    @property
    def is_tried(self) -> bool:
        """Whether the next attempt is the only one until something has come of it."""
        return self._failures >= FAILURES
