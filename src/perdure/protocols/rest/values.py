"""Payloads as JSON: a JSON payload is its value, byte for byte; ``null`` is the empty payload; any other is
``{"metadata": {"encoding": ...}, "data": base64}``.

So nothing is lost either way: 1.10 stays 1.10, and a value that only looks like such an object is written as one.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.payloads import JSON, NULL, Payload, PayloadMap, Payloads

Value = msgspec.Raw
"""Any JSON."""

Values = list[msgspec.Raw]
ValueMap = dict[str, msgspec.Raw]

NULL_VALUE = msgspec.Raw(b"null")

_NULL_PAYLOAD = Payload(b"", NULL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # for whatever is due later than that
_HIDDEN = "__"
"""The engine's own notes in a memo begin with this."""


class Encoded(msgspec.Struct, forbid_unknown_fields=True):
    """A payload that is no plain JSON. ``metadata`` has ``encoding`` as text and everything else in base64, as ``data``
    is."""

    metadata: dict[str, str]
    data: str


_read_encoded = msgspec.json.Decoder(Encoded).decode
_read_any = msgspec.json.Decoder(msgspec.Raw).decode


def to_payload(value: Value) -> Payload:
    """The payload of a value. Raises ``InvalidArgumentError`` for an encoded one whose data is no base64."""
    data = bytes(value)
    if data == b"null":
        return _NULL_PAYLOAD
    encoded = _encoded(data)
    if encoded is None:
        return Payload(data)
    metadata = {name: _unbase64(text) for name, text in encoded.metadata.items() if name != "encoding"}
    return Payload(_unbase64(encoded.data), encoded.metadata["encoding"], metadata or None)


def to_value(payload: Payload) -> Value:
    """The value of a payload."""
    if payload.encoding == NULL and not payload.data and payload.metadata is None:
        return NULL_VALUE
    if payload.encoding == JSON and payload.metadata is None and _is_plain(payload.data):
        return msgspec.Raw(payload.data)
    metadata = {name: base64.b64encode(data).decode() for name, data in (payload.metadata or {}).items()}
    encoded = Encoded({"encoding": payload.encoding, **metadata}, base64.b64encode(payload.data).decode())
    return msgspec.Raw(msgspec.json.encode(encoded))


def to_payloads(values: Iterable[Value]) -> Payloads:
    """The payloads of arguments."""
    return tuple(map(to_payload, values))


def to_values(payloads: Iterable[Payload]) -> Values:
    """The values of arguments."""
    return list(map(to_value, payloads))


def to_payload_map(values: Mapping[str, Value] | None) -> PayloadMap | None:
    """The payloads of a memo, or of search attributes; None if it is empty."""
    return {name: to_payload(value) for name, value in values.items()} if values else None


def to_value_map(payloads: PayloadMap | None) -> ValueMap:
    """The values of a memo, without what the engine keeps there for itself."""
    return {name: to_value(payload) for name, payload in (payloads or {}).items() if not name.startswith(_HIDDEN)}


def attributes_to_values(payloads: PayloadMap | None) -> ValueMap:
    """The values of search attributes. That a string is a time is known by its attribute's type."""
    return {name: to_value(Payload(payload.data, payload.encoding)) for name, payload in (payloads or {}).items()}


def one_value(payloads: Payloads) -> Value:
    """A result: the only value, or null if there is none."""
    return to_value(payloads[0]) if payloads else NULL_VALUE


def _encoded(data: bytes) -> Encoded | None:
    """What an object of that very shape says; None for any other value."""
    if not data.startswith(b"{") or b'"encoding"' not in data or b'"metadata"' not in data:
        return None
    try:
        encoded = _read_encoded(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return encoded if "encoding" in encoded.metadata else None


def _is_plain(data: bytes) -> bool:
    """Whether it is JSON that would be read as itself again."""
    try:
        data.decode()
        read = bytes(_read_any(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return read == data and read != b"null" and _encoded(data) is None


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError(f"the data of an encoded value is no base64: {error}") from None


# --- times


def to_time(ns: int) -> datetime | None:
    """A time in ns since 1970, to the microsecond; None for 0, which means "not so"."""
    if not ns:
        return None
    try:
        return _EPOCH + timedelta(microseconds=ns // 1000)
    except OverflowError:
        return _LAST


def to_seconds(ns: int) -> float:
    """A duration in ns."""
    return ns / 1e9


def to_ns(seconds: float | None) -> int:
    """A duration in seconds, to the microsecond; 0 for None, which means "no limit"."""
    return 0 if seconds is None else round(seconds * 1_000_000) * 1000
