"""Child workflows, seen from the parent: asked for, started, closed. A run that is started detached is asked for in the
same way, and is nobody's child from when it has started."""

from perdure.kernel import lifecycle, workflow_task
from perdure.kernel.commit import Commit, Message, Reason, Rejection
from perdure.kernel.run import Child
from perdure.model import events as e
from perdure.model.commands import StartChildWorkflowExecution
from perdure.model.errors import InvariantError
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import CompletionCallback, DetachedStart, RunAddress
from perdure.model.options import IdConflict, ParentClose
from perdure.model.requests import ChildClosed, ChildStarted, ChildStartFailed, StartWorkflow


def initiate(commit: Commit, command: StartChildWorkflowExecution, task_completed_id: int) -> None:
    """The program wants a child, or a run of its own."""
    run = commit.run
    namespace, detached = command.namespace or run.namespace, command.detached
    event = e.StartChildWorkflowExecutionInitiated(
        commit.next_id,
        commit.now,
        command.workflow_id,
        command.workflow_type,
        command.task_queue or run.started.task_queue,
        namespace,
        command.input,
        command.workflow_execution_timeout_ns,
        command.workflow_run_timeout_ns,
        command.workflow_task_timeout_ns,
        command.parent_close_policy if detached is None else ParentClose.ABANDON,
        command.workflow_id_reuse_policy,
        command.retry_policy,
        command.memo,
        command.search_attributes,
        command.header,
        task_completed_id,
        detached,
        command.affinity,
        command.user_metadata,
        command.priority,
        command.cron_schedule,
        command.goes_on,
    )
    commit.record(event)
    request = _child(commit, event) if detached is None else _detached(commit, event, detached)
    commit.send(Message(event.id, RunAddress(namespace, event.workflow_id), request, wants_reply=True))


def _child(commit: Commit, event: e.StartChildWorkflowExecutionInitiated) -> StartWorkflow:
    run = commit.run
    return StartWorkflow(
        workflow_id=event.workflow_id,
        workflow_type=event.workflow_type,
        task_queue=event.task_queue,
        input=event.input,
        request_id=f"{run.run_id}:{event.id}",
        id_reuse=event.workflow_id_reuse_policy,
        id_conflict=IdConflict.FAIL,
        execution_timeout_ns=event.workflow_execution_timeout_ns,
        run_timeout_ns=event.workflow_run_timeout_ns,
        task_timeout_ns=event.workflow_task_timeout_ns,
        retry_policy=event.retry_policy,
        memo=event.memo,
        search_attributes=event.search_attributes,
        header=event.header,
        parent=lifecycle.parent_link(commit, event.id),
        parent_close_policy=event.parent_close_policy,
        root_workflow_id=run.started.root_workflow_id,
        root_run_id=run.started.root_run_id,
        # Another queue's workers have other code, and other builds.
        pinned_build_id=run.pinned_build_id if event.task_queue == run.started.task_queue else "",
        affinity=event.affinity,
        user_metadata=event.user_metadata,
        priority=event.priority if event.priority is not None else run.priority,
        cron_schedule=event.cron_schedule,
        goes_on=event.goes_on,
    )


def _detached(commit: Commit, event: e.StartChildWorkflowExecutionInitiated, detached: DetachedStart) -> StartWorkflow:
    run, signal = commit.run, detached.closed_signal
    return StartWorkflow(
        workflow_id=event.workflow_id,
        workflow_type=event.workflow_type,
        task_queue=event.task_queue,
        input=event.input,
        request_id=detached.request_id or f"{run.run_id}:{event.id}",
        id_reuse=event.workflow_id_reuse_policy,
        id_conflict=IdConflict.FAIL,
        execution_timeout_ns=event.workflow_execution_timeout_ns,
        run_timeout_ns=event.workflow_run_timeout_ns,
        task_timeout_ns=event.workflow_task_timeout_ns,
        retry_policy=event.retry_policy,
        memo=event.memo,
        search_attributes=event.search_attributes,
        header=event.header,
        identity=detached.identity,
        completion_callback=CompletionCallback(run.namespace, run.workflow_id, signal) if signal else None,
        affinity=event.affinity,
    )


def started(commit: Commit, request: ChildStarted) -> Rejection | None:
    """The child has begun."""
    child = commit.run.children.get(request.initiated_event_id)
    if child is None or child.run_id:
        return _unknown(commit, request.initiated_event_id)
    commit.arrived(request.initiated_event_id)
    _record_started(commit, child, request.run_id)
    workflow_task.schedule(commit)
    return None


def _record_started(commit: Commit, child: Child, run_id: str) -> None:
    initiated = child.initiated
    commit.occur(
        e.ChildWorkflowExecutionStarted(
            commit.occurrence_id(), commit.now, initiated.id, initiated.workflow_id, run_id, initiated.workflow_type
        )
    )


def start_failed(commit: Commit, request: ChildStartFailed) -> Rejection | None:
    """The child could not begin: its workflow id is taken."""
    child = commit.run.children.get(request.initiated_event_id)
    if child is None or child.run_id:
        return _unknown(commit, request.initiated_event_id)
    initiated = child.initiated
    commit.arrived(initiated.id)
    commit.occur(
        e.StartChildWorkflowExecutionFailed(
            commit.occurrence_id(),
            commit.now,
            initiated.workflow_id,
            initiated.workflow_type,
            request.cause,
            initiated.id,
            initiated.workflow_task_completed_event_id,
            request.message,
        )
    )
    workflow_task.schedule(commit)
    return None


def closed(commit: Commit, request: ChildClosed) -> Rejection | None:
    """The child has ended. Its message may overtake the one that says it started."""
    child = commit.run.children.get(request.initiated_event_id)
    if child is None or child.initiated.detached is not None:
        return _unknown(commit, request.initiated_event_id)
    if not child.run_id:
        commit.arrived(request.initiated_event_id)
        _record_started(commit, child, request.run_id)
    commit.occur(_closing_event(commit, child, request))
    workflow_task.schedule(commit)
    return None


def _closing_event(commit: Commit, child: Child, request: ChildClosed) -> e.Event:
    initiated = child.initiated
    shared = (
        commit.occurrence_id(),
        commit.now,
        initiated.id,
        child.started_event_id,
        initiated.workflow_id,
        request.run_id,
        initiated.workflow_type,
    )
    match request.closing:
        case e.WorkflowExecutionCompleted(result=result):
            return e.ChildWorkflowExecutionCompleted(*shared, result)
        case e.WorkflowExecutionFailed(failure=failure, retry_state=retry_state):
            return e.ChildWorkflowExecutionFailed(*shared, failure, retry_state)
        case e.WorkflowExecutionCanceled(details=details):
            return e.ChildWorkflowExecutionCanceled(*shared, details)
        case e.WorkflowExecutionTimedOut(retry_state=retry_state):
            return e.ChildWorkflowExecutionTimedOut(*shared, retry_state)
        case e.WorkflowExecutionTerminated():
            return e.ChildWorkflowExecutionTerminated(*shared)
        case e.WorkflowExecutionContinuedAsNew():
            failure = Failure("the child went on in another run", FailureKind.SERVER)
            return e.ChildWorkflowExecutionFailed(*shared, failure)
        case other:
            raise InvariantError(f"{other.__class__.__name__} does not close a run.")


def _unknown(commit: Commit, initiated_event_id: int) -> Rejection:
    return Rejection(
        Reason.STALE, f"Run {commit.run.run_id} does not wait for a child under event {initiated_event_id}."
    )
