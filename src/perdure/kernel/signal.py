"""Signals from outside: recorded at once, delivered with the next turn."""

from perdure.kernel import workflow_task
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.model import events as e
from perdure.model.requests import SignalWorkflow


def signal(commit: Commit, request: SignalWorkflow) -> Rejection | None:
    """Queue a signal, unless one with this request id was already."""
    run = commit.run
    if request.child_of:
        refusal = refuse_stranger(commit, request.child_of)
        if refusal is not None:
            return refusal
    if request.request_id and request.request_id in run.request_ids:
        return None
    limit = commit.limits.buffered_events
    if limit and len(run.buffered) >= limit:
        return Rejection(
            Reason.LIMIT,
            f"Run {run.run_id} has {limit} events that wait for a turn to end (limit buffered_events). Try again later.",
        )
    commit.occur(
        e.WorkflowExecutionSignaled(
            commit.occurrence_id(),
            commit.now,
            request.signal_name,
            request.input,
            request.identity,
            request.header,
            request.external,
            request.request_id,
        )
    )
    workflow_task.schedule(commit)
    return None


def refuse_stranger(commit: Commit, parent_run_id: str) -> Rejection | None:
    """A rejection unless the run is a child of the run with this id."""
    parent = commit.run.started.parent
    if parent is not None and parent.run_id == parent_run_id:
        return None
    return Rejection(Reason.NOT_FOUND, f"Run {commit.run.run_id} is not a child of run {parent_run_id}.")
