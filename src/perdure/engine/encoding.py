"""Records as bytes, and back.

A large payload is kept apart from the history, named by its SHA-256 digest, so that the same value passed along ten
steps is stored once. That happens here and nowhere else: above this, payloads are whole.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from perdure.model.errors import StoreCorruptError
from perdure.model.events import AnyRecord
from perdure.model.payloads import Payload

BLOB = "perdure/blob"
_BLOB_MARK = BLOB.encode()

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[AnyRecord])

encode_value = _encoder.encode


def encode(records: Sequence[AnyRecord], threshold_bytes: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The records as bytes, and as ``(digest, data)`` the payloads above the threshold (0: none) that they only
    name."""
    encoded = _encoder.encode(records)
    if not threshold_bytes or len(encoded) <= threshold_bytes:
        return encoded, []
    blobs: dict[bytes, bytes] = {}

    def offload(payload: Payload) -> Payload:
        if len(payload.data) <= threshold_bytes:
            return payload
        digest = hashlib.sha256(payload.data).digest()
        blobs[digest] = payload.data
        metadata = {**(payload.metadata or {}), "": payload.encoding.encode()}
        return Payload(digest, BLOB, metadata)

    slim = [_map_payloads(record, offload) for record in records]
    return (_encoder.encode(slim), list(blobs.items())) if blobs else (encoded, [])


def decode(commits: Sequence[bytes]) -> list[AnyRecord]:
    """The records of a history, in order; payloads that were kept apart are still only named.

    Raises ``StoreCorruptError`` if they can't be read.
    """
    records: list[AnyRecord] = []
    try:
        for commit in commits:
            records += _decoder.decode(commit)
    except msgspec.DecodeError as error:
        raise StoreCorruptError(f"A history can't be read: {error}. Restore the store from a backup.") from error
    return records


def named_blobs(commits: Sequence[bytes]) -> list[bytes]:
    """Digests of the payloads that a history only names."""
    digests: dict[bytes, None] = {}

    def collect(payload: Payload) -> Payload:
        if payload.encoding == BLOB:
            digests[payload.data] = None
        return payload

    for commit in commits:
        if _BLOB_MARK in commit:
            for record in _decoder.decode(commit):
                _map_payloads(record, collect)
    return list(digests)


def with_blobs(records: Sequence[AnyRecord], blobs: Mapping[bytes, bytes]) -> list[AnyRecord]:
    """The records with whole payloads again. Raises ``StoreCorruptError`` if one is missing."""

    def restore(payload: Payload) -> Payload:
        if payload.encoding != BLOB:
            return payload
        data = blobs.get(payload.data)
        if data is None:
            raise StoreCorruptError(
                f"The large payload {payload.data.hex()} is missing. Restore the store from a backup."
            )
        metadata = dict(payload.metadata or {})
        encoding = metadata.pop("").decode()
        return Payload(data, encoding, metadata or None)

    return [_map_payloads(record, restore) for record in records]


def _map_payloads(value: Any, change: Callable[[Payload], Payload]) -> Any:
    """``value`` with every payload in it replaced, sharing what did not change."""
    if isinstance(value, Payload):
        return change(value)
    if isinstance(value, msgspec.Struct):
        changes = {}
        for name in value.__struct_fields__:
            old = getattr(value, name)
            if isinstance(old, (msgspec.Struct, tuple, dict)) and old:
                new = _map_payloads(old, change)
                if new is not old:
                    changes[name] = new
        return msgspec.structs.replace(value, **changes) if changes else value
    if isinstance(value, tuple):
        items = tuple(_map_payloads(item, change) for item in value)
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        mapped = {key: _map_payloads(item, change) for key, item in value.items()}
        return mapped if any(mapped[key] is not value[key] for key in value) else value
    return value
