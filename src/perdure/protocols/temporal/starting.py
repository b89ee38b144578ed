"""Starts, as the engine's request."""

from typing import Any

from temporalio.api.errordetails.v1 import message_pb2 as details

from perdure.model import cron
from perdure.model.ids import RunAddress
from perdure.model.options import IdReuse
from perdure.model.requests import SignalWorkflow, StartWorkflow, UpdateWorkflow
from perdure.protocols.temporal.calls import Call
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.names import to_priority, to_retry_policy
from perdure.protocols.temporal.options import conflict, reuse
from perdure.protocols.temporal.payloads import to_map, to_payloads, to_user_metadata
from perdure.protocols.temporal.times import ns_of, shortest, task_timeout
from perdure.protocols.temporal.versions import pin_of


def start_request(
    request: Any, *, signal: SignalWorkflow | None = None, update: UpdateWorkflow | None = None
) -> StartWorkflow:
    """A ``StartWorkflowExecutionRequest``, or one with a signal. Raises ``Refused`` for what can't be."""
    if not request.workflow_id:
        raise Refused.invalid("WorkflowId is not set on request.")
    if not request.workflow_type.name:
        raise Refused.invalid("WorkflowType is not set on request.")
    if not request.task_queue.name:
        raise Refused.invalid("TaskQueue is not set on request.")
    if request.cron_schedule:
        if request.HasField("workflow_start_delay"):
            raise Refused.invalid("CronSchedule and WorkflowStartDelay may not be used together.")
        if wrong := cron.problem(request.cron_schedule):
            raise Refused.invalid(wrong)
    if request.workflow_id_reuse_policy == 4 and request.workflow_id_conflict_policy:
        raise Refused.invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a "
            "WorkflowIDConflictPolicy."
        )
    execution_timeout = ns_of(request.workflow_execution_timeout)
    run_timeout = shortest(ns_of(request.workflow_run_timeout), execution_timeout)
    default_conflict = 0 if signal is None else 2
    return StartWorkflow(
        request.workflow_id,
        request.workflow_type.name,
        request.task_queue.name,
        to_payloads(request.input),
        request.request_id,
        reuse(request.workflow_id_reuse_policy if request.workflow_id_reuse_policy != 4 else 1),
        conflict(request.workflow_id_conflict_policy or default_conflict, request.workflow_id_reuse_policy),
        execution_timeout,
        run_timeout,
        task_timeout(ns_of(request.workflow_task_timeout), run_timeout),
        to_retry_policy(request.retry_policy) if request.HasField("retry_policy") else None,
        ns_of(request.workflow_start_delay),
        to_map(request.memo.fields),
        to_map(request.search_attributes.indexed_fields),
        to_map(request.header.fields),
        request.identity,
        signal,
        update,
        user_metadata=to_user_metadata(request.user_metadata),
        priority=to_priority(request.priority),
        pinned_build_id=pin_of(request.versioning_override),
        cron_schedule=request.cron_schedule,
    )


async def taken(call: Call, namespace: str, asked: StartWorkflow) -> Refused:
    """Why a workflow id could not be used, with the run that has it."""
    run = (await call.parts.turns.resident(RunAddress(namespace, asked.workflow_id))).run
    about = f"WorkflowId: {asked.workflow_id}, RunId: {run.run_id}."
    if run.close is None:
        message = f"Workflow execution is already running. {about}"
    elif asked.id_reuse is IdReuse.REJECT:
        message = (
            f"Workflow execution already finished. {about} Workflow Id reuse policy: reject duplicate workflow Id."
        )
    else:
        policy = "allow duplicate workflow Id if last run failed"
        message = f"Workflow execution already finished successfully. {about} Workflow Id reuse policy: {policy}."
    detail = details.WorkflowExecutionAlreadyStartedFailure(start_request_id=run.started.request_id, run_id=run.run_id)
    return Refused(Code.ALREADY_EXISTS, message, detail)


def signal_request(request: Any) -> SignalWorkflow:
    """A ``SignalWorkflowExecutionRequest``."""
    if not request.signal_name:
        raise Refused.invalid("SignalName is not set on request.")
    return SignalWorkflow(
        request.signal_name,
        to_payloads(request.input),
        to_map(request.header.fields),
        request.request_id,
        request.identity,
    )


def update_request(request: Any) -> UpdateWorkflow:
    """The request of an ``UpdateWorkflowExecutionRequest``."""
    meta, input = request.request.meta, request.request.input
    if not input.name:
        raise Refused.invalid("Update name is not set on request.")
    if not meta.update_id:
        raise Refused.invalid("UpdateId is not set on request.")
    return UpdateWorkflow(
        meta.update_id, input.name, to_payloads(input.args), to_map(input.header.fields), meta.identity
    )
