"""GetExecutionHistory: AWS's events of an execution, forwards or backwards, in pages, with or without data."""

from typing import Any

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError
from perdure.model.events import Event
from perdure.protocols.stepfunctions import paging
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.refusals import no_execution
from perdure.protocols.stepfunctions.standing import address_of

operations = Operations()

_AT_ONCE = 10_000
_DATA = ("input", "output", "parameters", "inputDetails", "outputDetails")


@operations.add("GetExecutionHistory")
async def get_execution_history(call: Call) -> Answer:
    """What happened so far."""
    call.require(Permission.READ)
    arn = call.body["executionArn"]
    address = address_of(call, arn)
    events: list[Event] = []
    try:
        while True:
            page = await call.service.history(address, after=events[-1].id if events else 0, limit=_AT_ONCE, wait=False)
            events += page.events
            if len(page.events) < _AT_ONCE:
                break
    except NotFoundError:
        raise no_execution(arn) from None
    found = call.parts.language.history(events)
    if call.body.get("reverseOrder"):
        found.reverse()
    some, more = paging.page(found, call.body)
    if not call.body.get("includeExecutionData", True):
        some = [_without_data(event) for event in some]
    return {"events": list(some), **more}


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: said for name, said in value.items() if name not in _DATA} if isinstance(value, dict) else value
        for key, value in event.items()
    }
