"""Starting again from the middle: a new run with a copy of another one's history, up to a turn.

A reset is a fork under the same workflow id. The copy keeps every number, and every time but those that pending
activities were scheduled at; then the turn that comes next is marked as begun anew, as in Temporal:
``WorkflowTaskFailed`` with cause ``RESET_WORKFLOW``.
"""

from collections.abc import Sequence

import msgspec

from perdure.kernel import external, lifecycle, operation, operation_offers, workflow_task
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.failures import Failure
from perdure.model.limits import DEFAULT_LIMITS, Limits
from perdure.model.program import numbered
from perdure.model.requests import ForkWorkflow

SIGNALS, UPDATES = "signals", "updates"
"""What a reset may leave out of that which came later."""


def start_fork(
    namespace: str, run_id: str, request: ForkWorkflow, now: int, limits: Limits = DEFAULT_LIMITS
) -> Commit | Rejection:
    """Begin a run with a copied history.

    The copy ends with the last turn started at or before ``event_id``: that turn is taken again. Refused when there
    is none, or when the copy would wait for a child that belongs to the other run.
    """
    unknown = set(request.leaves_out) - {SIGNALS, UPDATES}
    if unknown:
        return Rejection(
            Reason.INVALID, f"A reset can leave out {SIGNALS} and {UPDATES}, not {', '.join(sorted(unknown))}."
        )
    events = numbered(request.records)
    if request.event_id > len(events):
        return Rejection(
            Reason.INVALID,
            f"Run {request.base_run_id} has no event {request.event_id}: its history ends with event {len(events)}.",
        )
    end = _end_of_copy(events, request.event_id if request.child is None else _before_cancel(events, request.event_id))
    if end is None:
        return Rejection(
            Reason.INVALID,
            f"Run {request.base_run_id} has no turn that began at or before event {request.event_id}: "
            f"choose an event from 1 to {len(events)} that a workflow task has been started for.",
        )
    started = events[0]
    assert isinstance(started, e.WorkflowExecutionStarted)
    expiration = started.workflow_execution_expiration_time
    started = msgspec.structs.replace(
        started,
        workflow_id=request.workflow_id,
        input=started.input if request.input is None else request.input,
        # The clocks of the copy begin now; how long they run is as it was.
        workflow_execution_expiration_time=now + started.workflow_execution_timeout_ns if expiration else 0,
        workflow_run_expiration_time=now + started.workflow_run_timeout_ns if started.workflow_run_timeout_ns else 0,
        first_execution_run_id=started.first_execution_run_id if request.is_reset else run_id,
        request_id=request.request_id,
        identity=request.identity or started.identity,
    )
    if not request.is_reset:
        started = msgspec.structs.replace(
            started,
            parent=None,
            root_workflow_id=request.workflow_id,
            root_run_id=run_id,
        )
        events = [lifecycle.without_callbacks(event) for event in (started, *events[1:])]
        started = events[0]
        assert isinstance(started, e.WorkflowExecutionStarted)
    if request.child is not None:
        started = msgspec.structs.replace(
            started,
            parent=request.child.parent,
            parent_close_policy=request.child.parent_close_policy,
            root_workflow_id=request.child.root_workflow_id,
            root_run_id=request.child.root_run_id,
        )
    run = Run(namespace, run_id, started)
    commit = Commit(run, now, limits)
    commit.is_visible = True
    commit.record(started)
    _copy(commit, events[1:end])
    if run.children and not request.loses_children:
        names = ", ".join(sorted(child.initiated.workflow_id for child in run.children.values()))
        return Rejection(
            Reason.INVALID,
            f"At event {request.event_id} run {request.base_run_id} waits for children that would stay with it ({names}). "
            "Choose an event before they were started or after they closed.",
        )
    _begin_turn_anew(commit, request)
    _lose_children(commit, events[end:])
    _put_back_tasks_and_timers(commit)
    external.send_again(commit)
    if request.is_reset:
        _deliver_again(commit, events[end:], request.leaves_out)
    workflow_task.schedule(commit)
    return commit


def _end_of_copy(events: Sequence[e.Event], event_id: int) -> int | None:
    """How many events to copy: up to and including the last ``WorkflowTaskStarted`` at or before ``event_id``."""
    for index in range(min(event_id, len(events)) - 1, -1, -1):
        if isinstance(events[index], e.WorkflowTaskStarted):
            return index + 1
    return None


def _before_cancel(events: Sequence[e.Event], event_id: int) -> int:
    """A run that goes on does so from before it was asked to stop."""
    cancels = (event.id - 1 for event in events[:event_id] if isinstance(event, e.WorkflowExecutionCancelRequested))
    return next(cancels, event_id)


_ENDS_OF_ACTIVITIES = (
    e.ActivityTaskCompleted,
    e.ActivityTaskFailed,
    e.ActivityTaskTimedOut,
    e.ActivityTaskCanceled,
)

_ENDS_OF_CHILDREN = (
    e.ChildWorkflowExecutionCompleted,
    e.ChildWorkflowExecutionFailed,
    e.ChildWorkflowExecutionTimedOut,
    e.ChildWorkflowExecutionCanceled,
    e.ChildWorkflowExecutionTerminated,
)


def _copy(commit: Commit, events: Sequence[e.Event]) -> None:
    ended = {event.scheduled_event_id for event in events if isinstance(event, _ENDS_OF_ACTIVITIES)}
    for event in events:
        if isinstance(event, e.ActivityTaskScheduled) and event.id not in ended:
            # It starts from the beginning, so its clocks do; or its timeouts would be over before it could start.
            event = msgspec.structs.replace(event, time=commit.now)
        commit.record(event)


def _begin_turn_anew(commit: Commit, request: ForkWorkflow) -> None:
    task = commit.run.workflow_task
    assert task is not None
    if commit.run.first_task_pending:
        commit.record(e.FirstTaskReady(0, commit.now))
    commit.record(
        e.WorkflowTaskFailed(
            commit.next_id,
            commit.now,
            task.scheduled_event_id,
            task.started_event_id,
            "RESET_WORKFLOW",
            Failure(request.reason, source="perdure") if request.reason else None,
            base_run_id=request.base_run_id,
            new_run_id=commit.run.run_id,
            identity=request.identity,
        )
    )


def _lose_children(commit: Commit, rest: Sequence[e.Event]) -> None:
    """Children belong to the other run, and its end was theirs unless they had ended by then."""
    ends = {event.initiated_event_id: event for event in rest if isinstance(event, _ENDS_OF_CHILDREN)}
    for child in list(commit.run.children.values()):
        asked, end = child.initiated, ends.get(child.initiated.id)
        if end is None:
            end = e.ChildWorkflowExecutionTerminated(
                0, 0, asked.id, 0, asked.workflow_id, child.run_id, asked.workflow_type
            )
        commit.record(
            msgspec.structs.replace(end, id=commit.next_id, time=commit.now, started_event_id=child.started_event_id)
        )


def _put_back_tasks_and_timers(commit: Commit) -> None:
    """What was pending at the turn is pending again."""
    run = commit.run
    for ref in run.activities:
        commit.add_task(ref)
        commit.ready.append(ref)
    for message in operation_offers.messages(run):
        commit.send(message)
    for due, ref in operation.timers(run):
        commit.set_timer(due, ref)
    for timer in run.timers.values():
        commit.set_timer(timer.due, timer.started_event_id)
    for due, ref in lifecycle.own_timers(run):
        commit.set_timer(due, ref)


def _deliver_again(commit: Commit, rest: Sequence[e.Event], leaves_out: Sequence[str]) -> None:
    """Signals and updates that came later are not lost by a reset, unless it is said to leave them out. A request to cancel
    is: a run is reset to go on."""
    for event in rest:
        if isinstance(event, e.WorkflowExecutionSignaled):
            if SIGNALS in leaves_out:
                continue
            commit.record(msgspec.structs.replace(event, id=commit.next_id, time=commit.now))
        elif isinstance(event, e.WorkflowExecutionUpdateAccepted) and UPDATES not in leaves_out:
            update_id, name = event.protocol_instance_id, event.update_name
            commit.record(
                e.UpdateAdmitted(
                    0, commit.now, update_id, name, event.input, event.header, event.identity, event.callbacks
                )
            )
