"""How an operation without a workflow is asked for: its options, and the request that they make."""

from collections.abc import Mapping
from typing import Any, TypedDict

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import IdConflict, IdReuse
from perdure.model.requests import StartWorkflow
from perdure.model.standalone_operation import OperationOrder, request_of
from perdure.sdk.choices import ID_CONFLICT, ID_REUSE, IdConflictWord, IdReuseWord, choose
from perdure.sdk.converter import Converter
from perdure.sdk.durations import Duration, to_ns_or_zero
from perdure.sdk.names import checked_name, checked_names, checked_text
from perdure.sdk.operations import checked_headers, named_operation
from perdure.sdk.random_ids import new_id


class StartOperationOptions(TypedDict, total=False):
    """How an operation is asked for that no workflow asks for. Durations are timedeltas or seconds.

    Keys:
        endpoint: behind which it is served, as set up on the server.
        task_queue: where in the namespace it is served, if not behind an endpoint; for an operation of an app's, the app's.
        id: the operation's id, unique among such operations of the namespace; made up if not given.
        id_conflict: when one of that id is open: "use" it (the default), "fail", or "terminate" it and start another.
        id_reuse: when the last one of that id is closed: "allow" another (the default), "allow_if_failed", or "reject".
        namespace: the space of the id; else the client's.
        schedule_to_close: how long it may take in all.
        schedule_to_start: how long until somebody has accepted it.
        start_to_close: how long from then on.
        headers: texts that go along with the request.
        search_attributes: values to find it by.
        request_id: makes it safe to send again; made up if not given.
        result_type: the type of the result, for an operation given by name.
    """

    endpoint: str
    task_queue: str
    id: str | None
    id_conflict: IdConflictWord
    id_reuse: IdReuseWord
    namespace: str | None
    schedule_to_close: Duration | None
    schedule_to_start: Duration | None
    start_to_close: Duration | None
    headers: Mapping[str, str] | None
    search_attributes: Mapping[str, Any] | None
    request_id: str
    result_type: Any


def operation_request(
    operation: Any, input: Any, options: Mapping[str, Any], converter: Converter, identity: str
) -> StartWorkflow:
    """The start of the run whose one operation it is.

    Raises:
        InvalidArgumentError: the input can't become a payload, or an option makes no sense.
        TypeError: there is no such option.
    """
    if unknown := options.keys() - StartOperationOptions.__annotations__.keys():
        raise TypeError(
            f"start_operation() has no option {', '.join(sorted(unknown))}; see perdure.StartOperationOptions"
        )
    endpoint, task_queue = options.get("endpoint", ""), options.get("task_queue", "")
    app = getattr(operation, "app", None) or getattr(operation, "__perdure_app__", None)
    if not (endpoint or task_queue) and app is not None:
        task_queue = app.task_queue
    if bool(endpoint) == bool(task_queue):
        raise InvalidArgumentError("an operation is behind an endpoint, or on a task_queue: give one of them")
    named = named_operation(operation, checked_text("endpoint", endpoint), None)
    operation_id = options.get("id")
    if options.get("search_attributes"):
        checked_names("search_attributes", options["search_attributes"])
    order = OperationOrder(
        new_id() if operation_id is None else checked_name("id", operation_id),
        endpoint,
        named.service,
        named.operation,
        to_ns_or_zero(options.get("schedule_to_close")),
        to_ns_or_zero(options.get("schedule_to_start")),
        to_ns_or_zero(options.get("start_to_close")),
        checked_headers(options.get("headers")),
        checked_text("task_queue", task_queue),
    )
    return request_of(
        order,
        (converter.to_payload(input),),
        request_id=checked_text("request_id", options.get("request_id", "")) or new_id(),
        id_reuse=choose("id_reuse", ID_REUSE, options.get("id_reuse", IdReuse.ALLOW)),
        id_conflict=choose("id_conflict", ID_CONFLICT, options.get("id_conflict", IdConflict.USE)),
        search_attributes=converter.to_search_attributes(options.get("search_attributes")),
        identity=identity,
    )
