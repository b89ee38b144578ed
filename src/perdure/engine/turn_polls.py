"""Workflow tasks for those who poll: what they get, and what they answer."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from perdure.engine.deployments import Deployments
from perdure.engine.refusals import settle
from perdure.engine.resident import Resident
from perdure.engine.turn_desks import GONE_SECONDS, Desk, Poll, StickyDesk, StickyQueue
from perdure.engine.turn_programs import Polled, PolledProgram, PolledTurn
from perdure.kernel.run import Activity, Run, WorkflowTask
from perdure.kernel.workflow_task import preview
from perdure.model.commands import AnyCommand
from perdure.model.deployments import version_of
from perdure.model.errors import NotFoundError
from perdure.model.events import Event
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import Versioning
from perdure.model.requests import CompleteWorkflowTask, FailWorkflowTask, Request, UnstickWorkflow
from perdure.model.task_queues import Poller

if TYPE_CHECKING:
    from perdure.engine.engine import Engine
    from perdure.engine.workers import Workers

IDLE_SECONDS = 60.0
"""Nobody has asked for so long: the desk is closed."""


class TurnName(msgspec.Struct, frozen=True):
    """Which turn is handed in."""

    address: RunAddress
    started_event_id: int
    attempt: int


class TurnResult(msgspec.Struct, frozen=True):
    """What came of a turn that was handed in.

    ``following`` is the run's next turn, if there is one at once and the worker wanted it. With ``reset_to`` the turn
    has left no trace: the worker's program is as it was after that event. ``cause`` and ``message`` say why the turn
    failed instead, if its commands could not be carried out.
    """

    following: PolledTurn | None = None
    reset_to: int = 0
    cause: str = ""
    message: str = ""


class ExpectedTurn:
    """A turn for somebody who was about to cause it; there once they have."""

    turn: PolledTurn | None = None


class TurnPolls:
    """All desks. Belongs to one engine, and shares its thread."""

    def __init__(self, engine: "Engine", workers: "Workers", deployments: Deployments) -> None:
        self._engine = engine
        self.deployments = deployments
        deployments.changed = self._rerouted
        self._workers = workers
        self._desks: dict[tuple[str, str, str], Desk] = {}
        self._sticky: dict[tuple[str, str], StickyDesk] = {}
        self._sweep: Any = None

    async def poll(
        self,
        namespace: str,
        task_queue: str,
        *,
        identity: str,
        timeout_seconds: float,
        build_id: str = "",
        deployment: str = "",
    ) -> Polled | None:
        """Take a turn of any workflow on a task queue, or a query, waiting for one; None if there is none in time. With a
        ``deployment``, of the runs that go to this build of it."""
        if deployment:
            self.deployments.seen(namespace, deployment, build_id, task_queue, activities=False)
        desk = self.desk(namespace, task_queue, version_of(deployment, build_id), is_version=bool(deployment))
        return await desk.ask(identity, timeout_seconds)

    async def poll_sticky(self, namespace: str, queue: str, *, identity: str, timeout_seconds: float) -> Polled | None:
        """As ``poll``, for a worker that asks for programs that it has kept."""
        return await self.sticky(namespace, queue).ask(identity, timeout_seconds)

    def desk(self, namespace: str, task_queue: str, build_id: str = "", *, is_version: bool = False) -> Desk:
        """The desk of a task queue, for those of a build."""
        name = (namespace, task_queue, build_id)
        desk = self._desks.get(name)
        if desk is None:
            desk = self._desks[name] = Desk(
                self._engine,
                self._workers,
                namespace,
                task_queue,
                build_id,
                lambda: self.deployments.routes,
                is_version=is_version,
            )
            self._workers.add_host(desk, namespace, task_queue)
            self._keep_sweeping()
        return desk

    def _rerouted(self) -> None:
        """Turns go elsewhere from now on."""
        for desk in list(self._desks.values()):
            desk.serve()

    def sticky(self, namespace: str, queue: str) -> StickyDesk:
        """The desk of a worker that keeps programs."""
        desk = self._sticky.get((namespace, queue))
        if desk is None:
            desk = self._sticky[namespace, queue] = StickyDesk(self._engine, self._workers, namespace, queue)
            self._keep_sweeping()
        return desk

    @contextmanager
    def expect(self, namespace: str, task_queue: str, workflow_id: str, *, identity: str) -> "Iterator[ExpectedTurn]":
        """While the block lasts, somebody also asks for the next turn of one workflow id, ahead of others; of none, if
        that is empty."""
        expected = ExpectedTurn()
        if not workflow_id:
            yield expected
            return
        desk = self.desk(namespace, task_queue)
        poll = desk.expected[workflow_id] = Poll(identity)
        try:
            yield expected
        finally:
            if desk.expected.get(workflow_id) is poll:
                del desk.expected[workflow_id]
            answer = poll.answer.result() if poll.answer.done() else None
            expected.turn = answer if isinstance(answer, PolledTurn) else None

    def worker_goes(self, namespace: str, sticky_queue: str) -> None:
        """A worker that kept programs says that it ends."""
        desk = self._sticky.pop((namespace, sticky_queue), None)
        if desk is not None:
            desk.close()

    async def await_somebody(self, address: RunAddress) -> Run:
        """See that a query of a run that nobody serves waits for somebody; the run. Raises ``NotFoundError``."""
        run = (await self.resident(address)).run
        started = run.started
        if not self._workers.serves_workflow(run.namespace, started.task_queue, started.workflow_type):
            self.desk(run.namespace, started.task_queue)
        return run

    async def unstick(self, namespace: str, workflow_id: str, run_id: str) -> None:
        """The run's next turn is anybody's. Raises ``NotFoundError``, ``RunClosedError``."""
        resident = await self.resident(RunAddress(namespace, workflow_id, run_id))
        if isinstance(resident.host, StickyDesk) and not resident.is_turn_out:
            resident.drop_program()
        await self._submit(resident, UnstickWorkflow())

    def pollers(self, namespace: str, task_queue: str) -> list[Poller]:
        """Who has asked lately."""
        return [
            poller
            for (owner, queue, _), desk in self._desks.items()
            if owner == namespace and queue == task_queue
            for poller in desk.describe()
        ]

    def pollers_of_build(self, namespace: str, task_queue: str, build_id: str) -> list[Poller]:
        """Who of a build has asked lately."""
        desk = self._desks.get((namespace, task_queue, build_id))
        return desk.describe() if desk is not None else []

    # --- what they answer

    async def complete(
        self,
        name: TurnName,
        commands: Sequence[AnyCommand],
        *,
        identity: str,
        build_id: str = "",
        sticky: StickyQueue | None = None,
        wants_next: bool = False,
        forces_next: bool = False,
        sdk_metadata: bytes = b"",
        deployment: str = "",
        versioning: Versioning = Versioning.UNSPECIFIED,
    ) -> TurnResult:
        """Hand in a turn.

        Args:
            name: of the turn.
            commands: what the program asks for.
            identity: of the worker.
            build_id: of its code.
            sticky: where the worker asks for turns of the program, which it keeps; None if it does not.
            wants_next: it takes the run's next turn as the answer, if there is one.
            forces_next: there is to be a next turn even if nothing new has happened.
            sdk_metadata: what the worker's SDK must know again when it replays the turn.
            deployment: that the build belongs to, if it does.
            versioning: whether the run stays with this version.

        Raises:
            NotFoundError: the turn is over already, or never was.
        """
        resident, task = await self._in_hand(name)
        run = resident.run
        left_no_trace = task.started_event_id >= run.next_event_id and task.attempt == 1
        build_id = version_of(deployment, build_id)
        desk = self._keep(resident, sticky, build_id)
        poll = None
        if desk is not None and wants_next:
            poll = desk.expected[run.workflow_id] = Poll(identity)
            desk.note(identity)
        request = CompleteWorkflowTask(
            name.started_event_id,
            name.attempt,
            tuple(commands),
            identity,
            build_id,
            forces_next,
            sdk_metadata,
            sticky.name if sticky is not None else "",
            deployment=deployment,
            versioning=versioning,
        )
        written = self._submit(resident, request)
        if desk is not None and poll is not None and desk.expected.get(run.workflow_id) is poll:
            del desk.expected[run.workflow_id]
        now = run.workflow_task
        failed = run.close is None and now is not None and now.attempt == name.attempt + 1
        reset_to = run.last_started_event_id if left_no_trace else 0
        if failed or run.last_started_event_id == name.started_event_id or run.close is not None:
            reset_to = 0
        cause, failure = (now.last_cause, now.last_failure) if failed and now is not None else ("", None)
        await written
        following = poll.answer.result() if poll is not None and poll.answer.done() else None
        return TurnResult(
            following if isinstance(following, PolledTurn) else None,
            reset_to,
            cause,
            failure.message if failure is not None else "",
        )

    async def fail(
        self, name: TurnName, cause: str, failure: Failure | None, *, identity: str, build_id: str = ""
    ) -> None:
        """Hand in a turn that could not be taken. Raises ``NotFoundError`` if it is over already."""
        resident, _ = await self._in_hand(name)
        request = FailWorkflowTask(name.started_event_id, name.attempt, cause, failure, identity, build_id)
        await self._submit(resident, request)

    # --- what they ask besides

    async def pending_activity(
        self, namespace: str, workflow_id: str, run_id: str, activity_id: str
    ) -> tuple[str, Activity] | None:
        """An activity by its id, and the run that it is of. Raises ``NotFoundError`` for the run."""
        run = (await self.resident(RunAddress(namespace, workflow_id, run_id))).run
        ref = run.activity_ids.get(activity_id)
        return None if ref is None else (run.run_id, run.activities[ref])

    async def unwritten_turn(self, address: RunAddress) -> Sequence[Event]:
        """The events of a turn in hand that are not in the history yet: a repeated one, or one that only brings
        updates."""
        run = (await self.resident(address)).run
        task = run.workflow_task
        if task is None or not task.started_time:
            return ()
        limit = self._engine.limits.suggest_history_events
        return preview(run, 0 < limit <= run.next_event_id)

    async def growth(self, address: RunAddress) -> "asyncio.Future[None]":
        """Done once anything more about a run is written; cancel it to wait no more. Raises ``NotFoundError``."""
        grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        resident = await self.resident(address)
        self._engine.waiting.for_growth(resident.key, grown, lambda: None if grown.done() else grown.set_result(None))
        return grown

    async def activity(self, address: RunAddress, scheduled_event_id: int) -> Activity | None:
        """An activity that has not ended. Raises ``NotFoundError`` for the run."""
        return (await self.resident(address)).run.activities.get(scheduled_event_id)

    def _submit(self, resident: Resident, request: Request) -> "asyncio.Future[None]":
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._engine.decide(resident, request, settle(written))
        return written

    def _keep(self, resident: Resident, sticky: StickyQueue | None, build_id: str) -> StickyDesk | None:
        """The run's program stays with the worker that asks at ``sticky``, or with nobody. Where it stays."""
        program = resident.program
        if not isinstance(program, PolledProgram):
            return None  # the server has begun anew since, or the program was forgotten
        if sticky is None:
            resident.drop_program()
            return None
        desk = self.sticky(resident.run.namespace, sticky.name)
        desk.seconds = sticky.seconds
        desk.build_id = build_id
        desk.normal = self._desks.get((desk.namespace, resident.run.started.task_queue, build_id))
        program.moved(desk)
        resident.host = desk
        return desk

    async def resident(self, address: RunAddress) -> Resident:
        """A run, brought into memory. Raises ``NotFoundError``, ``StoreError``."""
        return await self._engine.resident(address)

    async def _in_hand(self, name: TurnName) -> tuple[Resident, WorkflowTask]:
        resident = await self.resident(name.address)
        task = resident.run.workflow_task
        if (
            task is None
            or not task.started_time
            or (task.started_event_id, task.attempt) != (name.started_event_id, name.attempt)
        ):
            raise NotFoundError("Workflow task not found.")
        return resident, task

    def _keep_sweeping(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(GONE_SECONDS, self._tidy)

    def _tidy(self) -> None:
        self._sweep = None
        now = self._engine.clock.now_ns()
        for sticky_name, sticky in list(self._sticky.items()):
            if sticky.is_deserted and not sticky.turns:
                del self._sticky[sticky_name]
                sticky.close()
        for name, desk in list(self._desks.items()):
            last = max(desk.pollers.values(), default=0)
            if not (desk.asking or desk.turns or desk.queries) and now - last > IDLE_SECONDS * 1e9:
                del self._desks[name]
                self._workers.remove_host(desk, desk.namespace, desk.name)
        if (self._desks or self._sticky) and not self._engine.closing:
            self._keep_sweeping()

    def close(self) -> None:
        """Let go of everything."""
        if self._sweep is not None:
            self._sweep.cancel()
