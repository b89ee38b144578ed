"""GetExecutionHistory: AWS's events of an execution, forwards or backwards, in pages, with or without data. A page costs what
it holds, whichever way."""

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


class _Back(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins that goes backwards: with an event of the run, and of AWS's in it with this one."""

    event: int
    number: int


@operations.add("GetExecutionHistory")
async def get_execution_history(call: Call) -> Answer:
    """What happened so far."""
    call.require(Permission.READ)
    arn = call.body["executionArn"]
    address = address_of(call, arn)
    try:
        some, more = await (_page_back(call, address) if call.body.get("reverseOrder") else _page(call, address))
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


async def _read(call: Call, address: RunAddress, place: _Place, most: int) -> Sequence[Turn]:
    """AWS's events by turns, from a place on: at least so many, if there are."""
    events: list[Event] = []
    while True:
        after = events[-1].id if events else place.after
        page = await call.service.history(address, after=after, limit=_AT_ONCE, wait=False)
        events += page.events
        is_all = page.is_closed or not page.events
        if is_all or len(events) >= most:
            turns = call.parts.language.history(events, place.number, place.started_time)
            if is_all or sum(len(turn.events) for turn in turns) >= most:
                return turns


async def _page_back(call: Call, address: RunAddress) -> tuple[Sequence[dict[str, Any]], dict[str, str]]:
    token, size = call.body.get("nextToken"), paging.size_of(call.body)
    if token is None:
        summary = (await call.service.describe(address)).summary
        place = _Back(summary.history_length, 2**62)
    else:
        place = paging.read_token(token, _Back, _Back(0, 0))
        if min(place.event, place.number) < 1:
            raise paging.bad_token()
    some: list[dict[str, Any]] = []
    for turn in reversed(await _read_back(call, address, place, size + 1)):
        for event in reversed(turn.events):
            if event["id"] > place.number:
                continue
            if len(some) == size:
                return some, {"nextToken": paging.token_of(_Back(turn.event_id, event["id"]))}
            some.append(event)
    return some, {}


async def _read_back(call: Call, address: RunAddress, place: _Back, most: int) -> Sequence[Turn]:
    """AWS's events by turns, up to a place: at least so many, if there are."""
    events: list[Event] = []
    start, asked = place.event, min(4 * most, _AT_ONCE)
    while True:
        start, before = max(0, start - asked), start
        events = [*await _between(call, address, start, before), *events]
        # What the first turn is in the middle of is not there to say when it began.
        first = next((at for at, event in enumerate(events) if start == 0 or call.parts.language.begins_turn(event)), 0)
        turns = call.parts.language.history(events[first:], 0, 0)
        found = sum(event["id"] <= place.number for turn in turns for event in turn.events)
        is_numbered = start == 0 or (bool(turns) and turns[0].events[0]["id"] > 1)
        if start == 0 or (found >= most and is_numbered):
            return turns
        asked = min(2 * asked, _AT_ONCE) if is_numbered or not turns else start


async def _between(call: Call, address: RunAddress, after: int, last: int) -> Sequence[Event]:
    """The run's events behind one and up to another."""
    events: list[Event] = []
    while after < last:
        page = await call.service.history(address, after=after, limit=min(last - after, _AT_ONCE), wait=False)
        if not page.events:
            break
        events += page.events
        after = page.events[-1].id
    return events


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {name: said for name, said in value.items() if name not in _DATA} if isinstance(value, dict) else value
        for key, value in event.items()
    }
