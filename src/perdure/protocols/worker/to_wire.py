"""From the model to the protocol's messages."""

from collections.abc import Iterable, Mapping

import msgspec

from perdure.model import workers as w
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.model.program import ActivityTask
from perdure.model.requests import CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity
from perdure.protocols.worker import worker_pb2 as pb

_encode = msgspec.msgpack.Encoder().encode


def payload(value: Payload) -> pb.Payload:
    """One value."""
    return pb.Payload(data=value.data, encoding=value.encoding, metadata=value.metadata)


def payloads(values: Iterable[Payload]) -> list[pb.Payload]:
    """Values in order."""
    return [pb.Payload(data=value.data, encoding=value.encoding, metadata=value.metadata) for value in values]


def failure(value: Failure | None) -> pb.Failure | None:
    """A chain of failures."""
    if value is None:
        return None
    return pb.Failure(
        message=value.message,
        kind=value.kind,
        type=value.type,
        non_retryable=value.non_retryable,
        details=payloads(value.details),
        cause=failure(value.cause),
        stack_trace=value.stack_trace,
        source=value.source,
        next_retry_delay=None if value.next_retry_delay_ns < 0 else value.next_retry_delay_ns,
        timeout_type=value.timeout_type,
        retry_state=value.retry_state,
        activity_id=value.activity_id,
        activity_type=value.activity_type,
        workflow_id=value.workflow_id,
        run_id=value.run_id,
        workflow_type=value.workflow_type,
        scheduled_event_id=value.scheduled_event_id,
        started_event_id=value.started_event_id,
        identity=value.identity,
    )


def run(address: RunAddress) -> pb.Run:
    """A run's name."""
    return pb.Run(namespace=address.namespace, workflow_id=address.workflow_id, run_id=address.run_id)


def hello(value: w.Hello) -> pb.FromWorker:
    """What a worker says first."""
    return pb.FromWorker(
        hello=pb.Hello(
            worker_id=value.worker_id,
            identity=value.identity,
            build_id=value.build_id,
            namespace=value.namespace,
            task_queues=value.task_queues,
            workflow_types=value.workflow_types,
            turn_slots=value.turn_slots,
            groups=[pb.ActivityGroup(activity_types=group.activity_types, slots=group.slots) for group in value.groups],
            running=[_attempt(attempt) for attempt in value.running],
            labels=value.labels,
        )
    )


def from_worker(message: w.FromWorker) -> pb.FromWorker:
    """Whatever a worker says after that."""
    if isinstance(message, w.ActivityReport):
        return pb.FromWorker(activity=_activity_report(message))
    if isinstance(message, w.TurnReport):
        return pb.FromWorker(
            turn=pb.TurnReport(
                run=run(message.address),
                started_event_id=message.started_event_id,
                attempt=message.attempt,
                commands=_encode(message.commands),
                cause=message.cause,
                failure=failure(message.failure),
            )
        )
    if isinstance(message, w.QueryReport):
        return pb.FromWorker(
            query=pb.QueryReport(
                query_id=message.query_id,
                result=pb.Payloads(payloads=payloads(message.result)),
                failure=failure(message.failure),
            )
        )
    return pb.FromWorker(capacity=pb.Capacity(turn_slots=message.turn_slots, slots=message.slots))


def _activity_report(report: w.ActivityReport) -> pb.ActivityReport:
    request = report.request
    wire = pb.ActivityReport(
        run=run(report.address), scheduled_event_id=request.scheduled_event_id, attempt=request.attempt
    )
    match request:
        case CompleteActivity():
            wire.completed.CopyFrom(pb.Payloads(payloads=payloads(request.result)))
        case FailActivity():
            wire.failed.CopyFrom(failure(request.failure) or pb.Failure())
            if request.heartbeat_details is not None:
                wire.last_heartbeat.CopyFrom(pb.Payloads(payloads=payloads(request.heartbeat_details)))
        case CancelActivity():
            wire.canceled.CopyFrom(pb.Payloads(payloads=payloads(request.details)))
        case HeartbeatActivity(leaves=True):
            wire.left.CopyFrom(pb.Payloads(payloads=payloads(request.details)))
        case HeartbeatActivity():
            wire.heartbeat.CopyFrom(pb.Payloads(payloads=payloads(request.details)))
    return wire


def to_worker(message: w.ToWorker) -> pb.ToWorker:
    """Whatever a server says to a worker."""
    if isinstance(message, w.StartActivity):
        return pb.ToWorker(activity=_activity_task(message.task))
    if isinstance(message, w.TakeTurn):
        return pb.ToWorker(
            turn=pb.TakeTurn(
                run=run(message.address),
                started_event_id=message.started_event_id,
                attempt=message.attempt,
                is_new=message.is_new,
                events=_encode(message.events),
                updates=_encode(message.updates) if message.updates else b"",
            )
        )
    if isinstance(message, w.Acknowledge):
        return pb.ToWorker(
            acknowledge=pb.Acknowledge(
                attempt=pb.Attempt(
                    run_id=message.run_id, scheduled_event_id=message.scheduled_event_id, attempt=message.attempt
                ),
                refused=message.refused,
            )
        )
    if isinstance(message, w.CancelAttempt):
        return pb.ToWorker(
            cancel=pb.CancelAttempt(run=run(message.address), scheduled_event_id=message.scheduled_event_id)
        )
    if isinstance(message, w.AnswerQuery):
        return pb.ToWorker(
            query=pb.AnswerQuery(
                query_id=message.query_id,
                run=run(message.address),
                name=message.name,
                input=payloads(message.input),
                events=_encode(message.events) if message.events else b"",
            )
        )
    return pb.ToWorker(evict=pb.Evict(run_id=message.run_id))


def _activity_task(task: ActivityTask) -> pb.ActivityTask:
    scheduled = task.scheduled
    return pb.ActivityTask(
        run=run(task.address),
        workflow_type=task.workflow_type,
        scheduled_event_id=scheduled.id,
        activity_id=scheduled.activity_id,
        activity_type=scheduled.activity_type,
        task_queue=scheduled.task_queue,
        attempt=task.attempt,
        max_attempts=scheduled.retry_policy.max_attempts,
        input=payloads(scheduled.input),
        header=_map(scheduled.header),
        scheduled_time=scheduled.time,
        started_time=task.started_time,
        schedule_to_close_timeout=scheduled.schedule_to_close_timeout_ns,
        start_to_close_timeout=scheduled.start_to_close_timeout_ns,
        heartbeat_timeout=scheduled.heartbeat_timeout_ns,
        heartbeat_details=payloads(task.heartbeat_details),
        last_failure=failure(task.last_failure),
    )


def _attempt(attempt: w.Attempt) -> pb.Attempt:
    return pb.Attempt(run_id=attempt.run_id, scheduled_event_id=attempt.scheduled_event_id, attempt=attempt.attempt)


def _map(values: Mapping[str, Payload] | None) -> dict[str, pb.Payload] | None:
    return {name: payload(value) for name, value in values.items()} if values else None
