"""Operations, from inside a workflow: what others serve, behind an endpoint or on a task queue, whatever they are written in."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError, OperationError
from perdure.model.options import CancellationType
from perdure.sdk.choices import CANCELLATION, CancellationWord, choose
from perdure.sdk.definitions import ActivityDefinition, WorkflowDefinition
from perdure.sdk.durations import Duration, to_ns_or_zero
from perdure.sdk.failures import from_failure
from perdure.sdk.names import checked_name
from perdure.sdk.run import OVER, UNSENT, Run, require_run

R = TypeVar("R")


class PendingOperation(msgspec.Struct):
    """An operation that was asked for. ``accepted`` resolves when it goes on by itself, or has ended; ``ended`` with its
    last event."""

    accepted: asyncio.Future[None]
    ended: asyncio.Future[Any]
    event_id: int = UNSENT
    token: str = ""
    is_asked_to_stop: bool = False

    def accept(self, event: e.NexusOperationStarted) -> None:
        """It goes on by itself."""
        self.token = event.operation_token
        if not self.accepted.done():
            self.accepted.set_result(None)

    def settle(self, event: e.Event) -> None:
        """It has ended."""
        self.event_id = OVER
        if not self.accepted.done():
            self.accepted.set_result(None)
        if not self.ended.done():
            self.ended.set_result(event)


class NamedOperation(msgspec.Struct, frozen=True):
    """Which operation it is, and what its result is read as."""

    service: str
    operation: str
    endpoint: str
    return_type: Any

    def __str__(self) -> str:
        return f"{self.service}/{self.operation}"


class OperationHandle(Generic[R]):
    """An operation that was accepted, or has ended. ``await`` it for its result; that may be done more than once.

    Awaiting raises ``OperationError`` when the operation failed, timed out or was cancelled.
    """

    __slots__ = ("_cancellation", "_named", "_pending", "_run")

    def __init__(
        self, run: Run, named: NamedOperation, pending: PendingOperation, cancellation: CancellationType
    ) -> None:
        self._run = run
        self._named = named
        self._pending = pending
        self._cancellation = cancellation

    @property
    def token(self) -> str:
        """The operation's name where it runs; empty if it ended at once."""
        return self._pending.token

    def __await__(self) -> Generator[Any, None, R]:
        return _result(self._run, self._named, self._pending, self._cancellation).__await__()

    async def result(self) -> R:
        """The same as awaiting the handle, as a coroutine, for ``create_task`` and ``gather``."""
        return await self

    def cancel(self) -> None:
        """Ask the operation to stop; how it then ends is seen by awaiting it. A second time it changes nothing."""
        _ask_to_stop(self._run, self._pending)

    def __repr__(self) -> str:
        return f"<operation {self._named}>"


class OperationChoices(TypedDict, total=False):
    """What ``start_operation`` takes besides the operation and its input."""

    endpoint: str
    task_queue: str
    schedule_to_close: Duration
    schedule_to_start: Duration
    start_to_close: Duration
    headers: Mapping[str, str]
    cancellation: CancellationWord
    result_type: Any


@overload
async def start_operation(
    operation: Callable[..., Coroutine[Any, Any, R]], input: Any = None, **choices: Unpack[OperationChoices]
) -> OperationHandle[R]: ...
@overload
async def start_operation(
    operation: Callable[..., R], input: Any = None, **choices: Unpack[OperationChoices]
) -> OperationHandle[R]: ...
@overload
async def start_operation(
    operation: str, input: Any = None, **choices: Unpack[OperationChoices]
) -> OperationHandle[Any]: ...
async def start_operation(
    operation: Any, input: Any = None, **choices: Unpack[OperationChoices]
) -> OperationHandle[Any]:
    """Ask for an operation, and go on as soon as it was accepted, with a handle to await and cancel it.

    Args:
        operation: ``"Service/operation"``, or the activity or workflow of that name, whose types are then known.
        input: its one argument.
        endpoint: behind which it is served, as set up on the server: workers of any namespace and any of Temporal's SDKs,
            or a URL that speaks Nexus.
        task_queue: where in this run's namespace it is served, if not behind an endpoint; without either, the run's own.
        schedule_to_close: how long it may take in all; a timedelta or seconds, no limit without it.
        schedule_to_start: how long until somebody has accepted it.
        start_to_close: how long from then on.
        headers: texts that go along with the request.
        cancellation: what happens when waiting for it is cancelled: "wait" asks it to stop and waits until it has (the
            default), "try" asks and does not wait, "abandon" does not even ask.
        result_type: what the result is read as, where ``operation`` is only a name.

    Raises:
        InvalidArgumentError: an option makes no sense.
    """
    run = require_run()
    cancellation = choose("cancellation", CANCELLATION, choices.get("cancellation", "wait"))
    named, pending = _ask(run, operation, input, choices)
    try:
        await asyncio.shield(pending.accepted)
    except asyncio.CancelledError:
        await _called_off(run, pending, cancellation)
        raise
    return OperationHandle(run, named, pending, cancellation)


@overload
async def execute_operation(
    operation: Callable[..., Coroutine[Any, Any, R]], input: Any = None, **choices: Unpack[OperationChoices]
) -> R: ...
@overload
async def execute_operation(
    operation: Callable[..., R], input: Any = None, **choices: Unpack[OperationChoices]
) -> R: ...
@overload
async def execute_operation(operation: str, input: Any = None, **choices: Unpack[OperationChoices]) -> Any: ...
async def execute_operation(operation: Any, input: Any = None, **choices: Unpack[OperationChoices]) -> Any:
    """Ask for an operation, and wait for its result. Takes what ``start_operation`` takes.

    Raises:
        OperationError: it failed, timed out or was cancelled.
        InvalidArgumentError: an option makes no sense.
    """
    run = require_run()
    cancellation = choose("cancellation", CANCELLATION, choices.get("cancellation", "wait"))
    named, pending = _ask(run, operation, input, choices)
    return await _result(run, named, pending, cancellation)


def _ask(run: Run, operation: Any, input: Any, choices: OperationChoices) -> tuple[NamedOperation, PendingOperation]:
    unknown = [name for name in choices if name not in OperationChoices.__annotations__]
    if unknown:
        known = ", ".join(OperationChoices.__annotations__)
        raise InvalidArgumentError(f"start_operation() has no option {unknown[0]!r}; it has {known}")
    endpoint, task_queue = choices.get("endpoint", ""), choices.get("task_queue", "")
    if endpoint and task_queue:
        raise InvalidArgumentError("an operation has an endpoint or a task_queue, not both: an endpoint leads to one")
    for name, value in (("endpoint", endpoint), ("task_queue", task_queue)):
        if value:
            checked_name(name, value)
    headers = checked_headers(choices.get("headers"))
    named = named_operation(operation, endpoint, choices.get("result_type"))
    pending = PendingOperation(run.loop.create_future(), run.loop.create_future())
    run.add(
        c.ScheduleNexusOperation(
            endpoint,
            named.service,
            named.operation,
            "",
            task_queue,
            (run.converter.to_payload(input),),
            to_ns_or_zero(choices.get("schedule_to_close")),
            to_ns_or_zero(choices.get("schedule_to_start")),
            to_ns_or_zero(choices.get("start_to_close")),
            headers,
        ),
        pending,
    )
    return named, pending


def checked_headers(headers: object) -> dict[str, str] | None:
    """An operation's headers; None for none. Raises ``InvalidArgumentError``."""
    if not headers:
        return None
    if not isinstance(headers, Mapping) or not all(isinstance(part, str) for pair in headers.items() for part in pair):
        raise InvalidArgumentError("an operation's headers are texts by name, such as {'tenant': 'acme'}")
    return dict(headers)


def named_operation(operation: Any, endpoint: str, return_type: Any) -> NamedOperation:
    """Which operation is meant. Raises ``InvalidArgumentError`` if none is."""
    definition: ActivityDefinition | WorkflowDefinition | None = getattr(
        operation, "__perdure_activity__", None
    ) or getattr(operation, "__perdure_workflow__", None)
    name = operation if isinstance(operation, str) else definition.name if definition is not None else ""
    service, _, own = name.partition("/")
    if not (service and own):
        raise InvalidArgumentError(
            f"{operation!r} names no operation: it must be text such as 'Bank/transfer', or an activity or a workflow "
            "with a name of that form"
        )
    if return_type is None and definition is not None:
        return_type = definition.return_type
    return NamedOperation(
        checked_name("the service", service), checked_name("the operation", own), endpoint, return_type
    )


async def _result(run: Run, named: NamedOperation, pending: PendingOperation, cancellation: CancellationType) -> Any:
    try:
        event = await asyncio.shield(pending.ended)
    except asyncio.CancelledError:
        event = await _called_off(run, pending, cancellation)
        if event is None or event.__class__ is e.NexusOperationCanceled:
            raise
    if event.__class__ is e.NexusOperationCompleted:
        result = event.result
        return run.converter.from_payload(result[0], named.return_type) if result else None
    raise _error(run, named, pending, event)


async def _called_off(run: Run, pending: PendingOperation, cancellation: CancellationType) -> e.Event | None:
    """Nobody waits for it any more. Its end, where that is to be waited for."""
    if pending.event_id == UNSENT:
        run.withdraw(pending)
    elif pending.event_id != OVER and cancellation is not CancellationType.ABANDON:
        _ask_to_stop(run, pending)
        if cancellation is CancellationType.WAIT_CANCELLATION_COMPLETED:
            while not pending.ended.done():
                try:
                    await asyncio.shield(pending.ended)
                except asyncio.CancelledError:
                    if pending.event_id == OVER:
                        raise
            event: e.Event = pending.ended.result()
            return event
    return None


def _ask_to_stop(run: Run, pending: PendingOperation) -> None:
    if pending.event_id > UNSENT and not pending.is_asked_to_stop:
        pending.is_asked_to_stop = True
        run.add(c.RequestCancelNexusOperation(pending.event_id))


def _error(run: Run, named: NamedOperation, pending: PendingOperation, event: Any) -> OperationError:
    """The error for an operation's last event, which is any but ``NexusOperationCompleted``."""
    cause = from_failure(event.failure.cause or event.failure, run.converter)
    error = OperationError(
        f"operation {str(named)!r} failed: {cause}",
        endpoint=named.endpoint,
        service=named.service,
        operation=named.operation,
        token=pending.token,
    )
    error.__cause__ = cause
    return error
