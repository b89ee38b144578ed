"""GetExecutionHistory: AWS's events of an execution, forwards or backwards, in pages, with or without data."""

from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.protocols.stepfunctions import paging
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.parts import Turn
from perdure.protocols.stepfunctions.refusals import no_execution
from perdure.protocols.stepfunctions.standing import address_of

operations = Operations()

_AT_ONCE = 1_000
"""The engine gives no more at once."""

_DATA = ("input", "output", "parameters", "inputDetails", "outputDetails")


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins: behind an event of the run and one of AWS's, in a turn that began at a time, so far into it."""

    after: int = 0
    number: int = 0
    started_time: int = 0
    skipped: int = 0


@operations.add("GetExecutionHistory")
async def get_execution_history(call: Call) -> Answer:
    """What happened so far. Forwards, a page costs what it holds; backwards, the history is read whole."""
    call.require(Permission.READ)
    arn = call.body["executionArn"]
    address = address_of(call, arn)
    try:
        if call.body.get("reverseOrder"):
            turns = await _read(call, address, _Place(), None)
            found = [event for turn in turns for event in turn.events]
            found.reverse()
            some, more = paging.page(found, call.body)
        else:
            some, more = await _page(call, address)
    except NotFoundError:
        raise no_execution(arn) from None
    if not call.body.get("includeExecutionData", True):
        some = [_without_data(event) for event in some]
    return {"events": list(some), **more}


async def _page(call: Call, address: RunAddress) -> tuple[Sequence[dict[str, Any]], dict[str, str]]:
    place = paging.read_token(call.body.get("nextToken"), _Place, _Place())
    if min(place.after, place.number, place.skipped) < 0:
        raise paging.bad_token()
    end = place.skipped + paging.size_of(call.body)
    some: list[dict[str, Any]] = []
    for turn in await _read(call, address, place, end + 1):
        rest = end - len(some)
        if rest < len(turn.events):
            following = _Place(turn.event_id - 1, place.number + len(some), turn.started_time, rest)
            return [*some, *turn.events[:rest]][place.skipped :], {"nextToken": paging.token_of(following)}
        some += turn.events
    return some[place.skipped :], {}


async def _read(call: Call, address: RunAddress, place: _Place, most: int | None) -> Sequence[Turn]:
    """AWS's events by turns, from a place on: at least so many, if there are, or all."""
    events: list[Event] = []
    while True:
        after = events[-1].id if events else place.after
        page = await call.service.history(address, after=after, limit=_AT_ONCE, wait=False)
        events += page.events
        is_all = page.is_closed or not page.events
        if is_all or (most is not None and len(events) >= most):
            turns = call.parts.language.history(events, place.number, place.started_time)
            if is_all or (most is not None and sum(len(turn.events) for turn in turns) >= most):
                return turns


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: said for name, said in value.items() if name not in _DATA} if isinstance(value, dict) else value
        for key, value in event.items()
    }
