"""``LocalWorker``: runs an app's activities, and makes the programs of its workflows, in the engine's own process.

All that is decided here is decided on the engine's thread: which attempts run, how many of a kind, whom to cancel,
what to report. Where user code runs is the business of ``executors``.
"""

import asyncio
import hashlib
import inspect
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.errors import InvalidArgumentError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import RunAddress
from perdure.model.log_fields import about_attempt
from perdure.model.options import DEFAULT_DEADLOCK_TIMEOUT, DEFAULT_MAX_ASYNC, DEFAULT_MAX_THREADS
from perdure.model.program import ActivityTask, Program, Report
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity, Request
from perdure.model.workers import ActivityGroup
from perdure.sdk.affinity import checked_labels
from perdure.sdk.app import App
from perdure.sdk.build_id import DIGITS
from perdure.sdk.callables import Activity
from perdure.sdk.definitions import Executor as ExecutorName
from perdure.sdk.definitions import WorkflowDefinition
from perdure.sdk.durations import Duration, to_seconds
from perdure.sdk.executors import LoopExecutor, ProcessExecutor, ThreadExecutor
from perdure.sdk.failures import SOURCE
from perdure.sdk.heartbeats import Heartbeats
from perdure.sdk.languages import OwnQueue
from perdure.sdk.outcomes import Canceled, Completed, Failed, Later, Outcome
from perdure.sdk.processes import find_activity
from perdure.sdk.program import ProgramSettings, PythonProgram
from perdure.sdk.running import EngineLoop, Executor, Running, Served, log
from perdure.sdk.threads import Threads
from perdure.sdk.tracing import WorkerTracing

LINGERING_SECONDS = 10.0
"""An activity that still runs so long after it was cancelled is named in the log."""

OWN_ASYNC = 256
"""So many of the engine's own activities run at once: ten thousand schedules that are due at once take turns, and the
users' runs go on in between."""

ANY_ACTIVITY = "*"
"""The name of the activity that stands for all on a queue of the engine's own."""


class LocalWorker:
    """Serves apps to an engine in this process. Implements ``perdure.model.program.Worker``.

    Call ``open`` on the engine's thread before the engine uses it, and ``close`` there in the end.

    Args:
        apps: whose activities and workflows it runs.
        task_queues: the queues it serves; None for all that its apps name.
        identity: who it is, in histories; process id and host name without it.
        max_async: how many ``async`` activities may run at once.
        max_threads: how many activities may run in threads at once.
        max_processes: how many may run in child processes at once; None for one per processor.
        deadlock_timeout: how long one turn of a workflow may take; a timedelta or seconds, None for no limit.
        mocks: functions to run in place of activities, by activity or by name; for tests.
        own_apps: the engine's own, always served whatever the queues; their activities take none of the slots, and
            they count for nothing in ``build_id``.
        tracing: is told of each attempt.
        labels: what it is, by name, which tasks may ask for.
        own_queues: task queues that it serves whole, for the engine's own interpreters.

    Raises:
        InvalidArgumentError: two apps define the same type, or a setting makes no sense.
    """

    def __init__(
        self,
        apps: Sequence[App],
        *,
        task_queues: Iterable[str] | None = None,
        identity: str | None = None,
        max_async: int = DEFAULT_MAX_ASYNC,
        max_threads: int = DEFAULT_MAX_THREADS,
        max_processes: int | None = None,
        deadlock_timeout: Duration | None = DEFAULT_DEADLOCK_TIMEOUT,
        mocks: Mapping[Activity[..., Any] | str, Callable[..., Any]] | None = None,
        own_apps: Sequence[App] = (),
        tracing: WorkerTracing | None = None,
        labels: Mapping[str, str] | None = None,
        own_queues: Sequence[OwnQueue] = (),
    ) -> None:
        self._apps = tuple(apps)
        self._own_queues = {queue.name: queue for queue in own_queues}
        self._own_apps = (*own_apps, *(queue.activities for queue in own_queues if queue.activities is not None))
        self._tracing = tracing
        self.labels = checked_labels("labels", labels or {})
        self.identity = identity if identity is not None else f"{os.getpid()}@{socket.gethostname()}"
        self.build_id = _build_id_of(self._apps)
        self._program_settings = ProgramSettings(
            deadlock_timeout_seconds=None if deadlock_timeout is None else to_seconds(deadlock_timeout),
            build_id=self.build_id,
        )
        self._given_queues = None if task_queues is None else frozenset(task_queues)
        self._known_queues: set[str] = {queue for app in self._own_apps for queue in app.task_queues}
        self._max_async = _at_least_one("max_async", max_async)
        self._max_threads = _at_least_one("max_threads", max_threads)
        self._max_processes = _at_least_one("max_processes", max_processes or os.cpu_count() or 1)
        self._mocks = {key if isinstance(key, str) else key.name: fn for key, fn in (mocks or {}).items()}
        self._workflows: dict[str, tuple[App, WorkflowDefinition]] = {}
        self._activities: dict[str, Activity[..., Any]] = {}
        for app in (*self._own_apps, *self._apps):
            self._add(app)
        if unknown := self._mocks.keys() - self._activities.keys():
            raise InvalidArgumentError(f"mocks for {sorted(unknown)} stand for no activity of these apps")
        self._served: dict[str, Served] = {}
        self._running: dict[tuple[str, int], Running] = {}
        self._overtaken: set[Running] = set()
        self._threads = Threads("perdure-activity")
        self._is_draining = False
        self._is_closing = False
        self._is_closed = False
        self._idle: asyncio.Event | None = None

    def open(self, report: Report) -> None:
        """Begin. Called on the engine's thread; ``report`` will be called there too."""
        engine = EngineLoop()
        self._loop = engine.loop
        self._report = report
        self._heartbeats = Heartbeats(engine, report, self.identity)
        self._on_loop = LoopExecutor(self._max_async, engine, self._end)
        self._own_on_loop = LoopExecutor(OWN_ASYNC, engine, self._end)
        self._in_threads = ThreadExecutor(self._max_threads, engine, self._end, self._threads)
        self._in_processes = ProcessExecutor(self._max_processes, engine, self._end, self._threads, self._heartbeats)
        self._served = {name: self._serve(activity) for name, activity in self._activities.items()}

    # --- what it is

    worker_id = ""

    @property
    def task_queues(self) -> frozenset[str]:
        """The queues it serves."""
        if self._given_queues is not None:
            return self._given_queues
        return frozenset().union(*(app.task_queues for app in self._apps))

    @property
    def activity_types(self) -> frozenset[str]:
        """The activities it can run."""
        return frozenset(self._activities)

    @property
    def workflow_types(self) -> frozenset[str]:
        """The workflows it can run."""
        return frozenset(self._workflows)

    @property
    def groups(self) -> Sequence[ActivityGroup]:
        """Its activities by the way they run, each way with slots of its own. Call ``open`` first."""
        by_executor: dict[Executor, list[str]] = {}
        for name, served in self._served.items():
            by_executor.setdefault(served.executor, []).append(name)
        return [ActivityGroup(names, executor.capacity) for executor, names in by_executor.items()]

    @property
    def running(self) -> Sequence[ActivityTask]:
        """The attempts that run now."""
        return [running.task for running in self._attempts()]

    @property
    def used_slots(self) -> int:
        """How much it has to do."""
        return self.running_count

    @property
    def running_count(self) -> int:
        """How many attempts run now."""
        return len(self._running) + len(self._overtaken)

    @property
    def lingering(self) -> Sequence[ActivityTask]:
        """The attempts that were asked to stop and still run; each keeps its slot until it ends."""
        return [running.task for running in self._attempts() if running.is_cancel_requested]

    # --- workflows

    def serves_workflow(
        self, namespace: str, task_queue: str, workflow_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether programs of this type on this queue run here."""
        if affinity is not None and not affinity.admits(self.labels):
            return False
        if task_queue in self._own_queues:
            return True
        return workflow_type in self._workflows and self._serves_queue(task_queue)

    def declares(self, namespace: str, task_queue: str, name: str) -> str:
        """What of just this name is served on this queue."""
        if not self._serves_queue(task_queue):
            return ""
        return "workflow" if name in self._workflows else "activity" if name in self._activities else ""

    def builds(self, namespace: str, task_queue: str, workflow_type: str) -> Sequence[str]:
        """The one build of the code here, if it serves such workflows."""
        return [self.build_id] if self.serves_workflow(namespace, task_queue, workflow_type) else []

    def host(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> Self | None:
        """This worker, if it serves such workflows in such a build and has the labels."""
        if affinity is not None and not affinity.admits(self.labels):
            return None
        if workflow_type not in self._workflows or not self._serves_queue(task_queue):
            return self if task_queue in self._own_queues else None
        return self if not build_id or build_id == self.build_id else None

    host_to_ask = host
    keeps_programs = True

    def has_turn_slot(self, key: int) -> bool:
        """Turns are taken at once, one after the other."""
        return True

    def create_program(self, address: RunAddress, started: WorkflowExecutionStarted) -> Program:
        """A new program for a run that this is the ``host`` of."""
        own = self._own_queues.get(started.task_queue)
        if own is not None:
            return own.create_program(address, started)
        app, definition = self._workflows[started.workflow_type]
        if definition.written is not None:
            return definition.written.create_program(address, started)
        return PythonProgram(definition, address, started, app.converter, self._program_settings)

    # --- activities

    def serves_activity(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether activities of this type on this queue run here, when a slot is free."""
        if affinity is not None and not affinity.admits(self.labels):
            return False
        if self._is_draining:
            return False
        if task_queue in self._own_queues:
            return self._own_queues[task_queue].activities is not None
        return activity_type in self._activities and self._serves_queue(task_queue)

    def runs_activity(self, address: RunAddress, scheduled_event_id: int, attempt: int) -> bool:
        """Whether an attempt's code runs now, even if nobody wants it any more."""
        key = (address.run_id, scheduled_event_id)
        running = self._running.get(key)
        if running is not None and running.task.attempt == attempt:
            return True
        return any(other.key == key and other.task.attempt == attempt for other in self._overtaken)

    def reserve(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> Self | None:
        """Take a slot for one activity, if it is served here, by such a worker, and a slot is free."""
        if affinity is not None and not affinity.admits(self.labels):
            return None
        served = self._served.get(activity_type)
        if task_queue in self._own_queues:
            served = self._served.get(ANY_ACTIVITY) if self._own_queues[task_queue].activities is not None else None
        if served is None or self._is_draining:
            return None
        if task_queue not in self._known_queues and not self._serves_queue(task_queue):
            return None
        executor = served.executor
        if executor.free <= 0:
            return None
        executor.free -= 1
        return self

    def adopt(self, task: ActivityTask, worker_id: str) -> bool:
        """What ran in a process that has ended runs no more."""
        return False

    def release(self, task_queue: str, activity_type: str) -> None:
        """Give back a slot that was reserved and will not be used."""
        self._served_for(task_queue, activity_type).executor.free += 1

    def _served_for(self, task_queue: str, activity_type: str) -> Served:
        return self._served[ANY_ACTIVITY if task_queue in self._own_queues else activity_type]

    def start_activity(self, task: ActivityTask) -> None:
        """Run an activity in the slot reserved for it."""
        scheduled = task.scheduled
        served = self._served_for(scheduled.task_queue, scheduled.activity_type)
        key = (task.address.run_id, scheduled.id)
        running = Running(task, served.converter, self._heartbeats.beat, served=served, key=key)
        earlier = self._running.get(key)
        if earlier is not None:
            # The attempt before this one has timed out but does not end.
            self._overtaken.add(earlier)
            self._cancel(earlier)
        self._running[key] = running
        if self._tracing is not None:
            running.span = self._tracing.attempt(task)
        served.executor.run(running)

    def cancel_activity(self, address: RunAddress, scheduled_event_id: int) -> None:
        """Ask an activity to stop: an ``async`` one at the ``await`` it is in, any other at its next heartbeat."""
        running = self._running.get((address.run_id, scheduled_event_id))
        if running is not None:
            self._cancel(running)

    def _cancel(self, running: Running) -> None:
        if running.is_cancel_requested:
            return
        running.is_cancel_requested = True
        running.interrupt()
        self._loop.call_later(LINGERING_SECONDS, self._notice_lingering, running)

    def _notice_lingering(self, running: Running) -> None:
        if not running.has_ended and not self._is_closed:
            log.warning(
                "activity %s was asked to stop %.0f seconds ago and still runs; it keeps its slot until it ends. "
                "Let it call activity.heartbeat() now and then",
                _names([running.task]),
                LINGERING_SECONDS,
                extra=about_attempt(running.task),
            )

    # --- how attempts end

    def _end(self, running: Running, outcome: Outcome) -> None:
        """An attempt is over: free its slot, then say what became of it."""
        running.has_ended = True
        if running.span is not None:
            running.span.end(getattr(outcome, "failure", None))
        if running.beat_timer is not None:
            self._heartbeats.stop(running)
        key = running.key
        if self._running.get(key) is running:
            del self._running[key]
        else:
            self._overtaken.discard(running)
        running.served.executor.free += 1
        if not self._is_closed:
            self._report(running.task.address, self._answer(running, outcome))
        if self._idle is not None and not self.running_count:
            self._idle.set()

    def _answer(self, running: Running, outcome: Outcome) -> Request:
        event_id, attempt, identity = running.task.scheduled.id, running.task.attempt, self.identity
        # By far the most do; a match would ask for more.
        if isinstance(outcome, Completed):
            return CompleteActivity(event_id, attempt, outcome.result, identity)
        match outcome:
            case Failed(failure):
                return self._failed(running, failure)
            case Canceled() if running.is_cancel_requested:
                return CancelActivity(event_id, attempt, (), identity)
            case Canceled() if self._is_closing:
                return self._failed(running, Failure("the worker was closed", type="WorkerShutdown", source=SOURCE))
            case Canceled(failure):
                own = msgspec.structs.replace(
                    failure,
                    message=f"the activity cancelled itself: {failure.message}",
                    kind=FailureKind.APPLICATION,
                    type=asyncio.CancelledError.__name__,
                )
                return self._failed(running, own)
            case Later():
                # The slot is free though the attempt goes on. The engine hears of it by a last heartbeat from here.
                details = running.details or running.task.heartbeat_details
                return HeartbeatActivity(event_id, attempt, details, identity, leaves=True)

    def _failed(self, running: Running, failure: Failure) -> FailActivity:
        details = running.details if running.unsent else None
        return FailActivity(running.task.scheduled.id, running.task.attempt, failure, self.identity, details)

    # --- its own end

    async def drain(self, timeout: Duration | None = None) -> bool:
        """Take no more activities, and wait for those that run.

        Args:
            timeout: the longest wait; a timedelta or seconds, None for no limit.

        Returns:
            Whether all have ended.
        """
        self._is_draining = True
        if self.running_count:
            self._idle = self._idle or asyncio.Event()
            try:
                await asyncio.wait_for(self._idle.wait(), None if timeout is None else to_seconds(timeout))
            except TimeoutError:
                return False
        return True

    async def close(self, grace: Duration = 1.0) -> None:
        """Stop all activities, and end all threads and processes.

        Attempts that are interrupted fail as ``WorkerShutdown``, and are tried again by whoever serves the queue next.
        Those that have not ended after ``grace`` (a timedelta or seconds) are left alone; what they return is lost.
        """
        if self._is_closed:
            return
        self._is_closing = True
        for running in self._attempts():
            running.interrupt()
        if not await self.drain(grace):
            log.warning("closing, with %d activities still running: %s", self.running_count, _names(self.running))
        self._is_closed = True
        for running in self._attempts():
            self._heartbeats.stop(running)
        self._threads.close()
        if self._served:
            self._in_processes.close()

    def abandon(self) -> None:
        """Stop as if the process had died: what runs is interrupted, and nothing is reported any more."""
        self._is_draining = self._is_closing = self._is_closed = True
        for running in self._attempts():
            running.interrupt()
            self._heartbeats.stop(running)
        self._threads.close()
        if self._served:
            self._in_processes.close()

    # --- inside

    def _add(self, app: App) -> None:
        for name, definition in app.workflows.items():
            if name in self._workflows:
                raise InvalidArgumentError(
                    f"apps {self._workflows[name][0].name!r} and {app.name!r} both define a workflow type {name!r}"
                )
            self._workflows[name] = (app, definition)
        for name, activity in app.activities.items():
            if name in self._activities:
                raise InvalidArgumentError(
                    f"apps {self._activities[name].app.name!r} and {app.name!r} both define an activity type {name!r}"
                )
            self._activities[name] = activity
            if self._executor_name(activity) == "process":
                find_activity(activity.__module__, activity.__qualname__)

    def _executor_name(self, activity: Activity[..., Any]) -> ExecutorName:
        mock = self._mocks.get(activity.name)
        if mock is None:
            return activity.__perdure_activity__.executor
        return "async" if inspect.iscoroutinefunction(mock) else "thread"

    def _serve(self, activity: Activity[..., Any]) -> Served:
        if activity.app in self._own_apps:
            return Served(activity, activity.fn, self._own_on_loop)
        fn = self._mocks.get(activity.name, activity.fn)
        match self._executor_name(activity):
            case "async":
                return Served(activity, fn, self._on_loop)
            case "thread":
                return Served(activity, fn, self._in_threads)
            case "process":
                return Served(activity, fn, self._in_processes)

    def _serves_queue(self, task_queue: str) -> bool:
        if task_queue in self._known_queues:
            return True
        # Apps may come to name more queues while they run.
        self._known_queues.update(self.task_queues)
        return task_queue in self._known_queues

    def _attempts(self) -> list[Running]:
        return [*self._running.values(), *self._overtaken]


def _at_least_one(name: str, count: int) -> int:
    if count < 1:
        raise InvalidArgumentError(f"{name}={count!r} must be at least 1")
    return count


def _build_id_of(apps: Sequence[App]) -> str:
    ids = [app.build_id for app in apps]
    if len(ids) == 1:
        return ids[0]
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:DIGITS]


def _names(tasks: Sequence[ActivityTask]) -> str:
    return ", ".join(
        f"{task.scheduled.activity_type} (workflow {task.address.workflow_id}, attempt {task.attempt})"
        for task in tasks
    )
