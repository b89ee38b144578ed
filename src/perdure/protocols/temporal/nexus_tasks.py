"""Attempts of Nexus operations as the answers to polls, and what workers answer as the engine's requests."""

from typing import Any

import msgspec
from google.protobuf import json_format
from temporalio.api.enums.v1 import event_type_pb2, nexus_pb2
from temporalio.api.failure.v1 import message_pb2 as failure_pb
from temporalio.api.nexus.v1 import message_pb2 as nexus
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.operation_tokens import NexusToken
from perdure.engine.operations import OperationTask
from perdure.model.failures import Failure, FailureKind, RetryBehavior
from perdure.model.payloads import Payload
from perdure.model.requests import (
    AcceptOperation,
    CompleteOperation,
    FailOperation,
    FailOperationAttempt,
    OperationCancelDelivered,
    Request,
)
from perdure.protocols.temporal.failures import to_failure
from perdure.protocols.temporal.nexus_links import event_link, from_nexus, nexus_link
from perdure.protocols.temporal.nexus_tokens import INTERNAL_URL, TOKEN_HEADER
from perdure.protocols.temporal.payloads import payload, to_payload
from perdure.protocols.temporal.times import timestamp

SCHEDULED = event_type_pb2.EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED

FAILURE_TYPE = "temporal.api.failure.v1.Failure"
"""What a failure of Nexus says in its metadata if its details are a failure of Temporal's."""

FINAL = frozenset({"BAD_REQUEST", "UNAUTHENTICATED", "UNAUTHORIZED", "NOT_FOUND", "CONFLICT", "NOT_IMPLEMENTED"})
"""What a handler may say that makes another attempt useless, as by the specification of Nexus."""


def nexus_task(task: OperationTask, task_token: bytes, callback_token: str, now: int) -> pb.PollNexusTaskQueueResponse:
    """An attempt. ``now`` is ns since 1970."""
    scheduled, source = task.operation.scheduled, task.source
    answer_ms = int(task.answer_seconds * 1_000)
    given = {name.lower(): value for name, value in (scheduled.nexus_header or {}).items()}
    headers = {**given, "request-timeout": f"{answer_ms}ms"}
    if scheduled.schedule_to_close_timeout_ns:
        left_ns = max(0, scheduled.time + scheduled.schedule_to_close_timeout_ns - now)
        headers["operation-timeout"] = f"{left_ns // 1_000_000}ms"
    request = nexus.Request(
        header=headers,
        scheduled_time=timestamp(scheduled.time),
        endpoint=scheduled.endpoint,
        capabilities=nexus.Request.Capabilities(temporal_failure_responses=True),
    )
    if task.of_cancel:
        request.cancel_operation.CopyFrom(
            nexus.CancelOperationRequest(
                service=scheduled.service,
                operation=scheduled.operation,
                operation_id=task.operation.token,
                operation_token=task.operation.token,
            )
        )
    else:
        link = event_link(source.namespace, source.workflow_id, source.run_id, scheduled.id, SCHEDULED)
        request.start_operation.CopyFrom(
            nexus.StartOperationRequest(
                service=scheduled.service,
                operation=scheduled.operation,
                request_id=scheduled.request_id,
                callback=INTERNAL_URL,
                payload=payload(scheduled.input[0]) if scheduled.input else None,
                callback_header={TOKEN_HEADER: callback_token},
                links=[nexus_link(link)],
            )
        )
    return pb.PollNexusTaskQueueResponse(task_token=task_token, request=request)


def answered(token: NexusToken, response: nexus.Response) -> Request | None:
    """What a worker has come to; None if it says nothing that fits."""
    ref, attempt = token.scheduled_event_id, token.attempt
    if token.of_cancel:
        return OperationCancelDelivered(ref, attempt) if response.HasField("cancel_operation") else None
    started = response.start_operation
    match started.WhichOneof("variant"):
        case "sync_success":
            result = (to_payload(started.sync_success.payload),) if started.sync_success.HasField("payload") else ()
            return CompleteOperation(ref, attempt, result, from_nexus(started.sync_success.links))
        case "async_success":
            name = started.async_success.operation_token or started.async_success.operation_id
            return AcceptOperation(ref, attempt, name, from_nexus(started.async_success.links))
        case "failure":
            failure = to_failure(started.failure)
            return FailOperation(ref, attempt, failure, failure.kind is FailureKind.CANCELED)
        case "operation_error":
            error = started.operation_error
            is_cancelled = error.operation_state == "canceled"
            if is_cancelled:
                given = error.failure
                failure = Failure(given.message, FailureKind.CANCELED, details=_details_of(given))
            else:
                failure = _of_nexus(error.failure)
            return FailOperation(ref, attempt, failure, is_cancelled)
        case _:
            return None


def failed(token: NexusToken, request: pb.RespondNexusTaskFailedRequest) -> Request:
    """Why an attempt came to nothing."""
    if request.HasField("failure"):
        said = to_failure(request.failure)
        if said.kind is not FailureKind.HANDLER:
            said = Failure(said.message, FailureKind.HANDLER, type="INTERNAL", cause=said)
    else:
        error = request.error
        said = Failure(
            error.failure.message,
            FailureKind.HANDLER,
            type=error.error_type,
            retry_behavior=_behavior(error.retry_behavior),
            cause=_of_nexus(error.failure) if error.HasField("failure") else None,
        )
    failure = Failure(
        f"handler error ({said.type}): {said.message}",
        FailureKind.HANDLER,
        type=said.type,
        retry_behavior=said.retry_behavior,
        cause=said if request.HasField("failure") else said.cause,
    )
    return FailOperationAttempt(token.scheduled_event_id, token.attempt, failure, token.of_cancel, _is_final(said))


def _is_final(said: Failure) -> bool:
    if said.retry_behavior is RetryBehavior.UNSPECIFIED:
        return said.type in FINAL
    return said.retry_behavior is RetryBehavior.NON_RETRYABLE


def _behavior(number: int) -> RetryBehavior:
    known = nexus_pb2.NexusHandlerErrorRetryBehavior.values()
    return RetryBehavior(number) if number in known else RetryBehavior.UNSPECIFIED


def _of_nexus(given: nexus.Failure) -> Failure:
    """A failure as Nexus has it: one of Temporal's in its details, or a message with any."""
    if given.metadata.get("type") == FAILURE_TYPE and given.details:
        try:
            message = failure_pb.Failure()
            json_format.Parse(given.details, message, ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            pass
        else:
            if not message.message:
                message.message = given.message
            return to_failure(message)
    cause = _of_nexus(given.cause) if given.HasField("cause") else None
    return Failure(
        given.message,
        type="NexusFailure",
        details=_details_of(given),
        cause=cause,
        stack_trace=given.stack_trace,
        non_retryable=True,
    )


def _details_of(given: nexus.Failure) -> tuple[Payload, ...]:
    """What a failure in Nexus's form says besides its message, in that form; nothing if that is all."""
    if not given.metadata and not given.details:
        return ()
    said: dict[str, Any] = {"message": ""}
    if given.metadata:
        said["metadata"] = dict(given.metadata)
    if given.details:
        try:
            said["details"] = msgspec.json.decode(given.details)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said["details"] = given.details.decode(errors="replace")
    return (Payload(msgspec.json.encode(said)),)
