"""What a unary call of gRPC is in bytes: its one message, its deadline, and how its answer ends."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from perdure.protocols.temporal.errors import Code

PREFIX = 5
"""A message comes behind a byte that says whether it is compressed, and four for its length."""

_READABLE = " !\"#$&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
_TIMEOUTS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


class Asked(NamedTuple):
    """A call. ``method`` is its path; ``seconds`` is how long its caller waits; ``common_name`` is of the caller's
    certificate."""

    method: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    seconds: float
    peer: str
    common_name: str


class Answered(NamedTuple):
    """How a call ends: with a ``body``, or with another status than OK."""

    body: bytes = b""
    status: int = 0
    message: str = ""
    trailers: Sequence[tuple[str, bytes]] = ()


def message(data: bytes, encoding: bytes, limit: int) -> tuple[bytes, Answered | None]:
    """The one message of a unary call, of at most ``limit`` bytes, or why it is none."""
    if len(data) < PREFIX or int.from_bytes(data[1:PREFIX], "big") != len(data) - PREFIX:
        return b"", refusal(Code.INTERNAL, "The bytes that were sent are not one message.")
    if not data[0]:
        return data[PREFIX:], None
    name = encoding.decode("latin-1")
    if name not in ("gzip", "deflate"):
        return b"", refusal(Code.UNIMPLEMENTED, f"Compression by {name} is not known here.")
    reader = zlib.decompressobj(31 if name == "gzip" else 15)
    try:
        body = reader.decompress(data[PREFIX:], limit + 1)
    except zlib.error:
        return b"", refusal(Code.INTERNAL, f"The message can't be read by {name}.")
    if len(body) > limit:
        return b"", refusal(Code.RESOURCE_EXHAUSTED, f"grpc: received message larger than max ({limit})")
    return body, None


def refusal(code: Any, message: str) -> Answered:
    """A call ends with this status of gRPC's."""
    return Answered(status=code.value[0], message=message)


def trailers(answered: Answered) -> list[tuple[bytes, bytes]]:
    """What comes behind the answer: the status, what it says, and its details."""
    found = [(b"grpc-status", b"%d" % answered.status)]
    if answered.message:
        found.append((b"grpc-message", quote(answered.message, safe=_READABLE, errors="replace").encode()))
    for name, value in answered.trailers:
        text = base64.b64encode(value).rstrip(b"=") if name.endswith("-bin") else value
        found.append((name.encode(), text))
    return found


@lru_cache(1_000)
def seconds(timeout: bytes) -> float:
    """How long a caller waits; infinite if it does not say."""
    unit = _TIMEOUTS.get(timeout[-1:])
    if unit is None or not timeout[:-1].isdigit():
        return float("inf")
    return int(timeout[:-1]) * unit
