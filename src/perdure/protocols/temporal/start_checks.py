"""What of a start is refused before anybody else sees it, in the words of Temporal's server."""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import workflow_pb2 as enums

from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.overrides import check_override

LONGEST_NAME = 1_000
LONGEST_FAIRNESS_KEY = 64
MOST_LINKS = 10
RESERVED_QUEUES = "/_sys/"

Reuse, Conflict = enums.WorkflowIdReusePolicy, enums.WorkflowIdConflictPolicy


def check_start(request: Any) -> None:
    """A start of a workflow, with a signal or without. Raises ``Refused``."""
    if not request.workflow_id:
        raise Refused.invalid("WorkflowId is not set on request.")
    if len(request.workflow_id) > LONGEST_NAME:
        raise Refused.invalid("WorkflowId length exceeds limit.")
    check_retry_policy(request)
    _check_policies(request)
    _check_not_negative("WorkflowExecutionTimeoutSeconds", request.workflow_execution_timeout)
    _check_not_negative("WorkflowRunTimeoutSeconds", request.workflow_run_timeout)
    _check_not_negative("WorkflowTaskTimeoutSeconds", request.workflow_task_timeout)
    if request.cron_schedule and request.HasField("workflow_start_delay"):
        raise Refused.invalid("CronSchedule and WorkflowStartDelay may not be used together.")
    _check_not_negative("WorkflowStartDelaySeconds", request.workflow_start_delay)
    if not request.workflow_type.name:
        raise Refused.invalid("WorkflowType is not set on request.")
    if len(request.workflow_type.name) > LONGEST_NAME:
        raise Refused.invalid("WorkflowType length exceeds limit.")
    check_queue(request.task_queue.name)
    check_request_id(request)
    check_priority(request.priority)
    check_links(request.links)
    if request.HasField("versioning_override"):
        check_override(request.versioning_override)


def check_signal(request: Any) -> None:
    """A signal, by itself or with a start. Raises ``Refused``."""
    if not request.signal_name:
        raise Refused.invalid("SignalName is not set on request.")
    if len(request.signal_name) > LONGEST_NAME:
        raise Refused.invalid("SignalName length exceeds limit.")
    check_request_id(request)
    check_links(request.links)


def check_request_id(request: Any) -> None:
    """The id that makes a request safe to send again. Raises ``Refused``."""
    if len(request.request_id) > LONGEST_NAME:
        raise Refused.invalid("RequestId length exceeds limit.")


def _check_policies(request: Any) -> None:
    reuse, conflict = request.workflow_id_reuse_policy, request.workflow_id_conflict_policy
    if hasattr(request, "signal_name") and conflict == Conflict.WORKFLOW_ID_CONFLICT_POLICY_FAIL:
        raise Refused.invalid(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation."
        )
    if reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING and conflict:
        raise Refused.invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a "
            "WorkflowIDConflictPolicy"
        )
    if (
        reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
        and conflict == Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
    ):
        raise Refused.invalid(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with "
            "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
        )


def _check_not_negative(name: str, given: Duration) -> None:
    if given.seconds < 0 or given.nanos < 0:
        raise Refused.invalid(f"An invalid {name} is set on request. cause: negative duration")


def check_retry_policy(request: Any) -> None:
    """The retry policy of a request that has one. Raises ``Refused``."""
    if not request.HasField("retry_policy"):
        return
    policy: common.RetryPolicy = request.retry_policy
    if policy.maximum_attempts == 1:
        return  # nothing is tried again, so nothing else of it counts
    for name, given in (("InitialInterval", policy.initial_interval), ("MaximumInterval", policy.maximum_interval)):
        if given.seconds < 0 or given.nanos < 0:
            raise Refused.invalid(f"invalid {name} set on retry policy: negative duration")
    if 0 < policy.backoff_coefficient < 1 or policy.backoff_coefficient < 0:
        raise Refused.invalid("BackoffCoefficient cannot be less than 1 on retry policy.")
    initial, maximum = policy.initial_interval.ToNanoseconds(), policy.maximum_interval.ToNanoseconds()
    if 0 < maximum < initial:
        raise Refused.invalid("MaximumInterval cannot be less than InitialInterval on retry policy.")
    if policy.maximum_attempts < 0:
        raise Refused.invalid("MaximumAttempts cannot be negative on retry policy.")


def check_queue(name: str) -> None:
    """The name of a task queue. Raises ``Refused``."""
    if not name:
        raise Refused.invalid("missing task queue name")
    if len(name) > LONGEST_NAME:
        raise Refused.invalid("taskQueue length exceeds limit")
    if name.startswith(RESERVED_QUEUES):
        raise Refused.invalid(f"task queue name cannot start with reserved prefix {RESERVED_QUEUES}")


def check_priority(given: common.Priority) -> None:
    """A priority. Raises ``Refused``."""
    if given.priority_key < 0:
        raise Refused.invalid("PriorityKey can't be negative")
    if len(given.fairness_key) > LONGEST_FAIRNESS_KEY:
        raise Refused.invalid("FairnessKey length exceeds limit")


def check_links(links: Any) -> None:
    """What a request is linked to. Raises ``Refused``."""
    if len(links) > MOST_LINKS:
        raise Refused.invalid(f"cannot attach more than {MOST_LINKS} links per request, got {len(links)}")
    for link in links:
        if link.HasField("workflow_event"):
            event = link.workflow_event
            for field, said in (("namespace", "namespace"), ("workflow_id", "workflow ID"), ("run_id", "run ID")):
                if not getattr(event, field):
                    raise Refused.invalid(f"workflow event link must not have an empty {said} field")
            if event.event_ref.event_id and not event.event_ref.event_type:
                raise Refused.invalid(
                    "workflow event link ref cannot have an unspecified event type and a non-zero event ID"
                )
