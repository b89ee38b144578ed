"""The gate of a server that does not trust everybody who reaches it."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

from perdure.engine.rates import Bucket
from perdure.model.access import Credentials, Permission, Principal
from perdure.model.errors import LimitExceededError, PerdureError, UnauthenticatedError
from perdure.model.service import Service
from perdure.security.audit import AuditLog
from perdure.security.grants import Roles
from perdure.security.guarded import Caller, GuardedService
from perdure.security.oidc import Issuer
from perdure.security.tokens import Token, Tokens, principal_of

log = logging.getLogger("perdure.security")

SECOND_NS = 10**9
MOST_BUCKETS = 10_000


class SecureSession:
    """What one caller can do; as ``model.access.Session``."""

    __slots__ = ("caller", "principal", "service")

    def __init__(self, caller: Caller, service: Service) -> None:
        self.caller = caller
        self.principal: Principal = caller.principal
        self.service: Service = GuardedService(service, caller)

    def require(self, permission: Permission, namespace: str) -> None:
        """As ``Session.require``."""
        self.caller.require(permission, namespace)


class SecureGate:
    """Lets in whoever has a good token, a good token of the issuer, or a certificate that is known.

    Args:
        service: the engine.
        tokens: the API tokens.
        audit: where refusals are written down.
        issuer: an identity provider whose tokens are good, too.
        certificates: roles by the common name of clients' certificates, which TLS has checked.
        requests_per_second: of one caller; 0 for no limit. Some more may come at once.
        now: ns since 1970.
    """

    def __init__(
        self,
        service: Service,
        tokens: Tokens,
        audit: AuditLog,
        *,
        issuer: Issuer | None = None,
        certificates: Mapping[str, Roles] | None = None,
        requests_per_second: int = 0,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._service = service
        self._tokens = tokens
        self._audit = audit
        self._issuer = issuer
        self._certificates = certificates or {}
        self._per_second = requests_per_second
        self._now = now
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._notes: set[asyncio.Task[None]] = set()

    async def admit(self, credentials: Credentials) -> SecureSession:
        """The session of whoever sent these. Raises ``UnauthenticatedError``, ``LimitExceededError``, ``UnavailableError``."""
        remote = _host_of(credentials.remote)
        try:
            who, principal, still_good = await self._who(credentials)
        except UnauthenticatedError as error:
            self._audit.refused("authenticate", "", remote, str(error))
            raise
        keep_rate = None
        if self._per_second:
            keep_rate = partial(self._keep_rate, who, principal, remote)
            keep_rate()
        return SecureSession(Caller(principal, remote, self._audit, still_good, keep_rate), self._service)

    async def close(self) -> None:
        """Finish writing down who was here."""
        await asyncio.gather(*self._notes, return_exceptions=True)

    async def _who(self, credentials: Credentials) -> tuple[str, Principal, Callable[[], None]]:
        given = credentials.authorization
        if given:
            scheme, _, text = given.partition(" ")
            text = text.strip()
            if scheme.lower() != "bearer" or not text:
                raise UnauthenticatedError("Send the token as `Authorization: Bearer TOKEN`.")
            if text.startswith("perdure_") or self._issuer is None:
                token = self._tokens.check(text)
                self._note_use(token)
                return f"token {token.id}", principal_of(token), partial(self._check_token, token)
            identity = await self._issuer.check(text)
            return f"oidc {identity.principal.name}", identity.principal, partial(self._check_time, identity.expires)
        name = credentials.certificate
        if name:
            roles = self._certificates.get(name)
            if roles is None:
                raise UnauthenticatedError(f"The certificate of {name!r:.200} is good, but grants no role here.")
            return f"certificate {name}", Principal(name, roles), _always
        raise UnauthenticatedError("Who are you? Send a token as `Authorization: Bearer TOKEN`.")

    def _check_token(self, token: Token) -> None:
        now = self._now()
        if not token.is_good(now):
            raise UnauthenticatedError(f"The token {token.id} ({token.name}) is {token.status(now)} by now.")

    def _check_time(self, expires: float) -> None:
        if self._now() / SECOND_NS > expires:
            raise UnauthenticatedError("The token has expired by now.")

    def _keep_rate(self, who: str, principal: Principal, remote: str) -> None:
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Bucket(self._per_second)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(who)
        wait = bucket.take(self._now())
        if wait:
            reason = f"{principal.name!r} asks more often than {self._per_second} times a second (setting token_requests_per_second)."
            self._audit.refused("rate", principal.name, remote, reason)
            raise LimitExceededError(
                f"{reason} Try again in {wait / SECOND_NS:.3g} s.", retry_after_seconds=wait / SECOND_NS
            )

    def _note_use(self, token: Token) -> None:
        if self._tokens.needs_note(token):
            token.last_used = self._now()  # so that only one of many requests writes it
            task = asyncio.get_running_loop().create_task(self._try_note(token))
            self._notes.add(task)
            task.add_done_callback(self._notes.discard)

    async def _try_note(self, token: Token) -> None:
        try:
            await self._tokens.note_use(token)
        except PerdureError as error:
            log.warning("That token %s is in use could not be written down: %s", token.id, error)


def _host_of(remote: str) -> str:
    """An address without its port, which differs for each connection: ``ipv4:10.0.0.7:50112`` is ``10.0.0.7``."""
    kind, colon, rest = remote.partition(":")
    if not colon or kind not in ("ipv4", "ipv6"):
        return remote
    return rest.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]")


def _always() -> None:
    """A certificate is good as long as its connection."""
