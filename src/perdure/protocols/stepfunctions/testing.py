"""TestState: one state, tried without an execution. What it means is the language's to say."""

import uuid
from collections.abc import Awaitable, Iterable
from typing import Any
from urllib.parse import urlsplit

from perdure.model.access import Permission
from perdure.protocols.stepfunctions.calling.failures import TaskFailed
from perdure.protocols.stepfunctions.calling.web import Exchange, text_of
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.parts import LanguageRefusal
from perdure.protocols.stepfunctions.refusals import Refusal

operations = Operations()


@operations.add("TestState")
async def test_state(call: Call) -> Answer:
    """What the state makes of its input. A task without a mock is done, so whoever asks must be one who may start executions;
    and what a connection adds is told to administrators alone."""
    call.require(Permission.READ)
    parts = call.parts
    try:
        tried = parts.language.test_state(call.body, call.account, call.region, parts.now(), uuid.uuid4().hex)
    except LanguageRefusal as error:
        raise Refusal(error.code, error.message) from None
    if tried.answer is not None:
        return tried.answer
    assert tried.call is not None
    call.require(Permission.OPERATE)
    if parts.call_task is None:
        raise Refusal("ValidationException", "This server calls no tasks: give the test a mock.")
    exchange, is_revealed = Exchange(), bool(call.body.get("revealSecrets"))
    if is_revealed:
        call.require(Permission.ADMINISTER)
    asked = tried.call
    seconds = min(asked.timeout_seconds or parts.bounds.trial_seconds, parts.bounds.trial_seconds)
    made = parts.call_task(asked.resource, asked.parameters, call.account, call.region, exchange)
    try:
        # A result may be null, and nothing is what comes of a call that takes too long.
        done = await call.within(seconds, _as_one(made))
        answer = tried.failed("States.Timeout", "") if done is None else tried.answered(done[0])
    except TaskFailed as failed:
        answer = tried.failed(failed.error, failed.cause)
    if call.body.get("inspectionLevel") == "TRACE":
        answer["inspectionData"] |= inspected(exchange, is_revealed=is_revealed)
    return answer


async def _as_one(made: Awaitable[Any]) -> tuple[Any]:
    return (await made,)


def inspected(exchange: Exchange, *, is_revealed: bool) -> Answer:
    """The request and the response of an HTTP task, as AWS shows them; empty of any other task.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html

    Args:
        is_revealed: with what the connection adds.
    """
    shown: Answer = {}
    request = exchange.sent if is_revealed else exchange.open
    if request is None:
        return shown
    protocol = urlsplit(request.url).scheme
    shown["request"] = {
        "protocol": protocol,
        "method": request.method,
        "url": request.url,
        "headers": listed(request.headers.items()),
        **({"body": request.content.decode()} if request.content else {}),
    }
    if (answer := exchange.answer) is not None:
        shown["response"] = {
            "protocol": protocol,
            "statusCode": str(answer.status),
            "statusMessage": answer.reason,
            "headers": listed(answer.headers),
            "body": text_of(answer),
        }
    return shown


def listed(headers: Iterable[tuple[str, str]]) -> str:
    """Headers, as AWS writes them here."""
    return "[" + ", ".join(f"{name}: {value}" for name, value in headers) + "]"
