"""Exceptions to failures and back: how an error crosses the engine, with its causes.

A failure made from an exception and turned back into one has the same kind, type, message, details and causes. User
exceptions come back as ``ApplicationError`` whose ``type`` is the name of their class: the side that reads them may
not have that class.
"""

import asyncio
import os
import traceback
from types import TracebackType
from typing import Any

import msgspec

from perdure.model import errors
from perdure.model.failures import FailedOperation, Failure, FailureKind
from perdure.model.payloads import Payload, Payloads
from perdure.sdk.converter import Converter

SOURCE = "perdure-python"

MAX_CAUSES = 20
"""Causes beyond this depth are left out."""

MAX_STACK_CHARACTERS = 16_000
"""Longer stack traces lose their middle."""

SEALED_MESSAGE = "Encoded failure"
_SEALED = "perdure-sealed-failure"

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PLUMBING = tuple(
    os.path.dirname(os.path.abspath(file)) + os.sep
    for file in (asyncio.__file__, __import__("concurrent.futures").__file__)
    if file
)


class _Sealed(msgspec.Struct, array_like=True):
    """What a codec must hide of a failure."""

    message: str
    stack_trace: str


# --- out


def to_failure(error: BaseException, converter: Converter, *, final_types: tuple[str, ...] = ()) -> Failure:
    """An exception as data, with its causes.

    Args:
        error: what was raised.
        converter: converts the details of ``ApplicationError`` and ``CancelledError``.
        final_types: names of exception classes; an exception of one of them, or of a subclass, becomes non-retryable.
    """
    failure = _to_failure(error, converter, MAX_CAUSES)
    is_final = bool(final_types) and any(base.__name__ in final_types for base in type(error).__mro__)
    if is_final and failure.kind is FailureKind.APPLICATION:
        return msgspec.structs.replace(failure, non_retryable=True)
    return failure


def _to_failure(error: BaseException, converter: Converter, depth: int) -> Failure:
    message = _message(error)
    stack_trace = _stack_trace(error)
    details: Payloads = ()
    if isinstance(error, errors.FailureError):
        message, stack_trace = error.message, error.stack_trace or stack_trace
    if isinstance(error, (errors.ApplicationError, errors.CancelledError)):
        details, lost = _details(error.details, converter)
        message += lost
    if converter.encode_failures:
        sealed = converter.to_payload(msgspec.to_builtins(_Sealed(message, stack_trace)))
        details = (msgspec.structs.replace(sealed, metadata={**(sealed.metadata or {}), _SEALED: b"1"}), *details)
        message, stack_trace = SEALED_MESSAGE, ""
    cause = _cause_of(error)
    failure = Failure(
        message,
        FailureKind.APPLICATION,
        type=type(error).__name__,
        details=details,
        cause=_to_failure(cause, converter, depth - 1) if cause is not None and depth > 1 else None,
        stack_trace=stack_trace,
        source=SOURCE,
    )
    particulars = _particulars(error, converter)
    return msgspec.structs.replace(failure, **particulars) if particulars else failure


def _particulars(error: BaseException, converter: Converter) -> dict[str, Any]:
    """The fields that only this kind of failure has."""
    match error:
        case errors.ApplicationError():
            delay = error.next_retry_delay
            return {
                "type": error.type,
                "non_retryable": error.non_retryable,
                "next_retry_delay_ns": -1 if delay is None else int(delay * 1e9),
            }
        case errors.TimeoutError():
            last = error.last_heartbeat_details
            return {
                "kind": FailureKind.TIMEOUT,
                "type": "",
                "timeout_type": error.timeout_type,
                "details": () if last is None else _details((last,), converter)[0],
            }
        case errors.CancelledError() | asyncio.CancelledError():
            return {"kind": FailureKind.CANCELED, "type": ""}
        case errors.TerminatedError():
            return {"kind": FailureKind.TERMINATED, "type": ""}
        case errors.ServerError():
            return {"kind": FailureKind.SERVER, "type": ""}
        case errors.ActivityError():
            return {
                "kind": FailureKind.ACTIVITY,
                "type": "",
                "retry_state": error.retry_state,
                "activity_id": error.activity_id,
                "activity_type": error.activity_type,
                "scheduled_event_id": error.scheduled_event_id,
                "started_event_id": error.started_event_id,
                "identity": error.identity,
            }
        case errors.ChildWorkflowError():
            return {
                "kind": FailureKind.CHILD_WORKFLOW,
                "type": "",
                "retry_state": error.retry_state,
                "workflow_type": error.workflow_type,
                "workflow_id": error.workflow_id,
                "run_id": error.run_id,
            }
        case errors.OperationError():
            named = FailedOperation(error.endpoint, error.service, error.operation, error.token)
            return {"kind": FailureKind.OPERATION, "type": "", "operation": named}
        case _:
            return {}


def _message(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return str(error) or "cancelled"
    try:
        return str(error)
    except Exception as broken:
        return f"{type(error).__name__} (its message cannot be shown: {type(broken).__name__})"


def _details(values: tuple[Any, ...], converter: Converter) -> tuple[Payloads, str]:
    """The payloads of details. A failure must always get through, so what cannot be converted is only described."""
    try:
        return converter.to_payloads(values), ""
    except errors.PerdureError as error:
        return (), f" (its details are lost: {error})"


def _cause_of(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        # The message of a group names the number of its members; the first one is as good a cause as any.
        return error.exceptions[0]
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _stack_trace(error: BaseException) -> str:
    """The frames of the error itself, without its causes, its message and our own plumbing."""
    if error.__traceback__ is None:
        return _notes(error)
    text = "".join(traceback.StackSummary.from_list(_user_frames(error.__traceback__)).format()) + _notes(error)
    if len(text) > MAX_STACK_CHARACTERS:
        half = MAX_STACK_CHARACTERS // 2
        text = f"{text[:half]}\n  ... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"
    return text


def _user_frames(trace: TracebackType) -> list[traceback.FrameSummary]:
    frames = list(traceback.extract_tb(trace))
    users = [frame for frame in frames if not frame.filename.startswith((_OURS, *_PLUMBING))]
    # An error raised by the plumbing itself would otherwise have no trace at all.
    return users or frames


def _notes(error: BaseException) -> str:
    return "".join(f"{note}\n" for note in getattr(error, "__notes__", ()))


# --- in


def from_failure(failure: Failure, converter: Converter) -> BaseException:
    """The exception that a failure stands for; its causes are on ``__cause__``.

    Returns:
        ``ApplicationError``, ``TimeoutError``, ``CancelledError``, ``TerminatedError``, ``ServerError``,
        ``ActivityError``, ``ChildWorkflowError`` or ``OperationError`` of ``perdure``.
    """
    message, stack_trace, payloads = _unseal(failure, converter)
    error = _from_failure(failure, message, payloads, converter)
    error.stack_trace = stack_trace
    if failure.cause is not None:
        error.__cause__ = from_failure(failure.cause, converter)
    return error


def _from_failure(failure: Failure, message: str, payloads: Payloads, converter: Converter) -> errors.FailureError:
    match failure.kind:
        case FailureKind.TIMEOUT:
            details = _values(payloads, converter)
            return errors.TimeoutError(
                message, timeout_type=failure.timeout_type, last_heartbeat_details=details[0] if details else None
            )
        case FailureKind.CANCELED:
            return errors.CancelledError(message, *_values(payloads, converter))
        case FailureKind.TERMINATED:
            return errors.TerminatedError(message)
        case FailureKind.SERVER:
            return errors.ServerError(message)
        case FailureKind.ACTIVITY:
            return errors.ActivityError(
                message,
                activity_type=failure.activity_type,
                activity_id=failure.activity_id,
                scheduled_event_id=failure.scheduled_event_id,
                started_event_id=failure.started_event_id,
                identity=failure.identity,
                retry_state=failure.retry_state,
            )
        case FailureKind.CHILD_WORKFLOW:
            return errors.ChildWorkflowError(
                message,
                workflow_type=failure.workflow_type,
                workflow_id=failure.workflow_id,
                run_id=failure.run_id,
                retry_state=failure.retry_state,
            )
        case FailureKind.OPERATION:
            named = failure.operation or FailedOperation("", "", "")
            return errors.OperationError(
                message,
                endpoint=named.endpoint,
                service=named.service,
                operation=named.operation,
                token=named.token,
            )
        case FailureKind.APPLICATION | FailureKind.HANDLER:
            return errors.ApplicationError(
                message,
                *_values(payloads, converter),
                type=failure.type,
                non_retryable=failure.non_retryable,
                next_retry_delay=None if failure.next_retry_delay_ns < 0 else failure.next_retry_delay_ns / 1e9,
            )


def _values(payloads: Payloads, converter: Converter) -> list[Any]:
    """Details, as far as they can be read: an error must not be hidden by an error about it."""
    try:
        return converter.from_payloads(payloads)
    except errors.InvalidArgumentError as error:
        return [f"<details that cannot be read: {error}>"] if payloads else []


def _unseal(failure: Failure, converter: Converter) -> tuple[str, str, Payloads]:
    """Message, stack trace and details as they were before the codecs."""
    details = failure.details
    if not details or not details[0].metadata or _SEALED not in details[0].metadata:
        return failure.message, failure.stack_trace, details
    first = details[0]
    metadata = {name: value for name, value in (first.metadata or {}).items() if name != _SEALED}
    try:
        parts = converter.from_payload(Payload(first.data, first.encoding, metadata or None))
        sealed = msgspec.convert(parts, _Sealed)
    except (errors.InvalidArgumentError, msgspec.ValidationError):
        return failure.message, failure.stack_trace, details[1:]
    return sealed.message, sealed.stack_trace, details[1:]
