"""How an activity without a workflow is started: its options, and the request that they make."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from perdure.model.options import DEFAULT_TASK_QUEUE, IdConflict, IdReuse
from perdure.model.requests import StartWorkflow
from perdure.model.standalone import ActivityOrder, request_of
from perdure.sdk.affinity import Affinity
from perdure.sdk.breaker import Breaker
from perdure.sdk.callables import Activity, activity_options
from perdure.sdk.choices import ID_CONFLICT, ID_REUSE, IdConflictWord, IdReuseWord, choose
from perdure.sdk.converter import Converter
from perdure.sdk.definitions import ActivityOptions
from perdure.sdk.durations import Duration
from perdure.sdk.names import checked_name, checked_names, checked_text
from perdure.sdk.random_ids import new_id
from perdure.sdk.retry import Retry
from perdure.sdk.starting import delay_ns


class StartActivityOptions(TypedDict, total=False):
    """How an activity is started that no workflow asked for. Durations are timedeltas or seconds.

    Keys:
        id: the activity's id, unique among such activities of the namespace; made up if not given.
        id_conflict: when one of that id is open: "use" it (the default), "fail", or "terminate" it and start another.
        id_reuse: when the last one of that id is closed: "allow" another (the default), "allow_if_failed", or "reject".
        namespace: the space of the id; else the client's.
        start_delay: how long to wait before its first attempt.
        memo: notes for people, by name.
        search_attributes: values to find it by.
        request_id: makes it safe to send again; made up if not given.
        result_type: the type of the result, for an activity given by name.
        task_queue: as in ``App.activity``, as all that follow; for an activity that has options of its own they go before
            these.
        start_to_close: how long one attempt may take.
        schedule_to_close: how long all attempts together may take.
        schedule_to_start: how long an attempt may wait for a worker.
        heartbeat: an attempt that has not called ``activity.heartbeat`` for so long counts as lost.
        retry: when a failed attempt is tried again.
        priority: 1 goes first, 5 last; 3 if not given.
        fairness_key: among equals, each key gets its share.
        fairness_weight: how large the share of its key is.
        limit_key: counts toward the task queue's limits by key.
        breaker: stops attempts for a while after failures.
        affinity: which workers run it, by their labels.
    """

    id: str | None
    id_conflict: IdConflictWord
    id_reuse: IdReuseWord
    namespace: str | None
    start_delay: Duration | None
    memo: Mapping[str, Any] | None
    search_attributes: Mapping[str, Any] | None
    request_id: str
    result_type: Any
    task_queue: str | None
    start_to_close: Duration | None
    schedule_to_close: Duration | None
    schedule_to_start: Duration | None
    heartbeat: Duration | None
    retry: Retry
    priority: int
    fairness_key: str
    fairness_weight: float
    limit_key: str
    breaker: Breaker | None
    affinity: Affinity | Mapping[str, str] | None


_OF_START = frozenset(
    {
        "id",
        "id_conflict",
        "id_reuse",
        "namespace",
        "start_delay",
        "memo",
        "search_attributes",
        "request_id",
        "result_type",
    }
)
_NO_OPTIONS = ActivityOptions()


def activity_request(
    activity: Activity[..., Any] | str,
    args: Sequence[Any],
    options: Mapping[str, Any],
    converter: Converter,
    identity: str,
) -> StartWorkflow:
    """The start of the run whose one activity it is.

    Raises:
        InvalidArgumentError: an argument can't become a payload, or an option makes no sense.
        TypeError: the arguments do not fit, or there is no such option.
    """
    if unknown := options.keys() - StartActivityOptions.__annotations__.keys():
        raise TypeError(
            f"start_activity() has no option {', '.join(sorted(unknown))}; see perdure.StartActivityOptions"
        )
    if isinstance(activity, str):
        name, own, queue = checked_name("activity", activity), _NO_OPTIONS, DEFAULT_TASK_QUEUE
    else:
        name, own, queue = activity.name, activity.__perdure_options__, activity.app.task_queue
        args = activity.__perdure_activity__.signature.bind(tuple(args), {})
    chosen = activity_options(own, **{key: value for key, value in options.items() if key not in _OF_START})
    for key in ("memo", "search_attributes"):
        if options.get(key):
            checked_names(key, options[key])
    if options.get("namespace") is not None:
        checked_name("namespace", options["namespace"])
    activity_id = options.get("id")
    order = ActivityOrder(
        new_id() if activity_id is None else checked_name("id", activity_id),
        chosen.task_queue or queue,
        chosen.schedule_to_close_ns,
        chosen.schedule_to_start_ns,
        chosen.start_to_close_ns,
        chosen.heartbeat_ns,
        chosen.retry_policy,
        chosen.limit_key,
        chosen.breaker,
        chosen.affinity,
        delay_ns(options.get("start_delay")),
    )
    return request_of(
        order,
        name,
        converter.to_payloads(args),
        request_id=checked_text("request_id", options.get("request_id", "")) or new_id(),
        id_reuse=choose("id_reuse", ID_REUSE, options.get("id_reuse", IdReuse.ALLOW)),
        id_conflict=choose("id_conflict", ID_CONFLICT, options.get("id_conflict", IdConflict.USE)),
        search_attributes=converter.to_search_attributes(options.get("search_attributes")),
        memo=converter.to_payload_map(options.get("memo")),
        identity=identity,
        priority=chosen.priority,
    )
