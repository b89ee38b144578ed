"""What users call: ``client.batches``, and a handle on one batch."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, IdReuse, RunStatus
from perdure.model.payloads import Payloads
from perdure.model.requests import CancelWorkflow, OutsideRequest, PauseWorkflow, ResumeWorkflow, StartWorkflow
from perdure.model.service import RunSummary, Service
from perdure.sdk.batches.definition import (
    MEMO,
    STATE_QUERY,
    WORKFLOW_TYPE,
    Cancel,
    Counts,
    Definition,
    Delete,
    Failure,
    Listed,
    Operation,
    Reset,
    Signal,
    State,
    Target,
    Terminate,
    listed,
    system_workflow_id,
)
from perdure.sdk.converter import Converter
from perdure.sdk.names import checked_text
from perdure.sdk.random_ids import new_id
from perdure.sdk.schedules.client import Lists, keep_records
from perdure.sdk.schedules.definition import SYSTEM_NAMESPACE, SYSTEM_QUEUE
from perdure.sdk.schedules.times import to_datetime

LIST_PAGE = 500
MOST_RUNS = 10_000
"""So many runs may be named one by one."""
OPEN = (RunStatus.RUNNING, RunStatus.PAUSED)

# Not the user's converter: the engine's own app has to read it.
_plain = Converter()


@dataclass(frozen=True)
class BatchDescription:
    """Where a batch stands.

    Attributes:
        operation: "signal", "cancel", "terminate", "reset" or "delete".
        rate: how many runs a second at most, 0.0 for no limit.
        status: of the batch: running, paused, completed; canceled once it was stopped.
        total: how many runs the filter named in the beginning; -1 before they were counted.
        done, skipped, failed: how many it was done to; how many were closed or gone before it was their turn; how many it
            could not be done to.
        failures: the first of these, with the reasons. Empty in lists.
        closed: when it ended; None before.
        reason, identity: why it was begun, and by whom.
    """

    id: str
    namespace: str
    operation: str
    filter: str
    rate: float
    status: RunStatus
    total: int
    done: int
    skipped: int
    failed: int
    failures: Sequence[Failure]
    started: datetime
    closed: datetime | None
    reason: str = ""
    identity: str = ""


class Batches:
    """One thing done to many runs of a namespace. Get it from ``client.batches``.

    All that begin a batch take ``filter`` (which runs; see docs/search.md, without ORDER BY), ``status`` and
    ``workflow_type`` to narrow it, ``rate`` (how many runs a second at most, 0 for no limit) and ``id`` (the same again while
    it is open: the same batch; made up if not given). Without ``status``, what is done to open runs only looks at these.
    """

    def __init__(
        self, service: Service, namespace: str, identity: str, to_payloads: Callable[[Sequence[object]], Payloads]
    ) -> None:
        self._service = service
        self._namespace = namespace
        self._identity = identity
        self._to_payloads = to_payloads

    async def signal(self, filter: str, name: str, *args: object, **options: object) -> "BatchHandle":
        """Send a signal to every open run that the filter names."""
        return await self.start(Signal(name, self._to_payloads(args)), filter, **options)  # type: ignore[arg-type]

    async def cancel(self, filter: str, *, reason: str = "", **options: object) -> "BatchHandle":
        """Ask them to stop."""
        return await self.start(Cancel(reason), filter, **options)  # type: ignore[arg-type]

    async def terminate(self, filter: str, *, reason: str = "", **options: object) -> "BatchHandle":
        """Close them at once."""
        return await self.start(Terminate(reason), filter, **options)  # type: ignore[arg-type]

    async def reset(self, filter: str, *, to_last: bool = False, reason: str = "", **options: object) -> "BatchHandle":
        """Start them again, open or closed, from their first turn; with ``to_last`` from their last one."""
        return await self.start(Reset(to_last, reason), filter, **options)  # type: ignore[arg-type]

    async def delete(self, filter: str, **options: object) -> "BatchHandle":
        """Remove them for good, open or closed."""
        return await self.start(Delete(), filter, **options)  # type: ignore[arg-type]

    async def start(
        self,
        operation: Operation,
        filter: str = "",
        *,
        statuses: Sequence[RunStatus] = (),
        workflow_type: str = "",
        rate: float = 0.0,
        id: str = "",
        runs: Sequence[tuple[str, str]] = (),
        reason: str = "",
    ) -> "BatchHandle":
        """Begin a batch; the others call this.

        Args:
            runs: workflow ids and run ids (empty for the current run), in place of the runs of a filter.
            reason: why, for people.

        Raises:
            InvalidArgumentError: the filter, or the rate, can't be used. Nothing was begun.
            AlreadyExistsError: there was a batch of that id, and it has ended.
        """
        if not rate >= 0 or rate == float("inf"):
            raise InvalidArgumentError(f"rate={rate!r} must be a number of runs a second; 0 for no limit")
        if self._namespace == SYSTEM_NAMESPACE:
            raise InvalidArgumentError(f"a batch can't act on {SYSTEM_NAMESPACE}, where it is a run itself")
        definition = self.definition(operation, filter, statuses, workflow_type, rate, id or secrets.token_hex(6))
        definition = msgspec.structs.replace(
            definition, is_listed=bool(runs), reason=checked_text("reason", reason), identity=self._identity
        )
        state = State(definition)
        if runs:
            if filter or statuses or workflow_type:
                raise InvalidArgumentError("a batch of given runs has no filter: say one or the other")
            if len(runs) > MOST_RUNS:
                raise InvalidArgumentError(f"a batch takes at most {MOST_RUNS:,} given runs; name more by a filter")
            state.waiting, state.is_last_page = [Target(*run) for run in runs], True
            state.counts.total = len(runs)
        else:
            await self.count(definition)
        await keep_records(self._service)
        request = StartWorkflow(
            system_workflow_id(self._namespace, definition.id),
            WORKFLOW_TYPE,
            SYSTEM_QUEUE,
            _plain.to_payloads([state]),
            new_id(),
            id_conflict=IdConflict.USE,
            id_reuse=IdReuse.REJECT,
            memo=_plain.to_payload_map({MEMO: listed(state)}),
            identity=self._identity,
        )
        try:
            await self._service.start(SYSTEM_NAMESPACE, request)
        except AlreadyExistsError as error:
            raise AlreadyExistsError(
                f"There was a batch {definition.id!r} already, which has ended. Choose another id.", error.run_id
            ) from None
        return self.get(definition.id)

    def definition(
        self, operation: Operation, filter: str, statuses: Sequence[RunStatus], workflow_type: str, rate: float, id: str
    ) -> Definition:
        """What a batch would be."""
        chosen = statuses or (() if isinstance(operation, (Reset, Delete)) else OPEN)
        numbers = tuple(int(status) for status in chosen)
        return Definition(self._namespace, id, operation, filter, numbers, workflow_type, float(rate))

    async def count(self, definition: Definition) -> int:
        """How many runs there are for it now. Raises ``InvalidArgumentError`` if its filter can't be used."""
        counted = await self._service.count(
            self._namespace,
            filter=definition.filter,
            statuses=[RunStatus(number) for number in definition.statuses],
            workflow_type=definition.workflow_type,
        )
        if counted.attributes:
            raise InvalidArgumentError("the filter of a batch names runs: leave out its GROUP BY")
        return counted.total

    def get(self, id: str) -> "BatchHandle":
        """A handle on a batch. Nothing is sent."""
        return BatchHandle(self._service, self._namespace, self._identity, id)

    def list(self) -> AsyncIterator[BatchDescription]:
        """The batches of the namespace, the newest first; those that have ended for 30 days."""
        return batches(self._service, self._namespace)


async def batches(service: Lists, namespace: str) -> AsyncIterator[BatchDescription]:
    """The batches of a namespace, the newest first, each once however often it went on as a new run."""
    cursor, seen = "", set[str]()
    while True:
        page = await service.list(
            SYSTEM_NAMESPACE, filter="", statuses=(), workflow_type=WORKFLOW_TYPE, cursor=cursor, limit=LIST_PAGE
        )
        for summary in page.runs:
            memo = _memo(summary)
            if memo is not None and memo.namespace == namespace and memo.id not in seen:
                seen.add(memo.id)
                yield _described(memo, summary, ())
        cursor = page.next_cursor
        if not cursor:
            return


class BatchHandle:
    """One batch. All methods raise ``NotFoundError`` if there is none of that id, and those that change it
    ``RunClosedError`` if it has ended."""

    def __init__(self, service: Service, namespace: str, identity: str, id: str) -> None:
        self._service = service
        self._identity = identity
        self._address = RunAddress(SYSTEM_NAMESPACE, system_workflow_id(namespace, id))
        self.namespace = namespace
        self.id = id

    def __repr__(self) -> str:
        return f"<batch {self.id!r} in namespace {self.namespace!r}>"

    async def describe(self) -> BatchDescription:
        """Where it stands."""
        try:
            own = (await self._service.describe(self._address)).summary
            answer = await self._service.query(self._address, STATE_QUERY, ())
        except NotFoundError:
            raise self._missing() from None
        state: State | None = _plain.from_payload(answer[0], State | None)
        memo = listed(state) if state is not None else _memo(own)
        assert memo is not None
        return _described(memo, own, state.failures if state is not None else ())

    async def pause(self, reason: str = "") -> None:
        """Begin with no more runs until ``resume``; those of the last second are still dealt with."""
        await self._tell(PauseWorkflow(reason, self._identity, new_id()))

    async def resume(self, reason: str = "") -> None:
        """Go on after ``pause``."""
        await self._tell(ResumeWorkflow(reason, self._identity, new_id()))

    async def stop(self, reason: str = "") -> None:
        """End it; what is done stays done."""
        await self._tell(CancelWorkflow(reason, new_id(), self._identity))
        # A paused one must take a turn to hear of it.
        if (await self._service.describe(self._address)).summary.status is RunStatus.PAUSED:
            await self.resume(reason)

    async def wait(self) -> BatchDescription:
        """Wait until it has ended, and say what became of all runs."""
        try:
            await self._service.wait_closed(self._address, follow=True)
        except NotFoundError:
            raise self._missing() from None
        return await self.describe()

    async def _tell(self, request: OutsideRequest) -> None:
        try:
            await self._service.request(self._address, request)
        except NotFoundError:
            raise self._missing() from None
        except RunClosedError:
            raise RunClosedError(f"The {self!r} has ended.") from None

    def _missing(self) -> NotFoundError:
        return NotFoundError(f"There is no {self!r}. See client.batches.list(), or perdure batch list.")


def _memo(summary: RunSummary) -> Listed | None:
    payload = summary.memo.get(MEMO)
    memo: Listed | None = None if payload is None else _plain.from_payload(payload, Listed)
    return memo


def _described(memo: Listed, summary: RunSummary, failures: Sequence[Failure]) -> BatchDescription:
    counts: Counts = memo.counts
    return BatchDescription(
        memo.id,
        memo.namespace,
        memo.operation,
        memo.filter,
        memo.rate,
        summary.status,
        counts.total,
        counts.done,
        counts.skipped,
        counts.failed,
        tuple(failures),
        to_datetime(summary.start_time),
        to_datetime(summary.close_time) if summary.close_time else None,
        memo.reason,
        memo.identity,
    )
