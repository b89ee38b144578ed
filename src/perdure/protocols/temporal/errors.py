"""Refusals, with the status codes, messages and details that Temporal's SDKs go by."""

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.errordetails.v1 import message_pb2 as details

from perdure.model.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    PerdureError,
    PermissionDeniedError,
    QueryFailedError,
    RunClosedError,
    StoreError,
    UnauthenticatedError,
    UnavailableError,
)
from perdure.model.failures import NO_WORKER
from perdure.protocols.temporal.failures import failure

Code = grpc.StatusCode

DETAILS = "grpc-status-details-bin"


class Refused(Exception):
    """A call ends with this status."""

    def __init__(self, code: grpc.StatusCode, message: str, detail: Message | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail

    @classmethod
    def invalid(cls, message: str) -> "Refused":
        """The caller's fault."""
        return cls(Code.INVALID_ARGUMENT, message)

    @classmethod
    def not_found(cls, message: str) -> "Refused":
        """There is no such thing, or no more."""
        return cls(Code.NOT_FOUND, message, details.NotFoundFailure())

    @property
    def trailer(self) -> tuple[tuple[str, bytes], ...]:
        """The status with its detail, as gRPC's libraries look for it."""
        if self.detail is None:
            return ()
        wrapped = AnyMessage()
        wrapped.Pack(self.detail)
        status = Status(code=self.code.value[0], message=self.message, details=[wrapped])
        return ((DETAILS, status.SerializeToString()),)


def refused(error: PerdureError) -> Refused:
    """An error as a status."""
    message = str(error)
    match error:
        case AlreadyExistsError():
            return Refused(
                Code.ALREADY_EXISTS, message, details.WorkflowExecutionAlreadyStartedFailure(run_id=error.run_id)
            )
        case RunClosedError():
            return Refused.not_found("workflow execution already completed")
        case NotFoundError():
            return Refused.not_found(message)
        case UnauthenticatedError():
            return Refused(Code.UNAUTHENTICATED, message)
        case PermissionDeniedError():
            return Refused(Code.PERMISSION_DENIED, message, details.PermissionDeniedFailure(reason=message))
        case LimitExceededError():
            if error.limit:
                # What is too large stays so: SDKs would try again and again to send what is merely too much just now.
                return Refused.invalid(message)
            return Refused(Code.RESOURCE_EXHAUSTED, message, details.ResourceExhaustedFailure())
        case QueryFailedError():
            return _query_failed(error)
        case InvalidArgumentError():
            return Refused.invalid(message)
        case StoreError() | UnavailableError():
            return Refused(Code.UNAVAILABLE, message)
        case _:
            return Refused(Code.INTERNAL, message)


def _query_failed(error: QueryFailedError) -> Refused:
    known = error.failure
    if known is None:
        return Refused(Code.INVALID_ARGUMENT, str(error), details.QueryFailedFailure())
    if known.type == NO_WORKER:
        return Refused(Code.FAILED_PRECONDITION, "no poller seen for task queue recently, worker may be down")
    return Refused(Code.INVALID_ARGUMENT, known.message, details.QueryFailedFailure(failure=failure(known)))
