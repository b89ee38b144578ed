"""A world around the real engine: workers that are elsewhere, a store that fails at times, time that takes none.

The program schedules two activities at once, then one that is named after whichever ended first, and one for each
signal; so what a turn was told matters to what it asks for. That of type "Steps" schedules one after the other, and names
each after what it knows of the signals and of the time. Each worker checks that what it is told fits what it asked
for before; the disk says what is durable whenever anybody is told anything.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

from perdure.engine import encoding
from perdure.engine.clock import SystemClock
from perdure.engine.ports import Clock, Done, Write
from perdure.engine.service import EngineService
from perdure.engine.workers import Workers
from perdure.kernel import derive
from perdure.kernel.apply import fold
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model import workers as w
from perdure.model.errors import PerdureError, StoreError
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import IdReuse
from perdure.model.payloads import Payload
from perdure.model.program import TurnCompleted
from perdure.model.requests import CompleteActivity, SignalWorkflow, StartWorkflow
from perdure.protocols.worker.ahead import Ahead
from perdure.sdk.worker import LocalWorker
from perdure.stores.memory.disk import Disk
from perdure.stores.memory.store import MemoryStore
from perdure.testing.clock import VirtualClock
from perdure.testing.virtual_loop import VirtualLoop

NAMESPACE = "default"
STEPS = 5


class Lodger:
    """Whose clock moves with the loop."""

    only_waits = True

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock

    async def explain(self) -> Sequence[str]:
        return []


class UnsureStore(MemoryStore):
    """Takes its time, and sometimes writes nothing."""

    def __init__(self, disk: Disk, draw: Random, failures: float) -> None:
        super().__init__(disk)
        self.draw = draw
        self.failures = failures
        self.is_dead = False

    def write(self, batch: Sequence[Write], done: Done) -> None:
        seconds = self.draw.choice((0.0, 0.0002, 0.002, 0.02))

        def later(error: StoreError | None) -> None:
            asyncio.get_running_loop().call_later(seconds, lambda: None if self.is_dead else done(error))

        if self.draw.random() < self.failures:
            later(StoreError("the disk has no mood"))
        else:
            super().write(batch, later)


class World:
    """Everything, and what everybody was told."""

    def __init__(self, seed: int, *, failures: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self.loop = loop
        self.draw = Random(seed)
        self.failures = failures
        self.clock: Clock
        if isinstance(loop, VirtualLoop):
            self.clock = VirtualClock(10**18)
            loop.lodgers.append(Lodger(self.clock))
        else:
            self.clock = SystemClock(loop)
        self.disk = Disk()
        self.numbers = count(1)
        self.ended: Counter[tuple[str, str]] = Counter()
        """Ends of activities that were acknowledged as recorded."""

    async def open(self) -> None:
        """A server begins, or another one after a crash."""
        own = LocalWorker([], own_apps=[])
        self.workers = Workers(own)
        self.store = UnsureStore(self.disk, self.draw, self.failures)
        self.service = EngineService(
            self.store, self.clock, self.workers, make_run_id=lambda now: f"run-{next(self.numbers)}"
        )
        self.workers.open(self.service.engine)
        own.open(self.service.engine.report)
        await self.service.open()

    def crash(self) -> None:
        """It dies."""
        self.service.abandon()
        self.store.is_dead = True
        self.disk.crash()

    def records(self, workflow_id: str) -> list[Any]:
        """What is durable of a run."""
        keys = self.disk.keys_of_workflow.get((NAMESPACE, workflow_id), [])
        return encoding.decode(self.disk.histories[keys[-1]]) if keys else []

    def events(self, workflow_id: str) -> list[e.Event]:
        """Those with numbers."""
        return [
            event
            for record in self.records(workflow_id)
            if (event := record.event if isinstance(record, e.EventFlushed) else record).id
        ]

    def check_stored(self) -> None:
        """What is stored beside the histories is what they say."""
        for key, history in self.disk.histories.items():
            run = fold(NAMESPACE, self.disk.runs[key].run_id, encoding.decode(history))
            tasks = {ref: (task.started, task.due) for ref, task in derive.tasks(run).items()}
            assert {ref: (row.started, row.due) for ref, row in self.disk.tasks.get(key, {}).items()} == tasks
            timers = {(row.due, row.ref) for row in self.disk.timers if row.key == key}
            assert timers == set(derive.timers(run))

    def check_closed(self, workflow_id: str) -> None:
        """A run has done what its program says, once, and its history adds up."""
        run, events = fold(NAMESPACE, "", self.records(workflow_id)), self.events(workflow_id)
        assert isinstance(run.close, (e.WorkflowExecutionCompleted, e.WorkflowExecutionTerminated)), events
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        replay(events)
        assert len(completed(events)) == len(set(completed(events)))


def completed(events: Sequence[e.Event]) -> list[str]:
    """The activities that have ended, in order."""
    ids = {event.id: event.activity_id for event in events if isinstance(event, e.ActivityTaskScheduled)}
    return [ids[event.scheduled_event_id] for event in events if isinstance(event, e.ActivityTaskCompleted)]


def wanted(events: Sequence[e.Event]) -> list[str]:
    """The activities that the program has asked for once it has seen these events, the last of which begins its turn."""
    if events and getattr(events[0], "workflow_type", "") == "Steps":
        return steps(events)
    first = completed(events)[:1]
    signals = sum(isinstance(event, e.WorkflowExecutionSignaled) for event in events)
    return ["a", "b", *(f"after-{one}" for one in first), *(f"signal-{number}" for number in range(signals))]


def steps(events: Sequence[e.Event]) -> list[str]:
    """Likewise, for the other program."""
    asked = [event.activity_id for event in events if isinstance(event, e.ActivityTaskScheduled)]
    if len(asked) == STEPS or len(completed(events)) < len(asked):
        return asked
    signals = sum(isinstance(event, e.WorkflowExecutionSignaled) for event in events)
    return [*asked, f"{len(asked)}.{signals}.{events[-1].time}"]


def replay(events: Sequence[e.Event]) -> None:
    """What was asked for in the past must be what the program asks for again."""
    seen = 0
    for place, event in enumerate(events):
        if isinstance(event, e.WorkflowTaskCompleted):
            seen = event.started_event_id
        elif isinstance(event, e.ActivityTaskScheduled):
            assert event.activity_id in wanted(events[:seen]), (
                f"{event} at {place} does not follow from {events[:seen]}"
            )


def commands(events: Sequence[e.Event]) -> tuple[c.AnyCommand, ...]:
    """What the program asks for now."""
    asked = {event.activity_id for event in events if isinstance(event, e.ActivityTaskScheduled)}
    new = [name for name in wanted(events) if name not in asked]
    if not new and len(completed(events)) == len(asked):
        return (c.CompleteWorkflowExecution(),)
    return tuple(c.ScheduleActivityTask(name, "work", "far") for name in new)


class FarProgram:
    """A run's program, which remembers what it was told. Implements what ``Ahead`` asks of a ``Program``."""

    def __init__(self) -> None:
        self.events: list[e.Event] = []

    def turn(self, events: Sequence[e.Event], updates: Sequence[Any] = ()) -> TurnCompleted:
        """What it asks for, once it is told these."""
        assert events[0].id == len(self.events) + 1, f"{events[0]} does not follow {self.events[-1:]}"
        self.events += events
        replay(self.events)
        return TurnCompleted(commands(self.events))


class FarWorker:
    """Takes turns one after the other and activities beside each other; it keeps the ends until they are acknowledged.
    Implements ``Link``."""

    def __init__(
        self, world: World, name: str, delays: Sequence[float], *, slots: int = 3, goes_ahead: bool = False
    ) -> None:
        self.goes_ahead = goes_ahead
        self.went_ahead = 0
        """How often it took a turn before it was asked to."""
        self.slots = slots
        self.world = world
        self.name = name
        self.delays = delays
        self.draw = Random(f"{world.draw.random()}/{name}")
        self.unacknowledged: dict[w.Attempt, w.ActivityReport] = {}
        self.running: set[w.Attempt] = set()
        self.connection = 0

    def connect(self) -> None:
        """Come, or come back."""
        self.connection += 1
        self.programs: dict[str, FarProgram] = {}
        self.ahead = Ahead(self.programs, self.world.clock.now_ns)  # type: ignore[arg-type]
        self.inbox: asyncio.Queue[w.ToWorker] = asyncio.Queue()
        hello = w.Hello(
            self.name, self.name, "", NAMESPACE, ["far"], ["W", "Steps"], 100, [w.ActivityGroup(["work"], self.slots)],
            [*self.running, *self.unacknowledged], goes_ahead=self.goes_ahead,
        )  # fmt: skip
        self.remote = self.world.workers.connect(hello, self)
        self.task = asyncio.create_task(self._obey(self.connection))
        for report in tuple(self.unacknowledged.values()):
            self.remote.hear(report)

    def disconnect(self) -> None:
        """Go, with all that was on the way."""
        self.connection += 1
        self.task.cancel()
        self.world.workers.disconnect(self.remote)

    def send(self, message: w.ToWorker) -> None:
        if isinstance(message, w.StartActivity):
            self._check_start(message)
        elif isinstance(message, w.Acknowledge) and not message.refused:
            self._check_end(message)
        self.inbox.put_nowait(message)

    def _check_start(self, message: w.StartActivity) -> None:
        task, world = message.task, self.world
        name = (task.address.workflow_id, task.scheduled.activity_id)
        assert not world.ended[name], f"{name} runs again"
        assert not message.events or task.scheduled in message.events
        assert any(
            isinstance(record, e.ActivityAttemptStarted)
            and (record.scheduled_event_id, record.attempt) == (task.scheduled.id, task.attempt)
            for record in world.records(name[0])
        ), f"{name} starts before that is durable"

    def _check_end(self, message: w.Acknowledge | w.Attempt) -> None:
        report = self.unacknowledged.get(w.Attempt(message.run_id, message.scheduled_event_id, message.attempt))
        if report is None:
            return
        workflow_id = report.address.workflow_id
        name = next(
            event.activity_id
            for event in self.world.events(workflow_id)
            if isinstance(event, e.ActivityTaskScheduled) and event.id == message.scheduled_event_id
        )
        assert any(
            isinstance(event, e.ActivityTaskCompleted) and event.scheduled_event_id == message.scheduled_event_id
            for record in self.world.records(workflow_id)
            for event in (getattr(record, "event", record),)
        ), f"an end of {workflow_id} is acknowledged before it is durable"
        self.world.ended[workflow_id, name] += 1

    async def _obey(self, connection: int) -> None:
        while True:
            message = await self.inbox.get()
            await asyncio.sleep(self.draw.choice(self.delays))
            self.obey(message)

    def obey(self, message: w.ToWorker) -> None:
        """Do what the server says."""
        if isinstance(message, w.TakeTurn):
            self._take_turn(message)
        elif isinstance(message, w.StartActivity):
            if message.events and (recorded := self.ahead.offered(message)) is not None:
                self._check_end(recorded)
                self.unacknowledged.pop(recorded, None)
            asyncio.create_task(self._run(message.task)).add_done_callback(lambda task: task.result())
        elif isinstance(message, w.Evict):
            self.ahead.forget(message.run_id)
            program = self.programs.pop(message.run_id, None)
            if program is not None:
                self._check_told(message.run_id, program)
        elif isinstance(message, w.AnswerQuery):
            self._answer(message)
        elif isinstance(message, w.Acknowledge):
            self.unacknowledged.pop(w.Attempt(message.run_id, message.scheduled_event_id, message.attempt), None)

    def _take_turn(self, turn: w.TakeTurn) -> None:
        run_id = turn.address.run_id
        name = (turn.address, turn.started_event_id, turn.attempt)
        if self.ahead.is_lost(turn):
            del self.programs[run_id]
            self.remote.hear(w.TurnReport(*name, (), w.NO_PROGRAM, Failure("lost"), token=turn.token))
            return
        if turn.is_new:
            self.programs[run_id] = FarProgram()
        result = self.programs[run_id].turn(turn.events)
        self.remote.hear(w.TurnReport(*name, tuple(result.commands), token=turn.token))

    def _answer(self, query: w.AnswerQuery) -> None:
        """How many turns has the program taken?"""
        if query.events:
            program = self.programs[query.address.run_id] = FarProgram()
            program.events += query.events
        told = self.programs[query.address.run_id].events
        self.remote.hear(
            w.QueryReport(
                query.query_id, (Payload(b"%d" % sum(isinstance(event, e.WorkflowTaskStarted) for event in told)),)
            )
        )

    def _check_told(self, run_id: str, program: FarProgram) -> None:
        """If its last turn is in the history of a run that has closed, the program was told nothing that is not."""
        row = next((row for row in self.world.disk.runs.values() if row.run_id == run_id), None)
        if row is None or not row.close_time:
            return
        events, told = self.world.events(row.workflow_id), program.events
        if any(
            isinstance(event, e.WorkflowTaskCompleted)
            and event.started_event_id == told[-1].id
            and event.identity == self.name
            and events[told[-1].id - 1] == told[-1]
            for event in events
        ):
            # Who schedules a turn says where and for how long, which is no matter to programs.
            assert [_gist(event) for event in told] == [_gist(event) for event in events[: len(told)]]

    async def _run(self, task: Any) -> None:
        attempt = w.Attempt(task.address.run_id, task.scheduled.id, task.attempt)
        self.running.add(attempt)
        await asyncio.sleep(self.draw.choice(self.delays))
        self.running.discard(attempt)
        report = w.ActivityReport(
            task.address, CompleteActivity(attempt.scheduled_event_id, attempt.attempt, (), self.name)
        )
        self.unacknowledged[attempt] = report
        if self.remote.is_connected:
            assert isinstance(report.request, CompleteActivity)
            ahead = self.ahead.take(task.address.run_id, report.request)
            self.went_ahead += ahead is not None
            self.remote.hear(w.ActivityReport(report.address, report.request, ahead))


def _gist(event: e.Event) -> object:
    return (event.id, event.time) if isinstance(event, e.WorkflowTaskScheduled) else event


async def start(world: World, workflow_id: str, workflow_type: str = "W") -> None:
    """A caller that asks until it is answered; then the run is durable."""
    while True:
        answer = world.service.start(
            NAMESPACE, StartWorkflow(workflow_id, workflow_type, "far", request_id=workflow_id, id_reuse=IdReuse.REJECT)
        )
        try:
            await asyncio.wait_for(answer, 5)
        except (PerdureError, TimeoutError):
            await asyncio.sleep(0.5)
        else:
            assert world.records(workflow_id), f"{workflow_id} is started, and not there"
            return


async def signal(world: World, workflow_id: str, number: int) -> None:
    """Likewise; unless the run has closed before."""
    while True:
        request = SignalWorkflow("go", request_id=f"{workflow_id}/{number}")
        try:
            await asyncio.wait_for(world.service.request(RunAddress(NAMESPACE, workflow_id, ""), request), 5)
        except StoreError:
            await asyncio.sleep(0.5)
        except TimeoutError:
            pass
        except PerdureError:
            return
        else:
            assert any(
                isinstance(getattr(record, "event", record), e.WorkflowExecutionSignaled)
                for record in world.records(workflow_id)
            ), f"a signal of {workflow_id} is taken, and not there"
            return
