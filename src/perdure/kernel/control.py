"""What people do to a run: cancel, terminate, pause, resume, pin to a build."""

from perdure.kernel import lifecycle, workflow_task
from perdure.kernel.activity import is_ready
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.run import FIRST_TASK, Run
from perdure.kernel.signal import refuse_stranger
from perdure.model import events as e
from perdure.model.requests import (
    AttachCallbacks,
    CancelWorkflow,
    PauseWorkflow,
    Request,
    ResumeWorkflow,
    SignalWorkflow,
    TerminateWorkflow,
    UpdateWorkflow,
    UpdateWorkflowOptions,
)


def refuse_closed(run: Run, request: Request) -> Rejection | None:
    """Nothing can be done to a closed run. What was done to it before may be asked for again, which changes nothing."""
    match request:
        case SignalWorkflow(request_id=request_id) | CancelWorkflow(request_id=request_id) if (
            request_id in run.request_ids
        ):
            return None
        case UpdateWorkflow(update_id=update_id) if update_id in run.updates:
            return None
    return Rejection(
        Reason.CLOSED,
        f"Run {run.run_id} of workflow {run.workflow_id!r} is closed ({run.status.name}), "
        f"so {request.__class__.__name__} has nothing to act on.",
    )


def cancel(commit: Commit, request: CancelWorkflow) -> Rejection | None:
    """Ask the program to stop."""
    run = commit.run
    if request.child_of:
        refusal = refuse_stranger(commit, request.child_of)
        if refusal is not None:
            return refusal
    if run.cancel_requested:
        return None
    commit.occur(
        e.WorkflowExecutionCancelRequested(
            commit.occurrence_id(),
            commit.now,
            request.reason,
            request.external_initiated_event_id,
            request.external,
            request.identity,
            request.request_id,
        )
    )
    if run.first_task_pending:  # there is no point in waiting out a delay
        for due, ref in lifecycle.own_timers(run):
            if ref == FIRST_TASK:
                commit.drop_timer(due, ref)
        lifecycle.first_task_ready(commit)
    else:
        workflow_task.schedule(commit)
    return None


def terminate(commit: Commit, request: TerminateWorkflow) -> Rejection | None:
    """Close the run without asking its program."""
    if request.child_of:
        refusal = refuse_stranger(commit, request.child_of)
        if refusal is not None:
            return refusal
    workflow_task.force_close(commit)
    lifecycle.close(
        commit,
        e.WorkflowExecutionTerminated(commit.next_id, commit.now, request.reason, request.details, request.identity),
    )
    return None


def pause(commit: Commit, request: PauseWorkflow) -> Rejection | None:
    """Let nothing new start."""
    if commit.run.is_paused:
        return None
    commit.occur(
        e.WorkflowExecutionPaused(
            commit.occurrence_id(), commit.now, request.identity, request.reason, request.request_id
        )
    )
    commit.is_visible = True
    return None


def resume(commit: Commit, request: ResumeWorkflow) -> Rejection | None:
    """Let it go on."""
    run = commit.run
    if not run.is_paused:
        return None
    commit.occur(
        e.WorkflowExecutionUnpaused(
            commit.occurrence_id(), commit.now, request.identity, request.reason, request.request_id
        )
    )
    commit.is_visible = True
    commit.ready.extend(ref for ref, activity in run.activities.items() if is_ready(run, activity, commit.now))
    return None


def update_options(commit: Commit, request: UpdateWorkflowOptions) -> Rejection | None:
    """Choose which build of the code takes the run's turns, and the priority of what it schedules. A failed turn is tried
    again at once, by that build."""
    run = commit.run
    is_same = request.leaves_pin or (run.pin_override, run.versioning_override) == (
        request.pinned_build_id,
        request.versioning,
    )
    if is_same and (not request.sets_priority or run.priority == request.priority):
        return None
    commit.is_visible = commit.is_found_by_other_values = True
    commit.occur(
        e.WorkflowExecutionOptionsUpdated(
            commit.occurrence_id(),
            commit.now,
            request.pinned_build_id,
            request.identity,
            request.request_id,
            versioning=request.versioning,
            leaves_pin=is_same,
            priority=request.priority,
            sets_priority=request.sets_priority,
        )
    )
    if not is_same and not run.turn_in_hand:
        workflow_task.retry_now(commit)
    return None


def attach_callbacks(commit: Commit, request: AttachCallbacks) -> Rejection | None:
    """Others want to hear of the run's end."""
    run = commit.run
    if (
        any(known.request_id == request.request_id for known in run.callbacks)
        or (request.request_id and request.request_id == run.started.request_id)
        or request.request_id in run.attached_request_ids
        or not (request.request_id or request.callbacks)
    ):
        return None
    limit = commit.limits.completion_callbacks
    if limit and len(run.callbacks) + len(request.callbacks) > limit:
        return Rejection(
            Reason.LIMIT,
            f"Run {run.run_id} would tell more than {limit} others of its end (limit completion_callbacks).",
        )
    commit.occur(
        e.WorkflowExecutionOptionsUpdated(
            commit.occurrence_id(),
            commit.now,
            run.pin_override,
            request.identity,
            request.request_id,
            request.callbacks,
            leaves_pin=True,
        )
    )
    return None
