"""How a run's end is told in Nexus's way: a POST whose headers say how it ended, and whose body is the result or the failure.

https://github.com/nexus-rpc/api/blob/main/SPEC.md, "Callback invocation".
"""

from collections.abc import Mapping

import msgspec

from perdure.model import events as e
from perdure.model.failures import Failure
from perdure.model.payloads import JSON, NULL, Payload

STATE_HEADER = "nexus-operation-state"

OURS = frozenset({STATE_HEADER, "content-type", "content-length", "host", "connection", "transfer-encoding"})
"""Headers that whoever asks for a callback does not choose."""


def completion(closing: e.Event, headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Headers and body. ``headers`` are what whoever asked for the callback wants to see again."""
    kept = {name.lower(): value for name, value in headers.items() if name.lower() not in OURS}
    match closing:
        case e.WorkflowExecutionCompleted(result=result):
            content_type, body = _content(result[0] if result else None)
            return kept | ({"content-type": content_type} if content_type else {}) | {STATE_HEADER: "succeeded"}, body
        case e.WorkflowExecutionCanceled():
            state, failure = "canceled", Failure("operation canceled")
        case e.WorkflowExecutionFailed(failure=said):
            state, failure = "failed", said
        case e.WorkflowExecutionTerminated():
            state, failure = "failed", Failure("operation terminated")
        case _:
            state, failure = "failed", Failure("operation timed out")
    return kept | {"content-type": "application/json", STATE_HEADER: state}, msgspec.json.encode(_failure(failure))


def _content(value: Payload | None) -> tuple[str, bytes]:
    """A value's type and bytes, as Temporal's servers name them; both empty for none."""
    if value is None or value.encoding == NULL:
        return "", b""
    if value.encoding == JSON:
        return "application/json", value.data
    return "application/octet-stream", value.data


def _failure(failure: Failure) -> dict[str, object]:
    said: dict[str, object] = {"message": failure.message}
    if failure.type:
        said["metadata"] = {"type": failure.type}
    if failure.cause is not None:
        said["cause"] = _failure(failure.cause)
    return said
