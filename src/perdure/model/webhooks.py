"""Signed messages between servers: the signatures of Standard Webhooks (standardwebhooks.com, version 1), so that
existing libraries make and verify them.

A secret is ``whsec_`` and 24 to 64 bytes in base64. A signature is ``v1,`` and the base64 of the HMAC-SHA256 of message
id, timestamp and body, with dots between; several are separated by spaces, as while a secret is being changed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from perdure.model.errors import InvalidArgumentError, UnauthenticatedError

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"


def secret_of(key: bytes) -> str:
    """A secret as people copy it."""
    return PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret. Raises ``InvalidArgumentError``, which does not show it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise InvalidArgumentError(f"A signing secret is {PREFIX} and {SHORTEST} to {LONGEST} bytes in base64.")
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message; ``timestamp`` is seconds since 1970."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def verify(
    secrets: Iterable[str], message_id: str, timestamp: str, signatures: str, body: bytes, now: float, tolerance: float
) -> None:
    """Raise ``UnauthenticatedError`` unless one of the secrets has signed the message, at most ``tolerance`` seconds from
    ``now``."""
    if not message_id or len(message_id) > 255 or not (timestamp.isascii() and timestamp.isdigit()):
        raise UnauthenticatedError(
            f"The message is not signed: it needs the headers {ID_HEADER}, {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}."
        )
    sent = int(timestamp[:20])
    if abs(now - sent) > tolerance:
        raise UnauthenticatedError(f"The message is older, or younger, than {tolerance:g} s; check both clocks.")
    given = [signature.encode() for signature in signatures.split(" ")[:10]]
    for secret in secrets:
        expected = sign(secret, message_id, sent, body).encode()
        if any(hmac.compare_digest(expected, signature) for signature in given):
            return
    raise UnauthenticatedError("No signature of the message is good: it was not signed with this secret, or changed.")
