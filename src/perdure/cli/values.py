"""What a recorded value looks like: in one line for people, and whole, as JSON, for programs.

Payloads are shown as far as they can be read: JSON as JSON, anything else (encrypted, say) by its encoding and size.
"""

import base64
import unicodedata
from enum import Enum
from typing import Any

import msgspec

from perdure.cli.times import TimeStyle, duration, rfc3339
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.ids import ParentLink, RunAddress
from perdure.model.options import RetryPolicy, RunStatus
from perdure.model.payloads import JSON, NULL, Payload

UNLIMITED = 1 << 60

_MOMENTS = ("time", "due", "since", "until", "expires")


def visible(text: str) -> str:
    """The text in one line, without anything that a terminal would act on: names and messages come from anywhere."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and how much there is of it."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


# --- for people


def payload_text(payload: Payload, limit: int) -> str:
    """A payload in one line, cut at ``limit`` characters: JSON as it is, else its encoding and size."""
    if payload.encoding == NULL:
        return "null"
    text = _json_of(payload)
    if text is None:
        return f"<{visible(payload.encoding)}, {byte_count(len(payload.data))}>"
    return shortened(visible(text), limit)


def payloads_text(payloads: tuple[Payload, ...], limit: int) -> str:
    """Values in one line; several in parentheses, like a call's arguments."""
    if len(payloads) == 1:
        return payload_text(payloads[0], limit)
    return f"({', '.join(payload_text(payload, limit) for payload in payloads)})"


def failure_chain(failure: Failure | None) -> list[Failure]:
    """A failure and what led to it, outermost first."""
    chain = []
    while failure is not None:
        chain.append(failure)
        failure = failure.cause
    return chain


_KINDS = {
    FailureKind.APPLICATION: "ApplicationError",
    FailureKind.TIMEOUT: "TimeoutError",
    FailureKind.CANCELED: "CancelledError",
    FailureKind.TERMINATED: "TerminatedError",
    FailureKind.SERVER: "ServerError",
    FailureKind.ACTIVITY: "ActivityError",
    FailureKind.CHILD_WORKFLOW: "ChildWorkflowError",
    FailureKind.OPERATION: "OperationError",
    FailureKind.HANDLER: "HandlerError",
}


def failure_text(failure: Failure, limit: int = UNLIMITED) -> str:
    """One link of a failure chain in one line, as Python would name it: ``CardDeclined: no funds``."""
    name = visible(failure.type) or _KINDS[failure.kind]
    message = visible(failure.message)
    if not message and failure.timeout_type is not TimeoutType.UNSPECIFIED:
        message = enum_text(failure.timeout_type)
    return shortened(f"{name}: {message}" if message else name, limit)


def failures_text(failure: Failure, limit: int) -> str:
    """A whole failure chain in one line."""
    return shortened(", caused by ".join(failure_text(link) for link in failure_chain(failure)), limit)


def enum_text(value: Enum) -> str:
    """``MAXIMUM_ATTEMPTS_REACHED`` as ``maximum attempts reached``."""
    return value.name.lower().replace("_", " ")


def status_text(status: RunStatus) -> str:
    """The status as it is written everywhere on the command line: ``timed_out``."""
    return status.name.lower()


def retry_policy_text(policy: RetryPolicy) -> str:
    """A retry policy in one line."""
    attempts = f"{policy.max_attempts} attempts" if policy.max_attempts else "no limit"
    text = f"{attempts}, {duration(policy.initial_ns)} x{policy.backoff:g} up to {duration(policy.maximum_ns)}"
    return f"{text}, final: {', '.join(map(visible, policy.non_retryable))}" if policy.non_retryable else text


def address_text(address: RunAddress | ParentLink) -> str:
    """A run as another one names it."""
    name = visible(address.workflow_id)
    return f"{name} (run {visible(address.run_id)})" if address.run_id else name


def byte_count(count: int) -> str:
    """``12 bytes``, ``3.4 KiB``, ``1.2 GiB``."""
    if count < 1024:
        return f"{count} byte{'s' * (count != 1)}"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"


def attribute_text(name: str, value: Any, style: TimeStyle, limit: int) -> str:
    """Any attribute of an event in one line; empty for one that says nothing."""
    match value:
        case None | "" | () | False | b"":
            return ""
        case Enum():
            return enum_text(value) if value else ""
        case bool():
            return "yes"
        case int() if name.endswith("_ns"):
            return duration(value) if value else ""
        case int() if name.endswith("_time"):
            return style.moment(value, milliseconds=True) if value else ""
        case int() | float():
            return str(value) if value else ""
        case str():
            return shortened(visible(value), limit)
        case Payload():
            return payload_text(value, limit)
        case Failure():
            return failures_text(value, limit)
        case RetryPolicy():
            return retry_policy_text(value)
        case RunAddress() | ParentLink():
            return address_text(value)
        case bytes():
            return _bytes_text(value, limit)
        case tuple() if isinstance(value[0], Payload):
            return payloads_text(value, limit)
        case tuple():
            return shortened(", ".join(map(visible, map(str, value))), limit)
        case dict():
            items = ((visible(key), attribute_text("", item, style, limit)) for key, item in value.items())
            return ", ".join(f"{key}: {item}" for key, item in items)
        case _:
            return shortened(visible(str(value)), limit)


def _bytes_text(value: bytes, limit: int) -> str:
    """What a program has saved is most often JSON."""
    try:
        return shortened(visible(value.decode()), limit)
    except UnicodeDecodeError:
        return f"<{byte_count(len(value))}>"


# --- for programs


def jsonable(value: Any, name: str = "") -> Any:
    """Any recorded value as JSON.

    Moments (attributes named ``time``, ``..._time`` and ``_MOMENTS``) become RFC 3339 strings, null for "not so"; durations
    (``..._ns``) stay integers; enums become their names in lower case; payloads become
    ``{"encoding": ..., "value": ...}`` where they hold JSON, else ``{"encoding": ..., "base64": ...}``.
    """
    match value:
        case Payload():
            return _payload_json(value)
        case msgspec.Struct():
            return {field: jsonable(getattr(value, field), field) for field in value.__struct_fields__}
        case Enum():
            return value.name.lower()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case tuple() | list():
            return [jsonable(item) for item in value]
        case dict():
            return {key: jsonable(item) for key, item in value.items()}
        case int() if name.endswith("_time") or name in _MOMENTS:
            return rfc3339(value)
        case _:
            return value


def _payload_json(payload: Payload) -> dict[str, Any]:
    shown: dict[str, Any] = {"encoding": payload.encoding}
    if payload.encoding == NULL:
        shown["value"] = None
    else:
        text = _json_of(payload)
        if text is None:
            shown["base64"] = base64.b64encode(payload.data).decode("ascii")
        else:
            # As it was written: 1.10 stays 1.10, and an integer of any length keeps all its digits.
            shown["value"] = msgspec.Raw(text.encode())
    if payload.metadata:
        shown["metadata"] = jsonable(payload.metadata)
    return shown


def json_bytes(value: Any, *, indented: bool = False) -> bytes:
    """JSON in one line, or for reading."""
    encoded = msgspec.json.encode(value)
    return msgspec.json.format(encoded, indent=2) if indented else encoded


def plain_value(payload: Payload) -> Any:
    """The value that a payload holds, if it is JSON; else None."""
    text = _json_of(payload)
    try:
        return None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None  # a number too large to be one here


def _json_of(payload: Payload) -> str | None:
    """A payload's JSON without needless white space; None if it holds none that can be read."""
    if payload.encoding != JSON:
        return None
    try:
        return msgspec.json.format(payload.data, indent=-1).decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
