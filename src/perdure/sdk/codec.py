"""Codecs: what happens to payloads between the converter and the engine, such as encryption or compression.

A codec sees payloads after values became bytes, and before bytes become values. The engine, the store, the command line
and the page see only what the codec made of them. Codecs are composed inside ``Converter(codecs=...)``: on the way
out in the order given, on the way in in the opposite order.
"""

from typing import Protocol

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.payloads import Payload

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Payload).decode


class Codec(Protocol):
    """Turns payloads into other payloads, and back.

    ``decode(encode(payload)) == payload`` must hold. ``decode`` must return a payload that its ``encode`` did not make
    unchanged (tell them apart by ``encoding``), so that runs begun before the codec was introduced go on. Codecs run
    on the engine's thread and inside replay: they must not block, and ``decode`` must not depend on anything but the
    payload.
    """

    def encode(self, payload: Payload) -> Payload:
        """What is stored and sent in place of ``payload``."""
        ...

    def decode(self, payload: Payload) -> Payload:
        """What ``encode`` was given."""
        ...


def pack(payload: Payload) -> bytes:
    """A payload with its encoding and metadata as bytes, for a codec to compress or encrypt as a whole."""
    return _encode(payload)


def unpack(data: bytes) -> Payload:
    """What ``pack`` was given.

    Raises:
        InvalidArgumentError: ``data`` was not made by ``pack``.
    """
    try:
        return _decode(data)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(
            f"the codec's data does not hold a payload: {error}; was it encoded by another codec?"
        ) from error
