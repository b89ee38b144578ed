"""What goes over the worker protocol, counted, by whatever carries it: streams of workers and clients, the latter's calls."""

from collections import Counter

from perdure.observability.series import counts, histograms

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class GrpcCounts:
    """As ``protocols.worker.observer.Observer``."""

    def __init__(self) -> None:
        self.open: Counter[tuple[str]] = Counter()
        self.streams = counts(2)
        self.calls = counts(2)
        self.seconds = histograms(1, SECONDS)
        self.messages = 0

    def opened(self, method: str) -> None:
        """A stream begins."""
        self.open[method,] += 1

    def ended(self, method: str, code: str) -> None:
        """It is over, or was refused."""
        self.open[method,] -= 1
        self.streams[method, code].value += 1

    def heard(self, messages: int) -> None:
        """Workers said so much."""
        self.messages += messages

    def answered(self, operation: str, code: str, seconds: float) -> None:
        """A client's call is answered."""
        self.calls[operation, code].value += 1
        self.seconds[operation,].observe(seconds)
