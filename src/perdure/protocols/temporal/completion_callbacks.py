"""Completion callbacks: who wants to hear of a run's end, as a start names them and as a description shows them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import common_pb2
from temporalio.api.workflow.v1 import message_pb2 as workflow

from perdure.engine.operation_tokens import CallbackToken
from perdure.engine.turn_polls import TurnPolls
from perdure.kernel.run import Run
from perdure.model.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError
from perdure.model.events import WorkflowExecutionCompleted
from perdure.model.failures import Failure
from perdure.model.ids import CompletionCallback, RunAddress
from perdure.model.requests import StartWorkflow
from perdure.model.system import SYSTEM_NAMESPACE
from perdure.protocols.temporal.calls import Call
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.failures import failure
from perdure.protocols.temporal.nexus_tokens import INTERNAL_URL, TOKEN_HEADER
from perdure.protocols.temporal.times import timestamp

CLOSED = "closed"
"""The signal that the engine's own run waits for that tells somebody by HTTP."""

MOST = 32
LARGEST_BYTES = 64 << 10
"""Of one callback, as it was sent."""

OPERATION_HEADER = "nexus-operation-token"
"""What the operation is called where it runs, by Temporal's convention."""

Trigger = workflow.CallbackInfo.Trigger
Answered = workflow.CallbackInfo.UpdateWorkflowExecutionCompleted
State = common_pb2.CallbackState


async def with_callbacks(
    call: Call, namespace: str, given: Iterable[common.Callback], asked: StartWorkflow
) -> StartWorkflow:
    """A start, with those who want to hear of the run's end. Raises ``Refused`` for whom can't be told."""
    callbacks = list(given)
    if not callbacks:
        return asked
    if len(callbacks) > MOST:
        raise Refused.invalid(f"cannot attach more than {MOST} callbacks to a workflow")
    for callback in callbacks:
        _check(callback)
    hosts = {urlsplit(callback.nexus.url).hostname or "" for callback in callbacks if _is_outside(callback)}

    async def told() -> tuple[CompletionCallback, ...]:
        return tuple([await _told(call, namespace, asked, number, one) for number, one in enumerate(callbacks)])

    if hosts:  # where what leaves the server goes is for the audit log
        about = {"workflow_id": asked.workflow_id, "callbacks_to": ", ".join(sorted(hosts))}
        return msgspec.structs.replace(
            asked,
            completion_callbacks=await call.session.perform("start_callbacks", told, namespace=namespace, **about),
        )
    return msgspec.structs.replace(asked, completion_callbacks=await told())


async def update_callbacks(
    call: Call, given: Iterable[common.Callback], request_id: str
) -> tuple[CompletionCallback, ...]:
    """Operations that end as an update does. Raises ``Refused`` for whom can't be told."""
    callbacks = list(given)
    if len(callbacks) > MOST:
        raise Refused.invalid(f"cannot attach more than {MOST} callbacks to an update")
    for callback in callbacks:
        _check(callback)
        if _is_outside(callback):
            raise Refused.invalid(
                "invalid callback url: a callback of an update leads to an operation, by the URL it came with"
            )
    return tuple([await _operation(call, callback, request_id) for callback in callbacks])


def _check(callback: common.Callback) -> None:
    if callback.WhichOneof("variant") != "nexus":
        raise Refused.invalid("unknown callback variant: a callback of a start is one of Nexus")
    if callback.ByteSize() > LARGEST_BYTES:
        raise Refused.invalid(f"a callback's URL, header and links are larger than {LARGEST_BYTES} bytes")


def _is_outside(callback: common.Callback) -> bool:
    return callback.nexus.url != INTERNAL_URL


async def _told(
    call: Call, namespace: str, asked: StartWorkflow, number: int, callback: common.Callback
) -> CompletionCallback:
    url, shown = callback.nexus.url, callback.SerializeToString()
    headers = {name.lower(): value for name, value in callback.nexus.header.items()}
    if _is_outside(callback):
        try:
            own_id = await call.parts.begin_callback(asked, namespace, (url, headers, number))
        except (InvalidArgumentError, PermissionDeniedError) as error:
            raise Refused.invalid(f"invalid callback url: {error}") from None
        return CompletionCallback(SYSTEM_NAMESPACE, own_id, CLOSED, shown=shown, request_id=asked.request_id)
    return await _operation(call, callback, asked.request_id)


async def _operation(call: Call, callback: common.Callback, request_id: str) -> CompletionCallback:
    headers = {name.lower(): value for name, value in callback.nexus.header.items()}
    token = await call.parts.seals.opened_text(headers.get(TOKEN_HEADER, ""))
    if not isinstance(token, CallbackToken):
        raise Refused.invalid("the callback's token names no operation")
    return CompletionCallback(
        token.namespace,
        token.workflow_id,
        "",
        token.scheduled_event_id,
        token.request_id,
        headers.get(OPERATION_HEADER, ""),
        callback.SerializeToString(),
        request_id,
    )


async def callback_infos(turns: TurnPolls, run: Run) -> list[workflow.CallbackInfo]:
    """Who hears of a run's end, and whether they have."""
    follower: str = getattr(run.close, "new_execution_run_id", "")
    if follower:
        return []  # the run that follows has them
    at_close = Trigger(workflow_closed=workflow.CallbackInfo.WorkflowClosed())
    return [await _told_info(turns, run, callback, at_close) for callback in run.callbacks if callback.shown] + [
        _info(
            run, callback, Trigger(update_workflow_execution_completed=Answered(update_id=update_id)), update.completed
        )
        for update_id, update in run.updates.items()
        for callback in update.callbacks
    ]


def _info(run: Run, callback: CompletionCallback, trigger: Trigger, ended: Any) -> workflow.CallbackInfo:
    """Of somebody within the engine, who is told at once when it has ``ended``."""
    return workflow.CallbackInfo(
        callback=common.Callback.FromString(callback.shown),
        trigger=trigger,
        registration_time=timestamp(run.started.time),
        state=State.CALLBACK_STATE_STANDBY if ended is None else State.CALLBACK_STATE_SUCCEEDED,
        attempt=0 if ended is None else 1,
        last_attempt_complete_time=timestamp(ended.time) if ended is not None else None,
        request_id=callback.request_id,
    )


async def _told_info(
    turns: TurnPolls, run: Run, callback: CompletionCallback, trigger: Trigger
) -> workflow.CallbackInfo:
    close = run.close
    info = _info(run, callback, trigger, close)
    if close is not None and not callback.operation_event_id:
        try:
            telling = (await turns.resident(RunAddress(callback.namespace, callback.workflow_id))).run
        except NotFoundError:
            return info  # it is deleted: that was long ago
        _add_delivery(info, telling)
    return info


def _add_delivery(info: workflow.CallbackInfo, telling: Run) -> None:
    """How far the engine's own run has come that tells somebody by HTTP."""
    closing: Any = telling.close
    info.ClearField("last_attempt_complete_time")
    if closing is None:
        info.state, info.attempt = State.CALLBACK_STATE_SCHEDULED, 0
        for sending in telling.activities.values():
            info.attempt = sending.attempt_count
            info.last_attempt_complete_time.CopyFrom(timestamp(sending.failed_time) or Timestamp())
            if sending.last_failure is not None:
                info.last_attempt_failure.CopyFrom(failure(sending.last_failure))  # type: ignore[arg-type]
            if sending.next_attempt_time and not sending.started_time:
                info.state = State.CALLBACK_STATE_BACKING_OFF
                info.next_attempt_schedule_time.CopyFrom(timestamp(sending.next_attempt_time))  # type: ignore[arg-type]
        return
    info.last_attempt_complete_time.CopyFrom(timestamp(closing.time))  # type: ignore[arg-type]
    error = _delivery_error(closing)
    if error:
        info.state = State.CALLBACK_STATE_FAILED
        info.last_attempt_failure.CopyFrom(failure(Failure(error, source="perdure")))  # type: ignore[arg-type]


def _delivery_error(closing: Any) -> str:
    """Why nobody was told; empty if they were."""
    if not isinstance(closing, WorkflowExecutionCompleted):
        return "whoever was to tell them was stopped"
    outcomes = msgspec.json.decode(closing.result[0].data) if closing.result else []
    return str(outcomes[0]["error"]) if outcomes else "the run was not there to tell of"
