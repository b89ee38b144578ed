"""The gate of a server that trusts whoever reaches it: everybody is let in as admin, and what an admin does is written down."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, cast

from perdure.model.access import Credentials, OpenSession, Permission, Principal
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.requests import OutsideRequest, StartWorkflow, UpdateWorkflow
from perdure.model.service import Service, StartResult, UpdateOutcome, UpdateStage
from perdure.model.system import SYSTEM_NAMESPACE
from perdure.security.audit import AuditLog
from perdure.security.caller import Caller
from perdure.security.gate import host_of
from perdure.security.guarded import GuardedService
from perdure.security.permissions import OPERATIONS, REQUESTS

MOST_SESSIONS = 1_000

_WRITTEN_DOWN = frozenset(name for name, need in OPERATIONS.items() if need.audited)
_REQUESTS_WRITTEN_DOWN = frozenset(kind for kind, need in REQUESTS.items() if need.audited)


class TrustingGate:
    """Lets everybody in.

    Args:
        service: the engine.
        audit: where administrative acts are written down.
    """

    def __init__(self, service: Service, audit: AuditLog) -> None:
        self._service = service
        self._audit = audit
        self._session = lru_cache(MOST_SESSIONS)(self._new_session)
        """A session knows nothing but from where somebody asks, so those who ask again have the same one."""

    async def admit(self, credentials: Credentials) -> "TrustingSession":
        """As ``Gate.admit``."""
        return self._session(credentials.remote)

    def _new_session(self, remote: str) -> "TrustingSession":
        return TrustingSession(Caller(OpenSession.principal, host_of(remote), self._audit), self._service)

    def approach(self, credentials: Credentials) -> None:
        """Everybody may."""

    def turned_away(self, credentials: Credentials, act: str, reason: str) -> None:
        """As ``Gate.turned_away``: of those who need a signature also here."""
        self._audit.refused(act, "", host_of(credentials.remote), reason)


class TrustingSession:
    """As ``model.access.Session``."""

    __slots__ = ("_caller", "service")

    principal: Principal = OpenSession.principal
    key: str = OpenSession.key
    request_bytes: int = 0

    def __init__(self, caller: Caller, service: Service) -> None:
        self._caller = caller
        self.service = cast(Service, _WrittenDown(service, caller))

    def require(self, permission: Permission, namespace: str) -> None:
        """Everything is allowed."""

    def check_size(self, act: str, size: int) -> None:
        """Any size."""

    async def perform(self, act: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        """As ``Session.perform``."""
        return await self._caller.perform(act, work, **details)

    def pace(self, messages: int) -> float:
        """No rate."""
        return 0.0


class _WrittenDown:
    """The engine itself, but for what may be an administrative act."""

    __slots__ = ("_guarded", "_service")

    def __init__(self, service: Service, caller: Caller) -> None:
        self._service = service
        self._guarded = GuardedService(service, caller)

    # What the engine's own runs are told is written down, see ``GuardedService``.

    def start(self, namespace: str, request: StartWorkflow) -> Awaitable[StartResult]:
        return (self._guarded if namespace == SYSTEM_NAMESPACE else self._service).start(namespace, request)

    def execute(self, namespace: str, request: StartWorkflow) -> Awaitable[tuple[str, Event]]:
        return (self._guarded if namespace == SYSTEM_NAMESPACE else self._service).execute(namespace, request)

    def update(self, address: RunAddress, request: UpdateWorkflow, wait: UpdateStage) -> Awaitable[UpdateOutcome]:
        return (self._guarded if address.namespace == SYSTEM_NAMESPACE else self._service).update(
            address, request, wait
        )

    def request(self, address: RunAddress, request: OutsideRequest) -> Awaitable[None]:
        is_act = address.namespace == SYSTEM_NAMESPACE or request.__class__ in _REQUESTS_WRITTEN_DOWN
        return (self._guarded if is_act else self._service).request(address, request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guarded if name in _WRITTEN_DOWN else self._service, name)
