"""Values to payloads and back: where Python's types meet the bytes that the engine keeps.

The bytes are JSON, so that a history can be read by people and by other languages; type hints bring the types back.
What msgspec can do alone - nearly everything - costs well under a microsecond. ``structures`` helps with the hints
that it refuses.

The rules:

- ``None`` is an empty payload, and such a payload is ``None`` whatever the hint says.
- ``bytes`` are stored as they are; inside other values they become base64.
- Without a hint (or with ``Any``) values come back as JSON's own types.
- ``NaN`` and infinities have no JSON, and come back as ``None``, or as an error where the hint is ``float``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from perdure.model.errors import InvalidArgumentError, LimitExceededError, PerdureError
from perdure.model.limits import DEFAULT_LIMITS
from perdure.model.payloads import BINARY, JSON, NULL, Payload, PayloadMap, Payloads
from perdure.model.search import DATETIME_MARK
from perdure.sdk.codec import Codec
from perdure.sdk.structures import build_decoder, describe, to_plain

Decode = Callable[[bytes], Any]

_NULL_PAYLOAD = Payload(b"", NULL)


class Converter:
    """Converts values with JSON and type hints, then with codecs.

    Args:
        codecs: applied to every payload, in order, on the way out; in the opposite order on the way in.
        max_payload_bytes: the size of one payload, before the codecs, above which it is refused.
        to_json: called with a value of a type that the converter does not know; returns one that it knows, or raises
            ``NotImplementedError``.
        from_json: called with a type that the converter does not know and the JSON value; returns the type's value,
            or raises ``NotImplementedError``.
        encode_failures: also passes the messages and stack traces of failures through the codecs, for they may
            hold what must not be read.
    """

    def __init__(
        self,
        *,
        codecs: Sequence[Codec] = (),
        max_payload_bytes: int = DEFAULT_LIMITS.payload_bytes,
        to_json: Callable[[Any], Any] | None = None,
        from_json: Callable[[Any, Any], Any] | None = None,
        encode_failures: bool = False,
    ) -> None:
        if encode_failures and not codecs:
            raise InvalidArgumentError("encode_failures=True needs codecs to encode with: pass codecs=[...] as well")
        self.codecs = tuple(codecs)
        self.max_payload_bytes = max_payload_bytes
        self.encode_failures = encode_failures
        self._from_json = from_json
        self._encode = msgspec.json.Encoder(enc_hook=_with_fallback(to_json)).encode
        self._decoders: dict[Any, Decode] = {}
        self._plain = Converter(max_payload_bytes=max_payload_bytes, to_json=to_json) if codecs else self

    # --- one value

    def to_payload(self, value: Any) -> Payload:
        """The payload of a value.

        Raises:
            InvalidArgumentError: the value, or something in it, has no JSON.
            LimitExceededError: it is larger than ``max_payload_bytes``.
        """
        if value is None:
            payload = _NULL_PAYLOAD
        else:
            if value.__class__ is bytes:
                payload = Payload(value, BINARY)
            else:
                try:
                    payload = Payload(self._encode(value))
                except Exception as error:
                    raise _not_serialisable(value, error) from error
            if len(payload.data) > self.max_payload_bytes:
                raise LimitExceededError(
                    f"a value of type {describe(type(value))} takes {len(payload.data):,} bytes, and the limit is "
                    f"{self.max_payload_bytes:,}: store it elsewhere and pass a reference, or raise "
                    "Converter(max_payload_bytes=...)"
                )
        for codec in self.codecs:
            payload = codec.encode(payload)
        return payload

    def from_payload(self, payload: Payload, type_hint: Any = None) -> Any:
        """The value of a payload, of the type that the hint names. No hint, ``None`` and ``Any`` all mean JSON's own
        types.

        Raises:
            InvalidArgumentError: the payload does not hold what the hint says.
        """
        if self.codecs:
            payload = self._undo_codecs(payload)
        encoding = payload.encoding
        if encoding == JSON:
            try:
                decode = self._decoders[type_hint]
            except (KeyError, TypeError):
                decode = self._decoder(type_hint)
            try:
                return decode(payload.data)
            except msgspec.ValidationError as error:
                raise InvalidArgumentError(f"the value is no {describe(type_hint)}: {error}") from error
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InvalidArgumentError(f"the payload holds no JSON: {error}") from error
            except Exception as error:  # raised by a user's class or conversion
                raise InvalidArgumentError(
                    f"the value is no {describe(type_hint)}: {type(error).__name__}: {error}"
                ) from error
        if encoding == NULL:
            return None
        if encoding == BINARY:
            return _from_binary(payload.data, type_hint)
        raise InvalidArgumentError(
            f"a payload has the encoding {encoding!r}, which this converter does not know; was it written with a codec "
            "that is missing in Converter(codecs=...)?"
        )

    # --- several

    def to_payloads(self, values: Iterable[Any]) -> Payloads:
        """The payloads of arguments. Raises as ``to_payload`` does, and says which argument it was, counting from 1."""
        to_payload = self.to_payload
        payloads: list[Payload] = []
        try:
            for value in values:
                payloads.append(to_payload(value))
        except (InvalidArgumentError, LimitExceededError) as error:
            raise type(error)(f"argument {len(payloads) + 1}: {error}") from error.__cause__
        return tuple(payloads)

    def from_payloads(self, payloads: Sequence[Payload], types: Sequence[Any] | None = None) -> list[Any]:
        """The values of arguments. ``types`` may be shorter or longer than ``payloads``; missing ones count as no hint.

        Raises:
            InvalidArgumentError: as ``from_payload`` does; the message says which argument it was, counting from 1.
        """
        from_payload = self.from_payload
        values: list[Any] = []
        hints = len(types) if types is not None else 0
        try:
            for index, payload in enumerate(payloads):
                values.append(from_payload(payload, types[index] if types is not None and index < hints else None))
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"argument {len(values) + 1}: {error}") from error.__cause__
        return values

    # --- by name

    def to_payload_map(self, values: Mapping[str, Any] | None) -> PayloadMap | None:
        """The payloads of a memo; None if it is empty."""
        return self._map(values, self.to_payload) if values else None

    def from_payload_map(self, payloads: PayloadMap | None) -> dict[str, Any]:
        """The values of a memo, as JSON's own types."""
        return {name: self.from_payload(payload) for name, payload in payloads.items()} if payloads else {}

    def to_search_attributes(self, values: Mapping[str, Any] | None) -> PayloadMap | None:
        """The payloads of search attributes: never passed through the codecs, since the engine must read them to
        search."""
        return self._map(values, self._plain._to_search_attribute) if values else None

    def from_search_attributes(self, payloads: PayloadMap | None) -> dict[str, Any]:
        """Their values: JSON's own types, and datetimes where datetimes were set."""
        return {
            name: self._plain.from_payload(payload, datetime if payload.metadata == DATETIME_MARK else None)
            for name, payload in (payloads or {}).items()
        }

    def _to_search_attribute(self, value: Any) -> Payload:
        payload = self.to_payload(value)
        return msgspec.structs.replace(payload, metadata=DATETIME_MARK) if isinstance(value, datetime) else payload

    @staticmethod
    def _map(values: Mapping[str, Any], convert: Callable[[Any], Payload]) -> PayloadMap:
        payloads: PayloadMap = {}
        for name, value in values.items():
            try:
                payloads[name] = convert(value)
            except (InvalidArgumentError, LimitExceededError) as error:
                raise type(error)(f"{name!r}: {error}") from error.__cause__
        return payloads

    # --- inside

    def _undo_codecs(self, payload: Payload) -> Payload:
        for codec in reversed(self.codecs):
            try:
                payload = codec.decode(payload)
            except PerdureError:
                raise
            except Exception as error:
                name = type(codec).__name__
                raise InvalidArgumentError(
                    f"the codec {name} cannot decode a payload of encoding {payload.encoding!r}: {error}"
                ) from error
        return payload

    def _decoder(self, type_hint: Any) -> Decode:
        """The decoder of a hint, remembered where the hint can be a key."""
        decode = build_decoder(type_hint, self._from_json)
        try:
            self._decoders[type_hint] = decode
        except TypeError:
            pass
        return decode


def _with_fallback(to_json: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if to_json is None:
        return to_plain

    def convert(value: Any) -> Any:
        try:
            return to_json(value)
        except NotImplementedError:
            return to_plain(value)

    return convert


def _not_serialisable(value: Any, error: Exception) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"a value of type {describe(type(value))} cannot become a payload: {error}. Pass JSON types, dataclasses, "
        "msgspec structs or pydantic models, or convert it in Converter(to_json=..., from_json=...)"
    )


def _from_binary(data: bytes, type_hint: Any) -> Any:
    if type_hint is bytearray:
        return bytearray(data)
    if type_hint is memoryview:
        return memoryview(data)
    # A hint that cannot hold bytes at all is a mistake worth naming; anything wider (Any, object, a union) takes them.
    if type_hint in (str, int, float, bool):
        raise InvalidArgumentError(f"the value is no {describe(type_hint)}: the payload holds bytes")
    return data
