"""Schedules as clients show them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from perdure.model.options import RunStatus
from perdure.model.payloads import PayloadMap
from perdure.model.requests import StartWorkflow
from perdure.sdk.schedules.definition import Counts, Listed
from perdure.sdk.schedules.times import Spec, times, to_datetime


@dataclass(frozen=True)
class ScheduleInfo:
    """A schedule in a list."""

    id: str
    namespace: str
    workflow_type: str
    task_queue: str
    spec: Spec
    overlap: str
    is_paused: bool
    note: str
    memo: PayloadMap = field(default_factory=dict)
    search_attributes: PayloadMap = field(default_factory=dict)

    @classmethod
    def of(cls, memo: Listed) -> "ScheduleInfo":
        """From its run's memo."""
        return cls(
            memo.id,
            memo.namespace,
            memo.workflow_type,
            memo.task_queue,
            memo.spec,
            memo.overlap.value,
            memo.is_paused,
            memo.note,
            memo.memo or {},
            memo.search_attributes or {},
        )

    @property
    def when(self) -> str:
        """Its times, in words."""
        return in_words(self.spec)

    def next_times(self, after: datetime, count: int = 5) -> list[datetime]:
        """Its next nominal times after a time, in UTC; as if it were not paused."""
        after_ns = int(after.timestamp() * 1_000_000) * 1000
        return [to_datetime(nominal) for nominal in islice(times(self.spec, after_ns), count)]


@dataclass(frozen=True)
class ScheduledRun:
    """A run that a schedule started. ``nominal`` is the time it is for, ``started`` when it did start.

    ``waits_for`` says why it has not begun to run, if that is so.
    """

    id: str
    run_id: str
    nominal: datetime
    started: datetime
    status: RunStatus
    waits_for: str = ""


@dataclass(frozen=True)
class ScheduleDescription:
    """Where a schedule stands.

    Attributes:
        has_ended: its last time is past, or it has started as many runs as it may. It does nothing any more.
        next_times: the next nominal times, five at most; none while it is paused.
        recent: the last runs, ten at most, the latest last.
        open: the runs that are open, as far as it matters to the overlap policy.
        buffered: how many occasions wait for a run to close.
        counts: what became of all its occasions so far.
        last_error: why a run could not be started, the last time that happened; when is ``last_error_time``.
        start: what starts each run, but for its workflow id.
        revision: counts up with each change that somebody makes.
        created, updated: when; ``updated`` is None before its first change.
        pause_on_failure: whether it pauses when a run fails.
        keep_workflow_id: whether all runs have the same workflow id.
        remaining: how many more runs there may be; None without a limit.
        memo, search_attributes: the schedule's own, as payloads.
    """

    id: str
    namespace: str
    workflow_type: str
    task_queue: str
    spec: Spec
    overlap: str
    catch_up: timedelta
    max_runs: int | None
    is_paused: bool
    note: str
    has_ended: bool
    next_times: Sequence[datetime]
    recent: Sequence[ScheduledRun]
    open: Sequence[ScheduledRun]
    buffered: int
    counts: Counts
    last_error: str
    last_error_time: datetime | None
    start: StartWorkflow
    revision: int = 1
    created: datetime | None = None
    updated: datetime | None = None
    pause_on_failure: bool = False
    keep_workflow_id: bool = False
    remaining: int | None = None
    memo: PayloadMap = field(default_factory=dict)
    search_attributes: PayloadMap = field(default_factory=dict)

    @property
    def when(self) -> str:
        """Its times, in words."""
        return in_words(self.spec)


def in_words(spec: Spec) -> str:
    """When a schedule is due, on one line."""
    parts = [wall.text for wall in spec.walls]
    for every, offset in spec.intervals:
        moved = f" + {timedelta(microseconds=offset // 1000)}" if offset else ""
        parts.append(f"every {timedelta(microseconds=every // 1000)}{moved}")
    text = " | ".join(parts) or "never by itself"
    if spec.walls and spec.timezone != "UTC":
        text += f" {spec.timezone}"
    if spec.exclude:
        text += f" except {', '.join(wall.text for wall in spec.exclude)}"
    if spec.start_at:
        text += f" from {to_datetime(spec.start_at):%Y-%m-%dT%H:%M:%SZ}"
    if spec.end_at:
        text += f" until {to_datetime(spec.end_at):%Y-%m-%dT%H:%M:%SZ}"
    if spec.jitter:
        text += f" jitter {timedelta(microseconds=spec.jitter // 1000)}"
    return text
