"""Failures as Nexus has them: a message, metadata and details, as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.model.failures import Failure, FailureKind, RetryBehavior
from perdure.model.payloads import Payload
from perdure.protocols.nexus.dialect import Dialect

TEMPORAL_FAILURE = "temporal.api.failure.v1.Failure"
"""What the metadata's type is where the details are a failure of Temporal's."""

KINDS: Mapping[int, tuple[str, str]] = {
    400: ("BAD_REQUEST", "bad request"),
    401: ("UNAUTHENTICATED", "unauthenticated"),
    403: ("UNAUTHORIZED", "unauthorized"),
    404: ("NOT_FOUND", "not found"),
    429: ("RESOURCE_EXHAUSTED", "resource exhausted"),
    500: ("INTERNAL", "internal error"),
    501: ("NOT_IMPLEMENTED", "not implemented"),
    503: ("UNAVAILABLE", "unavailable"),
    520: ("UPSTREAM_TIMEOUT", "upstream timeout"),
}
"""What a status says is wrong, and in which words if the answer has none."""

FINAL = frozenset({"BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "NOT_FOUND", "NOT_IMPLEMENTED"})
"""Kinds that another attempt would meet again."""

DEEPEST = 20
"""So many causes are read."""


class Said(msgspec.Struct, frozen=True):
    """A failure as it is sent."""

    message: str = ""
    metadata: dict[str, str] | None = None
    details: msgspec.Raw = msgspec.Raw()
    cause: msgspec.Raw = msgspec.Raw()
    stackTrace: str = ""  # noqa: N815


def said_in(headers: Mapping[str, str], body: bytes) -> Said | None:
    """The failure that a body holds; None if it holds none."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def failure_of(said: Said, dialect: Dialect, *, non_retryable: bool = False, depth: int = 0) -> Failure:
    """A failure that somebody elsewhere had."""
    if (said.metadata or {}).get("type") == TEMPORAL_FAILURE and bytes(said.details):
        found = dialect.failure(said.message, bytes(said.details))
        if found is not None:
            return found
    cause = None
    if bytes(said.cause) and depth < DEEPEST:
        try:
            cause = failure_of(msgspec.json.decode(said.cause, type=Said), dialect, depth=depth + 1)
        except msgspec.DecodeError:
            pass
    return Failure(
        said.message,
        type="NexusFailure",
        non_retryable=non_retryable,
        details=_details(said),
        cause=cause,
        stack_trace=said.stackTrace,
    )


def _details(said: Said) -> tuple[Payload, ...]:
    if not said.metadata and not bytes(said.details):
        return ()
    # As Temporal's servers keep it: the failure itself, but for its message.
    kept: dict[str, Any] = {"message": ""}
    if said.metadata:
        kept["metadata"] = said.metadata
    if bytes(said.details):
        kept["details"] = said.details
    return (Payload(msgspec.json.encode(kept)),)


def unsuccessful(said: Said, dialect: Dialect, *, is_cancelled: bool) -> Failure:
    """How an operation failed for good, or was cancelled."""
    failure = failure_of(said, dialect, non_retryable=True)
    if is_cancelled and failure.kind is not FailureKind.CANCELED:
        return Failure(failure.message, FailureKind.CANCELED, details=failure.details, cause=failure.cause)
    return failure


def handler_failure(status: int, headers: Mapping[str, str], body: bytes, dialect: Dialect) -> Failure | None:
    """Why somebody could not take an operation in hand; None if the answer is none of Nexus's."""
    known = KINDS.get(status)
    if known is None:
        return None
    kind, words = known
    said = said_in(headers, body) or Said(words)
    behavior = {"true": RetryBehavior.RETRYABLE, "false": RetryBehavior.NON_RETRYABLE}.get(
        headers.get("nexus-request-retryable", "").lower(), RetryBehavior.UNSPECIFIED
    )
    return Failure(
        f"handler error ({kind}): {said.message}",
        FailureKind.HANDLER,
        type=kind,
        retry_behavior=behavior,
        cause=failure_of(said, dialect),
    )


def is_final(failure: Failure) -> bool:
    """Whether another attempt is of no use."""
    if failure.kind is not FailureKind.HANDLER:
        return False
    if failure.retry_behavior is RetryBehavior.UNSPECIFIED:
        return failure.type in FINAL
    return failure.retry_behavior is RetryBehavior.NON_RETRYABLE


def call_error(message: str) -> Failure:
    """There is no answer, or one that makes no sense; the type is Temporal's."""
    return Failure(message, type="CallError")
