"""Every decision of the engine, by the request that asks for it.

``transition`` and ``start`` are the kernel's only entrances. Both are pure: given the same run, request and time they
decide the same. The one thing they change is the run they were given, and that only through ``apply``; a run whose
commit could not be written is thrown away and folded anew from its history.
"""

from collections.abc import Callable
from typing import Any

from perdure.kernel import (
    activity,
    activity_control,
    child,
    control,
    external,
    fork,
    lifecycle,
    operation,
    signal,
    timer,
    turn,
    update,
    workflow_task,
)
from perdure.kernel.commit import Commit, Reason, Rejection
from perdure.kernel.run import Run
from perdure.model import requests as r
from perdure.model.limits import DEFAULT_LIMITS, Limits

Handler = Callable[[Commit, Any], Rejection | None]

start = lifecycle.start
start_fork = fork.start_fork

HANDLERS: dict[type, Handler] = {
    r.SignalWorkflow: signal.signal,
    r.UpdateWorkflow: update.update,
    r.CancelWorkflow: control.cancel,
    r.TerminateWorkflow: control.terminate,
    r.PauseWorkflow: control.pause,
    r.ResumeWorkflow: control.resume,
    r.UpdateWorkflowOptions: control.update_options,
    r.PauseActivity: activity_control.pause,
    r.UnpauseActivity: activity_control.unpause,
    r.ResetActivity: activity_control.reset,
    r.UpdateActivityOptions: activity_control.update_options,
    r.StartWorkflowTask: workflow_task.start,
    r.CompleteWorkflowTask: turn.complete,
    r.FailWorkflowTask: workflow_task.fail,
    r.UnstickWorkflow: workflow_task.unstick,
    r.StartActivity: activity.start,
    r.CompleteActivity: activity.complete,
    r.FailActivity: activity.fail,
    r.CancelActivity: activity.cancel,
    r.HeartbeatActivity: activity.heartbeat,
    r.LoseActivity: activity.lose,
    r.FireTimer: timer.fire,
    r.ChildStarted: child.started,
    r.ChildStartFailed: child.start_failed,
    r.ChildClosed: child.closed,
    r.ExternalSignalDelivered: external.signal_delivered,
    r.ExternalCancelDelivered: external.cancel_delivered,
    r.AcceptOperation: operation.accept,
    r.CompleteOperation: operation.complete,
    r.FailOperation: operation.fail,
    r.FailOperationAttempt: operation.attempt_failed,
    r.OperationCancelDelivered: operation.cancel_delivered,
    r.OperationClosed: operation.closed,
    r.EndOperation: operation.ended,
    r.OfferOperation: operation.refuse_offer,
    r.AttachCallbacks: control.attach_callbacks,
}


def transition(
    run: Run, request: r.Request, now: int, limits: Limits = DEFAULT_LIMITS, commit: Commit | None = None
) -> Commit | Rejection:
    """Decide one request to a run that exists.

    ``now`` is ns since 1970. ``commit`` is an earlier decision on the same run that is not written yet: this one
    joins it. Returns the commit to write, which has no records if nothing had to change, or a rejection, which
    changes nothing.
    """
    if commit is None:
        commit = Commit(run, now, limits)
    if run.close is None:
        rejection = HANDLERS[request.__class__](commit, request)
    else:
        rejection = control.refuse_closed(run, request)
    return commit if rejection is None else rejection


__all__ = ["HANDLERS", "Commit", "Reason", "Rejection", "start", "start_fork", "transition"]
