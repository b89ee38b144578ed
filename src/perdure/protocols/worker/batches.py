"""What is said to the other side of a stream, gathered into batches."""

from collections.abc import Callable

from perdure.protocols.worker.streams import joined

MAX_MESSAGES = 1_000
MAX_BYTES = 4 << 20
"""No batch is larger than this, which is what gRPC libraries take at most if they are not told; except for a single
message that is."""
_PREFIX_BYTES = 6
"""What a message takes beside itself, at most."""


class Outgoing:
    """Messages that wait to be sent. Whatever was said while the last batch went out is the next batch.

    Args:
        wake: called when there is something after there was nothing.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._messages: list[bytes] = []

    def say(self, message: bytes) -> None:
        """Send it, in order, with the next batch."""
        if not self._messages:
            self._wake()
        self._messages.append(message)

    def batch(self) -> bytes:
        """The next batch; empty if there is nothing."""
        messages = self._messages
        self._messages = []
        total = 0
        for count, message in enumerate(messages):
            total += len(message) + _PREFIX_BYTES
            if count and (total > MAX_BYTES or count == MAX_MESSAGES):
                self._messages = messages[count:]
                return joined(messages[:count])
        return joined(messages)
