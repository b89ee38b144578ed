"""How a run begins and ends: its start, its closing, and the run that may follow it."""

import hashlib

import msgspec

from perdure.kernel import activity, operation, signal, update, workflow_task
from perdure.kernel.commit import Commit, Message, Successor
from perdure.kernel.run import EXECUTION_TIMEOUT, FIRST_TASK, RUN_TIMEOUT, Run
from perdure.model import cron
from perdure.model import events as e
from perdure.model.failures import Failure, FailureKind, RetryState, TimeoutType
from perdure.model.ids import Ancestry, Completion, CompletionCallback, ParentLink, RunAddress
from perdure.model.limits import DEFAULT_LIMITS, Limits
from perdure.model.options import Initiator, ParentClose, RetryPolicy
from perdure.model.payloads import Payload, PayloadMap, Payloads
from perdure.model.requests import (
    CancelWorkflow,
    ChildClosed,
    OperationClosed,
    SignalWorkflow,
    StartWorkflow,
    TerminateWorkflow,
)

PARENT_MESSAGE = 0
"""The outbox ref of what a closing run tells its parent. What starts a child goes by its initiated event's id, and
what a closing parent tells it by the same number below zero."""

CALLBACK_MESSAGE = 1
"""The ref of what a closing run tells whoever asked for it: event 1 is the start itself, so no other message has it."""

MORE_CALLBACKS = -(1 << 40)
"""Of more than one, the others go by numbers below this one."""

DEFAULT_TASK_TIMEOUT_NS = 10_000_000_000


def start(namespace: str, run_id: str, request: StartWorkflow, now: int, limits: Limits = DEFAULT_LIMITS) -> Commit:
    """Begin a run. Whether the workflow id may be used was decided before, by ``start_policy``."""
    delay_ns, initiator = request.start_delay_ns, request.initiator
    if request.cron_schedule and not initiator:
        delay_ns, initiator = max(0, cron.delay_ns(request.cron_schedule, now, now)), Initiator.CRON_SCHEDULE
    expiration = request.execution_expiration_time
    if not expiration and request.execution_timeout_ns:
        expiration = now + delay_ns + request.execution_timeout_ns
    started = e.WorkflowExecutionStarted(
        1,
        now,
        request.workflow_id,
        request.workflow_type,
        request.task_queue,
        request.input,
        request.execution_timeout_ns,
        request.run_timeout_ns,
        request.task_timeout_ns or DEFAULT_TASK_TIMEOUT_NS,
        request.identity,
        request.first_execution_run_id or run_id,
        run_id,
        request.continued_execution_run_id,
        initiator,
        request.continued_failure,
        request.last_completion_result,
        request.retry_policy,
        request.attempt,
        expiration,
        delay_ns,
        request.memo,
        request.search_attributes,
        request.header,
        request.parent,
        request.parent_close_policy,
        request.request_id,
        request.root_workflow_id or request.workflow_id,
        request.root_run_id or run_id,
        now + delay_ns + request.run_timeout_ns if request.run_timeout_ns else 0,
        request.pinned_build_id,
        request.completion_callback,
        request.affinity,
        request.user_metadata,
        request.priority,
        request.cron_schedule,
        request.completion_callbacks,
        request.versioning_override,
        request.is_eager,
    )
    run = Run(namespace, run_id, started)
    commit = Commit(run, now, limits)
    commit.is_visible = True
    commit.record(started)
    if expiration or request.run_timeout_ns or delay_ns:
        for due, ref in own_timers(run):
            commit.set_timer(due, ref)
    if request.signal is not None:
        signal.signal(commit, request.signal)
    if not run.first_task_pending:
        workflow_task.schedule(commit)
    return commit


def own_timers(run: Run) -> list[tuple[int, int]]:
    """The ``(due, ref)`` pairs of the run's own clocks: its timeouts and its start delay."""
    started = run.started
    timers: list[tuple[int, int]] = []
    if run.close is not None:
        return timers
    if started.workflow_run_expiration_time:
        timers.append((started.workflow_run_expiration_time, RUN_TIMEOUT))
    if started.workflow_execution_expiration_time:
        timers.append((started.workflow_execution_expiration_time, EXECUTION_TIMEOUT))
    if run.first_task_pending:
        timers.append((started.time + started.first_workflow_task_backoff_ns, FIRST_TASK))
    return timers


def first_task_ready(commit: Commit) -> None:
    """The start delay is over."""
    if commit.run.first_task_pending:
        commit.record(e.FirstTaskReady(0, commit.now))
        workflow_task.schedule(commit)


def derived_run_id(run_id: str, purpose: str) -> str:
    """The id of a run that follows from this one: the same whenever it is asked for, in the form of a UUID (RFC 9562,
    version 8)."""
    digest = bytearray(hashlib.sha256(f"{run_id}/{purpose}".encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def close(commit: Commit, event: e.Event) -> None:
    """Record the run's last event, and let go of everything it had begun."""
    run = commit.run
    for ref, pending in run.activities.items():
        commit.finish_task(ref)
        if pending.started_time:
            commit.cancelled.append(ref)
    for timer in run.timers.values():
        commit.drop_timer(timer.due, timer.started_event_id)
    for due, ref in own_timers(run):
        commit.drop_timer(due, ref)
    if run.children:
        _apply_parent_close_policy(commit)
    if run.operations:
        operation.let_all_go(commit)
    if run.updates:
        update.tell_unanswered(commit)
    commit.ready.clear()
    commit.is_visible = True
    commit.record(event)
    parent = run.started.parent
    if parent is not None and commit.successor is None:
        commit.send(
            Message(
                PARENT_MESSAGE,
                RunAddress(parent.namespace, parent.workflow_id, parent.run_id),
                ChildClosed(parent.initiated_event_id, run.run_id, event),
            )
        )
    if run.callbacks and commit.successor is None:
        for number, callback in enumerate(run.callbacks):
            commit.send(_completion_message(run, callback, callback_ref(number)))


def without_callbacks(event: e.Event) -> e.Event:
    """The event as a copied history has it of which nobody else is to hear."""
    match event:
        case e.WorkflowExecutionStarted():
            return msgspec.structs.replace(event, completion_callback=None, completion_callbacks=())
        case e.WorkflowExecutionOptionsUpdated() if event.attached_callbacks:
            return msgspec.structs.replace(event, attached_callbacks=())
        case e.WorkflowExecutionUpdateAccepted() if event.callbacks:
            return msgspec.structs.replace(event, callbacks=())
        case _:
            return event


def callback_ref(number: int) -> int:
    """The ref of the message for the run's callback number 0, 1, 2 and so on."""
    return MORE_CALLBACKS - number if number else CALLBACK_MESSAGE


def _completion_message(run: Run, callback: CompletionCallback, ref: int) -> Message:
    assert run.close is not None
    if callback.operation_event_id:
        # A run that was reset has the operations of the one before.
        target = RunAddress(callback.namespace, callback.workflow_id)
        event_id, request_id = callback.operation_event_id, callback.operation_request_id
        return Message(ref, target, OperationClosed(event_id, request_id, run.close, callback.token))
    completion = Completion(run.workflow_id, run.run_id, run.started.first_execution_run_id, run.status, run.close.time)
    return Message(
        ref,
        RunAddress(callback.namespace, callback.workflow_id),
        SignalWorkflow(
            callback.signal_name,
            (Payload(msgspec.json.encode(completion)),),
            request_id=f"{run.run_id}:closed",
            external=RunAddress(run.namespace, run.workflow_id, run.run_id),
        ),
    )


def _apply_parent_close_policy(commit: Commit) -> None:
    run = commit.run
    for initiated_id, child in run.children.items():
        initiated = child.initiated
        target = RunAddress(initiated.namespace, initiated.workflow_id)
        reason = "by parent close policy"
        if not child.run_id and initiated.parent_close_policy is not ParentClose.ABANDON:
            commit.arrived(initiated_id)
        if initiated.parent_close_policy is ParentClose.TERMINATE:
            commit.send(Message(-initiated_id, target, TerminateWorkflow(reason=reason, child_of=run.run_id)))
        elif initiated.parent_close_policy is ParentClose.CANCEL:
            request_id, parent = f"{run.run_id}:close", RunAddress(run.namespace, run.workflow_id, run.run_id)
            cancel = CancelWorkflow(request_id=request_id, external=parent, child_of=run.run_id)
            commit.send(Message(-initiated_id, target, cancel))


def complete(commit: Commit, result: Payloads, task_completed_id: int) -> None:
    """The program returned; its cron schedule may start it again."""
    new_run_id = _next_of_cron(commit, None, result) if commit.run.started.cron_schedule else ""
    close(commit, e.WorkflowExecutionCompleted(commit.next_id, commit.now, result, task_completed_id, new_run_id))


def cancel(commit: Commit, details: Payloads, task_completed_id: int) -> None:
    """The program has stopped, as it was asked to."""
    close(commit, e.WorkflowExecutionCanceled(commit.next_id, commit.now, task_completed_id, details))


def fail(commit: Commit, failure: Failure, task_completed_id: int) -> None:
    """The program failed the run; its retry policy may start another one, or else its cron schedule."""
    state, delay_ns = _next_run(commit, failure)
    if state is RetryState.IN_PROGRESS:
        new_run_id = _retry(commit, delay_ns, failure)
    else:
        new_run_id = _next_of_cron(commit, failure) if commit.run.started.cron_schedule else ""
    close(commit, e.WorkflowExecutionFailed(commit.next_id, commit.now, failure, state, task_completed_id, new_run_id))


def time_out(commit: Commit, *, whole_execution: bool) -> None:
    """The run took too long. Its retry policy or cron schedule may start another one, unless the time of the whole
    execution is up."""
    state, new_run_id = RetryState.TIMEOUT, ""
    if not whole_execution:
        failure = Failure("workflow timed out", FailureKind.TIMEOUT, timeout_type=TimeoutType.START_TO_CLOSE)
        state, delay_ns = _next_run(commit, failure)
        if state is RetryState.IN_PROGRESS:
            new_run_id = _retry(commit, delay_ns, failure)
        elif commit.run.started.cron_schedule:
            new_run_id = _next_of_cron(commit, failure)
    workflow_task.force_close(commit)
    close(commit, e.WorkflowExecutionTimedOut(commit.next_id, commit.now, state, new_run_id))


def _next_run(commit: Commit, failure: Failure) -> tuple[RetryState, int]:
    """Whether the run's retry policy asks for another run, and after how long (ns)."""
    started = commit.run.started
    policy = started.retry_policy
    if policy is None:
        return RetryState.RETRY_POLICY_NOT_SET, 0
    expiration = started.workflow_execution_expiration_time
    return activity.next_attempt(policy, started.attempt, failure, commit.now, expiration)


def _retry(commit: Commit, delay_ns: int, failure: Failure) -> str:
    started = commit.run.started
    return _again(commit, delay_ns, Initiator.RETRY, started.attempt + 1, failure, started.last_completion_result)


def _next_of_cron(commit: Commit, failure: Failure | None, result: Payloads | None = None) -> str:
    """The run that the cron schedule starts after this one: its id, empty if there is no more time for one."""
    started = commit.run.started
    began = started.time + started.first_workflow_task_backoff_ns
    delay_ns = cron.delay_ns(started.cron_schedule, began, commit.now)
    expiration = started.workflow_execution_expiration_time
    if delay_ns == cron.NEVER or (expiration and commit.now + delay_ns > expiration):
        return ""
    last = started.last_completion_result if result is None else result
    return _again(commit, delay_ns, Initiator.CRON_SCHEDULE, 1, failure, last)


def _again(
    commit: Commit,
    delay_ns: int,
    initiator: Initiator,
    attempt: int,
    failure: Failure | None,
    last_completion_result: Payloads,
) -> str:
    """A run that begins as this one did. Its id."""
    started = commit.run.started
    return _succeed(
        commit,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
        input=started.input,
        run_timeout_ns=started.workflow_run_timeout_ns,
        task_timeout_ns=started.workflow_task_timeout_ns,
        delay_ns=delay_ns,
        initiator=initiator,
        attempt=attempt,
        failure=failure,
        last_completion_result=last_completion_result,
        memo=started.memo,
        search_attributes=started.search_attributes,
        retry_policy=started.retry_policy,
        header=started.header,
    )


def continue_as_new(commit: Commit, event: e.WorkflowExecutionContinuedAsNew, retry_policy: RetryPolicy | None) -> None:
    """The program asked for a fresh run in its place; ``event`` was made with ``derived_run_id(run_id, "next")``."""
    _succeed(
        commit,
        workflow_type=event.workflow_type,
        task_queue=event.task_queue,
        input=event.input,
        run_timeout_ns=event.workflow_run_timeout_ns,
        task_timeout_ns=event.workflow_task_timeout_ns,
        delay_ns=event.backoff_start_interval_ns,
        initiator=event.initiator or Initiator.WORKFLOW,
        attempt=1,
        failure=None,
        last_completion_result=event.last_completion_result,
        memo=event.memo,
        search_attributes=event.search_attributes,
        retry_policy=retry_policy or commit.run.started.retry_policy,
        header=event.header,
    )
    close(commit, event)


def _succeed(
    commit: Commit,
    *,
    workflow_type: str,
    task_queue: str,
    input: Payloads,
    run_timeout_ns: int,
    task_timeout_ns: int,
    delay_ns: int,
    initiator: Initiator,
    attempt: int,
    failure: Failure | None,
    last_completion_result: Payloads,
    memo: PayloadMap | None,
    search_attributes: PayloadMap | None,
    retry_policy: RetryPolicy | None,
    header: PayloadMap | None,
) -> str:
    run, started = commit.run, commit.run.started
    new_run_id = derived_run_id(run.run_id, "next")
    commit.successor = Successor(
        new_run_id,
        StartWorkflow(
            workflow_id=started.workflow_id,
            workflow_type=workflow_type,
            task_queue=task_queue,
            input=input,
            # Whoever asks for the start once more is told of the run that goes on, and no second one begins.
            request_id=started.request_id,
            execution_timeout_ns=started.workflow_execution_timeout_ns,
            run_timeout_ns=run_timeout_ns,
            task_timeout_ns=task_timeout_ns,
            retry_policy=retry_policy,
            start_delay_ns=delay_ns,
            memo=memo,
            search_attributes=search_attributes,
            header=header,
            identity=started.identity,
            parent=started.parent,
            parent_close_policy=started.parent_close_policy,
            # Whoever is nobody's child is the root itself, each run anew.
            root_workflow_id=started.root_workflow_id if started.parent is not None else "",
            root_run_id=started.root_run_id if started.parent is not None else "",
            continued_execution_run_id=run.run_id,
            first_execution_run_id=started.first_execution_run_id,
            initiator=initiator,
            continued_failure=failure,
            last_completion_result=last_completion_result,
            attempt=attempt,
            execution_expiration_time=started.workflow_execution_expiration_time,
            pinned_build_id=run.pinned_build_id,
            completion_callback=started.completion_callback,
            affinity=started.affinity,
            user_metadata=started.user_metadata,
            priority=run.priority,
            cron_schedule=started.cron_schedule,
            completion_callbacks=tuple(run.callbacks[0 if started.completion_callback is None else 1 :]),
            versioning_override=run.versioning_override,
        ),
    )
    return new_run_id


def parent_link(commit: Commit, initiated_event_id: int) -> ParentLink:
    """How a child names the run that starts it."""
    run = commit.run
    above = run.started.parent.depth if run.started.parent is not None else 0
    return ParentLink(run.namespace, run.workflow_id, run.run_id, initiated_event_id, above + 1)


def ancestry(started: e.WorkflowExecutionStarted) -> Ancestry | None:
    """What lists keep of the runs above one; None for one that is nobody's child."""
    parent = started.parent
    if parent is None:
        return None
    return Ancestry(
        parent.namespace,
        parent.workflow_id,
        parent.run_id,
        parent.initiated_event_id,
        parent.depth,
        started.root_workflow_id,
        started.root_run_id,
    )
