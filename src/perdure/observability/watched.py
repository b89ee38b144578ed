"""What is watched: one engine, and what is counted beside it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from perdure.engine.backlog import QueueName
from perdure.engine.remote_worker import RemoteWorker
from perdure.engine.service import EngineService
from perdure.engine.workers import Workers
from perdure.observability.firings import trace_starts
from perdure.observability.grpc import GrpcCounts
from perdure.observability.recorder import Recorder
from perdure.observability.series import Histogram, Labels, counts, histograms
from perdure.observability.tracing import Tracing

LAG_EVERY_SECONDS = 0.5
LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Watched:
    """An engine under observation. ``begin`` it when the engine is open, ``end`` it before that is closed."""

    def __init__(self, service: EngineService, tracing: Tracing | None = None) -> None:
        self.service = service
        self.engine = service.engine
        self.tracing = tracing
        self.recorder = Recorder(
            None if tracing is None else tracing.run_closed, self.engine.operations.endpoints.names
        )
        self.loop_lag = Histogram(LAG_SECONDS)
        self.http_requests = counts(3)
        self.http_errors = counts(2)
        self.http_seconds = histograms(2, HTTP_SECONDS)
        self.grpc = GrpcCounts()
        self.is_draining = False
        self._end_tracing: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lag_timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Count from now on."""
        self.begin_counting()
        self._loop = asyncio.get_running_loop()
        self._expect(self._loop)

    def begin_counting(self) -> None:
        """Count what is written, but do not look at the event loop. For an engine that is not open yet, too."""
        self.engine.pipeline.observer = self.recorder
        if self.tracing is not None:
            self._end_tracing = trace_starts(self.engine, self.tracing)

    def end(self) -> None:
        """Count no more."""
        self.engine.pipeline.observer = None
        if self._end_tracing is not None:
            self._end_tracing()
            self._end_tracing = None
        if self._lag_timer is not None:
            self._lag_timer.cancel()
        self._loop = None

    def drain(self) -> None:
        """The process is about to stop: from now on it is not ready."""
        self.is_draining = True

    # --- how late the event loop is

    def _expect(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + LAG_EVERY_SECONDS
        self._lag_timer = loop.call_at(due, self._note_lag, loop, due)

    def _note_lag(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.loop_lag.observe(max(0.0, loop.time() - due))
        if self._loop is loop:
            self._expect(loop)

    # --- how the engine stands

    @property
    def shard_state(self) -> str:
        """ "recovering" until what waited in the store is taken up, then "owned"; "draining" or "closing" at the end."""
        if self.engine.closing:
            return "closing"
        if self.is_draining:
            return "draining"
        return "recovering" if self.service.is_recovering else "owned"

    def reasons_not_ready(self) -> list[str]:
        """Why no work should be sent here now; none if it is ready."""
        reasons = []
        if self.shard_state != "owned":
            reasons.append(
                {
                    "recovering": "what waited in the store is still being taken up",
                    "draining": "the server is about to stop",
                    "closing": "the server is stopping",
                }[self.shard_state]
            )
        if self._loop is None:
            reasons.append("the store is not open")
        if self.recorder.is_failing:
            reasons.append("the store could not be written to")
        return reasons

    def _connected(self) -> Collection[RemoteWorker]:
        worker = self.engine.worker
        return worker.connected if isinstance(worker, Workers) else ()

    def workers_by_build(self) -> Counter[Labels]:
        """How many workers are connected, by namespace and build."""
        return Counter((worker.namespace, worker.build_id) for worker in self._connected())

    def pollers_by_queue(self) -> Counter[Labels]:
        """How many of them serve each queue."""
        return Counter((worker.namespace, queue) for worker in self._connected() for queue in worker.task_queues)

    def slots(self) -> Counter[Labels]:
        """Their slots, by namespace, by what for, and whether used or all."""
        slots: Counter[Labels] = Counter()
        for worker in self._connected():
            slots[worker.namespace, "activities", "used"] += len(worker.tasks)
            slots[worker.namespace, "activities", "all"] += worker.activity_slots
            slots[worker.namespace, "workflow_tasks", "used"] += len(worker.turns)
            slots[worker.namespace, "workflow_tasks", "all"] += worker.turn_slots
        return slots

    def waiting_turns(self) -> Mapping[tuple[str, str, str], int]:
        """Turns that wait for a worker, by namespace, task queue and workflow type."""
        worker = self.engine.worker
        return dict(worker.waiting_turns) if isinstance(worker, Workers) else {}

    def running_by_queue(self) -> Counter[QueueName]:
        """How many attempts run now."""
        worker = self.engine.worker
        running = worker.running if worker is not None else ()
        return Counter((task.address.namespace, task.scheduled.task_queue) for task in running)
