"""The three ways to run an activity: on the loop, in a thread, in a process.

Each takes an attempt that the worker has a free slot for, and hands in its outcome on the engine's thread.
"""

import asyncio
import contextvars

from perdure.model.log_fields import about_attempt
from perdure.model.payloads import Payloads
from perdure.sdk.attempt import current
from perdure.sdk.heartbeats import Heartbeats
from perdure.sdk.outcomes import Outcome, completed, lost, raised, run_plain, unreadable
from perdure.sdk.processes import Child, Processes, WorkerLost
from perdure.sdk.running import End, EngineLoop, Running, log
from perdure.sdk.threads import Threads


class LoopExecutor:
    """Runs ``async`` activities, each as one task that also hands in its own outcome."""

    def __init__(self, capacity: int, engine: EngineLoop, end: End) -> None:
        self.capacity = self.free = capacity
        self._create_task = engine.loop.create_task
        self._end = end

    def run(self, running: Running) -> None:
        """As ``Executor.run``."""
        # An activity must not see the context variables of whoever happened to cause it.
        self._create_task(self._attend(running), context=contextvars.Context())

    async def _attend(self, running: Running) -> None:
        current.set(running)
        if running.span is not None:
            running.span.enter()
        if running.cancelled:
            # A task that is cancelled before its first step never runs, so nobody would hand in its outcome.
            self._end(running, raised(running, asyncio.CancelledError()))
            return
        task = asyncio.current_task()
        assert task is not None
        running.stop = task.cancel
        served = running.served
        try:
            args = served.converter.from_payloads(running.task.scheduled.input, served.parameter_types)
        except Exception as error:
            self._end(running, unreadable(running, error))
            return
        try:
            result = await served.fn(*args)
        except KeyboardInterrupt:
            self._end(running, lost("the worker was interrupted from the keyboard", "WorkerShutdown"))
            raise
        except BaseException as error:
            running.stop = None
            self._end(running, raised(running, error))
        else:
            # The task's context holds the attempt: this would keep both until the garbage collector comes by, and stops
            # everything for as long as it takes to find ten thousands of such.
            running.stop = None
            self._end(running, completed(running, result))


class ThreadExecutor:
    """Runs plain functions in threads."""

    def __init__(self, capacity: int, engine: EngineLoop, end: End, threads: Threads) -> None:
        self.capacity = self.free = capacity
        self._engine = engine
        self._end = end
        self._threads = threads

    def run(self, running: Running) -> None:
        """As ``Executor.run``."""
        self._threads.start(lambda: self._attend(running))

    def _attend(self, running: Running) -> None:
        served = running.served
        context = contextvars.Context()
        if running.span is not None:
            context.run(running.span.enter)
        outcome = context.run(run_plain, running, served.fn, served.parameter_types)
        self._engine.post(self._end, running, outcome)


class ProcessExecutor:
    """Runs plain functions in child processes, each attended to by a thread."""

    def __init__(self, capacity: int, engine: EngineLoop, end: End, threads: Threads, heartbeats: Heartbeats) -> None:
        self.capacity = self.free = capacity
        self._engine = engine
        self._end = end
        self._threads = threads
        self._heartbeats = heartbeats
        self._processes = Processes()

    def run(self, running: Running) -> None:
        """As ``Executor.run``."""
        self._threads.start(lambda: self._attend(running))

    def close(self) -> None:
        """End all children, whatever they do."""
        self._processes.close()

    def _attend(self, running: Running) -> None:
        def note_child(child: Child) -> None:
            # Sending blocks when the pipe is full, so it is never done on the engine's thread.
            running.stop = lambda: self._threads.start(child.cancel)
            # The request may have come before there was anyone to tell.
            if running.cancelled:
                child.cancel()

        def beat(details: Payloads) -> None:
            running.details = details
            running.unsent = True
            self._heartbeats.beat(running)

        outcome: Outcome
        try:
            outcome = self._processes.run(running.served.path, running.task, note_child, beat)
        except WorkerLost as error:
            outcome = lost(str(error), "WorkerLost")
        except Exception as error:
            log.exception(
                "cannot run activity %s in a process",
                running.task.scheduled.activity_type,
                extra=about_attempt(running.task),
            )
            outcome = lost(f"the worker cannot start a process: {error}", "WorkerLost")
        self._engine.post(self._end, running, outcome)
