"""What Temporal's programs have agreed on within Nexus over HTTP, for those who speak it."""

from collections.abc import Sequence

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.failure.v1 import message_pb2 as failure_pb
from temporalio.api.nexus.v1 import message_pb2 as nexus

from perdure.model.failures import Failure
from perdure.model.payloads import Payload
from perdure.protocols.temporal.failures import to_failure
from perdure.protocols.temporal.nexus_links import from_nexus
from perdure.protocols.temporal.payloads import payload, to_payload


class TemporalDialect:
    """Implements ``protocols.nexus.Dialect``."""

    def wrapped(self, value: Payload) -> bytes | None:
        """A payload's message."""
        return payload(value).SerializeToString()

    def unwrapped(self, body: bytes) -> Payload | None:
        """What such a message says."""
        try:
            return to_payload(common.Payload.FromString(body))
        except DecodeError:
            return None

    def failure(self, message: str, details: bytes) -> Failure | None:
        """A failure whose details are one of Temporal's."""
        found = failure_pb.Failure()
        try:
            json_format.Parse(details, found, ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            return None
        if not found.message:
            found.message = message
        return to_failure(found)

    def links(self, links: Sequence[tuple[str, str]]) -> tuple[bytes, ...]:
        """Those to events."""
        return from_nexus([nexus.Link(url=url, type=kind) for url, kind in links])
