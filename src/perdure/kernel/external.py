"""Signalling and cancelling other runs from a program."""

from perdure.kernel import workflow_task
from perdure.kernel.commit import Commit, Message, Reason, Rejection
from perdure.kernel.run import Run
from perdure.model import events as e
from perdure.model.commands import RequestCancelExternalWorkflowExecution, SignalExternalWorkflowExecution
from perdure.model.ids import RunAddress
from perdure.model.requests import CancelWorkflow, ExternalCancelDelivered, ExternalSignalDelivered, SignalWorkflow


def _qualified(commit: Commit, address: RunAddress) -> RunAddress:
    return address if address.namespace else RunAddress(commit.run.namespace, address.workflow_id, address.run_id)


def _self_address(run: Run) -> RunAddress:
    return RunAddress(run.namespace, run.workflow_id, run.run_id)


def signal(commit: Commit, command: SignalExternalWorkflowExecution, task_completed_id: int) -> None:
    """The program signals another run."""
    run = commit.run
    target = _qualified(commit, command.workflow_execution)
    event = e.SignalExternalWorkflowExecutionInitiated(
        commit.next_id,
        commit.now,
        target,
        command.signal_name,
        command.input,
        command.child_workflow_only,
        command.header,
        task_completed_id,
        command.control,
    )
    commit.record(event)
    commit.send(_signal_message(run, event))


def request_cancel(commit: Commit, command: RequestCancelExternalWorkflowExecution, task_completed_id: int) -> None:
    """The program asks another run to stop."""
    target = _qualified(commit, command.workflow_execution)
    event = e.RequestCancelExternalWorkflowExecutionInitiated(
        commit.next_id,
        commit.now,
        target,
        command.child_workflow_only,
        command.reason,
        task_completed_id,
        command.control,
    )
    commit.record(event)
    commit.send(_cancel_message(commit.run, event))


def send_again(commit: Commit) -> None:
    """A run that begins with a copied history waits for answers that only the other run will get: ask for itself."""
    run = commit.run
    for signalled in run.external_signals.values():
        commit.send(_signal_message(run, signalled))
    for cancelled in run.external_cancels.values():
        commit.send(_cancel_message(run, cancelled))


def _signal_message(run: Run, event: e.SignalExternalWorkflowExecutionInitiated) -> Message:
    request = SignalWorkflow(
        event.signal_name,
        event.input,
        event.header,
        request_id=f"{run.run_id}:{event.id}",
        external=_self_address(run),
        child_of=run.run_id if event.child_workflow_only else "",
    )
    return Message(event.id, event.workflow_execution, request, wants_reply=True)


def _cancel_message(run: Run, event: e.RequestCancelExternalWorkflowExecutionInitiated) -> Message:
    request = CancelWorkflow(
        event.reason,
        f"{run.run_id}:{event.id}",
        external=_self_address(run),
        external_initiated_event_id=event.id,
        child_of=run.run_id if event.child_workflow_only else "",
    )
    return Message(event.id, event.workflow_execution, request, wants_reply=True)


def signal_delivered(commit: Commit, request: ExternalSignalDelivered) -> Rejection | None:
    """The signal has arrived, or can't."""
    initiated = commit.run.external_signals.get(request.initiated_event_id)
    if initiated is None:
        return _unknown(commit, request.initiated_event_id)
    commit.arrived(initiated.id)
    event_id, target = commit.occurrence_id(), initiated.workflow_execution
    if request.cause:
        commit.occur(
            e.SignalExternalWorkflowExecutionFailed(
                event_id, commit.now, request.cause, target, initiated.id, initiated.control
            )
        )
    else:
        commit.occur(e.ExternalWorkflowExecutionSignaled(event_id, commit.now, initiated.id, target, initiated.control))
    workflow_task.schedule(commit)
    return None


def cancel_delivered(commit: Commit, request: ExternalCancelDelivered) -> Rejection | None:
    """The request to stop has arrived, or can't."""
    initiated = commit.run.external_cancels.get(request.initiated_event_id)
    if initiated is None:
        return _unknown(commit, request.initiated_event_id)
    commit.arrived(initiated.id)
    event_id, target = commit.occurrence_id(), initiated.workflow_execution
    if request.cause:
        commit.occur(
            e.RequestCancelExternalWorkflowExecutionFailed(event_id, commit.now, request.cause, target, initiated.id)
        )
    else:
        commit.occur(e.ExternalWorkflowExecutionCancelRequested(event_id, commit.now, initiated.id, target))
    workflow_task.schedule(commit)
    return None


def _unknown(commit: Commit, initiated_event_id: int) -> Rejection:
    return Rejection(
        Reason.STALE, f"Run {commit.run.run_id} does not wait for an answer under event {initiated_event_id}."
    )
