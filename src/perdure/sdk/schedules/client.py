"""What users call: ``client.schedules``, and a handle on one schedule."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Protocol

import msgspec

from perdure.model.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    RunClosedError,
    UnavailableError,
)
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, RunStatus
from perdure.model.payloads import PayloadMap
from perdure.model.requests import SignalWorkflow, StartWorkflow, TerminateWorkflow, UpdateWorkflow
from perdure.model.service import Namespace, RunDescription, RunPage, Service, UpdateStage
from perdure.sdk.converter import Converter
from perdure.sdk.names import checked_text
from perdure.sdk.random_ids import new_id
from perdure.sdk.schedules import asking
from perdure.sdk.schedules.definition import (
    COMMAND_SIGNAL,
    MEMO,
    REPLACE_UPDATE,
    STATE_QUERY,
    SYSTEM_NAMESPACE,
    SYSTEM_QUEUE,
    SYSTEM_RETENTION_DAYS,
    WORKFLOW_TYPE,
    Command,
    Definition,
    Listed,
    Pause,
    Replace,
    Resume,
    Snapshot,
    Started,
    State,
    listed,
    schedule_workflow_id,
)
from perdure.sdk.schedules.descriptions import ScheduleDescription, ScheduledRun, ScheduleInfo
from perdure.sdk.schedules.times import Spec, occasions, times, to_datetime
from perdure.sdk.starting import StartOptions, Target, with_own_options

NEXT_TIMES = 5
REPLACE_ATTEMPTS = 5
LIST_PAGE = 500
RETENTION_NS = SYSTEM_RETENTION_DAYS * 86_400 * 1_000_000_000

RUN_OPTIONS = frozenset(
    {
        "task_queue",
        "execution_timeout",
        "run_timeout",
        "task_timeout",
        "retry",
        "memo",
        "search_attributes",
        "affinity",
    }
)
"""Options of ``client.start`` that the runs of a schedule may have too."""

# Not the user's converter: the engine's own app has to read it.
_plain = Converter()


class Schedules:
    """The schedules of a namespace. Get it from ``client.schedules``."""

    def __init__(self, service: Service, namespace: str, identity: str, look_up: Callable[[Any], Target]) -> None:
        self._service = service
        self._namespace = namespace
        self._identity = identity
        self._look_up = look_up

    async def create(
        self,
        id: str,
        workflow: Any,
        /,
        *args: Any,
        workflow_id: str | None = None,
        paused: bool = False,
        note: str = "",
        **options: Any,
    ) -> "ScheduleHandle":
        """Start a workflow again and again.

        Args:
            id: the schedule's id, unique among the open schedules of the namespace.
            workflow: a workflow function or class, or the name of its type.
            args: its arguments, the same for every run.
            workflow_id: the beginning of the runs' workflow ids, followed by the time they are for; the schedule's id
                without it.
            paused: begin paused.
            note: a note for people.
            options: see ``ScheduleOptions``; and of ``StartOptions``, for each run: ``task_queue``,
                ``execution_timeout``, ``run_timeout``, ``task_timeout``, ``retry``, ``memo``, ``search_attributes``,
                ``affinity``.

        Returns:
            A handle on the schedule, once it is recorded.

        Raises:
            AlreadyExistsError: there is a schedule of that id.
            InvalidArgumentError: an option makes no sense; the message names it. Nothing was created.
            TypeError: the arguments do not fit the workflow, or there is no such option.
        """
        target = self._look_up(workflow)
        for_runs = {name: options.pop(name) for name in list(options) if name in RUN_OPTIONS}
        if not_here := options.keys() & StartOptions.__annotations__.keys():
            raise TypeError(f"the runs of a schedule cannot have the option {', '.join(sorted(not_here))}")
        chosen = {name: v for name, v in with_own_options(workflow, {}).items() if name in RUN_OPTIONS}
        start = target.request(args, {**chosen, **for_runs, "id": workflow_id or id}, f"schedule {id}")
        return await self.create_for(id, start, paused=paused, note=note, **options)

    async def create_for(
        self,
        id: str,
        start: StartWorkflow,
        *,
        paused: bool = False,
        note: str = "",
        memo: PayloadMap | None = None,
        search_attributes: PayloadMap | None = None,
        told: Sequence[Command] = (),
        remaining: int | None = None,
        request_id: str = "",
        **options: Any,
    ) -> "ScheduleHandle":
        """As ``create``, with the request that starts each run.

        Args:
            memo, search_attributes: the schedule's own.
            told: what is said to it first, such as a trigger.
            remaining: how many runs there may be, 0 for none; no limit without it.
            request_id: the same again finds the same schedule.
        """
        if not isinstance(id, str) or not id:
            raise InvalidArgumentError(f"id={id!r}: a schedule needs an id that is not empty")
        bare = Definition(self._namespace, id, Spec(), start, memo=memo, search_attributes=search_attributes)
        definition = asking.changed(bare, options, is_new=True)
        if remaining is not None:
            definition = msgspec.structs.replace(definition, max_runs=remaining or -1)
        await keep_records(self._service)
        # What came before the schedule was created is not missed.
        state = State(
            definition,
            cursor=0,
            is_paused=paused,
            note=note,
            by_command=True,
            told=list(told),
            by_marker=True,
            by_state=True,
        )
        request = StartWorkflow(
            schedule_workflow_id(self._namespace, id),
            WORKFLOW_TYPE,
            SYSTEM_QUEUE,
            _plain.to_payloads([state]),
            request_id or new_id(),
            id_conflict=IdConflict.FAIL,
            memo=_plain.to_payload_map({MEMO: listed(state)}),
            identity=self._identity,
        )
        try:
            await self._service.start(SYSTEM_NAMESPACE, request)
        except AlreadyExistsError as error:
            raise AlreadyExistsError(
                f"There is a schedule {id!r} in namespace {self._namespace!r} already. Change it with "
                f"client.schedules.get({id!r}).update(...), delete it first, or choose another id.",
                error.run_id,
            ) from None
        return self.get(id)

    def get(self, id: str) -> "ScheduleHandle":
        """A handle on a schedule. Nothing is sent."""
        return ScheduleHandle(self._service, self._namespace, self._identity, id)

    def list(self) -> AsyncIterator[ScheduleInfo]:
        """The open schedules of the namespace, the newest first. One that has ended or was deleted is not open."""
        return open_schedules(self._service, self._namespace)


async def keep_records(service: Service) -> None:
    """See that the namespace of the engine's own runs is there. A server does that once, since not everybody who may
    have schedules may set up namespaces."""
    known = {namespace.name for namespace in await service.namespaces()}
    if SYSTEM_NAMESPACE not in known:
        own = Namespace(SYSTEM_NAMESPACE, RETENTION_NS, "the engine's own runs: schedules and batches")
        await service.set_namespace(own)


class Lists(Protocol):
    """The one part of a ``Service`` that a list of schedules takes."""

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> RunPage:
        """As ``Service.list``."""
        ...


async def open_schedules(service: Lists, namespace: str) -> AsyncIterator[ScheduleInfo]:
    """The open schedules of a namespace, the newest first."""
    cursor = ""
    while True:
        page = await service.list(
            SYSTEM_NAMESPACE,
            statuses=[RunStatus.RUNNING, RunStatus.PAUSED],
            workflow_type=WORKFLOW_TYPE,
            filter="",
            cursor=cursor,
            limit=LIST_PAGE,
        )
        for summary in page.runs:
            if MEMO in summary.memo:
                memo: Listed = _plain.from_payload(summary.memo[MEMO], Listed)
                if memo.namespace == namespace:
                    yield ScheduleInfo.of(memo)
        cursor = page.next_cursor
        if not cursor:
            return


class ScheduleHandle:
    """One schedule. All methods raise ``NotFoundError`` if there is none of that id, and those that change it
    ``RunClosedError`` if it has ended."""

    def __init__(self, service: Service, namespace: str, identity: str, id: str) -> None:
        self._service = service
        self._namespace = namespace
        self._identity = identity
        self._address = RunAddress(SYSTEM_NAMESPACE, schedule_workflow_id(namespace, id))
        self.id = id

    def __repr__(self) -> str:
        return f"<schedule {self.id!r} in namespace {self._namespace!r}>"

    async def describe(self) -> ScheduleDescription:
        """Where it stands: next times, recent runs, counts, the last error."""
        own = await self._own_run()
        snapshot = await self._look()
        state = snapshot.state
        definition = state.definition
        has_ended = own.summary.status.is_closed
        has_gone_on = not has_ended and not state.is_paused
        recent = [await self._run(run) for run in state.recent]
        known = {run.run_id: run for run in recent}
        return ScheduleDescription(
            definition.id,
            definition.namespace,
            definition.start.workflow_type,
            definition.start.task_queue,
            definition.spec,
            definition.overlap.value,
            timedelta(microseconds=definition.catch_up // 1000),
            max(0, definition.max_runs) if definition.max_runs else None,
            state.is_paused,
            state.note,
            has_ended,
            _next_times(snapshot) if has_gone_on else [],
            recent,
            [known.get(run.run_id) or await self._run(run) for run in state.open],
            len(state.buffer),
            state.counts,
            state.last_error,
            to_datetime(state.last_error_time) if state.last_error_time else None,
            definition.start,
            state.revision,
            to_datetime(state.created) if state.created else None,
            to_datetime(state.updated) if state.updated else None,
            definition.pause_on_failure,
            definition.keep_workflow_id,
            max(0, definition.max_runs) - state.counts.scheduled if definition.max_runs else None,
            definition.memo or {},
            definition.search_attributes or {},
        )

    async def times(self, start: datetime, end: datetime | None = None, limit: int = 1000) -> list[datetime]:
        """When it is due, jitter included, from ``start`` to ``end``, both included; as if it were not paused. ``limit`` times
        at most."""
        after = asking.moment("start", start) - 1
        until = None if end is None else asking.moment("end", end)
        definition = (await self._look()).state.definition
        found = islice(occasions(definition.spec, definition.id, after), limit)
        return [
            to_datetime(occasion.due)
            for occasion in takewhile(lambda occasion: until is None or occasion.nominal <= until, found)
        ]

    async def replace(
        self,
        start: StartWorkflow,
        *,
        paused: bool = False,
        note: str = "",
        memo: PayloadMap | None = None,
        search_attributes: PayloadMap | None = None,
        remaining: int | None = None,
        revision: int = 0,
        **options: Any,
    ) -> bool:
        """Be another schedule from now on, as ``Schedules.create_for`` would make it; its past and its runs stay.

        Args:
            memo, search_attributes: None leaves them as they are.
            revision: only if it is still this one, of ``describe``; 0 for any.

        Returns:
            Whether it was done. If not, it is no longer of that revision.

        Raises:
            InvalidArgumentError: an option makes no sense; nothing was changed.
            UnavailableError: others change it all the time.
        """
        for _ in range(REPLACE_ATTEMPTS):
            state = (await self._look()).state
            if revision and state.revision != revision:
                return False
            known = state.definition
            bare = Definition(
                known.namespace,
                known.id,
                Spec(),
                start,
                memo=known.memo if memo is None else memo,
                search_attributes=known.search_attributes if search_attributes is None else search_attributes,
            )
            definition = asking.changed(bare, options, is_new=True)
            if await self._ask(Replace(definition, paused, note, remaining), state.revision):
                return True
        raise UnavailableError(f"The {self!r:.1000} is being changed by others all the time. Try again.")

    async def update(self, **options: Any) -> None:
        """Change ``ScheduleOptions``; what is not said stays. Giving any of ``cron``, ``every`` and ``calendar``
        replaces all its times. Times that are past are not made up for by the new ones.

        Raises:
            InvalidArgumentError: an option makes no sense; nothing was changed.
        """
        snapshot = await self._look()
        await self._tell(Replace(asking.changed(snapshot.state.definition, options, is_new=False)))

    async def pause(self, note: str = "") -> None:
        """Start no more runs until ``resume``, triggers and backfills apart. Times that pass meanwhile are left out."""
        await self._tell(Pause(checked_text("note", note)))

    async def resume(self, note: str = "") -> None:
        """Go on with the next time."""
        await self._tell(Resume(checked_text("note", note)))

    async def trigger(self, *, overlap: str | None = None, at: datetime | None = None, request_id: str = "") -> None:
        """Start a run now, also while paused. The overlap policy holds, or the one given here.

        Args:
            overlap: for this run; the schedule's own without it.
            at: the time that it is for, an aware one; now without it.
            request_id: the same again starts nothing more; made up if not given.
        """
        key = request_id or secrets.token_hex(8)
        await self._tell(asking.trigger(key, overlap, at), key)

    async def backfill(
        self, start: datetime, end: datetime, *, overlap: str = "buffer_all", request_id: str = ""
    ) -> None:
        """Start the runs of all nominal times from ``start`` to ``end``, both included, now; also while paused.

        Args:
            start, end: aware times; those of the schedule in between are run again if they have been.
            overlap: for these runs; without it, one after another.
            request_id: the same again starts nothing more; made up if not given.

        Raises:
            InvalidArgumentError: a time has no zone, or ``end`` is before ``start``.
        """
        key = request_id or secrets.token_hex(8)
        await self._tell(asking.backfill(key, start, end, overlap), key)

    async def delete(self) -> None:
        """Remove the schedule. Runs it has started go on; its own history is kept for 30 days."""
        with _named(self):
            await self._service.request(
                self._address, TerminateWorkflow("the schedule was deleted", (), self._identity)
            )

    # --- inside

    async def _own_run(self) -> RunDescription:
        with _named(self):
            own = await self._service.describe(self._address)
            if own.summary.status is RunStatus.TERMINATED:
                raise NotFoundError("") from RunClosedError("Whoever deleted the schedule ended its run.")
            return own

    async def _look(self) -> Snapshot:
        with _named(self):
            await self._own_run()
            payloads = await self._service.query(self._address, STATE_QUERY, ())
        snapshot: Snapshot = _plain.from_payload(payloads[0], Snapshot)
        return snapshot

    async def _tell(self, command: Command, key: str = "") -> None:
        with _named(self):
            signal = SignalWorkflow(
                COMMAND_SIGNAL, _plain.to_payloads([command]), None, key or new_id(), self._identity
            )
            await self._service.request(self._address, signal)

    async def _ask(self, command: Replace, revision: int) -> bool:
        request = UpdateWorkflow(
            new_id(), REPLACE_UPDATE, _plain.to_payloads([command, revision]), None, self._identity
        )
        with _named(self):
            outcome = await self._service.update(self._address, request, UpdateStage.COMPLETED)
        if outcome.failure is not None:
            raise InvalidArgumentError(outcome.failure.message)
        done: bool = _plain.from_payload(outcome.result[0], bool)
        return done

    async def _run(self, run: Started) -> ScheduledRun:
        status, waits_for = RunStatus(run.status), ""
        if not status.is_closed:
            try:
                found = await self._service.describe(RunAddress(self._namespace, run.workflow_id))
            except NotFoundError:
                waits_for = "the run was deleted"
            else:
                if found.first_run_id == run.run_id:
                    status, waits_for = found.summary.status, _why_not_begun(found)
        return ScheduledRun(
            run.workflow_id, run.run_id, to_datetime(run.nominal), to_datetime(run.time), status, waits_for
        )


class _named:  # noqa: N801  # reads as the statement it is
    """Errors about a schedule's own run become errors about the schedule."""

    def __init__(self, handle: ScheduleHandle) -> None:
        self._handle = handle

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFoundError):
            raise NotFoundError(
                f"There is no {self._handle!r:.1000}. See client.schedules.list()."
            ) from error.__cause__  # which says so if there was one
        if isinstance(error, RunClosedError):
            raise RunClosedError(f"The {self._handle!r:.1000} has ended, or was deleted. Create it again.") from None


def _next_times(snapshot: Snapshot) -> list[datetime]:
    """Those it has found already, and those behind them."""
    state = snapshot.state
    found = [occasion.nominal for occasion in snapshot.upcoming[:NEXT_TIMES]]
    after = snapshot.upcoming[-1].nominal if snapshot.upcoming else state.cursor
    limit = NEXT_TIMES
    if state.definition.max_runs:
        limit = min(limit, max(0, state.definition.max_runs) - state.counts.scheduled)
    found += islice(times(state.definition.spec, after), max(0, limit - len(found)))
    return [to_datetime(nominal) for nominal in found[: max(0, limit)]]


def _why_not_begun(run: RunDescription) -> str:
    turn = run.turn
    if turn is None or turn.started_time or run.build_id:
        return ""
    summary = run.summary
    if turn.last_failure is not None:
        return f"its code fails: {turn.last_failure.message}"
    return (
        f"no worker here serves workflow type {summary.workflow_type!r} on task queue {summary.task_queue!r}; the run "
        "begins when one does"
    )
