"""Standalone activities: an activity that no workflow asked for.

It is a run whose program only schedules that one activity and ends as it does, so it has a history, retries, timeouts, search
attributes and an id like any other run. The run's workflow type is the activity's type; its workflow id is the
activity's id behind ``PREFIX``; its first input says how the activity is scheduled, and the others are the activity's own.
"""

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.options import IdConflict, IdReuse, RetryPolicy
from perdure.model.payloads import Payload, PayloadMap, Payloads, UserMetadata
from perdure.model.requests import StartWorkflow
from perdure.model.task_queues import BreakerPolicy, Priority

TASK_QUEUE = "perdure.activity"
"""Where the runs' own turns are taken: by the engine's worker, wherever there is an engine."""

PREFIX = "perdure.activity:"
"""Of the workflow ids."""

QUEUE_ATTRIBUTE = "ActivityTaskQueue"
"""The search attribute that says where the activity's workers are."""


class ActivityOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the activity is scheduled. ``..._ns`` are durations; 0 means no limit, or no delay.

    It is JSON in histories, read by later versions too: fields may be added with defaults, none renamed or removed.
    """

    activity_id: str
    task_queue: str
    schedule_to_close_timeout_ns: int = 0
    schedule_to_start_timeout_ns: int = 0
    start_to_close_timeout_ns: int = 0
    heartbeat_timeout_ns: int = 0
    retry_policy: RetryPolicy = RetryPolicy()
    limit_key: str = ""
    breaker: BreakerPolicy | None = None
    affinity: Affinity | None = None
    start_delay_ns: int = 0


def request_of(
    order: ActivityOrder,
    activity_type: str,
    input: Payloads,
    *,
    request_id: str = "",
    id_reuse: IdReuse = IdReuse.ALLOW,
    id_conflict: IdConflict = IdConflict.USE,
    header: PayloadMap | None = None,
    search_attributes: PayloadMap | None = None,
    memo: PayloadMap | None = None,
    identity: str = "",
    priority: Priority | None = None,
    user_metadata: UserMetadata | None = None,
) -> StartWorkflow:
    """The start of the run."""
    queue = Payload(msgspec.json.encode(order.task_queue))
    return StartWorkflow(
        f"{PREFIX}{order.activity_id}",
        activity_type,
        TASK_QUEUE,
        (Payload(msgspec.json.encode(order)), *input),
        request_id,
        id_reuse,
        id_conflict,
        memo=memo,
        search_attributes={**(search_attributes or {}), QUEUE_ATTRIBUTE: queue},
        header=header,
        identity=identity,
        priority=priority,
        user_metadata=user_metadata,
    )


def order_of(input: Payloads) -> ActivityOrder | None:
    """What a run's input says; None if that is nothing that could be scheduled."""
    try:
        return msgspec.json.decode(input[0].data, type=ActivityOrder) if input else None
    except msgspec.DecodeError:
        return None
