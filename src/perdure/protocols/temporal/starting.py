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
from perdure.protocols.temporal.overrides import to_override
from perdure.protocols.temporal.payloads import to_map, to_payloads, to_user_metadata
from perdure.protocols.temporal.start_checks import LONGEST_NAME, check_signal, check_start
from perdure.protocols.temporal.times import ns_of, shortest, task_timeout


def start_request(
    request: Any, *, signal: SignalWorkflow | None = None, update: UpdateWorkflow | None = None
) -> StartWorkflow:
    """A ``StartWorkflowExecutionRequest``, or one with a signal. Raises ``Refused`` for what can't be."""
    check_start(request)
    if request.cron_schedule and (wrong := cron.problem(request.cron_schedule)):
        raise Refused.invalid(wrong)
    execution_timeout = ns_of(request.workflow_execution_timeout)
    run_timeout = shortest(ns_of(request.workflow_run_timeout), execution_timeout)
    default_conflict = 0 if signal is None else 2
    pin, versioning = to_override(request.versioning_override)
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
        pinned_build_id=pin,
        cron_schedule=request.cron_schedule,
        versioning_override=versioning,
        attaches_request_id=signal is None and request.on_conflict_options.attach_request_id,
        is_eager=signal is None and request.request_eager_execution and not ns_of(request.workflow_start_delay),
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
    """A ``SignalWorkflowExecutionRequest``, or the signal that comes with a start."""
    check_signal(request)
    return SignalWorkflow(
        request.signal_name,
        to_payloads(request.signal_input if hasattr(request, "signal_input") else request.input),
        to_map(request.header.fields),
        request.request_id,
        request.identity,
    )


def update_request(request: Any) -> UpdateWorkflow:
    """The request of an ``UpdateWorkflowExecutionRequest``."""
    if not request.HasField("request") or not request.request.HasField("meta"):
        raise Refused.invalid("Update meta is not set on request.")
    if not request.request.HasField("input"):
        raise Refused.invalid("Update input is not set on request.")
    meta, input = request.request.meta, request.request.input
    if len(meta.update_id) > LONGEST_NAME:
        raise Refused.invalid("UpdateId length exceeds limit.")
    if not input.name:
        raise Refused.invalid("Update name is not set on request.")
    if not meta.update_id:
        raise Refused.invalid("UpdateId is not set on request.")
    return UpdateWorkflow(
        meta.update_id, input.name, to_payloads(input.args), to_map(input.header.fields), meta.identity
    )
