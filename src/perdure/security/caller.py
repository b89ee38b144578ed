"""Who asks: what they may do is checked, and what they may not do, or do as an admin, is written down."""

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from perdure.model.access import ALL_NAMESPACES, Permission, Principal
from perdure.model.errors import LimitExceededError, PermissionDeniedError
from perdure.security.audit import AuditLog
from perdure.security.permissions import Need


class Caller:
    """Who asks, and from where; a connection may ask many times.

    ``still_good`` raises ``UnauthenticatedError`` once what let them in is no longer good, ``keep_rate``
    ``LimitExceededError`` if they ask too often. The first operation was paid for when they were admitted.
    """

    __slots__ = ("_is_paid", "audit", "keep_rate", "principal", "remote", "still_good")

    def __init__(
        self,
        principal: Principal,
        remote: str,
        audit: AuditLog,
        still_good: Callable[[], None] = lambda: None,
        keep_rate: Callable[[], None] | None = None,
    ) -> None:
        self.principal = principal
        self.remote = remote
        self.audit = audit
        self.still_good = still_good
        self.keep_rate = keep_rate
        self._is_paid = True

    def enter(self) -> None:
        """Another operation begins. Raises ``UnauthenticatedError``, ``LimitExceededError``."""
        self.still_good()
        if self.keep_rate is not None:
            if self._is_paid:
                self._is_paid = False
            else:
                self.keep_rate()

    def need(self, act: str, need: Need, namespace: str, **details: Any) -> None:
        """Raise ``PermissionDeniedError`` unless the caller may, and write that down."""
        where = ALL_NAMESPACES if need.whole_server else namespace
        if not any(self.principal.may(permission, where) for permission in need.any_of):
            place = "in every namespace" if where == ALL_NAMESPACES else f"in namespace {namespace!r:.200}"
            self.refuse(
                act,
                namespace,
                f"{self.principal.name!r} may not {act} {place}: that is for a token that is {need.words} there.",
                **details,
            )

    def refuse(self, act: str, namespace: str, reason: str, **details: Any) -> NoReturn:
        """Write a refusal down, and raise it."""
        self.audit.refused(act, self.principal.name, self.remote, reason, namespace=namespace, **details)
        raise PermissionDeniedError(reason)

    def refuse_size(self, act: str, size: int, limit: int) -> NoReturn:
        """Write down that somebody sends more than they may, and raise ``LimitExceededError``."""
        name = self.principal.name
        allowed = (
            f"{name!r} may send at most {limit:,} bytes at once (setting token_request_bytes, unless the token has a limit "
            "of its own)"
        )
        self.audit.refused(act, name, self.remote, f"{allowed}.")
        raise LimitExceededError(f"{allowed}, not {size:,}. Pass a reference to the data.", limit="token_request_bytes")

    def require(self, permission: Permission, namespace: str) -> None:
        """As ``Session.require``."""
        self.still_good()
        self.need(str(permission), Need((permission,)), namespace)

    async def perform(self, act: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        """Write an act down, and do it. Raises what it raises, and ``StoreError`` if it can't be written down."""
        who = self.principal.name
        await self.audit.record(act, who, self.remote, **details)
        try:
            return await work()
        except Exception as error:
            await self.audit.failed(act, who, self.remote, error, **details)
            raise
