"""TestState: one state, tried without an execution. What it means is the language's to say."""

from perdure.model.access import Permission
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.parts import LanguageRefusal
from perdure.protocols.stepfunctions.refusals import Refusal

operations = Operations()


@operations.add("TestState")
async def test_state(call: Call) -> Answer:
    """What the state makes of its input."""
    call.require(Permission.READ)
    try:
        return call.parts.language.test_state(call.body)
    except LanguageRefusal as error:
        raise Refusal(error.code, error.message) from None
