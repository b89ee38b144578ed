"""User data as the engine sees it: opaque bytes with the name of their encoding.

The engine stores and moves payloads and never looks inside. Only the SDK's converter and codec read them.
"""

import msgspec

JSON = "json/plain"
NULL = "binary/null"
BINARY = "binary/plain"


class Payload(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value.

    ``encoding`` says how ``data`` is to be read; the names are Temporal's (``json/plain``, ``binary/null``, ...).
    ``metadata`` is whatever else a converter or codec needs to read it back, such as a key id.
    """

    data: bytes = b""
    encoding: str = JSON
    metadata: dict[str, bytes] | None = None


Payloads = tuple[Payload, ...]
"""Arguments or details: zero or more values, in order."""


class UserMetadata(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What people are told about a run, an activity or a timer: a line, and a text. For pages alone; nothing goes by it."""

    summary: Payload | None = None
    details: Payload | None = None


PayloadMap = dict[str, Payload]
"""Memo, headers, search attributes: values by name."""
