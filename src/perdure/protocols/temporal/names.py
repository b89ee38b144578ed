"""Small messages that name things, and the numbers behind words."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import failed_cause_pb2, task_queue_pb2
from temporalio.api.taskqueue.v1 import message_pb2 as taskqueue

from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS, RetryPolicy
from perdure.model.task_queues import Priority
from perdure.protocols.temporal.times import duration, ns_of

NORMAL = task_queue_pb2.TaskQueueKind.TASK_QUEUE_KIND_NORMAL
STICKY = task_queue_pb2.TaskQueueKind.TASK_QUEUE_KIND_STICKY

MOST_NAMES = 1_000
"""So many messages are kept of a kind that comes again and again. Others take them over; nobody changes them."""


@lru_cache(MOST_NAMES)
def queue(name: str) -> taskqueue.TaskQueue:
    """A task queue."""
    return taskqueue.TaskQueue(name=name, kind=NORMAL)


@lru_cache(MOST_NAMES)
def turn_queue(name: str, sticky: str) -> taskqueue.TaskQueue:
    """Where a turn is asked for: by anybody, or by the worker that has the program."""
    return taskqueue.TaskQueue(name=sticky, kind=STICKY, normal_name=name) if sticky else queue(name)


def execution(workflow_id: str, run_id: str) -> common.WorkflowExecution:
    """A run."""
    return common.WorkflowExecution(workflow_id=workflow_id, run_id=run_id)


def execution_at(address: RunAddress) -> common.WorkflowExecution:
    """A run."""
    return common.WorkflowExecution(workflow_id=address.workflow_id, run_id=address.run_id)


@lru_cache(MOST_NAMES)
def workflow_type(name: str) -> common.WorkflowType:
    """A type of workflows."""
    return common.WorkflowType(name=name)


@lru_cache(MOST_NAMES)
def activity_type(name: str) -> common.ActivityType:
    """A type of activities."""
    return common.ActivityType(name=name)


def address_of(namespace: str, given: common.WorkflowExecution) -> RunAddress:
    """A run that somebody names."""
    return RunAddress(namespace, given.workflow_id, given.run_id)


@lru_cache(MOST_NAMES)
def retry_policy(policy: RetryPolicy | None) -> common.RetryPolicy | None:
    """A retry policy."""
    if policy is None:
        return None
    return common.RetryPolicy(
        initial_interval=duration(policy.initial_ns),
        backoff_coefficient=policy.backoff,
        maximum_interval=duration(policy.maximum_ns),
        maximum_attempts=policy.max_attempts,
        non_retryable_error_types=policy.non_retryable,
    )


def to_retry_policy(given: common.RetryPolicy) -> RetryPolicy:
    """A retry policy that was sent; what it leaves out is as Temporal's server has it."""
    initial = ns_of(given.initial_interval) or SECOND_NS
    return RetryPolicy(
        initial,
        given.backoff_coefficient or 2.0,
        ns_of(given.maximum_interval) or initial * 100,
        given.maximum_attempts,
        tuple(given.non_retryable_error_types),
    )


def priority(value: Priority | None) -> common.Priority | None:
    """Where an activity stands in its queue."""
    if value is None:
        return None
    return common.Priority(
        priority_key=value.priority_key, fairness_key=value.fairness_key, fairness_weight=value.fairness_weight
    )


def to_priority(given: common.Priority) -> Priority | None:
    """As it was sent; None if nothing was."""
    if not (given.priority_key or given.fairness_key or given.fairness_weight):
        return None
    return Priority(given.priority_key, given.fairness_key, given.fairness_weight)


_RUN_ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def is_run_id(text: str) -> bool:
    """Whether a run could have it."""
    return _RUN_ID.fullmatch(text) is not None


def number_of(enum: Any, prefix: str, name: str, default: int = 0) -> Any:
    """The number of a word that is stored without its prefix."""
    try:
        return enum.Value(f"{prefix}{name}")
    except ValueError:
        return default


def camel(cause: str) -> str:
    """A cause as Temporal's messages begin with it."""
    return "".join(word.capitalize() for word in cause.split("_"))


_FAILED = "WORKFLOW_TASK_FAILED_CAUSE_"
_CAUSES: Mapping[str, int] = dict(failed_cause_pb2.WorkflowTaskFailedCause.items())


def turn_failed_cause(name: str) -> Any:
    """Why a workflow task failed, as a number."""
    return _CAUSES.get(f"{_FAILED}{name}", 0)


def turn_failed_name(number: int) -> str:
    """Why a workflow task failed, as the word that is stored."""
    try:
        return failed_cause_pb2.WorkflowTaskFailedCause.Name(number).removeprefix(_FAILED)  # type: ignore[arg-type]
    except ValueError:
        return "UNSPECIFIED"
