"""What an admin does about tokens, and reads of the audit log, while the server runs."""

from collections.abc import Callable, Iterable, Sequence

from perdure.model.access import ALL_NAMESPACES, Permission, Principal, Session
from perdure.security.allowance import UNSET, Allowance
from perdure.security.audit import SEGMENT_SIZE, AuditLog, segment_of
from perdure.security.documents import Documents
from perdure.security.grants import grants_text, parse_grants
from perdure.security.tokens import Token, Tokens


class Administration:
    """Of one server. ``session`` says who asks, ``remote`` from where; ``now`` gives ns since 1970, ``allowance`` what the
    server's settings say of callers."""

    def __init__(
        self,
        tokens: Tokens,
        audit: AuditLog,
        documents: Documents,
        now: Callable[[], int],
        allowance: Allowance = UNSET,
    ) -> None:
        self._tokens = tokens
        self._audit = audit
        self._documents = documents
        self._now = now
        self._allowance = allowance

    async def create_token(
        self,
        session: Session,
        remote: str,
        name: str,
        grants: Iterable[str],
        lifetime_ns: int,
        for_signing: bool = False,
        requests_per_second: int = 0,
        messages_per_second: int = 0,
        request_bytes: int = 0,
    ) -> tuple[Token, str]:
        """A new token and its record; ``for_signing`` as in ``Tokens.create``, and then the ``Allowance``. Whoever asks must be
        an admin wherever it grants something, and of the whole server to allow more than its settings do.

        Raises ``InvalidArgumentError``, ``PermissionDeniedError``.
        """
        roles = parse_grants(grants)
        for namespace in roles:
            session.require(Permission.ADMINISTER, namespace)
        allowance = Allowance(requests_per_second, messages_per_second, request_bytes)
        if allowance.above(self._allowance):
            session.require(Permission.ADMINISTER, ALL_NAMESPACES)
        who = session.principal.name
        details = {"name": name, "grants": ", ".join(grants_text(roles)), "lifetime_ns": lifetime_ns, **allowance.given}
        if for_signing:
            details["for_signing"] = True
        await self._audit.record("create_token", who, remote, **details)
        try:
            token, text = await self._tokens.create(
                name, roles, lifetime_ns=lifetime_ns, created_by=who, for_signing=for_signing, allowance=allowance
            )
        except Exception as error:
            await self._audit.failed("create_token", who, remote, error, **details)
            raise
        return token, text

    async def tokens(self, session: Session) -> Sequence[Token]:
        """The tokens that the caller could have made. Raises ``PermissionDeniedError`` if it is an admin nowhere."""
        principal = session.principal
        if not any(principal.may(Permission.ADMINISTER, namespace) for namespace in principal.roles):
            session.require(Permission.ADMINISTER, ALL_NAMESPACES)
        return [token for token in self._tokens.all() if _rules(principal, token)]

    async def revoke_token(self, session: Session, remote: str, id: str) -> Token:
        """End a token. Raises ``NotFoundError``, ``PermissionDeniedError``."""
        token = self._tokens.get(id)
        for namespace in token.roles:
            session.require(Permission.ADMINISTER, namespace)
        await self._audit.record("revoke_token", session.principal.name, remote, token=id, name=token.name)
        return await self._tokens.revoke(id)

    async def prune_audit(self, session: Session, remote: str, older_than_ns: int) -> int:
        """Remove old entries of the audit log; how many. Not over REST: whoever got hold of an admin's token must not be
        able to remove what it was used for.

        Raises ``StoreError``.
        """
        return await self._audit.prune(self._now() - older_than_ns, session.principal.name, remote)

    async def audit(self, session: Session, after: int, limit: int) -> tuple[list[bytes], str]:
        """Entries of the audit log with numbers above ``after``, and its head. Raises ``PermissionDeniedError``."""
        session.require(Permission.ADMINISTER, ALL_NAMESPACES)
        found: list[bytes] = []
        number = after + 1
        while len(found) < limit and number <= self._audit.head.count:
            entries = await self._documents.documents(segment_of(number))
            found += [data for key, data in entries if int(key) >= number]
            number = ((number - 1) // SEGMENT_SIZE + 1) * SEGMENT_SIZE + 1
        return found[:limit], str(self._audit.head)


def _rules(principal: Principal, token: Token) -> bool:
    return all(principal.may(Permission.ADMINISTER, namespace) for namespace in token.roles)
