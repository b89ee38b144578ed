"""Counting what the store has been given: one call a batch, and only of what is durable.

A commit says by itself what is to be known: that a run began or closed (``is_visible``), which attempts it starts, which it
ends and how. So no record of a history is looked at, and a one-activity run costs a few microseconds.
"""

from bisect import bisect_left
from collections.abc import Callable, Container, Sequence
from time import perf_counter

from perdure.engine.pipeline import Effect, Start
from perdure.kernel.commit import Commit
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.options import SECOND_NS, RunStatus
from perdure.observability.series import OTHER, Histogram, Series, counts

# From a step within one commit to a day. Prometheus adds +Inf.
DURATIONS = tuple(
    round(seconds * SECOND_NS)
    for seconds in (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400)
)
COMMIT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
BATCH_COMMITS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

OUTCOMES: dict[type, str] = {
    e.ActivityTaskCompleted: "completed",
    e.ActivityTaskFailed: "failed",
    e.ActivityTaskTimedOut: "timed_out",
    e.ActivityTaskCanceled: "canceled",
}

OPERATION_OUTCOMES: dict[type, str] = {
    e.NexusOperationCompleted: "completed",
    e.NexusOperationFailed: "failed",
    e.NexusOperationTimedOut: "timed_out",
    e.NexusOperationCanceled: "canceled",
}
NO_ENDPOINT = "-"
"""Of operations that are asked for at a task queue."""

STATUSES = {status: status.name.lower() for status in RunStatus}


def _durations() -> Histogram:
    """Of nanoseconds, as the engine has them."""
    return Histogram(DURATIONS)


class Recorder:
    """``engine.pipeline.Observer``. What it has counted is read by ``exposition``; ``run_closed`` hears of each close.
    Operations of endpoints that are not among ``endpoints`` count as "other": a program may name any."""

    def __init__(
        self, run_closed: Callable[[Run], None] | None = None, endpoints: Container[str] = frozenset()
    ) -> None:
        self._run_closed = run_closed
        self._endpoints = endpoints
        self.batch_commits = Histogram(BATCH_COMMITS)
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        self.batches_failed = 0
        self.records = 0
        self.workflows_started = counts(2)
        """By namespace and type."""
        self.workflows_closed = Series(_durations, 3)
        """From start to close, by namespace, type and status."""
        self.turns_failed = counts(3)
        self.activities_started = Series(_durations, 3)
        """From scheduling to the start of first attempts, by namespace, task queue and type. Later attempts are not timed:
        when they were to start is the retry policy's choice, and no longer known here."""
        self.later_attempts = counts(3)
        self.activities_closed = Series(_durations, 3)
        """From the last attempt's start to its end, by namespace, type and outcome."""
        self.activity_retries = counts(2)
        self.operations_asked = counts(2)
        """By namespace and endpoint."""
        self.operation_retries = counts(2)
        self.operations_ended = Series(_durations, 3)
        """From when they were asked for to their end, by namespace, endpoint and outcome."""
        self.is_failing = False
        """Whether the last batch could not be written."""
        self._sent_at = 0.0

    # --- the observer

    def sent(self) -> None:
        """As ``Observer.sent``."""
        self._sent_at = perf_counter()

    def failed(self) -> None:
        """As ``Observer.failed``."""
        self.batches_failed += 1
        self.is_failing = True

    def written(self, effects: Sequence[Effect]) -> None:
        """As ``Observer.written``."""
        self.commit_seconds.observe(perf_counter() - self._sent_at)
        self.batch_commits.observe(len(effects))
        self.is_failing = False
        for effect in effects:
            commit = effect.commit
            self.records += len(commit.records)
            if commit.is_visible:
                self._begun_or_closed(commit)
            if effect.starts is not None:
                self._activities_started(effect.starts)
            if commit.ended:
                self._attempts_ended(commit)
            if commit.operations:
                self._operations_moved(commit)
            if commit.turn_failure:
                run = commit.run
                self.turns_failed[run.namespace, run.started.workflow_type, commit.turn_failure].value += 1

    # --- one commit. Counting is written out: with a call for each number it would take twice as long.

    def _begun_or_closed(self, commit: Commit) -> None:
        run, records = commit.run, commit.records
        close = run.close
        if records[0].__class__ is WorkflowExecutionStarted:
            self.workflows_started[run.namespace, run.started.workflow_type].value += 1
        # The run may be further than this commit, so it is asked whether the close is of this one.
        if close is not None and (records[-1] is close or _is_among(close, records)):
            started = run.started
            duration = close.time - started.time
            histogram = self.workflows_closed[run.namespace, started.workflow_type, STATUSES[run.status]]
            histogram.counts[bisect_left(DURATIONS, duration)] += 1
            histogram.total += duration
            if self._run_closed is not None:
                self._run_closed(run)

    def _activities_started(self, starts: Sequence[Start]) -> None:
        for _, task in starts:
            scheduled = task.scheduled
            labels = (task.address.namespace, scheduled.task_queue, scheduled.activity_type)
            if task.attempt == 1:
                waited = task.started_time - scheduled.time
                histogram = self.activities_started[labels]
                histogram.counts[bisect_left(DURATIONS, waited) if waited else 0] += 1
                histogram.total += waited
            else:
                self.later_attempts[labels].value += 1

    def _attempts_ended(self, commit: Commit) -> None:
        namespace = commit.run.namespace
        for activity, record in commit.ended:
            activity_type = activity.scheduled.activity_type
            outcome = OUTCOMES.get(record.__class__)
            if outcome is None:
                self.activity_retries[namespace, activity_type].value += 1
                continue
            # One that never started is over without having taken any time.
            duration = record.time - (activity.started_time or record.time)
            histogram = self.activities_closed[namespace, activity_type, outcome]
            histogram.counts[bisect_left(DURATIONS, duration)] += 1
            histogram.total += duration

    def _operations_moved(self, commit: Commit) -> None:
        for scheduled, record in commit.operations:
            endpoint = scheduled.endpoint or NO_ENDPOINT
            labels = (
                commit.run.namespace,
                endpoint if not scheduled.endpoint or endpoint in self._endpoints else OTHER,
            )
            outcome = OPERATION_OUTCOMES.get(record.__class__)
            if outcome is not None:
                self.operations_ended[(*labels, outcome)].observe(record.time - scheduled.time)
            elif record is scheduled:
                self.operations_asked[labels].value += 1
            else:
                self.operation_retries[labels].value += 1


def _is_among(event: e.Event, records: Sequence[e.AnyRecord]) -> bool:
    """Whether this very event is one of these records. Cheaper than comparing what is in them."""
    return any(record is event for record in records)
