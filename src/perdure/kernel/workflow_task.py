"""Turns: when the program is asked, what it answered, and what happens when it can't.

A turn is normally in the history from the moment it is scheduled. Two kinds are not, until they succeed: repeated
attempts of a failed turn (or a bug would fill the history), and turns that only bring updates (which leave no trace
if all are rejected).

While a worker has a turn in hand, other events take effect but get no number (``Commit.occurrence_id``); they are
numbered when the turn ends, behind the events of its commands. So the numbers that a program's commands get depend on
the program alone.
"""

import msgspec

from perdure.kernel.commit import Commit, Reason, Rejection, turn_due
from perdure.kernel.run import Run, WorkflowTask
from perdure.model import events as e
from perdure.model.failures import Failure, TimeoutType
from perdure.model.options import SECOND_NS
from perdure.model.requests import FailWorkflowTask, StartWorkflowTask, UnstickWorkflow

RETRY_INITIAL_NS = SECOND_NS
RETRY_MAXIMUM_NS = 60 * SECOND_NS

UNHANDLED_COMMAND = "UNHANDLED_COMMAND"
"""Why a turn fails that ends the run while something new waits for its program."""


def schedule(commit: Commit) -> None:
    """Have the program take a turn, for something new that is already recorded."""
    run = commit.run
    task = run.workflow_task
    if run.first_task_pending or (
        task is not None and (task.scheduled_event_id or task.started_time or task.attempt > 1)
    ):
        return
    started = run.started
    commit.record(
        e.WorkflowTaskScheduled(
            run.next_event_id,
            commit.now,
            started.task_queue,
            started.workflow_task_timeout_ns,
            1,
            run.sticky_queue,
        )
    )


def request(commit: Commit) -> None:
    """Have the program take a turn for updates that wait; the history learns of it only if one is accepted."""
    run = commit.run
    if run.first_task_pending or run.workflow_task is not None:
        return
    commit.record(e.WorkflowTaskRequested(0, commit.now))


def start(commit: Commit, request: StartWorkflowTask) -> Rejection | None:
    """A worker takes the turn."""
    run = commit.run
    task = run.workflow_task
    if task is None or task.started_time or task.next_attempt_time > commit.now or run.is_paused:
        return Rejection(Reason.STALE, f"Run {run.run_id} has no workflow task to start now.")
    if run.pinned_build_id and request.build_id != run.pinned_build_id:
        return Rejection(
            Reason.INVALID,
            f"Run {run.run_id} is pinned to build {run.pinned_build_id!r}, and this worker has {request.build_id!r}.",
        )
    begin(commit, task, request.identity)
    return None


def begin(commit: Commit, task: WorkflowTask, identity: str) -> None:
    """A turn that nobody has starts. One that failed before is new if there is anything new for it."""
    run = commit.run
    if task.attempt > 1 and run.next_event_id > task.failed_before:
        started = run.started
        commit.record(
            e.WorkflowTaskScheduled(
                run.next_event_id, commit.now, started.task_queue, started.workflow_task_timeout_ns, 1
            )
        )
    if task.scheduled_event_id and task.attempt == 1:
        commit.record(
            e.WorkflowTaskStarted(
                run.next_event_id,
                commit.now,
                task.scheduled_event_id,
                identity,
                suggests_continue_as_new(commit),
            )
        )
    else:
        commit.record(e.WorkflowTaskAttemptStarted(0, commit.now, identity))


def suggests_continue_as_new(commit: Commit) -> bool:
    """Whether the history has grown so long that the program should continue as new."""
    suggest = commit.limits.suggest_history_events
    return 0 < suggest <= commit.run.next_event_id


def preview(run: Run, suggest_continue_as_new: bool) -> list[e.Event]:
    """The turn's Scheduled and Started events as a program must see them, when the history does not have them yet."""
    task = run.workflow_task
    assert task is not None and task.started_time
    if task.started_event_id < run.next_event_id:
        return []
    return transient_events(run, task, suggest_continue_as_new)


def transient_events(run: Run, task: WorkflowTask, suggest_continue_as_new: bool) -> list[e.Event]:
    """The Scheduled and Started events of a turn that is not in the history yet."""
    started = run.started
    scheduled_id = run.next_event_id
    scheduled = e.WorkflowTaskScheduled(
        scheduled_id,
        task.scheduled_time,
        started.task_queue,
        started.workflow_task_timeout_ns,
        task.attempt,
        run.sticky_queue,
    )
    begun = e.WorkflowTaskStarted(
        scheduled_id + 1, task.started_time, scheduled_id, task.identity, suggest_continue_as_new
    )
    return [scheduled, begun]


def unstick(commit: Commit, request: UnstickWorkflow) -> Rejection | None:
    """The turn that waits for the worker that keeps the program is anybody's, and so are those to come."""
    run = commit.run
    task = run.workflow_task
    if not run.sticky_queue:
        return None
    if task is None or task.started_time:
        commit.record(e.StickyQueueDropped(0, commit.now))
        return None
    if not task.scheduled_event_id:  # it brings updates: only now does the history learn of it
        schedule(commit)
    commit.record(
        e.WorkflowTaskTimedOut(run.next_event_id, commit.now, task.scheduled_event_id, 0, TimeoutType.SCHEDULE_TO_START)
    )
    schedule(commit)
    return None


def in_hand(run: Run, started_event_id: int, attempt: int) -> WorkflowTask | None:
    """The turn that a worker hands in, if it is the one in hand."""
    task = run.workflow_task
    if task is None or not task.started_time or task.started_event_id != started_event_id or task.attempt != attempt:
        return None
    return task


def not_in_hand(run: Run) -> Rejection:
    """What to tell a worker that hands in another turn."""
    return Rejection(Reason.STALE, f"Run {run.run_id}: the workflow task handed in is not the one in hand.")


def fail(commit: Commit, request: FailWorkflowTask) -> Rejection | None:
    """A worker could not take the turn. It is tried again with back-off, so that a fixed program carries on."""
    task = in_hand(commit.run, request.started_event_id, request.attempt)
    if task is None:
        return not_in_hand(commit.run)
    record_failure(commit, task, request.cause, request.failure, request.identity, request.build_id)
    return None


def record_failure(
    commit: Commit, task: WorkflowTask, cause: str, failure: Failure | None, identity: str, build_id: str
) -> None:
    """Record that a turn failed, and when it is tried again."""
    run = commit.run
    commit.turn_failure = cause
    if task.scheduled_event_id:
        commit.record(
            e.WorkflowTaskFailed(
                run.next_event_id,
                commit.now,
                task.scheduled_event_id,
                task.started_event_id,
                cause,
                failure,
                identity,
                build_id=build_id,
            )
        )
    else:
        commit.record(e.WorkflowTaskAttemptFailed(0, commit.now, cause, failure))
    _retry(commit)


def timed_out(commit: Commit) -> bool:
    """The worker that has the turn took too long. Whether that is so."""
    task = commit.run.workflow_task
    if task is None or not task.started_time or turn_due(commit.run, task) > commit.now:
        return False
    commit.turn_failure = "TIMEOUT"
    if task.scheduled_event_id:
        commit.record(
            e.WorkflowTaskTimedOut(commit.next_id, commit.now, task.scheduled_event_id, task.started_event_id)
        )
    else:
        commit.record(e.WorkflowTaskAttemptFailed(0, commit.now, "TIMEOUT"))
    _retry(commit)
    return True


def _retry(commit: Commit) -> None:
    """Try again, at once if there is something that the program did not know of."""
    run = commit.run
    task = run.workflow_task
    assert task is not None
    delay = 0 if run.buffered else min(RETRY_MAXIMUM_NS, RETRY_INITIAL_NS << min(task.attempt - 2, 10))
    next_attempt_time = commit.now + delay
    commit.record(e.WorkflowTaskRetryScheduled(0, commit.now, next_attempt_time))
    _number_buffered(commit)


def retry_now(commit: Commit) -> None:
    """Do not wait out a failed turn's back-off. A turn that a worker has in hand is taken from it: that worker is
    gone."""
    task = commit.run.workflow_task
    if task is None:
        return
    if task.started_time:
        commit.turn_failure = "TIMEOUT"
        if task.scheduled_event_id:
            commit.record(
                e.WorkflowTaskTimedOut(commit.next_id, commit.now, task.scheduled_event_id, task.started_event_id)
            )
        else:
            commit.record(e.WorkflowTaskAttemptFailed(0, commit.now, "TIMEOUT"))
        _retry(commit)
    if task.next_attempt_time > commit.now:
        commit.record(e.WorkflowTaskRetryScheduled(0, commit.now, commit.now))


def force_close(commit: Commit) -> None:
    """The run is about to be closed from outside: end the turn that a worker may have in hand, and number what waited
    for it."""
    run = commit.run
    task = run.workflow_task
    if task is None or not task.started_time:
        return
    if task.scheduled_event_id:
        commit.record(
            e.WorkflowTaskFailed(
                run.next_event_id, commit.now, task.scheduled_event_id, task.started_event_id, "FORCE_CLOSE_COMMAND"
            )
        )
    else:
        commit.record(e.WorkflowTaskAttemptFailed(0, commit.now, "FORCE_CLOSE_COMMAND"))
    _number_buffered(commit)


def flush(commit: Commit, *, is_news: bool) -> None:
    """The turn is over: number what came meanwhile, and ask for another turn if there is reason to, or ``is_news``
    already."""
    if _number_buffered(commit) or is_news:
        schedule(commit)
    elif any(update.admitted is not None for update in commit.run.updates.values()):
        request(commit)


def _number_buffered(commit: Commit) -> bool:
    run = commit.run
    if not run.buffered:
        return False
    commit.has_flushed = True
    started_ids: dict[int, int] = {}
    for event in tuple(run.buffered):
        event_id = run.next_event_id
        numbered = msgspec.structs.replace(event, id=event_id)
        match numbered:
            case e.ActivityTaskStarted():
                started_ids[numbered.scheduled_event_id] = event_id
            case e.ChildWorkflowExecutionStarted():
                started_ids[numbered.initiated_event_id] = event_id
            case (
                e.ActivityTaskCompleted() | e.ActivityTaskFailed() | e.ActivityTaskTimedOut() | e.ActivityTaskCanceled()
            ) if not numbered.started_event_id and numbered.scheduled_event_id in started_ids:
                numbered = msgspec.structs.replace(numbered, started_event_id=started_ids[numbered.scheduled_event_id])
            case (
                e.ChildWorkflowExecutionCompleted()
                | e.ChildWorkflowExecutionFailed()
                | e.ChildWorkflowExecutionCanceled()
                | e.ChildWorkflowExecutionTimedOut()
                | e.ChildWorkflowExecutionTerminated()
            ) if not numbered.started_event_id and numbered.initiated_event_id in started_ids:
                numbered = msgspec.structs.replace(numbered, started_event_id=started_ids[numbered.initiated_event_id])
        commit.record(e.EventFlushed(0, commit.now, numbered))
    return True
