"""Timers."""

from perdure.model.events.record import Record
from perdure.model.payloads import UserMetadata


class TimerStarted(Record, frozen=True, array_like=True, gc=False, tag=17):
    """The program asked to be woken."""

    timer_id: str
    start_to_fire_timeout_ns: int
    workflow_task_completed_event_id: int = 0
    user_metadata: UserMetadata | None = None


class TimerFired(Record, frozen=True, array_like=True, gc=False, tag=18):
    """The time has come."""

    timer_id: str
    started_event_id: int


class TimerCanceled(Record, frozen=True, array_like=True, gc=False, tag=19):
    """The program no longer wants to be woken."""

    timer_id: str
    started_event_id: int
    workflow_task_completed_event_id: int = 0
