"""The program of a standalone activity's run: it schedules the one activity, and ends as it does.

Its state follows from the run's own events, so there is nothing to save and nothing to run again.
"""

from collections.abc import Sequence

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import TurnCompleted, TurnFailed
from perdure.model.standalone import TASK_QUEUE, order_of
from perdure.sdk.languages import OwnQueue

DELAY = "start-delay"
"""The timer of an activity that is to start later."""

End = e.ActivityTaskCompleted | e.ActivityTaskFailed | e.ActivityTaskTimedOut | e.ActivityTaskCanceled


class StandaloneProgram:
    """One run between turns. Implements ``model.program.Program``.

    Args:
        address: which run it is.
        started: its first event.
    """

    def __init__(self, address: RunAddress, started: e.WorkflowExecutionStarted) -> None:
        self._started = started
        self._scheduled_event_id = 0
        self._is_delayed = False
        self._is_due = False
        self._is_cancelled = False
        self._has_asked = False
        self._end: End | None = None

    def turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted:
        """As ``Program.turn``."""
        self._hear(events)
        refusal = Failure("a standalone activity takes no updates", type="NotSupported", source="perdure")
        refused = [c.RejectUpdate(update.update_id, refusal) for update in updates]
        return TurnCompleted([*refused, *self._next()])

    def catch_up(self, events: Sequence[e.Event]) -> TurnFailed | None:
        """As ``Program.catch_up``."""
        self._hear(events)
        return None

    def query(self, name: str, input: Payloads, header: PayloadMap | None = None) -> Payloads | Failure:
        """As ``Program.query``: there is nothing to ask."""
        return Failure(f"a standalone activity has no query {name!r}", type="QueryNotFound", source="perdure")

    def close(self) -> None:
        """As ``Program.close``: there is nothing to let go of."""

    def _hear(self, events: Sequence[e.Event]) -> None:
        for event in events:
            match event:
                case e.ActivityTaskScheduled():
                    self._scheduled_event_id = event.id
                case e.TimerStarted():
                    self._is_delayed = True
                case e.TimerFired():
                    self._is_due = True
                case e.WorkflowExecutionCancelRequested():
                    self._is_cancelled = True
                case e.ActivityTaskCancelRequested():
                    self._has_asked = True
                case (
                    e.ActivityTaskCompleted()
                    | e.ActivityTaskFailed()
                    | e.ActivityTaskTimedOut()
                    | e.ActivityTaskCanceled()
                ):
                    self._end = event
                case _:
                    pass

    def _next(self) -> list[c.AnyCommand]:
        if self._end is not None:
            return [_closing(self._end)]
        if not self._scheduled_event_id:
            return [c.CancelWorkflowExecution()] if self._is_cancelled else self._begin()
        if self._is_cancelled and not self._has_asked:
            return [c.RequestCancelActivityTask(self._scheduled_event_id)]
        return []

    def _begin(self) -> list[c.AnyCommand]:
        started = self._started
        order = order_of(started.input)
        if order is None:
            message = "the run's first input does not say how the activity is to be scheduled"
            return [c.FailWorkflowExecution(Failure(message, type="InvalidArgument", non_retryable=True))]
        if order.start_delay_ns and not self._is_due:
            return [] if self._is_delayed else [c.StartTimer(DELAY, order.start_delay_ns)]
        return [
            c.ScheduleActivityTask(
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
        ]


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


def standalone_queue() -> OwnQueue:
    """The task queue, for the engine's own worker."""
    return OwnQueue(TASK_QUEUE, StandaloneProgram)
