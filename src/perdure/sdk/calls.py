"""Waiting for the outside world: activities, child workflows, messages to other runs.

Each is a coroutine that adds a command, waits for the event that answers it, and turns that into a value or an
exception.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
)
from perdure.model.failures import RetryState, TimeoutType
from perdure.model.ids import DetachedStart, RunAddress
from perdure.model.options import CancellationType
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests import StartWorkflow
from perdure.sdk.definitions import ActivityDefinition, ActivityOptions, ChildOptions, WorkflowDefinition
from perdure.sdk.failures import from_failure
from perdure.sdk.run import OVER, UNSENT, Pending, Run

# --- activities


async def run_activity(run: Run, definition: ActivityDefinition, options: ActivityOptions, args: Sequence[Any]) -> Any:
    """Schedule an activity and wait for its result.

    Raises ``ActivityError`` when it failed for good, ``asyncio.CancelledError`` when the waiting task was cancelled.
    """
    future: asyncio.Future[Any] = asyncio.Future(loop=run.loop)
    pending = Pending(future)
    activity_id = run.next_id()
    command = c.ScheduleActivityTask(
        activity_id,
        definition.name,
        options.task_queue or "",
        run.converter.to_payloads(args),
        options.schedule_to_close_ns,
        options.schedule_to_start_ns,
        options.start_to_close_ns,
        options.heartbeat_ns,
        options.retry_policy,
        run.header,
        options.priority,
        options.limit_key,
        options.breaker,
        options.affinity,
    )
    run.add(command, pending)
    try:
        event = await future
    except asyncio.CancelledError:
        event = await _cancel_activity(run, pending, options.cancellation)
        if event is None or event.__class__ is e.ActivityTaskCanceled:
            raise
    if event.__class__ is e.ActivityTaskCompleted:
        result = event.result
        return run.converter.from_payload(result[0], definition.return_type) if result else None
    raise _activity_error(run, definition, activity_id, event)


async def _cancel_activity(run: Run, pending: Pending, cancellation: CancellationType) -> e.Event | None:
    """Nobody wants the result any more. The activity's end, where that is to be waited for."""
    if pending.event_id == UNSENT:
        run.withdraw(pending)
    elif pending.event_id != OVER and cancellation is not CancellationType.ABANDON:
        run.add(c.RequestCancelActivityTask(pending.event_id))
        if cancellation is CancellationType.WAIT_CANCELLATION_COMPLETED:
            return await _settled(run, pending)
    return None


async def _settled(run: Run, pending: Pending) -> e.Event:
    """What becomes of something whose cancellation was asked for. Further cancellations change nothing."""
    while True:
        pending.future = run.loop.create_future()
        try:
            event: e.Event = await pending.future
            return event
        except asyncio.CancelledError:
            if pending.event_id == OVER:
                raise


def _activity_error(run: Run, definition: ActivityDefinition, activity_id: str, event: Any) -> ActivityError:
    """The error for an activity's last event, which is any but ``ActivityTaskCompleted``."""
    cause: BaseException
    if isinstance(event, e.ActivityTaskCanceled):
        cause = CancelledError("the activity was cancelled", *run.converter.from_payloads(event.details))
    else:
        cause = from_failure(event.failure, run.converter)
    error = ActivityError(
        f"activity {definition.name!r} failed: {cause}",
        activity_type=definition.name,
        activity_id=activity_id,
        scheduled_event_id=event.scheduled_event_id,
        started_event_id=event.started_event_id,
        identity=getattr(event, "identity", ""),
        retry_state=getattr(event, "retry_state", RetryState.CANCEL_REQUESTED),
    )
    error.__cause__ = cause
    return error


# --- child workflows


class PendingChild(msgspec.Struct):
    """A child that was asked for. ``started`` resolves with its run id, ``ended`` with its last event.

    A child that could not start has ``StartChildWorkflowExecutionFailed`` for a last event.
    """

    workflow_id: str
    namespace: str
    started: asyncio.Future[Any]
    ended: asyncio.Future[Any]
    event_id: int = UNSENT
    run_id: str = ""

    @property
    def address(self) -> RunAddress:
        """The child's run, as far as it is known."""
        return RunAddress(self.namespace, self.workflow_id, self.run_id)

    def settle(self, event: e.Event) -> None:
        """The child has ended, or could not start."""
        self.event_id = OVER
        for future in (self.started, self.ended):
            if not future.done():
                future.set_result(event)


def ask_for_child(run: Run, definition: WorkflowDefinition, options: ChildOptions, args: Sequence[Any]) -> PendingChild:
    """Add the command that starts a child."""
    own, converter = definition.options, run.converter
    pending = PendingChild(
        options.id or f"{run.seed}_{run.next_id()}",
        options.namespace,
        run.loop.create_future(),
        run.loop.create_future(),
    )
    run.add(
        c.StartChildWorkflowExecution(
            pending.workflow_id,
            definition.name,
            options.task_queue or own.task_queue or "",
            options.namespace,
            converter.to_payloads(args),
            options.execution_timeout_ns or own.execution_timeout_ns,
            options.run_timeout_ns or own.run_timeout_ns,
            options.task_timeout_ns or own.task_timeout_ns,
            options.parent_close,
            options.id_reuse,
            options.retry_policy or own.retry_policy,
            converter.to_payload_map(options.memo),
            converter.to_search_attributes(options.search_attributes),
            run.header,
            affinity=options.affinity or own.affinity,
        ),
        pending,
    )
    return pending


def detached_start(namespace: str, request: StartWorkflow, closed_signal: str) -> c.StartChildWorkflowExecution:
    """The command that starts a run that is nobody's child. The same request again starts nothing more.

    Of the request, its signal, update and delay are left out, and all that only the engine may set. ``closed_signal`` is
    how this workflow hears of the run's end, empty if it does not.
    """
    return c.StartChildWorkflowExecution(
        request.workflow_id,
        request.workflow_type,
        request.task_queue,
        namespace,
        request.input,
        request.execution_timeout_ns,
        request.run_timeout_ns,
        request.task_timeout_ns,
        workflow_id_reuse_policy=request.id_reuse,
        retry_policy=request.retry_policy,
        memo=request.memo,
        search_attributes=request.search_attributes,
        header=request.header,
        detached=DetachedStart(request.request_id, request.identity, closed_signal),
        affinity=request.affinity,
    )


async def start_detached(
    run: Run, namespace: str, request: StartWorkflow, closed_signal: str
) -> e.ChildWorkflowExecutionStarted | e.StartChildWorkflowExecutionFailed:
    """Start a run by ``detached_start``, and wait for what comes of that."""
    started: asyncio.Future[Any] = run.loop.create_future()
    pending = PendingChild(request.workflow_id, namespace, started, started)
    run.add(detached_start(namespace, request, closed_signal), pending)
    event: e.ChildWorkflowExecutionStarted | e.StartChildWorkflowExecutionFailed = await started
    run.pending.pop(event.initiated_event_id, None)
    return event


async def child_started(run: Run, pending: PendingChild, cancellation: CancellationType) -> None:
    """Wait until a child has started. Raises ``ChildWorkflowError`` when it cannot."""
    try:
        event = await asyncio.shield(pending.started)
    except asyncio.CancelledError:
        await _cancel_child(run, pending, cancellation)
        raise
    if event.__class__ is e.StartChildWorkflowExecutionFailed:
        raise child_error(run, event)


async def child_result(
    run: Run, definition: WorkflowDefinition, pending: PendingChild, cancellation: CancellationType
) -> Any:
    """Wait for a child's result. Raises ``ChildWorkflowError`` when there is none."""
    try:
        event = await asyncio.shield(pending.ended)
    except asyncio.CancelledError:
        event = await _cancel_child(run, pending, cancellation)
        if event is None or event.__class__ is e.ChildWorkflowExecutionCanceled:
            raise
    if event.__class__ is e.ChildWorkflowExecutionCompleted:
        result = event.result
        return run.converter.from_payload(result[0], definition.return_type) if result else None
    raise child_error(run, event)


async def _cancel_child(run: Run, pending: PendingChild, cancellation: CancellationType) -> e.Event | None:
    """Nobody waits for the child any more. Its end, where that is to be waited for."""
    if pending.event_id == UNSENT:
        run.withdraw(pending)
    elif pending.event_id != OVER and cancellation is not CancellationType.ABANDON:
        request_child_cancellation(run, pending)
        if cancellation is CancellationType.WAIT_CANCELLATION_COMPLETED:
            while not pending.ended.done():
                try:
                    await asyncio.shield(pending.ended)
                except asyncio.CancelledError:
                    if pending.event_id == OVER:
                        raise
            event: e.Event = pending.ended.result()
            return event
    return None


def request_child_cancellation(run: Run, pending: PendingChild, reason: str = "") -> None:
    """Ask a child to stop."""
    run.add(c.RequestCancelExternalWorkflowExecution(pending.address, child_workflow_only=True, reason=reason))


def child_error(run: Run, event: Any) -> ChildWorkflowError:
    """The error for a child's last event, which is any but ``ChildWorkflowExecutionCompleted``."""
    name = f"child workflow {event.workflow_type!r} ({event.workflow_id})"
    cause: BaseException
    match event:
        case e.StartChildWorkflowExecutionFailed():
            message = f"{name} could not start: {event.message or event.cause}"
            cause = ApplicationError(message, type=event.cause, non_retryable=True)
        case e.ChildWorkflowExecutionFailed():
            cause = from_failure(event.failure, run.converter)
            message = f"{name} failed: {cause}"
        case e.ChildWorkflowExecutionTimedOut():
            cause = TimeoutError("the run took too long", timeout_type=TimeoutType.START_TO_CLOSE)
            message = f"{name} timed out"
        case e.ChildWorkflowExecutionTerminated():
            cause = TerminatedError("the run was terminated")
            message = f"{name} was terminated"
        case _:
            cause = CancelledError("the run was cancelled", *run.converter.from_payloads(event.details))
            message = f"{name} was cancelled"
    error = ChildWorkflowError(
        message,
        workflow_type=event.workflow_type,
        workflow_id=event.workflow_id,
        run_id=getattr(event, "run_id", ""),
        retry_state=getattr(event, "retry_state", RetryState.UNSPECIFIED),
    )
    error.__cause__ = cause
    return error


# --- other runs


async def signal_run(
    run: Run, address: RunAddress, name: str, input: Payloads, *, child_only: bool, header: PayloadMap | None = None
) -> None:
    """Send a signal and wait until it is recorded there. Raises ``ApplicationError`` when it cannot be delivered."""
    command = c.SignalExternalWorkflowExecution(address, name, input, child_only, header or run.header)
    await _delivered(run, command, f"signal {name!r} to workflow {address.workflow_id!r}")


async def cancel_run(run: Run, address: RunAddress, reason: str, *, child_only: bool) -> None:
    """Ask another run to stop, and wait until the request is recorded there. Raises as ``signal_run`` does."""
    command = c.RequestCancelExternalWorkflowExecution(address, child_only, reason)
    await _delivered(run, command, f"the request to cancel workflow {address.workflow_id!r}")


async def _delivered(run: Run, command: c.AnyCommand, what: str) -> None:
    pending = Pending(run.loop.create_future())
    run.add(command, pending)
    try:
        event = await pending.future
    except asyncio.CancelledError:
        # What was sent cannot be called back; what was not sent need not go.
        if pending.event_id == UNSENT:
            run.withdraw(pending)
        raise
    if isinstance(event, (e.SignalExternalWorkflowExecutionFailed, e.RequestCancelExternalWorkflowExecutionFailed)):
        raise ApplicationError(f"{what} could not be delivered: {event.cause}", type=event.cause)
