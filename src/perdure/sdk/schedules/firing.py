"""How a schedule finds its next times and starts its runs.

What its activities do may be done twice, when an engine is killed between doing and recording. Times depend on their
arguments alone. A start names its occasion in its workflow id and request id, so that the same one again leads to the
same run.
"""

import time
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from perdure.model.errors import LimitExceededError, NotFoundError, PerdureError, RunClosedError, StoreError
from perdure.model.ids import CompletionCallback, RunAddress
from perdure.model.options import IdConflict, IdReuse
from perdure.model.payloads import Payload
from perdure.model.requests import CancelWorkflow, StartWorkflow, TerminateWorkflow, reserved_fields
from perdure.model.service import Service
from perdure.sdk.converter import Converter
from perdure.sdk.schedules.definition import (
    BUFFER_LIMIT,
    CLOSED_SIGNAL,
    SYSTEM_NAMESPACE,
    Answer,
    AskStart,
    AskTimes,
    Definition,
    Outcome,
    Overlap,
    Started,
    Times,
    Waiting,
    schedule_workflow_id,
)
from perdure.sdk.schedules.times import occasions, to_datetime

SCHEDULED_BY_ID = "ScheduledById"
SCHEDULED_START_TIME = "ScheduledStartTime"

_converter = Converter()

AT_ONCE_NS = 5_000_000
"""Looking for times holds up the engine's loop for no longer than this."""


def find_times(ask: AskTimes) -> Times:
    """The next occasions; fewer than asked for if they are hard to find, or if many are too old."""
    found: list[msgspec.Struct] = []
    missed, cursor = 0, ask.after
    began = time.perf_counter_ns()
    for occasion in occasions(ask.spec, ask.key, ask.after):
        if ask.until and occasion.nominal > ask.until:
            return Times(found, missed, cursor, True)  # type: ignore[arg-type]
        if occasion.due < ask.oldest:
            missed, cursor = missed + 1, occasion.nominal
        else:
            found.append(occasion)
        if len(found) == ask.limit or time.perf_counter_ns() - began > AT_ONCE_NS:
            return Times(found, missed, cursor, False)  # type: ignore[arg-type]
    return Times(found, missed, cursor, True)  # type: ignore[arg-type]


def try_times(ask: AskTimes) -> Times | None:
    """The same, None if that fails: an activity says why, and is tried again."""
    try:
        return find_times(ask)
    except Exception:
        return None


def may_start(overlap: Overlap, open_runs: Sequence[Started], buffered: int) -> bool:
    """Whether an occasion may start its run as things stand in the schedule itself, with nobody to be asked."""
    if overlap is Overlap.ALLOW_ALL:
        return True
    return not open_runs and not (buffered and overlap in (Overlap.BUFFER_ONE, Overlap.BUFFER_ALL))


def refusal(definition: Definition, own_id: str) -> str:
    """Why a schedule may do nothing; empty if it may. ``own_id`` is its workflow id, by which people were let in to set
    it up: it acts nowhere else."""
    if own_id == schedule_workflow_id(definition.namespace, definition.id):
        return ""
    return f"{own_id!r} is no schedule of namespace {definition.namespace!r}"


async def deal_with(service: Service, ask: AskStart, own_id: str) -> Answer:
    """Do what the overlap policy says, which may be to start the occasion's run.

    Raises ``StoreError``, and ``LimitExceededError`` where that passes, to be tried again.
    """
    definition, waiting = ask.definition, ask.waiting
    if refused := refusal(definition, own_id):
        return Answer(Outcome.FAILED, ask.open, error=refused)
    open_runs = ask.open
    if open_runs and waiting.overlap is not Overlap.ALLOW_ALL:
        open_runs = [run for run in open_runs if await _is_open(service, definition.namespace, run)]
    if open_runs:
        match waiting.overlap:
            case Overlap.SKIP:
                return Answer(Outcome.SKIPPED, open_runs)
            case Overlap.BUFFER_ONE if ask.buffered:
                return Answer(Outcome.SKIPPED, open_runs)
            case Overlap.BUFFER_ALL if ask.buffered >= BUFFER_LIMIT:
                full = f"{ask.buffered} occasions wait already, so one was skipped: the runs take longer than the schedule allows"
                return Answer(Outcome.DROPPED, open_runs, error=full)
            case Overlap.BUFFER_ONE | Overlap.BUFFER_ALL:
                return Answer(Outcome.BUFFERED, open_runs)
            case Overlap.CANCEL_OTHER:
                await _stop(service, definition, open_runs, CancelWorkflow(_reason(definition), ask.key))
                return Answer(Outcome.BUFFERED, open_runs)
            case Overlap.TERMINATE_OTHER:
                await _stop(service, definition, open_runs, TerminateWorkflow(_reason(definition)))
                open_runs = []
            case Overlap.ALLOW_ALL:
                pass
    elif ask.buffered and waiting.overlap in (Overlap.BUFFER_ONE, Overlap.BUFFER_ALL):
        return Answer(Outcome.BUFFERED, [])  # the run has just closed: it is the turn of one that waited longer
    return await _start(service, definition, waiting, ask.key, open_runs)


async def _start(
    service: Service, definition: Definition, waiting: Waiting, key: str, open_runs: list[Started]
) -> Answer:
    if reserved := reserved_fields(definition.start):
        return Answer(Outcome.FAILED, open_runs, error=f"{reserved} can't be set by whoever asks for a start")
    request = msgspec.structs.replace(
        start_request(definition, waiting, key),
        completion_callback=CompletionCallback(
            SYSTEM_NAMESPACE, schedule_workflow_id(definition.namespace, definition.id), CLOSED_SIGNAL
        ),
    )
    nominal = waiting.occasion.nominal
    try:
        result = await service.start(definition.namespace, request)
    except StoreError:
        raise
    except PerdureError as error:
        if isinstance(error, LimitExceededError) and error.retry_after_seconds:
            raise
        return Answer(Outcome.FAILED, open_runs, error=could_not_start(waiting, str(error)))
    return Answer(Outcome.STARTED, open_runs, Started(request.workflow_id, result.run_id, nominal, 0))


def start_request(definition: Definition, waiting: Waiting, key: str) -> StartWorkflow:
    """What starts an occasion's run, but for how its end is told; ``key`` is the schedule's first run id."""
    nominal = waiting.occasion.nominal
    start = definition.start
    return msgspec.structs.replace(
        start,
        workflow_id=start.workflow_id if definition.keep_workflow_id else f"{start.workflow_id}-{_text(nominal)}",
        request_id=f"{key}/{waiting.origin}/{nominal}",
        id_conflict=IdConflict.FAIL,
        id_reuse=IdReuse.ALLOW,
        search_attributes={
            **(start.search_attributes or {}),
            SCHEDULED_BY_ID: _converter.to_payload(definition.id),
            SCHEDULED_START_TIME: _time(nominal),
        },
    )


def could_not_start(waiting: Waiting, why: str) -> str:
    """A schedule's last error."""
    return f"the run of {_text(waiting.occasion.nominal)} could not be started: {why}"


@lru_cache(maxsize=256)  # a rush is at one time
def _time(nominal: int) -> Payload:
    """The same as a search attribute."""
    return (_converter.to_search_attributes({"": to_datetime(nominal)}) or {})[""]


@lru_cache(maxsize=256)
def _text(nominal: int) -> str:
    """A nominal time as it stands in run ids: RFC 3339, to the second where that says it."""
    return to_datetime(nominal).isoformat().replace("+00:00", "Z")


def _reason(definition: Definition) -> str:
    return f"schedule {definition.id!r} is due again (overlap policy)"


async def _is_open(service: Service, namespace: str, run: Started) -> bool:
    """Whether a run, or one that goes on in its place, is open."""
    try:
        found = await service.describe(RunAddress(namespace, run.workflow_id))
    except NotFoundError:
        return False
    return found.first_run_id == run.run_id and not found.summary.status.is_closed


async def _stop(
    service: Service, definition: Definition, runs: Sequence[Started], request: CancelWorkflow | TerminateWorkflow
) -> None:
    for run in runs:
        try:
            await service.request(RunAddress(definition.namespace, run.workflow_id), request)
        except (NotFoundError, RunClosedError):
            pass
