"""The gate of a server that does not trust everybody who reaches it."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from perdure.engine.rates import Bucket
from perdure.model.access import Credentials, Permission, Principal
from perdure.model.errors import LimitExceededError, PerdureError, UnauthenticatedError
from perdure.model.service import Service
from perdure.security.allowance import UNSET, Allowance
from perdure.security.attempts import Attempts
from perdure.security.audit import AuditLog
from perdure.security.caller import Caller
from perdure.security.grants import Roles
from perdure.security.guarded import GuardedService
from perdure.security.oidc import Issuer
from perdure.security.tokens import Token, Tokens, principal_of

log = logging.getLogger("perdure.security")

SECOND_NS = 10**9
MOST_BUCKETS = 10_000
LONGEST_PACE_SECONDS = 30.0
"""A stream that is not read for longer would be taken for gone. What is owed then is waited for the next time."""


class SecureSession:
    """What one caller can do; as ``model.access.Session``."""

    __slots__ = ("_pace", "caller", "key", "principal", "request_bytes", "service")

    def __init__(
        self,
        caller: Caller,
        key: str,
        service: Service,
        pace: Callable[[int], float] | None = None,
        request_bytes: int = 0,
    ) -> None:
        self.caller = caller
        self.key = key
        self.request_bytes = request_bytes
        self._pace = pace
        self.principal: Principal = caller.principal
        self.service: Service = GuardedService(service, caller)

    def require(self, permission: Permission, namespace: str) -> None:
        """As ``Session.require``."""
        self.caller.require(permission, namespace)

    def check_size(self, act: str, size: int) -> None:
        """As ``Session.check_size``."""
        if 0 < self.request_bytes < size:
            self.caller.refuse_size(act, size, self.request_bytes)

    async def perform(self, act: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        """As ``Session.perform``."""
        return await self.caller.perform(act, work, **details)

    def pace(self, messages: int) -> float:
        """As ``Session.pace``."""
        return 0.0 if self._pace is None else self._pace(messages)


class SecureGate:
    """Lets in whoever has a good token, a good token of the issuer, or a certificate that is known.

    Args:
        service: the engine.
        tokens: the API tokens.
        audit: where refusals are written down.
        issuer: an identity provider whose tokens are good, too.
        certificates: roles by the common name of clients' certificates, which TLS has checked.
        allowance: how much one caller may send, unless its token says otherwise. Some requests more may come at once.
        failed_attempts_per_minute: to get in, from one address; 0 for no limit.
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
        allowance: Allowance = UNSET,
        failed_attempts_per_minute: int = 0,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._service = service
        self._tokens = tokens
        self._audit = audit
        self._issuer = issuer
        self._certificates = certificates or {}
        self._allowance = allowance
        self._attempts = Attempts(failed_attempts_per_minute)
        self._now = now
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._message_buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._notes: set[asyncio.Task[None]] = set()

    async def admit(self, credentials: Credentials) -> SecureSession:
        """The session of whoever sent these. Raises ``UnauthenticatedError``, ``LimitExceededError``, ``UnavailableError``."""
        remote = host_of(credentials.remote)
        try:
            who, principal, still_good, allowance = await self._who(credentials, remote)
        except UnauthenticatedError as error:
            self._turned_away(remote, "authenticate", str(error))
            raise
        keep_rate = pace = None
        if allowance.requests_per_second:
            keep_rate = partial(self._keep_rate, who, principal, remote, allowance.requests_per_second)
            keep_rate()
        if allowance.messages_per_second:
            pace = partial(self._pace, who, allowance.messages_per_second)
        caller = Caller(principal, remote, self._audit, still_good, keep_rate)
        return SecureSession(caller, who, self._service, pace, allowance.request_bytes)

    def approach(self, credentials: Credentials) -> None:
        """As ``Gate.approach``."""
        self._check_attempts(host_of(credentials.remote))

    def turned_away(self, credentials: Credentials, act: str, reason: str) -> None:
        """As ``Gate.turned_away``. Raises ``LimitExceededError`` if there were too many before."""
        self._turned_away(host_of(credentials.remote), act, reason)

    async def close(self) -> None:
        """Finish writing down who was here."""
        await asyncio.gather(*self._notes, return_exceptions=True)

    def _check_attempts(self, remote: str) -> None:
        try:
            self._attempts.check(remote, self._now())
        except LimitExceededError as error:
            self._audit.refused("authenticate", "", remote, _without_time(error))
            raise

    def _turned_away(self, remote: str, act: str, reason: str) -> None:
        try:
            self._attempts.failed(remote, self._now())
        except LimitExceededError as error:
            self._audit.refused(act, "", remote, _without_time(error))
            raise error from None
        self._audit.refused(act, "", remote, reason)

    async def _who(self, credentials: Credentials, remote: str) -> tuple[str, Principal, Callable[[], None], Allowance]:
        given, signature = credentials.authorization, credentials.signature
        if signature is not None:
            return self._who_has(self._tokens.check_signature(signature.key_id, signature.is_right))
        if given:
            scheme, _, text = given.partition(" ")
            text = text.strip()
            if scheme.lower() != "bearer" or not text:
                raise UnauthenticatedError("Send the token as `Authorization: Bearer TOKEN`.")
            if text.startswith("perdure_") or self._issuer is None:
                return self._who_has(self._tokens.check(text))
            if not self._issuer.knows(text):
                # Checking a signature is work, which nobody may cause without end.
                self._check_attempts(remote)
            identity = await self._issuer.check(text)
            who = f"oidc {identity.principal.name}"
            return who, identity.principal, partial(self._check_time, identity.expires), self._allowance
        name = credentials.certificate
        if name:
            roles = self._certificates.get(name)
            if roles is None:
                raise UnauthenticatedError(f"The certificate of {name!r:.200} is good, but grants no role here.")
            return f"certificate {name}", Principal(name, roles), _always, self._allowance
        raise UnauthenticatedError("Who are you? Send a token as `Authorization: Bearer TOKEN`.")

    def _who_has(self, token: Token) -> tuple[str, Principal, Callable[[], None], Allowance]:
        self._note_use(token)
        allowance = token.allowance.within(self._allowance)
        return f"token {token.id}", principal_of(token), partial(self._check_token, token), allowance

    def _check_token(self, token: Token) -> None:
        now = self._now()
        if not token.is_good(now):
            raise UnauthenticatedError(f"The token {token.id} ({token.name}) is {token.status(now)} by now.")

    def _check_time(self, expires: float) -> None:
        if self._now() / SECOND_NS > expires:
            raise UnauthenticatedError("The token has expired by now.")

    def _pace(self, who: str, per_second: int, messages: int) -> float:
        bucket = _bucket_of(self._message_buckets, who, per_second)
        return min(LONGEST_PACE_SECONDS, bucket.owe(self._now(), messages) / SECOND_NS)

    def _keep_rate(self, who: str, principal: Principal, remote: str, per_second: int) -> None:
        wait = _bucket_of(self._buckets, who, per_second).take(self._now())
        if wait:
            reason = (
                f"{principal.name!r} asks more often than {per_second} times a second (setting token_requests_per_second, "
                "unless the token has a rate of its own)."
            )
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


def _bucket_of(buckets: OrderedDict[str, Bucket], who: str, per_second: int) -> Bucket:
    """The caller's; of those that were not used for long, some are forgotten."""
    bucket = buckets.get(who)
    if bucket is None:
        bucket = buckets[who] = Bucket(per_second)
        if len(buckets) > MOST_BUCKETS:
            buckets.popitem(last=False)
    else:
        buckets.move_to_end(who)
    return bucket


def _without_time(error: LimitExceededError) -> str:
    """A refusal's reason that is the same each time, so that the audit log counts them as equal."""
    return str(error).partition(" Try again")[0]


def host_of(remote: str) -> str:
    """An address without its port, which differs for each connection: ``ipv4:10.0.0.7:50112`` is ``10.0.0.7``."""
    kind, colon, rest = remote.partition(":")
    if not colon or kind not in ("ipv4", "ipv6"):
        return remote
    return rest.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]")


def _always() -> None:
    """A certificate is good as long as its connection."""
