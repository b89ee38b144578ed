"""Who may do what: the port between those who speak a protocol and those who know the callers.

A protocol takes ``Credentials`` from each request and hands them to the ``Gate``. What it gets is a ``Session``, whose
``service`` is the whole client port and refuses by itself what the caller may not do. So a protocol decides nothing.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import IntEnum
from typing import Any, Protocol

import msgspec

from perdure.model.service import Service

ALL_NAMESPACES = "*"


class Role(IntEnum):
    """What a caller is, in a namespace.

    A READER looks. An OPERATOR also starts runs and does things to them. A WORKER takes tasks, and what it takes to
    finish them. An ADMIN may do all that, and sets namespaces, tokens and limits.
    """

    READER = 1
    OPERATOR = 2
    WORKER = 3
    ADMIN = 4

    def __str__(self) -> str:
        return self.name.lower()


class Permission(IntEnum):
    """What an operation needs."""

    READ = 1
    OPERATE = 2
    WORK = 3
    ADMINISTER = 4

    def __str__(self) -> str:
        return self.name.lower()


ALLOWED: Mapping[Role, frozenset[Permission]] = {
    Role.READER: frozenset({Permission.READ}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.WORKER: frozenset({Permission.READ, Permission.WORK}),
    Role.ADMIN: frozenset(Permission),
}
"""What each role may do. Whoever is to do more has several."""


class Signature(msgspec.Struct, frozen=True, gc=False):
    """Somebody has signed a request with a secret rather than sent it.

    ``key_id`` names the secret; ``is_right`` says whether the signature was made with the one that it is given.
    """

    key_id: str
    is_right: Callable[[str], bool]


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """What came with a request.

    ``authorization`` is the header's value, such as ``Bearer ...``; ``certificate`` the common name in the client's
    certificate, where TLS has checked it; ``remote`` the caller's address; ``signature`` goes before both.
    """

    authorization: str = ""
    certificate: str = ""
    remote: str = ""
    signature: Signature | None = None


class Principal(msgspec.Struct, frozen=True, gc=False):
    """Somebody who is known: a name for histories and the audit log, and roles in each namespace.

    Those in ``ALL_NAMESPACES`` hold everywhere.
    """

    name: str
    roles: Mapping[str, Collection[Role]]

    def may(self, permission: Permission, namespace: str) -> bool:
        """Whether it may do something in a namespace; ``ALL_NAMESPACES`` for what concerns the whole server."""
        roles = self.roles
        for role in roles.get(namespace, ()):
            if permission in ALLOWED[role]:
                return True
        if namespace == ALL_NAMESPACES:
            return False
        return any(permission in ALLOWED[role] for role in roles.get(ALL_NAMESPACES, ()))


class Session(Protocol):
    """What one caller can do."""

    @property
    def principal(self) -> Principal:
        """Who calls."""
        ...

    @property
    def key(self) -> str:
        """What tells one caller from all others. A principal's name does not: whoever makes tokens chooses their names."""
        ...

    @property
    def request_bytes(self) -> int:
        """So large may a request or a message of the caller's be; 0 is whatever the protocol takes."""
        ...

    def check_size(self, act: str, size: int) -> None:
        """Raise ``LimitExceededError`` for a request that has more than ``request_bytes``. ``act`` says what was asked."""
        ...

    @property
    def service(self) -> Service:
        """The client port, for this caller. Raises ``PermissionDeniedError`` and ``LimitExceededError`` besides."""
        ...

    def require(self, permission: Permission, namespace: str) -> None:
        """For what is no operation of ``service``. Raises ``PermissionDeniedError``."""
        ...

    async def perform(self, act: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        """Do an administrative act that is no operation of ``service``, once it is in the audit log. What it gives.

        Raises what it raises, and ``StoreError`` if it can't be written down; then it is not done.
        """
        ...

    def pace(self, messages: int) -> float:
        """So many messages came by a stream. For how many seconds no more should be read of it."""
        ...


class Gate(Protocol):
    """Knows the callers."""

    def admit(self, credentials: Credentials) -> Awaitable[Session]:
        """The session of whoever sent these. Raises ``UnauthenticatedError``, ``LimitExceededError``."""
        ...

    def approach(self, credentials: Credentials) -> None:
        """Somebody comes who gets in by other means, such as a signature. Raises ``LimitExceededError`` if too many from
        there were turned away."""
        ...

    def turned_away(self, credentials: Credentials, act: str, reason: str) -> None:
        """They did not get in."""
        ...


class OpenSession:
    """Of a server that trusts everybody who reaches it."""

    principal: Principal = Principal("anonymous", {ALL_NAMESPACES: (Role.ADMIN,)})
    key: str = "anonymous"
    request_bytes: int = 0

    def __init__(self, service: Service) -> None:
        self.service = service

    def require(self, permission: Permission, namespace: str) -> None:
        """Everything is allowed."""

    def check_size(self, act: str, size: int) -> None:
        """Any size."""

    async def perform(self, act: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        """Do it."""
        return await work()

    def pace(self, messages: int) -> float:
        """No rate."""
        return 0.0


class OpenGate:
    """Lets everybody in as admin, and writes nothing down: for tests, and engines in one's own process."""

    def __init__(self, service: Service) -> None:
        self._session = OpenSession(service)

    async def admit(self, credentials: Credentials) -> Session:
        """The same session for all."""
        return self._session

    def approach(self, credentials: Credentials) -> None:
        """Everybody may."""

    def turned_away(self, credentials: Credentials, act: str, reason: str) -> None:
        """Nothing is kept of it."""
