"""TestState: one state, tried without an execution. What it means is the language's to say."""

import uuid

from perdure.model.access import Permission
from perdure.protocols.stepfunctions.calling.failures import TaskFailed
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.parts import LanguageRefusal
from perdure.protocols.stepfunctions.refusals import Refusal

operations = Operations()


@operations.add("TestState")
async def test_state(call: Call) -> Answer:
    """What the state makes of its input. A task without a mock is done, so whoever asks must be one who may start executions."""
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
    try:
        result = await parts.call_task(tried.call.resource, tried.call.parameters, call.account, call.region)
    except TaskFailed as failed:
        return tried.failed(failed.error, failed.cause)
    return tried.answered(result)
