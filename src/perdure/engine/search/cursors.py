"""Cursors: where a page of a list ended, as a word that callers hand back for the next one."""

import base64
import binascii
import zlib

import msgspec

from perdure.model.errors import InvalidArgumentError
from perdure.model.search import Place, Query

_encode = msgspec.msgpack.Encoder().encode


class _Cursor(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """``digest`` is of the query, since a place means nothing in the order of another one."""

    digest: int
    values: tuple[str | int | float | bool | None, ...]
    start_time: int
    key: int


_decode = msgspec.msgpack.Decoder(_Cursor).decode


def cursor_of(place: Place, query: Query) -> str:
    """The place as a word."""
    cursor = _Cursor(_digest(query), place.values, place.start_time, place.key)
    return base64.urlsafe_b64encode(_encode(cursor)).decode()


def place_at(cursor: str, query: Query) -> Place | None:
    """The place that a cursor names, None for an empty one. Raises ``InvalidArgumentError`` if it is of another
    query, or none at all."""
    if not cursor:
        return None
    try:
        found = _decode(base64.urlsafe_b64decode(cursor.encode()))
    except (msgspec.DecodeError, binascii.Error, UnicodeError):
        raise InvalidArgumentError(
            f"The cursor {cursor[:60]!r} is not one that a list gave. Begin again without one."
        ) from None
    if found.digest != _digest(query) or len(found.values) != len(query.order):
        raise InvalidArgumentError(
            "The cursor belongs to a list with another filter. Hand it back with the filter it came from."
        )
    return Place(found.values, found.start_time, found.key)


def _digest(query: Query) -> int:
    # Of what it means, so that two ways of writing it may take turns.
    return zlib.crc32(repr(query).encode())
