"""What a batch's activities do: find runs, and do something to them.

They may run twice, when an engine is killed between doing and recording. So every request names the batch: a run takes
a signal of the same request once, a second cancellation changes nothing, and for what closes, replaces or removes a run
the second time looks for the traces of the first.
"""

import asyncio

from perdure.model import events as e
from perdure.model.errors import NotFoundError, PerdureError, RunClosedError, StoreError
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.requests import CancelWorkflow, SignalWorkflow, TerminateWorkflow
from perdure.model.service import Service
from perdure.sdk.batches.definition import (
    Acted,
    AskAct,
    AskRuns,
    Cancel,
    Definition,
    Delete,
    Failure,
    Found,
    Reset,
    Signal,
    Target,
    Terminate,
)

AT_ONCE = 20
"""So many requests are under way at once: enough to share transactions, few enough to leave room for others."""

_PAGE = 500


async def count_runs(service: Service, definition: Definition) -> int:
    """How many runs there are to begin with."""
    counted = await service.count(
        definition.namespace,
        filter=definition.filter,
        statuses=[RunStatus(number) for number in definition.statuses],
        workflow_type=definition.workflow_type,
    )
    return counted.total


async def find_runs(service: Service, ask: AskRuns) -> Found:
    """The next runs, the newest first. What starts meanwhile stands before the first one, so it is not found."""
    definition = ask.definition
    page = await service.list(
        definition.namespace,
        filter=definition.filter,
        statuses=[RunStatus(number) for number in definition.statuses],
        workflow_type=definition.workflow_type,
        cursor=ask.cursor,
        limit=ask.limit,
    )
    return Found([Target(run.workflow_id, run.run_id) for run in page.runs], page.next_cursor)


async def act(service: Service, ask: AskAct, attempt: int) -> Acted:
    """Do it to these runs, no faster than the batch may. Raises ``StoreError``, to be tried again."""
    room = asyncio.Semaphore(AT_ONCE)
    rate = ask.definition.rate

    async def one(target: Target) -> str | None:
        async with room:
            return await _act_on(service, ask.definition, target, is_again=attempt > 1)

    under_way: list[asyncio.Task[str | None]] = []
    async with asyncio.TaskGroup() as group:
        for target in ask.runs:
            if rate:
                await asyncio.sleep(1 / rate)
            under_way.append(group.create_task(one(target)))
    outcomes = [task.result() for task in under_way]
    failures = [
        Failure(target.workflow_id, target.run_id, reason)
        for target, reason in zip(ask.runs, outcomes, strict=True)
        if reason
    ]
    return Acted(outcomes.count(_DONE), outcomes.count(_SKIPPED), failures)


_DONE, _SKIPPED = "", None
"""What became of a run; any other text says why it failed."""


async def _act_on(service: Service, definition: Definition, target: Target, *, is_again: bool) -> str | None:
    address = RunAddress(definition.namespace, target.workflow_id, target.run_id)
    by = _identity(definition)
    try:
        await _do(service, definition, address, is_again=is_again)
    except StoreError:
        raise
    except NotFoundError:
        return _DONE if is_again and isinstance(definition.operation, Delete) else _SKIPPED
    except RunClosedError:
        return _DONE if is_again and await _has_trace(service, address, by) else _SKIPPED
    except PerdureError as error:
        return str(error) or error.__class__.__name__
    return _DONE


async def _do(service: Service, definition: Definition, address: RunAddress, *, is_again: bool) -> None:
    by = _identity(definition)
    request_id = f"{by}/{address.run_id}"
    match definition.operation:
        case Signal(name, input, header):
            await service.request(address, SignalWorkflow(name, input, header, request_id, by))
        case Cancel(reason):
            await service.request(address, CancelWorkflow(reason or by, request_id, by))
        case Terminate(reason, details):
            await service.request(address, TerminateWorkflow(reason or by, details, by))
        case Delete():
            await service.delete(address)
        case Reset(to_last, reason):
            if not (is_again and await _is_reset(service, address, request_id)):
                event_id = await _fork_point(service, address, to_last=to_last)
                await service.reset(address, event_id=event_id, reason=reason or by, request_id=request_id)


def _identity(definition: Definition) -> str:
    return f"batch {definition.id}"


async def _fork_point(service: Service, address: RunAddress, *, to_last: bool) -> int:
    if to_last:
        return (await service.describe(address)).summary.history_length
    page = await service.history(address, after=0, limit=_PAGE, wait=False)
    return next((event.id for event in page.events if isinstance(event, e.WorkflowTaskStarted)), 1)


async def _is_reset(service: Service, address: RunAddress, request_id: str) -> bool:
    """Whether the workflow's current run is the one that this batch's reset began."""
    current = RunAddress(address.namespace, address.workflow_id)
    page = await service.history(current, after=0, limit=1, wait=False)
    started = page.events[0]
    return isinstance(started, e.WorkflowExecutionStarted) and started.request_id == request_id


async def _has_trace(service: Service, address: RunAddress, by: str) -> bool:
    """Whether something in a closed run's history came from this batch."""
    last = 0
    while True:
        page = await service.history(address, after=last, limit=_PAGE, wait=False)
        if any(_came_from(event, by) for event in page.events):
            return True
        if page.is_closed or not page.events:
            return False
        last = page.events[-1].id


def _came_from(event: e.Event, by: str) -> bool:
    match event:
        case (
            e.WorkflowExecutionSignaled(identity=identity)
            | e.WorkflowExecutionCancelRequested(identity=identity)
            | e.WorkflowExecutionTerminated(identity=identity)
        ):
            return identity == by
        case _:
            return False
