"""Whoever counts streams, over gRPC and over frames, and what goes over them."""

from typing import Protocol


class Observer(Protocol):
    """Is told of streams, and of what comes by them. ``method`` is ``Work`` or ``Call``; ``code`` ``ok``, or an error's name."""

    def opened(self, method: str) -> None:
        """A stream begins."""
        ...

    def ended(self, method: str, code: str) -> None:
        """It is over, or was refused."""
        ...

    def heard(self, messages: int) -> None:
        """Workers said so much."""
        ...

    def answered(self, operation: str, code: str, seconds: float) -> None:
        """A client's call is answered; ``operation`` is one that there is."""
        ...


class Nobody:
    """Counts nothing."""

    def opened(self, method: str) -> None:
        """As ``Observer``."""

    def ended(self, method: str, code: str) -> None:
        """As ``Observer``."""

    def heard(self, messages: int) -> None:
        """As ``Observer``."""

    def answered(self, operation: str, code: str, seconds: float) -> None:
        """As ``Observer``."""
