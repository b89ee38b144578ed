"""Starts, as the engine's request."""

from typing import Any

from perdure.model.requests import SignalWorkflow, StartWorkflow, UpdateWorkflow
from perdure.protocols.temporal.errors import Code, Refused
from perdure.protocols.temporal.names import to_retry_policy
from perdure.protocols.temporal.options import conflict, reuse
from perdure.protocols.temporal.payloads import to_map, to_payloads
from perdure.protocols.temporal.times import ns_of


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
        raise Refused(
            Code.UNIMPLEMENTED, "Cron schedules of workflows are not served by Perdure; create a schedule instead."
        )
    if request.workflow_id_reuse_policy == 4 and request.workflow_id_conflict_policy:
        raise Refused.invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a "
            "WorkflowIDConflictPolicy."
        )
    default_conflict = 0 if signal is None else 2
    return StartWorkflow(
        request.workflow_id,
        request.workflow_type.name,
        request.task_queue.name,
        to_payloads(request.input),
        request.request_id,
        reuse(request.workflow_id_reuse_policy if request.workflow_id_reuse_policy != 4 else 1),
        conflict(request.workflow_id_conflict_policy or default_conflict, request.workflow_id_reuse_policy),
        ns_of(request.workflow_execution_timeout),
        ns_of(request.workflow_run_timeout),
        ns_of(request.workflow_task_timeout),
        to_retry_policy(request.retry_policy) if request.HasField("retry_policy") else None,
        ns_of(request.workflow_start_delay),
        to_map(request.memo.fields),
        to_map(request.search_attributes.indexed_fields),
        to_map(request.header.fields),
        request.identity,
        signal,
        update,
    )


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
