"""A codec that encrypts: AES-256-GCM with a keyring, so that keys can be changed while runs are open.

What it makes names the key by its id, never the key. The first key of the ring encrypts; all of them decrypt. So a key
is changed by putting a new one in front, and goes for good when no run that was written with it is kept any more.

Every payload gets a random nonce of 96 bits. NIST SP 800-38D (8.3) allows 2**32 payloads for one key that way; a ring whose
keys are changed every few months stays far below.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure.model.errors import InvalidArgumentError
from perdure.model.payloads import Payload
from perdure.sdk.codec import pack, unpack

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCRYPTED = "binary/encrypted"
KEY_ID = "encryption-key-id"
KEY_BYTES = 32
NONCE_BYTES = 12

_CONTEXT = b"perdure AES-256-GCM "


class EncryptionCodec:
    """Encrypts every payload end to end: engine, store, server, command line and page see nothing but its size.

    Hand it to ``Converter(codecs=[...], encode_failures=True)``, and the converter to the app and to every client. Search
    attributes, ids and names of types stay readable: the engine searches and routes by them.

    Args:
        keys: the keys by their ids, 32 random bytes each (``EncryptionCodec.new_key``). The first one encrypts.

    Raises:
        InvalidArgumentError: there is no key, or one that is not 32 bytes long, or an id that can't be used; or the
            package ``cryptography`` is missing.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise InvalidArgumentError(
                "an EncryptionCodec needs at least one key: make one with EncryptionCodec.new_key()"
            )
        self._ciphers = {id: _cipher(id, key) for id, key in keys.items()}
        self._current = next(iter(keys))
        self._metadata = {KEY_ID: self._current.encode()}

    def __repr__(self) -> str:
        return f"<EncryptionCodec, keys {', '.join(map(repr, self._ciphers))}>"

    @staticmethod
    def new_key() -> bytes:
        """A new key: 32 bytes from the operating system's source of randomness."""
        return os.urandom(KEY_BYTES)

    @classmethod
    def from_text(cls, text: str) -> "EncryptionCodec":
        """A codec from a keyring as text, as an environment variable or a mounted secret holds it.

        Args:
            text: ``id:key`` with the key in base64, the one that encrypts first, then the older ones, separated by
                commas or line ends.

        Raises:
            InvalidArgumentError: as the class does, or the text is not in this form. The message never has the key in it.
        """
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(text.replace(",", "\n").split(), 1):
            id, _, encoded = entry.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not id or len(key) != KEY_BYTES:
                raise InvalidArgumentError(
                    f"entry {number} of the keyring is not an id, a colon, and {KEY_BYTES} bytes in base64; "
                    "make one with EncryptionCodec.new_entry(id)"
                )
            if id in keys:
                raise InvalidArgumentError(f"the keyring has the id {id!r} twice; give every key an id of its own")
            keys[id] = key
        return cls(keys)

    @classmethod
    def new_entry(cls, id: str) -> str:
        """A new key as ``from_text`` reads it. Raises ``InvalidArgumentError`` if the id can't be used."""
        key = cls.new_key()
        cls({id: key})
        return f"{id}:{base64.b64encode(key).decode()}"

    def encode(self, payload: Payload) -> Payload:
        """The payload, encrypted as a whole with the first key."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, pack(payload), _CONTEXT + self._metadata[KEY_ID])
        return Payload(nonce + sealed, ENCRYPTED, self._metadata)

    def decode(self, payload: Payload) -> Payload:
        """What ``encode`` was given; a payload that is not encrypted is left as it is.

        Raises:
            InvalidArgumentError: the key is not in the ring, or the data is not what was encrypted with it.
        """
        if payload.encoding != ENCRYPTED:
            return payload
        id = (payload.metadata or {}).get(KEY_ID, b"").decode(errors="replace")
        cipher = self._ciphers.get(id)
        if cipher is None:
            raise InvalidArgumentError(
                f"a payload is encrypted with the key {id!r}, and the keyring has only {', '.join(map(repr, self._ciphers))}: "
                "put that key back behind the others; it must stay while anything written with it is kept"
            )
        from cryptography.exceptions import InvalidTag

        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return unpack(cipher.decrypt(nonce, sealed, _CONTEXT + id.encode()))
        except (InvalidTag, ValueError) as error:
            raise InvalidArgumentError(
                f"a payload does not open with the key {id!r}: it was changed, or was encrypted with another key of that id"
            ) from error


def _cipher(id: str, key: bytes) -> "AESGCM":
    if not id or not id.isascii() or not id.isprintable() or any(mark in id for mark in ":, "):
        raise InvalidArgumentError(
            f"{id!r} can't be the id of a key: use printable ASCII without colon, comma and space, such as '2026-11'"
        )
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise InvalidArgumentError(
            f"the key {id!r} is not {KEY_BYTES} bytes long; make one with EncryptionCodec.new_key()"
        )
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise InvalidArgumentError(
            "encryption needs the package cryptography: pip install 'perdure[encryption]'"
        ) from error
    return AESGCM(key)
