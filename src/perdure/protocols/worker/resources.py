"""Slots by what the machine has left: a worker that is short of processor or memory asks for less.

Below its limits a worker's slots grow back by a tenth at a time; above them they are halved. So it settles where the
machine is busy but not overwhelmed, without anybody knowing how much one activity takes.
"""

import asyncio
from collections.abc import Callable

import msgspec

from perdure.model.errors import InvalidArgumentError

EVERY_SECONDS = 1.0
GROWTH = 0.1
LEAST = 0.01
"""The smallest share of the slots; of each kind at least one stays, so that nothing stands still for good."""


class Usage(msgspec.Struct, frozen=True):
    """How much of the machine is in use, from 0 to 1."""

    cpu: float
    memory: float


class ResourceLimits(msgspec.Struct, frozen=True):
    """How much of the machine may be in use, from 0 to 1; None does not matter. Raises ``InvalidArgumentError``."""

    cpu: float | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        for name, limit in (("max_cpu", self.cpu), ("max_memory", self.memory)):
            if limit is not None and not 0 < limit <= 1:
                raise InvalidArgumentError(f"{name}={limit!r} must be a share of the machine above 0, at most 1")

    @property
    def are_set(self) -> bool:
        """Whether there are any."""
        return self.cpu is not None or self.memory is not None

    def exceeded(self, usage: Usage) -> bool:
        """Whether too much is in use."""
        return (self.cpu is not None and usage.cpu > self.cpu) or (
            self.memory is not None and usage.memory > self.memory
        )


def machine() -> Usage:
    """What is in use since this was last asked. Needs psutil."""
    import psutil

    return Usage(psutil.cpu_percent() / 100, psutil.virtual_memory().percent / 100)


def next_share(share: float, is_exceeded: bool) -> float:
    """The share of its slots that a worker offers next."""
    return max(LEAST, share / 2) if is_exceeded else min(1.0, share + GROWTH)


async def keep_within(
    limits: ResourceLimits, offer: Callable[[float], None], usage: Callable[[], Usage] = machine
) -> None:
    """Offer a share of the slots that fits, for ever.

    Args:
        limits: how much may be in use.
        offer: is told each new share, from 0 to 1.
        usage: how much is in use.
    """
    share = 1.0
    usage()  # the first answer is about no time at all
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        wanted = next_share(share, limits.exceeded(usage()))
        if wanted != share:
            share = wanted
            offer(share)
