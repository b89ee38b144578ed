"""The codec that encrypts: keys, rotation, and what it says when something is wrong."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.errors import InvalidArgumentError
from perdure.model.payloads import Payload
from perdure.sdk.converter import Converter
from perdure.sdk.encryption import ENCRYPTED, KEY_ID, EncryptionCodec

OLD, NEW = EncryptionCodec.new_key(), EncryptionCodec.new_key()


@given(data=st.binary(max_size=200), encoding=st.text(max_size=20), name=st.text(max_size=5))
def test_what_is_encrypted_comes_back_as_it_was(data: bytes, encoding: str, name: str) -> None:
    codec = EncryptionCodec({"new": NEW})
    payload = Payload(data, encoding, {name: data} if name else None)
    sealed = codec.encode(payload)
    assert sealed.encoding == ENCRYPTED
    assert sealed.metadata == {KEY_ID: b"new"}
    assert len(data) < 8 or data not in sealed.data
    assert codec.decode(sealed) == payload
    assert codec.encode(payload) != sealed, "equal values must not look equal"


def test_the_first_key_encrypts_and_every_key_decrypts():
    before = EncryptionCodec({"old": OLD}).encode(Payload(b"1"))
    codec = EncryptionCodec({"new": NEW, "old": OLD})
    assert codec.decode(before) == Payload(b"1")
    assert codec.encode(Payload(b"1")).metadata == {KEY_ID: b"new"}


def test_what_was_written_before_encryption_stays_readable():
    assert EncryptionCodec({"new": NEW}).decode(Payload(b"1")) == Payload(b"1")


def test_a_key_that_is_gone_is_named():
    sealed = EncryptionCodec({"old": OLD}).encode(Payload(b"1"))
    with pytest.raises(InvalidArgumentError, match="the key 'old', and the keyring has only 'new': put that key back"):
        EncryptionCodec({"new": NEW}).decode(sealed)


@given(place=st.integers(min_value=0, max_value=200))
def test_a_changed_byte_anywhere_is_noticed(place: int) -> None:
    codec = EncryptionCodec({"new": NEW})
    sealed = codec.encode(Payload(b"amount: 100"))
    place %= len(sealed.data)
    changed = bytearray(sealed.data)
    changed[place] ^= 1
    with pytest.raises(InvalidArgumentError, match="was changed, or was encrypted with another key of that id"):
        codec.decode(Payload(bytes(changed), sealed.encoding, sealed.metadata))


def test_the_id_of_the_key_cannot_be_exchanged():
    codec = EncryptionCodec({"a": NEW, "b": NEW})
    sealed = codec.encode(Payload(b"1"))
    with pytest.raises(InvalidArgumentError, match="does not open with the key 'b'"):
        codec.decode(Payload(sealed.data, sealed.encoding, {KEY_ID: b"b"}))


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 12, b"x" * 27])
def test_too_little_data_is_refused(data):
    with pytest.raises(InvalidArgumentError, match="does not open"):
        EncryptionCodec({"new": NEW}).decode(Payload(data, ENCRYPTED, {KEY_ID: b"new"}))


def test_a_keyring_from_text():
    newer, older = EncryptionCodec.new_entry("2026-11"), EncryptionCodec.new_entry("2026-05")
    sealed = EncryptionCodec.from_text(older).encode(Payload(b"1"))
    for separator in (",", "\n", ", ", "\n\n"):
        codec = EncryptionCodec.from_text(f"{newer}{separator}{older}\n")
        assert codec.decode(sealed) == Payload(b"1")
        assert codec.encode(Payload(b"1")).metadata == {KEY_ID: b"2026-11"}


NAMELESS = pytest.param(":" + base64.b64encode(NEW).decode(), id="nameless")  # drawn by chance, so it names no test


@pytest.mark.parametrize("text", ["nonsense", "a:b", "a:", NAMELESS, "a:####", "a:é"])
def test_a_keyring_that_cannot_be_read(text):
    with pytest.raises(
        InvalidArgumentError, match="entry 1 of the keyring is not an id, a colon, and 32 bytes"
    ) as info:
        EncryptionCodec.from_text(text)
    assert text not in str(info.value)


def test_a_keyring_without_keys_or_with_two_of_one_id():
    with pytest.raises(InvalidArgumentError, match="at least one key"):
        EncryptionCodec.from_text(" \n")
    with pytest.raises(InvalidArgumentError, match="the id 'a' twice"):
        EncryptionCodec.from_text(f"{EncryptionCodec.new_entry('a')},{EncryptionCodec.new_entry('a')}")


@pytest.mark.parametrize("id", ["", "a b", "a:b", "a,b", "ä", "a\n"])
def test_ids_that_cannot_be_used(id):
    with pytest.raises(InvalidArgumentError, match="can't be the id of a key"):
        EncryptionCodec({id: NEW})


@pytest.mark.parametrize("key", [b"", b"x" * 16, b"x" * 33, "x" * 32])
def test_keys_of_a_wrong_length(key):
    with pytest.raises(InvalidArgumentError, match="'a' is not 32 bytes long"):
        EncryptionCodec({"a": key})


def test_nothing_that_is_printed_shows_a_key():
    codec = EncryptionCodec({"new": NEW, "old": OLD})
    assert repr(codec) == "<EncryptionCodec, keys 'new', 'old'>"


def test_with_a_converter():
    converter = Converter(codecs=[EncryptionCodec({"new": NEW})], encode_failures=True)
    assert converter.from_payload(converter.to_payload({"a": [1, None]})) == {"a": [1, None]}
