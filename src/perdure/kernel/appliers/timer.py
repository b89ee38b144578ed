"""Timers."""

from typing import Any

from perdure.kernel.appliers.applier import Applier
from perdure.kernel.run import Run, Timer
from perdure.model import events as e


def _timer_started(run: Run, event: e.TimerStarted) -> None:
    run.timers[event.timer_id] = Timer(event.id, event.time + event.start_to_fire_timeout_ns, event.time)
    run.timer_ids[event.id] = event.timer_id


def _timer_ended(run: Run, event: Any) -> None:
    del run.timers[event.timer_id]
    del run.timer_ids[event.started_event_id]


def _timer_canceled(run: Run, event: e.TimerCanceled) -> None:
    if event.started_event_id in run.timer_ids:
        _timer_ended(run, event)
    else:  # it fired while the turn that cancels it was taken: that never becomes an event
        run.buffered = [
            other
            for other in run.buffered
            if not (isinstance(other, e.TimerFired) and other.started_event_id == event.started_event_id)
        ]


APPLIERS: dict[type, Applier] = {
    e.TimerStarted: _timer_started,
    e.TimerFired: _timer_ended,
    e.TimerCanceled: _timer_canceled,
}
