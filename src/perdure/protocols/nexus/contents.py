"""Values as Nexus's bodies: a content type, other headers of the content, and bytes."""

from collections.abc import Mapping

from perdure.model.payloads import BINARY, JSON, NULL, Payload
from perdure.protocols.nexus.dialect import Dialect

TEMPORAL_PAYLOAD = "application/x-temporal-payload"
UNKNOWN = "unknown/nexus-content"
"""The encoding of a body of any other type, by Temporal's convention; its headers are the metadata."""

_PREFIX = "content-"


class NoContent(Exception):
    """A value can't be sent."""


def content(value: Payload | None, dialect: Dialect) -> tuple[dict[str, str], bytes]:
    """Headers and body. Raises ``NoContent``."""
    if value is None or (value.encoding == NULL and not value.metadata):
        return {}, b""
    if not value.metadata and value.encoding == JSON:
        return {"content-type": "application/json"}, value.data
    if not value.metadata and value.encoding == BINARY:
        return {"content-type": "application/octet-stream"}, value.data
    if value.encoding == UNKNOWN and value.metadata:
        kept = {f"{_PREFIX}{name}": said.decode("latin-1") for name, said in value.metadata.items()}
        return kept, value.data
    body = dialect.wrapped(value)
    if body is None:
        raise NoContent(
            f"A value encoded as {value.encoding!r} has no form in Nexus that needs no Temporal: install perdure[temporal]."
        )
    return {"content-type": TEMPORAL_PAYLOAD}, body


def value_of(headers: Mapping[str, str], body: bytes, dialect: Dialect) -> Payload:
    """A value that was sent. ``headers`` are in small letters."""
    kind = headers.get("content-type", "")
    media_type = kind.partition(";")[0].strip().lower()
    if not media_type and not body:
        return Payload(b"", NULL)
    if media_type == TEMPORAL_PAYLOAD and (found := dialect.unwrapped(body)) is not None:
        return found
    if media_type == "application/json" and ";" not in kind.replace("; charset=utf-8", ""):
        return Payload(body, JSON)
    if media_type == "application/octet-stream":
        return Payload(body, BINARY)
    said = {
        name.removeprefix(_PREFIX): value.encode()
        for name, value in headers.items()
        if name.startswith(_PREFIX) and name != "content-length"
    }
    return Payload(body, UNKNOWN, said or None)
