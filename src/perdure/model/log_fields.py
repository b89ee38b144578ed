"""What a line of the log is about, as ``extra`` fields of its record; the same names everywhere."""

from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap
from perdure.model.program import ActivityTask
from perdure.model.trace_context import attempt_span_id, context_of, run_span_id


def about_run(address: RunAddress, workflow_type: str = "", header: PayloadMap | None = None) -> dict[str, object]:
    """A run, with its trace if its header names one."""
    fields: dict[str, object] = {
        "namespace": address.namespace,
        "workflow_id": address.workflow_id,
        "run_id": address.run_id,
    }
    if workflow_type:
        fields["workflow_type"] = workflow_type
    context = context_of(header)
    if context is not None:
        fields |= {"trace_id": context.trace_id, "span_id": run_span_id(address.run_id)}
    return fields


def about_attempt(task: ActivityTask) -> dict[str, object]:
    """An attempt of an activity, with its trace if there is one."""
    scheduled, run_id = task.scheduled, task.address.run_id
    fields = about_run(task.address, task.workflow_type) | {
        "activity_type": scheduled.activity_type,
        "activity_id": scheduled.activity_id,
        "attempt": task.attempt,
    }
    context = context_of(scheduled.header)
    if context is not None:
        fields |= {"trace_id": context.trace_id, "span_id": attempt_span_id(run_id, scheduled.id, task.attempt)}
    return fields
