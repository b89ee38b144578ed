"""Turns and queries as the answers to polls."""

from collections.abc import Sequence

from google.protobuf.any_pb2 import Any as AnyMessage
from temporalio.api.history.v1 import message_pb2 as history_pb
from temporalio.api.protocol.v1 import message_pb2 as protocol
from temporalio.api.query.v1 import message_pb2 as query_pb
from temporalio.api.update.v1 import message_pb2 as update_pb
from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.turn_programs import PolledQuery, PolledTurn
from perdure.model.events import Event, UpdateAdmitted
from perdure.protocols.temporal.history import history
from perdure.protocols.temporal.names import execution_at, queue, workflow_type
from perdure.protocols.temporal.payloads import header, payloads
from perdure.protocols.temporal.times import timestamp
from perdure.protocols.temporal.tokens import HistoryToken, QueryToken, TurnToken, encode

PAGE_EVENTS = 1_000
"""How many events go with a turn; the worker fetches the others."""


def turn_task(turn: PolledTurn) -> pb.PollWorkflowTaskQueueResponse:
    """A turn."""
    address, events = turn.address, turn.events
    begun, scheduled = events[-1], events[-2]
    shown, rest = _first_page(turn, events)
    return pb.PollWorkflowTaskQueueResponse(
        task_token=encode(
            TurnToken(address.namespace, address.workflow_id, address.run_id, turn.started_event_id, turn.attempt)
        ),
        workflow_execution=execution_at(address),
        workflow_type=workflow_type(turn.started.workflow_type),
        previous_started_event_id=turn.previous_started_event_id,
        started_event_id=turn.started_event_id,
        attempt=turn.attempt,
        history=shown,
        next_page_token=rest,
        workflow_execution_task_queue=queue(turn.started.task_queue),
        scheduled_time=timestamp(scheduled.time),
        started_time=timestamp(begun.time),
        messages=[_message(update, turn.started_event_id) for update in turn.updates],
    )


def _first_page(turn: PolledTurn, events: Sequence[Event]) -> tuple[history_pb.History, bytes]:
    if len(events) <= PAGE_EVENTS:
        return history(events, turn.address.namespace), b""
    first = events[:PAGE_EVENTS]
    token = HistoryToken(turn.address.run_id, first[-1].id, turn.started_event_id)
    return history(first, turn.address.namespace), encode(token)


def _message(update: UpdateAdmitted, started_event_id: int) -> protocol.Message:
    body = AnyMessage()
    body.Pack(
        update_pb.Request(
            meta=update_pb.Meta(update_id=update.update_id, identity=update.identity),
            input=update_pb.Input(header=header(update.header), name=update.update_name, args=payloads(update.input)),
        )
    )
    return protocol.Message(
        id=f"{update.update_id}/request",
        protocol_instance_id=update.update_id,
        event_id=started_event_id - 1,
        body=body,
    )


def query_task(query: PolledQuery) -> pb.PollWorkflowTaskQueueResponse:
    """A query."""
    return pb.PollWorkflowTaskQueueResponse(
        task_token=encode(QueryToken(query.address.namespace, query.query_id)),
        attempt=1,
        workflow_execution=execution_at(query.address),
        workflow_type=workflow_type(query.started.workflow_type),
        previous_started_event_id=query.previous_started_event_id,
        history=history(query.events, query.address.namespace),
        workflow_execution_task_queue=queue(query.started.task_queue),
        query=query_pb.WorkflowQuery(
            query_type=query.name, query_args=payloads(query.input), header=header(query.header)
        ),
    )
