"""API tokens: made once, shown once, stored as a hash.

A token is ``perdure_<id>_<secret>``. The id finds its record; the secret is 256 random bits, of which the store has the
SHA-256. A slow hash, as passwords need, would add nothing: it makes guessing slower, and 256 bits can't be guessed. The
beginning lets scanners of repositories and logs find tokens that got lost.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence

import msgspec

from perdure.model.access import Principal, Role
from perdure.model.errors import InvalidArgumentError, NotFoundError, UnauthenticatedError
from perdure.security.allowance import UNSET, Allowance
from perdure.security.documents import Documents
from perdure.security.grants import Roles, grants_text

KIND = "token"
ID_BYTES = 8
SECRET_BYTES = 32
HOUR_NS = 3600 * 10**9
LAST_USED_GRAIN_NS = HOUR_NS
"""When a token was last used is written down so often at most."""

SHAPE = re.compile(r"perdure_([0-9a-f]{16})_([0-9a-f]{64})")

_NOBODY = hashlib.sha256(b"").digest()


class Token(msgspec.Struct, kw_only=True):
    """What is known of a token. Times are ns since 1970, 0 for never. Its record; nothing here can be used as a token,
    but for the secret of one that is for signing.
    """

    id: str
    name: str
    digest: bytes
    roles: dict[str, tuple[Role, ...]]
    created: int
    created_by: str = ""
    expires: int = 0
    revoked: int = 0
    last_used: int = 0
    signing_secret: str = ""
    """What signatures are made with; only of tokens that are for signing. Whoever has it can sign."""
    allowance: Allowance = UNSET

    @property
    def grants(self) -> list[str]:
        """What it may do, in words."""
        return grants_text(self.roles)

    def is_good(self, now: int) -> bool:
        """Whether it can be used."""
        return not self.revoked and (not self.expires or now < self.expires)

    def status(self, now: int) -> str:
        """``good``, ``expired`` or ``revoked``."""
        return "revoked" if self.revoked else "good" if self.is_good(now) else "expired"


_encode = msgspec.json.Encoder().encode
decode_token = msgspec.json.Decoder(Token).decode


class Tokens:
    """All tokens of a store."""

    def __init__(self, documents: Documents, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now
        self._known: dict[str, Token] = {}

    async def open(self) -> None:
        """Read them. Raises ``StoreError``."""
        self._known = {key: decode_token(data) for key, data in await self._documents.documents(KIND)}

    def __len__(self) -> int:
        return len(self._known)

    async def create(
        self,
        name: str,
        roles: Roles,
        *,
        lifetime_ns: int = 0,
        created_by: str = "",
        for_signing: bool = False,
        allowance: Allowance = UNSET,
    ) -> tuple[Token, str]:
        """A new token.

        Args:
            name: what it is for, in histories and the audit log.
            roles: what it may do.
            lifetime_ns: how long it is good; 0 for ever.
            created_by: who asked for it.
            for_signing: requests may also be signed with it, as AWS's clients do: the access key is the token's id, the
                secret access key the token. Then the token itself is kept in the store, not its hash alone, since
                nobody could check a signature otherwise.
            allowance: how much may be sent with it.

        Returns:
            Its record and the token itself, which nobody can show again.

        Raises:
            InvalidArgumentError: the name or the allowance can't be used.
        """
        if not name or name != name.strip() or not name.isprintable() or len(name) > 200:
            raise InvalidArgumentError(
                "A token needs a name of at most 200 printable characters that says who uses it, such as 'billing-worker'."
            )
        if lifetime_ns < 0 or not roles:
            raise InvalidArgumentError("A token needs a role, and a lifetime that is not negative.")
        allowance.check()
        id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
        now = self._now()
        token = Token(
            id=id,
            name=name,
            digest=_digest(secret),
            roles=dict(roles),
            created=now,
            created_by=created_by,
            expires=now + lifetime_ns if lifetime_ns else 0,
            signing_secret=f"perdure_{id}_{secret}" if for_signing else "",
            allowance=allowance,
        )
        await self._put(token)
        return token, f"perdure_{id}_{secret}"

    async def revoke(self, id: str) -> Token:
        """End a token at once, also for whoever uses it just now. Raises ``NotFoundError``."""
        token = self.get(id)
        if not token.revoked:
            # In memory first: if it can't be written it is refused here all the same, and the caller is told.
            token.revoked = self._now()
            await self._put(token)
        return token

    async def forget(self, id: str) -> None:
        """Remove the record of a token that can't be used any more. Raises ``NotFoundError``, ``InvalidArgumentError``."""
        token = self.get(id)
        if token.is_good(self._now()):
            raise InvalidArgumentError(f"Token {id} is good. Revoke it first.")
        await self._documents.set_document(KIND, id, None)
        self._known.pop(id, None)

    def get(self, id: str) -> Token:
        """One by its id. Raises ``NotFoundError``."""
        token = self._known.get(id)
        if token is None:
            raise NotFoundError(f"There is no token {id!r:.50}. See perdure token list.")
        return token

    def all(self) -> Sequence[Token]:
        """All of them, the oldest first."""
        return sorted(self._known.values(), key=lambda token: (token.created, token.id))

    def check(self, text: str) -> Token:
        """The record of a token that somebody presents. Raises ``UnauthenticatedError``."""
        shape = SHAPE.fullmatch(text)
        if shape is None:
            raise UnauthenticatedError(
                "This is no token of this server: it must be perdure_, 16 and 64 hexadecimal digits. Was a part left out?"
            )
        token = self._known.get(shape[1])
        # Compared in any case, and in constant time, so that an answer's time tells nothing.
        is_right = hmac.compare_digest(token.digest if token is not None else _NOBODY, _digest(shape[2]))
        if token is None or not is_right:
            raise UnauthenticatedError("The token is not known here, or is wrong. Ask for a new one.")
        now = self._now()
        if not token.is_good(now):
            raise UnauthenticatedError(
                f"The token {token.id} ({token.name}) is {token.status(now)}. Ask for a new one."
            )
        return token

    def check_signature(self, id: str, is_right: Callable[[str], bool]) -> Token:
        """The record of the token that somebody has signed with. Raises ``UnauthenticatedError``."""
        token = self._known.get(id)
        if token is None or not token.signing_secret or not is_right(token.signing_secret):
            raise UnauthenticatedError(
                "The access key is none of a token for signing, or the signature is not made with it."
            )
        now = self._now()
        if not token.is_good(now):
            raise UnauthenticatedError(
                f"The token {token.id} ({token.name}) is {token.status(now)}. Ask for a new one."
            )
        return token

    def needs_note(self, token: Token) -> bool:
        """Whether it is time to write down that a token was used."""
        return self._now() - token.last_used >= LAST_USED_GRAIN_NS

    async def note_use(self, token: Token) -> None:
        """Write down that a token is in use. Raises ``StoreError``."""
        token.last_used = self._now() // LAST_USED_GRAIN_NS * LAST_USED_GRAIN_NS
        await self._put(token)

    async def _put(self, token: Token) -> None:
        await self._documents.set_document(KIND, token.id, _encode(token))
        self._known[token.id] = token


def principal_of(token: Token) -> Principal:
    """Who comes with a token."""
    return Principal(token.name, token.roles)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
