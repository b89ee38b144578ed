"""Passing heartbeats on: the first at once, later ones only now and then, and always the latest."""

from perdure.model.options import SECOND_NS
from perdure.model.program import Report
from perdure.model.requests import HeartbeatActivity
from perdure.sdk.running import EngineLoop, Running

SHARE_OF_TIMEOUT = 0.8
"""Heartbeats are passed on after this part of the heartbeat timeout..."""

MAX_INTERVAL_SECONDS = 30.0
"""...but at least this often, and this often when there is no timeout."""


class Heartbeats:
    """The heartbeats of a worker's attempts. ``beat`` may be called on any thread, the rest only on the engine's."""

    def __init__(self, engine: EngineLoop, report: Report, identity: str) -> None:
        self._engine = engine
        self._report = report
        self._identity = identity

    def beat(self, running: Running) -> None:
        """An attempt has new details."""
        if self._engine.is_here:
            self._take(running)
        elif running.beat_timer is None and not running.beat_is_posted:
            running.beat_is_posted = True
            self._engine.post(self._take, running)

    def stop(self, running: Running) -> None:
        """The attempt sends no more."""
        running.has_ended = True
        if running.beat_timer is not None:
            running.beat_timer.cancel()

    def _take(self, running: Running) -> None:
        running.beat_is_posted = False
        if running.beat_timer is None and not running.has_ended:
            self._send(running)

    def _send(self, running: Running) -> None:
        running.unsent = False
        task = running.task
        interval = MAX_INTERVAL_SECONDS
        if timeout_ns := task.scheduled.heartbeat_timeout_ns:
            interval = min(interval, SHARE_OF_TIMEOUT * timeout_ns / SECOND_NS)
        running.beat_timer = self._engine.loop.call_later(interval, self._interval_is_over, running)
        self._report(task.address, HeartbeatActivity(task.scheduled.id, task.attempt, running.details, self._identity))

    def _interval_is_over(self, running: Running) -> None:
        # In this order: a thread that beats now either finds no timer and posts, or its beat is seen here.
        running.beat_timer = None
        if running.unsent and not running.has_ended:
            self._send(running)
