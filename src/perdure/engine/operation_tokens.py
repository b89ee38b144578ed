"""Tokens of operations: of attempts, which go to workers of other namespaces, and of callbacks, which they pass on.

Both name runs of namespaces where whoever has them may do nothing else, so they are sealed: only this server makes them.
"""

import base64
import hmac
import secrets

import msgspec

from perdure.engine.documents import Documents, Kept
from perdure.model.errors import InvalidArgumentError
from perdure.model.ids import RunAddress

SEAL_BYTES = 16
KEY_BYTES = 32

MALFORMED = "Error deserializing task token."


class NexusToken(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """One attempt. ``namespace`` is where it was asked for; the other fields name the run that waits."""

    namespace: str
    source: RunAddress
    scheduled_event_id: int
    attempt: int
    of_cancel: bool = False


class CallbackToken(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """An operation that a run waits for."""

    namespace: str
    workflow_id: str
    scheduled_event_id: int
    request_id: str


SealedToken = NexusToken | CallbackToken


class Key(msgspec.Struct, frozen=True):
    """What tokens are sealed with, in hexadecimal."""

    key: str


class Seals:
    """Makes and reads tokens. The key is made once, and kept in the store: tokens outlive the server."""

    def __init__(self, documents: Documents) -> None:
        self._kept = Kept(documents, "nexus-key", Key)

    async def seal(self, token: SealedToken) -> bytes:
        """A token as bytes."""
        data = msgspec.msgpack.encode(token)
        return await self._mac(data) + data

    async def opened(self, given: bytes) -> SealedToken:
        """A token that came back. Raises ``InvalidArgumentError``."""
        mac, data = given[:SEAL_BYTES], given[SEAL_BYTES:]
        if not given:
            raise InvalidArgumentError("Task token not set on request.")
        if not hmac.compare_digest(await self._mac(data), mac):
            raise InvalidArgumentError(MALFORMED)
        try:
            return msgspec.msgpack.decode(data, type=SealedToken)  # type: ignore[no-any-return]
        except (msgspec.DecodeError, ValueError):
            raise InvalidArgumentError(MALFORMED) from None

    async def seal_text(self, token: SealedToken) -> str:
        """A token as text, for a header."""
        return base64.urlsafe_b64encode(await self.seal(token)).decode()

    async def opened_text(self, given: str) -> SealedToken:
        """A token that came back as text. Raises ``InvalidArgumentError``."""
        try:
            return await self.opened(base64.urlsafe_b64decode(given.encode()))
        except ValueError:
            raise InvalidArgumentError(MALFORMED) from None

    async def _mac(self, data: bytes) -> bytes:
        kept = await self._kept.get("", "")
        if kept is None:
            kept = Key(secrets.token_hex(KEY_BYTES))
            await self._kept.put("", "", kept)
        return hmac.digest(bytes.fromhex(kept.key), data, "sha256")[:SEAL_BYTES]
