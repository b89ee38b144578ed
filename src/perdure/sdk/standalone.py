"""The program of a standalone activity's run, or operation's: it asks for the one, and ends as it does.

Its state follows from the run's own events, so there is nothing to save and nothing to run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model import standalone_operation as operations
from perdure.model.failures import Failure
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import TurnCompleted, TurnFailed
from perdure.model.standalone import TASK_QUEUE, order_of
from perdure.sdk.languages import OwnQueue

DELAY = "start-delay"
"""The timer of an activity that is to start later."""

End = e.ActivityTaskCompleted | e.ActivityTaskFailed | e.ActivityTaskTimedOut | e.ActivityTaskCanceled


@dataclass(frozen=True)
class Kind:
    """What stands alone.

    Args:
        name: what people call it.
        scheduled, asked, ends: the events that say that it is asked for, that it is to stop, and how it ended.
        delay_ns: how long to wait first, by the run's first event.
        begin: the command that asks for it; a failure where the input is none.
        stop: the command that asks it to stop, given the event that it was asked for with.
        close: the run's last command, by its last event.
    """

    name: str
    scheduled: type[e.Event]
    asked: type[e.Event]
    ends: tuple[type[e.Event], ...]
    delay_ns: Callable[[e.WorkflowExecutionStarted], int]
    begin: Callable[[e.WorkflowExecutionStarted], c.AnyCommand]
    stop: Callable[[int], c.AnyCommand]
    close: Callable[[Any], c.AnyCommand]


class StandaloneProgram:
    """One run between turns. Implements ``model.program.Program``.

    Args:
        kind: what it asks for.
        started: its first event.
    """

    def __init__(self, kind: Kind, started: e.WorkflowExecutionStarted) -> None:
        self._kind = kind
        self._started = started
        self._scheduled_event_id = 0
        self._is_delayed = False
        self._is_due = False
        self._is_cancelled = False
        self._has_asked = False
        self._end: e.Event | None = None

    def turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted:
        """As ``Program.turn``."""
        self._hear(events)
        refusal = Failure(f"a standalone {self._kind.name} takes no updates", type="NotSupported", source="perdure")
        refused = [c.RejectUpdate(update.update_id, refusal) for update in updates]
        return TurnCompleted([*refused, *self._next()])

    def catch_up(self, events: Sequence[e.Event]) -> TurnFailed | None:
        """As ``Program.catch_up``."""
        self._hear(events)
        return None

    def query(self, name: str, input: Payloads, header: PayloadMap | None = None) -> Payloads | Failure:
        """As ``Program.query``: there is nothing to ask."""
        return Failure(f"a standalone {self._kind.name} has no query {name!r}", type="QueryNotFound", source="perdure")

    def close(self) -> None:
        """As ``Program.close``: there is nothing to let go of."""

    def _hear(self, events: Sequence[e.Event]) -> None:
        kind = self._kind
        for event in events:
            match event:
                case e.TimerStarted():
                    self._is_delayed = True
                case e.TimerFired():
                    self._is_due = True
                case e.WorkflowExecutionCancelRequested():
                    self._is_cancelled = True
                case _ if event.__class__ is kind.scheduled:
                    self._scheduled_event_id = event.id
                case _ if event.__class__ is kind.asked:
                    self._has_asked = True
                case _ if event.__class__ in kind.ends:
                    self._end = event
                case _:
                    pass

    def _next(self) -> list[c.AnyCommand]:
        kind = self._kind
        if self._end is not None:
            return [kind.close(self._end)]
        if not self._scheduled_event_id:
            return [c.CancelWorkflowExecution()] if self._is_cancelled else self._begin()
        if self._is_cancelled and not self._has_asked:
            return [kind.stop(self._scheduled_event_id)]
        return []

    def _begin(self) -> list[c.AnyCommand]:
        delay_ns = self._kind.delay_ns(self._started)
        if delay_ns and not self._is_due:
            return [] if self._is_delayed else [c.StartTimer(DELAY, delay_ns)]
        return [self._kind.begin(self._started)]


def _wrong(what: str) -> c.AnyCommand:
    message = f"the run's first input does not say how {what}"
    return c.FailWorkflowExecution(Failure(message, type="InvalidArgument", non_retryable=True))


# --- an activity


def _begin_activity(started: e.WorkflowExecutionStarted) -> c.AnyCommand:
    order = order_of(started.input)
    if order is None:
        return _wrong("the activity is to be scheduled")
    return c.ScheduleActivityTask(
        order.activity_id,
        started.workflow_type,
        order.task_queue,
        started.input[1:],
        order.schedule_to_close_timeout_ns,
        order.schedule_to_start_timeout_ns,
        order.start_to_close_timeout_ns,
        order.heartbeat_timeout_ns,
        order.retry_policy,
        started.header,
        limit_key=order.limit_key,
        breaker=order.breaker,
        affinity=order.affinity,
    )


def _delay_of(started: e.WorkflowExecutionStarted) -> int:
    order = order_of(started.input)
    return 0 if order is None else order.start_delay_ns


def _closing(end: End) -> c.AnyCommand:
    match end:
        case e.ActivityTaskCompleted():
            return c.CompleteWorkflowExecution(end.result)
        case e.ActivityTaskFailed():
            return c.FailWorkflowExecution(end.failure)
        case e.ActivityTaskTimedOut():
            return c.TimeOutWorkflowExecution(end.retry_state)
        case e.ActivityTaskCanceled():
            return c.CancelWorkflowExecution(end.details)


ACTIVITY = Kind(
    "activity",
    e.ActivityTaskScheduled,
    e.ActivityTaskCancelRequested,
    (e.ActivityTaskCompleted, e.ActivityTaskFailed, e.ActivityTaskTimedOut, e.ActivityTaskCanceled),
    _delay_of,
    _begin_activity,
    c.RequestCancelActivityTask,
    _closing,
)


# --- an operation


def _begin_operation(started: e.WorkflowExecutionStarted) -> c.AnyCommand:
    order = operations.order_of(started.input)
    if order is None:
        return _wrong("the operation is to be asked for")
    return c.ScheduleNexusOperation(
        order.endpoint,
        order.service,
        order.operation,
        "",
        order.task_queue,
        started.input[1:],
        order.schedule_to_close_timeout_ns,
        order.schedule_to_start_timeout_ns,
        order.start_to_close_timeout_ns,
        order.headers,
    )


def _closing_operation(end: Any) -> c.AnyCommand:
    if end.__class__ is e.NexusOperationCompleted:
        return c.CompleteWorkflowExecution(end.result)
    if end.__class__ is e.NexusOperationTimedOut:
        return c.TimeOutWorkflowExecution()
    failure = end.failure.cause or end.failure
    if end.__class__ is e.NexusOperationCanceled:
        return c.CancelWorkflowExecution(failure.details)
    return c.FailWorkflowExecution(failure)


OPERATION = Kind(
    "operation",
    e.NexusOperationScheduled,
    e.NexusOperationCancelRequested,
    (e.NexusOperationCompleted, e.NexusOperationFailed, e.NexusOperationTimedOut, e.NexusOperationCanceled),
    lambda _: 0,
    _begin_operation,
    c.RequestCancelNexusOperation,
    _closing_operation,
)


def standalone_queues() -> list[OwnQueue]:
    """Their task queues, for the engine's own worker."""
    return [
        OwnQueue(TASK_QUEUE, lambda _, started: StandaloneProgram(ACTIVITY, started)),
        OwnQueue(operations.TASK_QUEUE, lambda _, started: StandaloneProgram(OPERATION, started)),
    ]
