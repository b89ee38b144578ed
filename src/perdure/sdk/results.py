"""How a run's last event becomes the result of a call, or its error."""

from typing import Any

from perdure.model import events as e
from perdure.model.errors import CancelledError, TerminatedError, TimeoutError, WorkflowFailedError
from perdure.model.failures import TimeoutType
from perdure.model.options import RunStatus
from perdure.sdk.converter import Converter
from perdure.sdk.failures import from_failure

_HOW = {
    RunStatus.FAILED: "failed",
    RunStatus.TIMED_OUT: "timed out",
    RunStatus.CANCELED: "was cancelled",
    RunStatus.TERMINATED: "was terminated",
    RunStatus.CONTINUED_AS_NEW: "went on in another run, which is gone",
}

_TOO_LONG = "it took longer than its execution timeout or run timeout"


def result_of(workflow_id: str, run_id: str, closing: e.Event, return_type: Any, converter: Converter) -> Any:
    """The result of a completed run.

    Raises:
        WorkflowFailedError: it ended in another way.
        InvalidArgumentError: the result does not fit the type.
    """
    if isinstance(closing, e.WorkflowExecutionCompleted):
        return converter.from_payload(closing.result[0], return_type) if closing.result else None
    status, cause = _failure_of(closing, converter)
    message = f"workflow {workflow_id!r} {_HOW[status]}"
    if cause is not None and str(cause):
        message += f": {cause}"
    raise WorkflowFailedError(message, status, workflow_id, run_id) from cause


def _failure_of(closing: e.Event, converter: Converter) -> tuple[RunStatus, BaseException | None]:
    match closing:
        case e.WorkflowExecutionFailed():
            return RunStatus.FAILED, from_failure(closing.failure, converter)
        case e.WorkflowExecutionTimedOut():
            return RunStatus.TIMED_OUT, TimeoutError(_TOO_LONG, timeout_type=TimeoutType.START_TO_CLOSE)
        case e.WorkflowExecutionCanceled():
            return RunStatus.CANCELED, CancelledError("", *converter.from_payloads(closing.details))
        case e.WorkflowExecutionTerminated():
            return RunStatus.TERMINATED, TerminatedError(closing.reason)
        case e.WorkflowExecutionContinuedAsNew():
            return RunStatus.CONTINUED_AS_NEW, None
        case _:
            raise AssertionError(f"{type(closing).__name__} does not close a run")
