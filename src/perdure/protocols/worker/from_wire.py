"""From the protocol's messages to the model. What can't be one raises ``InvalidArgumentError``."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import TypeVar

import msgspec

from perdure.model import workers as w
from perdure.model.commands import AnyCommand
from perdure.model.errors import InvalidArgumentError
from perdure.model.events import ActivityTaskScheduled, Event, UpdateAdmitted
from perdure.model.failures import Failure, FailureKind, RetryState, TimeoutType
from perdure.model.ids import RunAddress
from perdure.model.options import RetryPolicy
from perdure.model.payloads import Payload, PayloadMap, Payloads
from perdure.model.program import ActivityTask
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity
from perdure.protocols.worker import worker_pb2 as pb

E = TypeVar("E", bound=IntEnum)

_commands = msgspec.msgpack.Decoder(tuple[AnyCommand, ...])
_events = msgspec.msgpack.Decoder(tuple[Event, ...])
_updates = msgspec.msgpack.Decoder(tuple[UpdateAdmitted, ...])

_MAX_CAUSES = 50


def payloads(values: Sequence[pb.Payload]) -> Payloads:
    """Values in order."""
    count = len(values)
    if count == 1:
        # Most often it is one, and to iterate takes three times as long.
        return (payload(values[0]),)
    return tuple(map(payload, values)) if count else ()


def payload(value: pb.Payload) -> Payload:
    """One value."""
    metadata = value.metadata
    return Payload(value.data, value.encoding, dict(metadata) if metadata else None)


def failure(value: pb.Failure, depth: int = 0) -> Failure:
    """A chain of failures."""
    if depth == _MAX_CAUSES:
        raise InvalidArgumentError(f"a failure must not have more than {_MAX_CAUSES} causes")
    return Failure(
        value.message,
        _enum(FailureKind, value.kind),
        value.type,
        value.non_retryable,
        payloads(value.details),
        failure(value.cause, depth + 1) if value.HasField("cause") else None,
        value.stack_trace,
        value.source,
        value.next_retry_delay if value.HasField("next_retry_delay") else -1,
        _enum(TimeoutType, value.timeout_type),
        _enum(RetryState, value.retry_state),
        value.activity_id,
        value.activity_type,
        value.workflow_id,
        value.run_id,
        value.workflow_type,
        value.scheduled_event_id,
        value.started_event_id,
        value.identity,
    )


def run(value: pb.Run) -> RunAddress:
    """A run's name."""
    return RunAddress(value.namespace, value.workflow_id, value.run_id)


def hello(value: pb.Hello) -> w.Hello:
    """What a worker says first."""
    return w.Hello(
        value.worker_id,
        value.identity,
        value.build_id,
        value.namespace,
        list(value.task_queues),
        list(value.workflow_types),
        value.turn_slots,
        [w.ActivityGroup(list(group.activity_types), group.slots) for group in value.groups],
        [w.Attempt(attempt.run_id, attempt.scheduled_event_id, attempt.attempt) for attempt in value.running],
        dict(value.labels),
        value.goes_ahead,
    )


def from_worker(message: pb.FromWorker, identity: str) -> w.FromWorker:
    """What the worker of this identity says after that."""
    match message.WhichOneof("message"):
        case "activity":
            return _activity_report(message.activity, identity)
        case "turn":
            turn = message.turn
            return w.TurnReport(
                run(turn.run),
                turn.started_event_id,
                turn.attempt,
                _decode(_commands, turn.commands, "the commands of a turn") if turn.commands else (),
                turn.cause,
                failure(turn.failure) if turn.HasField("failure") else None,
                turn.state,
                turn.token,
            )
        case "query":
            query = message.query
            return w.QueryReport(
                query.query_id,
                payloads(query.result.payloads),
                failure(query.failure) if query.HasField("failure") else None,
            )
        case "capacity":
            return w.Capacity(message.capacity.turn_slots, list(message.capacity.slots))
        case other:
            raise InvalidArgumentError(f"a worker can't say {other or 'nothing'} here")


def _activity_report(report: pb.ActivityReport, identity: str) -> w.ActivityReport:
    event_id, attempt = report.scheduled_event_id, report.attempt
    ahead = None
    request: w.ActivityRequest
    match report.WhichOneof("outcome"):
        case "completed":
            request = CompleteActivity(event_id, attempt, payloads(report.completed.payloads), identity)
            if report.HasField("ahead"):
                turn = report.ahead
                commands = _decode(_commands, turn.commands, "the commands of a turn") if turn.commands else ()
                failed = failure(turn.failure) if turn.cause else None
                ahead = w.TurnAhead(turn.started_event_id, turn.time, commands, turn.state, turn.cause, failed)
        case "failed":
            last = payloads(report.last_heartbeat.payloads) if report.HasField("last_heartbeat") else None
            request = FailActivity(event_id, attempt, failure(report.failed), identity, last)
        case "canceled":
            request = CancelActivity(event_id, attempt, payloads(report.canceled.payloads), identity)
        case "heartbeat":
            request = HeartbeatActivity(event_id, attempt, payloads(report.heartbeat.payloads), identity)
        case "left":
            request = HeartbeatActivity(event_id, attempt, payloads(report.left.payloads), identity, leaves=True)
        case _:
            raise InvalidArgumentError("a report about an activity must say what became of it")
    return w.ActivityReport(run(report.run), request, ahead)


def to_worker(message: pb.ToWorker) -> w.ToWorker | None:
    """What a server says; None for what is newer than this worker."""
    match message.WhichOneof("message"):
        case "activity":
            return _start_activity(message.activity)
        case "turn":
            turn = message.turn
            return w.TakeTurn(
                run(turn.run),
                turn.started_event_id,
                turn.attempt,
                turn.is_new,
                _decode(_events, turn.events, "the events of a turn"),
                _decode(_updates, turn.updates, "the updates of a turn") if turn.updates else (),
                turn.token,
            )
        case "acknowledge":
            attempt = message.acknowledge.attempt
            return w.Acknowledge(
                attempt.run_id, attempt.scheduled_event_id, attempt.attempt, message.acknowledge.refused
            )
        case "cancel":
            return w.CancelAttempt(run(message.cancel.run), message.cancel.scheduled_event_id)
        case "query":
            query = message.query
            return w.AnswerQuery(
                query.query_id,
                run(query.run),
                query.name,
                payloads(query.input),
                _decode(_events, query.events, "a history") if query.events else (),
                _map(query.header),
            )
        case "evict":
            return w.Evict(message.evict.run_id)
        case _:
            return None


def _start_activity(task: pb.ActivityTask) -> w.StartActivity:
    if not task.events:
        return w.StartActivity(_activity_task(task, _scheduled(task)))
    events = _decode(_events, task.events, "the events of an activity's run")
    for event in events:
        if event.id == task.scheduled_event_id and isinstance(event, ActivityTaskScheduled):
            return w.StartActivity(_activity_task(task, event), events, task.suggest_continue_as_new)
    raise InvalidArgumentError(f"the events of an activity's run must have its own, {task.scheduled_event_id}")


def _scheduled(task: pb.ActivityTask) -> ActivityTaskScheduled:
    return ActivityTaskScheduled(
        task.scheduled_event_id,
        task.scheduled_time,
        task.activity_id,
        task.activity_type,
        task.task_queue,
        payloads(task.input),
        schedule_to_close_timeout_ns=task.schedule_to_close_timeout,
        start_to_close_timeout_ns=task.start_to_close_timeout,
        heartbeat_timeout_ns=task.heartbeat_timeout,
        retry_policy=_retry_policy(task.max_attempts),
        header=_map(task.header),
    )


def _activity_task(task: pb.ActivityTask, scheduled: ActivityTaskScheduled) -> ActivityTask:
    return ActivityTask(
        run(task.run),
        task.workflow_type,
        scheduled,
        task.attempt,
        task.started_time,
        payloads(task.heartbeat_details),
        failure(task.last_failure) if task.HasField("last_failure") else None,
        first_attempt=task.first_attempt or 1,
    )


@lru_cache
def _retry_policy(max_attempts: int) -> RetryPolicy:
    return RetryPolicy(max_attempts=max_attempts)


def _map(values: Mapping[str, pb.Payload]) -> PayloadMap | None:
    return {name: payload(value) for name, value in values.items()} if values else None


def _enum(kind: type[E], number: int) -> E:
    try:
        return kind(number)
    except ValueError:
        raise InvalidArgumentError(f"{number} is no {kind.__name__}") from None


T = TypeVar("T")


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes, what: str) -> T:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"{what} can't be read: {error}") from None
