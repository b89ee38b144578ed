"""A worker in another process, as the engine sees it: a ``Worker`` whose tasks and answers go over a ``Link``.

What it runs is counted here, from the decision to start an attempt until its end is reported: its slots are its
back-pressure, and nothing is ever sent that it has no slot for. It is an error of the worker, and refused, to report
what it was not given.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from perdure.engine.remote_program import RemoteProgram
from perdure.model.affinity import Affinity
from perdure.model.events import Event, WorkflowExecutionStarted
from perdure.model.failures import ASK_AGAIN, Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import ActivityTask, Program
from perdure.model.requests import HeartbeatActivity
from perdure.model.workers import (
    ANY_TYPE,
    NO_PROGRAM,
    Acknowledge,
    ActivityReport,
    AnswerQuery,
    Attempt,
    CancelAttempt,
    Capacity,
    Evict,
    FromWorker,
    Hello,
    Link,
    QueryReport,
    StartActivity,
    TakeTurn,
    TurnReport,
    WorkerDescription,
)

if TYPE_CHECKING:
    from perdure.engine.workers import Workers

QUERY_SECONDS = 10.0
"""A worker that has not answered a query after this is taken to be stuck."""

_query_ids = count(1)


class Group:
    """Activities that share slots."""

    __slots__ = ("slots", "used")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.used = 0


class RemoteWorker:
    """One worker while it is connected. Implements ``Worker`` for tasks that ``Workers`` gives it."""

    def __init__(self, workers: "Workers", hello: Hello, link: Link, connected_time: int) -> None:
        self.hello = hello
        self.worker_id = hello.worker_id
        self.identity = hello.identity
        self.build_id = hello.build_id
        self.namespace = hello.namespace
        self.labels: Mapping[str, str] = hello.labels
        self.task_queues: Collection[str] = frozenset(hello.task_queues)
        self.is_connected = True
        self.connected_time = connected_time
        self.turn_slots = hello.turn_slots
        self.goes_ahead = hello.goes_ahead
        self.turns: dict[str, RemoteProgram] = {}
        """Turns that it has in hand, by run id."""
        self.waiting_turns: deque[int] = deque()
        """Runs whose program is here and that wait for a turn slot, by key."""
        self.programs = 0
        self.tasks: dict[tuple[str, int], ActivityTask] = {}
        """Attempts that it has."""
        self.claims = {(attempt.run_id, attempt.scheduled_event_id): attempt.attempt for attempt in hello.running}
        """Attempts that it says it has from an earlier connection and that nobody has asked about yet."""
        self.skipped: set[tuple[str, str, str]] = set()
        """Kinds of activity that ``Workers`` no longer asks it for, since it had no slot."""
        self._workers = workers
        self._link = link
        self._groups = [Group(group.slots) for group in hello.groups]
        self._group_of = {
            activity_type: self._groups[number]
            for number, group in enumerate(hello.groups)
            for activity_type in group.activity_types
        }
        self._queries: dict[int, tuple[asyncio.Future[Payloads | Failure], RemoteProgram]] = {}

    # --- Worker

    def serves_workflow(
        self, namespace: str, task_queue: str, workflow_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether programs of this type on this queue run there."""
        return (
            namespace == self.namespace
            and task_queue in self.task_queues
            and workflow_type in self.hello.workflow_types
            and (affinity is None or affinity.admits(self.labels))
        )

    def declares(self, namespace: str, task_queue: str, name: str) -> str:
        """What of just this name it has."""
        if namespace != self.namespace or task_queue not in self.task_queues:
            return ""
        if name in self.hello.workflow_types:
            return "workflow"
        return "activity" if name in self.activity_types else ""

    def builds(self, namespace: str, task_queue: str, workflow_type: str) -> Collection[str]:
        """Its one build."""
        return [self.build_id] if self.serves_workflow(namespace, task_queue, workflow_type) else []

    def host(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> "RemoteWorker | None":
        """This worker, which is asked for such workflows and has the labels, if it is of such a build."""
        return self if build_id in ("", self.build_id) and len(self.turns) < self.turn_slots else None

    host_to_ask = host
    keeps_programs = True

    def has_turn_slot(self, key: int) -> bool:
        """Whether it can take one more turn; if not, the run is next when it can."""
        if len(self.turns) < self.turn_slots:
            return True
        self.waiting_turns.append(key)
        return False

    def create_program(self, address: RunAddress, started: WorkflowExecutionStarted) -> Program:
        """A program there."""
        self.programs += 1
        return RemoteProgram(self, address)

    @property
    def running(self) -> Sequence[ActivityTask]:
        """The attempts it has."""
        return list(self.tasks.values())

    def runs_activity(self, address: RunAddress, scheduled_event_id: int, attempt: int) -> bool:
        """Whether it has this attempt."""
        task = self.tasks.get((address.run_id, scheduled_event_id))
        return task is not None and task.attempt == attempt

    def serves_activity(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> bool:
        """Whether it takes such activities."""
        return (
            namespace == self.namespace
            and task_queue in self.task_queues
            and (activity_type in self._group_of or ANY_TYPE in self._group_of)
            and (affinity is None or affinity.admits(self.labels))
        )

    def reserve(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> "RemoteWorker | None":
        """Take a slot of such activities, which it serves, if one is free."""
        group = self._group(activity_type)
        if group.used >= group.slots or not self.is_connected:
            return None
        group.used += 1
        return self

    def release(self, task_queue: str, activity_type: str) -> None:
        """Give a slot back."""
        self._group(activity_type).used -= 1
        self._workers.slot_free(self)

    def start_activity(
        self, task: ActivityTask, events: Sequence[Event] = (), *, suggest_continue_as_new: bool = False
    ) -> None:
        """Send it; with ``events``, as in ``StartActivity``."""
        self.tasks[task.address.run_id, task.scheduled.id] = task
        if self.is_connected:
            self._link.send(StartActivity(task, events, suggest_continue_as_new))
        else:
            # It went away while the start was being written; it may come back, but it never heard of this one.
            self._workers.lose(self, task, "the worker was gone before it got this attempt")

    def drop(self, task: ActivityTask) -> None:
        """It does not have an attempt after all, if it had it; the slot is free."""
        if self.tasks.pop((task.address.run_id, task.scheduled.id), None) is not None:
            self.release(task.scheduled.task_queue, task.scheduled.activity_type)

    def cancel_activity(self, address: RunAddress, scheduled_event_id: int) -> None:
        """Tell it."""
        if (address.run_id, scheduled_event_id) in self.tasks:
            self._link.send(CancelAttempt(address, scheduled_event_id))

    def adopt(self, task: ActivityTask, worker_id: str) -> bool:
        """It still has an attempt from before, if it says so."""
        name = (task.address.run_id, task.scheduled.id)
        group = self._group_of.get(task.scheduled.activity_type) or self._group_of.get(ANY_TYPE)
        if group is None or self.claims.pop(name, 0) != task.attempt:
            return False
        self.tasks[name] = task
        group.used += 1
        return True

    def _group(self, activity_type: str) -> Group:
        return self._group_of.get(activity_type) or self._group_of[ANY_TYPE]

    @property
    def activity_types(self) -> Sequence[str]:
        """The activities it takes."""
        return list(self._group_of)

    # --- what it says

    def hear(self, message: FromWorker) -> None:
        """A message from it."""
        if isinstance(message, ActivityReport):
            self._activity_reported(message)
        elif isinstance(message, TurnReport):
            self._turn_reported(message)
        elif isinstance(message, QueryReport):
            answer, _ = self._queries.pop(message.query_id, (None, None))
            if answer is not None and not answer.done():
                answer.set_result(message.result if message.failure is None else message.failure)
        else:
            self._capacity_changed(message)

    def _activity_reported(self, report: ActivityReport) -> None:
        address, request = report.address, report.request
        name = (address.run_id, request.scheduled_event_id)
        task = self.tasks.get(name)
        attempt = Attempt(address.run_id, request.scheduled_event_id, request.attempt)
        if task is None or task.attempt != request.attempt or task.address != address:
            self._workers.reports.unknown_report(self, report, attempt)
            return
        if not isinstance(request, HeartbeatActivity) or request.leaves:
            del self.tasks[name]
            self._group(task.scheduled.activity_type).used -= 1
        self._workers.reports.report(self, address, request, attempt, report.ahead)

    def acknowledge(self, attempt: Attempt, refused: str = "") -> None:
        """A report of it is recorded, or refused."""
        self._link.send(Acknowledge(attempt.run_id, attempt.scheduled_event_id, attempt.attempt, refused))

    def _turn_reported(self, report: TurnReport) -> None:
        program = self.turns.get(report.address.run_id)
        if program is None or program.address != report.address or not program.has_in_hand(report):
            return  # the turn was taken from it meanwhile: it timed out, its run was closed, or it never was
        if report.cause == NO_PROGRAM and not program.has_whole_turn:
            self._workers.reports.hand_out_again(program)
            return
        del self.turns[report.address.run_id]
        program.turn_in_hand = None
        self._workers.reports.turn_reported(self, report)
        if program.questions:
            self._ask_waiting(program)

    def _ask_waiting(self, program: RemoteProgram) -> None:
        """Send the questions that waited for a turn to end. What had happened when they were asked was kept from that
        turn, and is in the next: they wait for that one too."""
        questions, program.questions = program.questions, []
        for question, turns in questions:
            if turns > 1 and program.turn_in_hand is not None:
                program.questions.append((question, turns - 1))
            elif self.is_connected:
                self._link.send(question)

    def _capacity_changed(self, capacity: Capacity) -> None:
        self.turn_slots = max(0, capacity.turn_slots)
        for group, slots in zip(self._groups, capacity.slots, strict=False):
            group.slots = max(0, slots)
        self._workers.slot_free(self)

    # --- what programs send

    def take_turn(self, program: RemoteProgram, turn: TakeTurn) -> None:
        """Send a turn."""
        self.turns[program.address.run_id] = program
        self._link.send(turn)

    def ask(
        self,
        program: RemoteProgram,
        name: str,
        input: Payloads,
        header: PayloadMap | None,
        events: Sequence[Event],
    ) -> "asyncio.Future[Payloads | Failure]":
        """Send a query, once no turn is in hand that began before it; its answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Payloads | Failure] = loop.create_future()
        if not self.is_connected:
            answer.set_result(Failure("The worker that has the run's program is gone. Ask again."))
            return answer
        query_id = next(_query_ids)
        self._queries[query_id] = (answer, program)
        question = AnswerQuery(query_id, program.address, name, input, tuple(events), header)
        if program.turn_in_hand is None:
            self._link.send(question)
        else:
            program.questions.append((question, 2))

        def too_late() -> None:
            if self._queries.pop(query_id, None) is not None and not answer.done():
                answer.set_result(
                    Failure(f"Worker {self.identity} did not answer the query within {QUERY_SECONDS:.0f} seconds.")
                )

        loop.call_later(QUERY_SECONDS, too_late)
        return answer

    def distrust(self, program: RemoteProgram) -> None:
        """A program has gone where its run has not: whoever has asked it something asks again."""
        for query_id, (answer, asked) in list(self._queries.items()):
            if asked is program:
                del self._queries[query_id]
                if not answer.done():
                    answer.set_result(Failure("The program that was asked had gone astray.", type=ASK_AGAIN))
        program.questions.clear()

    def forget(self, program: RemoteProgram) -> None:
        """A program is not needed any more."""
        self.programs -= 1
        program.turn_in_hand = None
        self._ask_waiting(program)
        if self.turns.get(program.address.run_id) is program:
            del self.turns[program.address.run_id]
            self._workers.slot_free(self)
        if self.is_connected:
            self._link.send(Evict(program.address.run_id))

    def disconnected(self) -> None:
        """It will say no more."""
        self.is_connected = False
        for answer, _ in self._queries.values():
            if not answer.done():
                answer.set_result(Failure(f"Worker {self.identity} was lost before it answered. Ask again."))
        self._queries.clear()

    @property
    def used_slots(self) -> int:
        """How many slots have an activity, or are kept for one."""
        return sum(group.used for group in self._groups)

    @property
    def activity_slots(self) -> int:
        """How many activities it runs at once at most."""
        return sum(group.slots for group in self._groups)

    def describe(self) -> WorkerDescription:
        """As it stands."""
        hello = self.hello
        return WorkerDescription(
            self.worker_id,
            self.identity,
            self.build_id,
            sorted(self.task_queues),
            sorted(hello.workflow_types),
            sorted(self._group_of),
            self.is_connected,
            self.connected_time,
            len(self.tasks),
            self.activity_slots,
            len(self.turns),
            self.turn_slots,
            self.programs,
            hello.labels,
        )
