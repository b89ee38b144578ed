"""What is kept of state machines, versions, aliases and activities: small durable things, as JSON in the store.

Later versions read it too: fields may be added with defaults, none renamed or removed. Times are seconds since 1970.
"""

from typing import Any

import msgspec

OFF: dict[str, Any] = {"level": "OFF", "includeExecutionData": False}
UNTRACED: dict[str, Any] = {"enabled": False}
AWS_OWNED: dict[str, Any] = {"type": "AWS_OWNED_KEY"}


class Revision(msgspec.Struct, frozen=True):
    """What an update of a state machine may change. ``id`` is empty until the first update."""

    id: str
    definition: str
    role_arn: str
    logging: dict[str, Any] = msgspec.field(default_factory=lambda: dict(OFF))
    tracing: dict[str, Any] = msgspec.field(default_factory=lambda: dict(UNTRACED))
    encryption: dict[str, Any] = msgspec.field(default_factory=lambda: dict(AWS_OWNED))
    updated: float = 0.0


class Version(msgspec.Struct, frozen=True):
    """A revision with a number, which stays as it is."""

    number: int
    revision: Revision
    description: str
    created: float


class Machine(msgspec.Struct, frozen=True):
    """A state machine. ``incarnation`` tells one from another that had its name before."""

    arn: str
    name: str
    type: str
    created: float
    revision: Revision
    incarnation: str
    last_version: int = 0
    versions: tuple[Version, ...] = ()
    """The oldest first."""
    tags: dict[str, str] = {}
    is_deleting: bool = False
    """It was deleted, and is there while executions of it run."""

    def version(self, number: int) -> Version | None:
        """One of its versions."""
        return next((version for version in self.versions if version.number == number), None)


class Route(msgspec.Struct, frozen=True):
    """How many of a hundred executions a version gets."""

    version_arn: str
    weight: int


class Alias(msgspec.Struct, frozen=True):
    """A name for one or two versions of a state machine."""

    arn: str
    name: str
    machine_arn: str
    description: str
    routes: tuple[Route, ...]
    created: float
    updated: float


class Activity(msgspec.Struct, frozen=True):
    """Work that is done by whoever asks for it."""

    arn: str
    name: str
    created: float
    encryption: dict[str, Any] = msgspec.field(default_factory=lambda: dict(AWS_OWNED))
    tags: dict[str, str] = {}
