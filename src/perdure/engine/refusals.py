"""How outcomes reach callers: a refusal of the kernel becomes the error that callers know."""

import asyncio
from collections.abc import Callable, Iterable

from perdure.engine.pipeline import Outcome, Pipeline
from perdure.engine.resident import Resident
from perdure.kernel.commit import Reason, Rejection
from perdure.model import cron
from perdure.model.affinity import affinity_problem
from perdure.model.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    PerdureError,
    RunClosedError,
)
from perdure.model.limits import Limits
from perdure.model.names import problem
from perdure.model.payloads import Payload
from perdure.model.requests import Request, SignalWorkflow, StartWorkflow, UpdateWorkflow

_FIELDS: dict[type[Request], tuple[str, ...]] = {
    StartWorkflow: ("workflow_id", "workflow_type", "task_queue"),
    SignalWorkflow: ("signal_name",),
    UpdateWorkflow: ("update_id", "update_name"),
}


def too_large(size: int, limit: int, name: str) -> LimitExceededError:
    """What to tell someone who sends more than a limit allows, in bytes."""
    return LimitExceededError(
        f"{size:,} bytes are more than the limit {name} of {limit:,} allows. Pass a reference to the data, or raise the limit.",
        limit=name,
    )


def refusal(request: Request, limits: Limits) -> PerdureError | None:
    """Why a request is not taken in: a name in it that can't be one, or more bytes than the limits allow."""
    longest = limits.id_length
    for field in _FIELDS.get(request.__class__, ()):
        name = getattr(request, field)
        # What nearly every name is; ``problem`` knows the rest.
        if name.__class__ is str and 0 < len(name) <= longest and name.isascii() and name.isprintable():
            continue
        if found := problem(field, name, longest):
            return InvalidArgumentError(f"{found}.")
    total = 0
    payloads: Iterable[Payload] = getattr(request, "input", ())
    if request.__class__ is StartWorkflow:
        if len(request.request_id) > longest:
            return InvalidArgumentError(
                f"request_id has {len(request.request_id):,} characters; the limit id_length is {longest:,}."
            )
        if request.affinity is not None and (found := affinity_problem(request.affinity, limits.id_length)):
            return InvalidArgumentError(f"{found}.")
        if request.cron_schedule:
            if request.start_delay_ns:
                return InvalidArgumentError("CronSchedule and WorkflowStartDelay may not be used together.")
            if wrong := cron.problem(request.cron_schedule):
                return InvalidArgumentError(wrong)
        payloads = _payloads_of_start(request)
    for payload in payloads:
        size = len(payload.data)
        total += size
        if 0 < limits.payload_bytes < size:
            return too_large(size, limits.payload_bytes, "payload_bytes")
    if 0 < limits.request_bytes < total:
        return too_large(total, limits.request_bytes, "request_bytes")
    return None


def _payloads_of_start(start: StartWorkflow) -> Iterable[Payload]:
    """All values that come with a start, few as they nearly always are."""
    if start.memo is None and start.search_attributes is None and start.signal is None and start.update is None:
        return start.input
    named = (*(start.memo or {}).values(), *(start.search_attributes or {}).values())
    sent = (*(start.signal.input if start.signal else ()), *(start.update.input if start.update else ()))
    return (*start.input, *named, *sent)


def settle(future: "asyncio.Future[None]") -> Callable[[Outcome], None]:
    """A callback that ends a future as a request ends."""

    def done(outcome: Outcome) -> None:
        if future.done():
            return
        if outcome is None:
            future.set_result(None)
        else:
            future.set_exception(error_of(outcome))

    return done


async def durable(pipeline: Pipeline, resident: Resident) -> None:
    """Wait until everything decided on a run so far is written. Raises why it is undone."""
    if resident.in_flight:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pipeline.when_durable(resident, settle(future))
        await future


def rejection_of(error: PerdureError) -> Rejection | PerdureError:
    """An error as the refusal that a workflow is told of; as it is, if the same may be tried again."""
    match error:
        case LimitExceededError(retry_after_seconds=0.0):
            return Rejection(Reason.LIMIT, str(error))
        case InvalidArgumentError():
            return Rejection(Reason.INVALID, str(error))
        case NotFoundError():
            return Rejection(Reason.NOT_FOUND, str(error))
        case _:
            return error


def error_of(outcome: Rejection | PerdureError) -> PerdureError:
    """A refusal as the error that callers know."""
    if isinstance(outcome, PerdureError):
        return outcome
    match outcome.reason:
        case Reason.NOT_FOUND | Reason.STALE:
            return NotFoundError(outcome.message)
        case Reason.ALREADY_EXISTS:
            return AlreadyExistsError(outcome.message)
        case Reason.CLOSED:
            return RunClosedError(outcome.message)
        case Reason.LIMIT:
            return LimitExceededError(outcome.message)
        case Reason.INVALID:
            return InvalidArgumentError(outcome.message)
