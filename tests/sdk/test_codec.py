"""Codecs see every payload, and nothing that passed one can be read without it."""

import hashlib
import itertools
import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from perdure.model.errors import ActivityError, ApplicationError, InvalidArgumentError
from perdure.model.payloads import Payload
from perdure.sdk.codec import Codec, pack, unpack
from perdure.sdk.converter import Converter
from perdure.sdk.failures import SEALED_MESSAGE, from_failure, to_failure


class Zlib:
    """Compresses what is worth it."""

    def encode(self, payload: Payload) -> Payload:
        packed = pack(payload)
        squeezed = zlib.compress(packed)
        return Payload(squeezed, "binary/zlib") if len(squeezed) < len(packed) else payload

    def decode(self, payload: Payload) -> Payload:
        return unpack(zlib.decompress(payload.data)) if payload.encoding == "binary/zlib" else payload


class Xor:
    """A toy cipher in the shape of a real one, for where no library of ciphers is installed."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def encrypt(self, nonce: bytes, data: bytes, _: None) -> bytes:
        stream = itertools.cycle(hashlib.sha256(self.key + nonce).digest())
        sealed = bytes(a ^ b for a, b in zip(data, stream, strict=False))
        return hashlib.sha256(self.key + sealed).digest() + sealed

    def decrypt(self, nonce: bytes, data: bytes, _: None) -> bytes:
        if hashlib.sha256(self.key + data[32:]).digest() != data[:32]:
            raise ValueError("wrong key")
        return self.encrypt(nonce, data[32:], None)[32:]


def aes_gcm(key: bytes) -> Any:
    return pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead").AESGCM(key)


class Cipher:
    """Encrypts; the key's name travels along, so that keys can be changed."""

    def __init__(self, keys: dict[str, bytes], current: str, cipher: Callable[[bytes], Any] = Xor) -> None:
        self.keys = {name: cipher(key) for name, key in keys.items()}
        self.current = current

    def encode(self, payload: Payload) -> Payload:
        nonce = os.urandom(12)
        sealed = self.keys[self.current].encrypt(nonce, pack(payload), None)
        return Payload(nonce + sealed, "binary/encrypted", {"key": self.current.encode()})

    def decode(self, payload: Payload) -> Payload:
        if payload.encoding != "binary/encrypted":
            return payload
        assert payload.metadata is not None
        key = self.keys[payload.metadata["key"].decode()]
        return unpack(key.decrypt(payload.data[:12], payload.data[12:], None))


OLD, NEW = os.urandom(32), os.urandom(32)


@pytest.fixture(params=[Xor, aes_gcm])
def secret(request: pytest.FixtureRequest) -> Converter:
    codecs: list[Codec] = [Zlib(), Cipher({"old": OLD, "new": NEW}, "new", request.param)]
    return Converter(codecs=codecs, encode_failures=True)


@pytest.mark.parametrize("value", [None, b"bytes", "text " * 100, {"a": [1, 2]}])
def test_round_trip(secret: Converter, value: Any) -> None:
    payload = secret.to_payload(value)
    assert payload.encoding == "binary/encrypted"
    assert secret.from_payload(payload) == value


def test_order_compress_then_encrypt(secret: Converter) -> None:
    assert len(secret.to_payload("x" * 10_000).data) < 200


def test_keys_rotate_and_runs_from_before_the_codec_go_on() -> None:
    secret = Converter(codecs=[Cipher({"old": OLD, "new": NEW}, "new")])
    before = Converter().to_payload("plain")
    old = Converter(codecs=[Cipher({"old": OLD}, "old")]).to_payload("old")
    assert secret.from_payloads([before, old]) == ["plain", "old"]


def test_without_the_codec_nothing_can_be_read(secret: Converter) -> None:
    with pytest.raises(InvalidArgumentError, match="missing in Converter"):
        Converter().from_payload(secret.to_payload(1))
    with pytest.raises(InvalidArgumentError, match="Cipher cannot decode"):
        Converter(codecs=[Cipher({"new": OLD}, "new")]).from_payload(secret.to_payload(1))
    with pytest.raises(InvalidArgumentError, match="another codec"):
        Converter(codecs=[Zlib()]).from_payload(Payload(zlib.compress(b"\xc1"), "binary/zlib"))


def test_search_attributes_stay_readable(secret: Converter) -> None:
    payloads = secret.to_search_attributes({"Amount": 3})
    assert payloads is not None
    assert payloads["Amount"] == Payload(b"3")
    assert secret.from_payload_map(payloads) == {"Amount": 3}


def test_failures_hide_their_text(secret: Converter) -> None:
    try:
        try:
            raise ApplicationError("card 4111 declined", {"pan": "4111"}, type="CardDeclined")
        except ApplicationError as error:
            raise ActivityError("activity 'charge' failed: card 4111 declined", activity_type="charge") from error
    except ActivityError as error:
        failure = to_failure(error, secret)
    assert b"4111" not in repr(failure).encode()
    assert failure.message == SEALED_MESSAGE
    assert failure.stack_trace == ""
    assert failure.activity_type == "charge"

    back = from_failure(failure, secret)
    assert isinstance(back, ActivityError)
    assert "4111" in back.message
    assert "test_failures_hide_their_text" in back.stack_trace
    cause = back.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "CardDeclined"
    assert cause.details == ({"pan": "4111"},)

    blind = from_failure(failure, Converter())
    assert str(blind) == SEALED_MESSAGE


def test_encoding_failures_needs_a_codec() -> None:
    with pytest.raises(InvalidArgumentError, match="needs codecs"):
        Converter(encode_failures=True)
