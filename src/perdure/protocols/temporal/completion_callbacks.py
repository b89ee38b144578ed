"""Completion callbacks: who wants to hear of a run's end, as a start names them and as a description shows them."""

from collections.abc import Iterable
from typing import Any

import msgspec
from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import common_pb2
from temporalio.api.workflow.v1 import message_pb2 as workflow

from perdure.kernel.run import Run
from perdure.model.ids import CompletionCallback
from perdure.model.requests import StartWorkflow
from perdure.protocols.temporal.calls import Call
from perdure.protocols.temporal.errors import Refused
from perdure.protocols.temporal.nexus_tokens import INTERNAL_URL, TOKEN_HEADER, CallbackToken
from perdure.protocols.temporal.times import timestamp

MOST = 32
LARGEST_BYTES = 64 << 10
"""Of one callback, as it was sent."""

OPERATION_HEADER = "nexus-operation-token"
"""What the operation is called where it runs, by Temporal's convention."""

State = common_pb2.CallbackState


async def with_callbacks(call: Call, given: Iterable[common.Callback], asked: StartWorkflow) -> StartWorkflow:
    """A start, with those who want to hear of the run's end. Raises ``Refused`` for whom can't be told."""
    callbacks = list(given)
    if not callbacks:
        return asked
    if len(callbacks) > MOST:
        raise Refused.invalid(f"cannot attach more than {MOST} callbacks to a workflow")
    told = tuple([await _told(call, callback, asked.request_id) for callback in callbacks])
    return msgspec.structs.replace(asked, completion_callbacks=told)


async def _told(call: Call, callback: common.Callback, request_id: str) -> CompletionCallback:
    if callback.WhichOneof("variant") != "nexus":
        raise Refused.invalid("unknown callback variant: a callback of a start is one of Nexus")
    shown = callback.SerializeToString()
    if len(shown) > LARGEST_BYTES:
        raise Refused.invalid(f"a callback's URL, header and links are larger than {LARGEST_BYTES} bytes")
    headers = {name.lower(): value for name, value in callback.nexus.header.items()}
    if callback.nexus.url != INTERNAL_URL:
        raise Refused.invalid(
            f"invalid callback url: url does not match any configured callback address: {callback.nexus.url:.200}"
        )
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
        shown,
        request_id,
    )


def callback_infos(run: Run) -> list[workflow.CallbackInfo]:
    """Who hears of a run's end, and whether they have."""
    close: Any = run.close
    follower: str = getattr(close, "new_execution_run_id", "")
    if follower:
        return []  # the run that follows has them
    return [
        workflow.CallbackInfo(
            callback=common.Callback.FromString(callback.shown),
            trigger=workflow.CallbackInfo.Trigger(workflow_closed=workflow.CallbackInfo.WorkflowClosed()),
            registration_time=timestamp(run.started.time),
            state=State.CALLBACK_STATE_STANDBY if close is None else State.CALLBACK_STATE_SUCCEEDED,
            attempt=0 if close is None else 1,
            last_attempt_complete_time=timestamp(close.time) if close is not None else None,
            request_id=callback.request_id,
        )
        for callback in run.callbacks
        if callback.shown
    ]
