"""The least engine that can drive a program: it turns commands into events, numbers them, and keeps the whole history.

A story in a test alternates inputs (``complete``, ``fire``, ``signal`` ...) and turns. ``check_replay`` then takes
every turn again on fresh programs, from the history alone, and compares the commands.
"""

from collections.abc import Sequence
from typing import Any

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.failures import Failure, FailureKind, RetryState, TimeoutType
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS
from perdure.model.program import TurnCompleted, TurnFailed
from perdure.sdk.converter import Converter
from perdure.sdk.definitions import workflow_definition_of
from perdure.sdk.program import ProgramSettings, PythonProgram
from perdure.sdk.replay import History

START = 1_700_000_000 * SECOND_NS


class FakeKernel:
    def __init__(self, workflow: Any, *args: Any, settings: ProgramSettings | None = None, **started: Any) -> None:
        self.definition = workflow_definition_of(workflow)
        self.converter: Converter = Converter()
        self.settings = settings or ProgramSettings()
        self.address = RunAddress("default", "w", "r")
        self.events: list[e.Event] = []
        self.now = START
        self.seen = 0
        self.turns: list[tuple[int, Sequence[e.UpdateAdmitted], list[c.AnyCommand]]] = []
        self.activities: dict[str, e.ActivityTaskScheduled] = {}
        self.timers: dict[str, e.TimerStarted] = {}
        self.children: dict[str, e.StartChildWorkflowExecutionInitiated] = {}
        self.externals: list[Any] = []
        self.updates: dict[str, int] = {}
        self.rejected: dict[str, Failure] = {}
        self.outcomes: dict[str, e.WorkflowExecutionUpdateCompleted] = {}
        self.memo: dict[str, Any] = {}
        self.closing: e.Event | None = None
        self.add(
            e.WorkflowExecutionStarted,
            "w",
            self.definition.name,
            "default",
            self.converter.to_payloads(args),
            **started,
        )
        self.program = self.new_program()

    def new_program(self) -> PythonProgram:
        started = self.events[0]
        assert isinstance(started, e.WorkflowExecutionStarted)
        return PythonProgram(self.definition, self.address, started, self.converter, self.settings)

    # --- events

    def add(self, kind: Any, *values: Any, **named: Any) -> Any:
        event = kind(len(self.events) + 1, self.now, *values, **named)
        self.events.append(event)
        return event

    def passes(self, seconds: float) -> "FakeKernel":
        self.now += round(seconds * SECOND_NS)
        return self

    # --- turns

    def turn(self, *updates: tuple[str, str, tuple[Any, ...]]) -> list[c.AnyCommand]:
        """Take a turn, and make events of its commands. ``updates`` are (id, name, arguments)."""
        commands = self.try_turn(*updates)
        assert isinstance(commands, list), commands
        return commands

    def try_turn(self, *updates: tuple[str, str, tuple[Any, ...]]) -> list[c.AnyCommand] | TurnFailed:
        admitted = [
            e.UpdateAdmitted(0, self.now, id, name, self.converter.to_payloads(args)) for id, name, args in updates
        ]
        scheduled = self.add(e.WorkflowTaskScheduled, "default")
        started = self.add(e.WorkflowTaskStarted, scheduled.id)
        taken = self.program.turn(self.events[self.seen :], admitted)
        self.seen = len(self.events)
        if isinstance(taken, TurnFailed):
            self.add(e.WorkflowTaskFailed, scheduled.id, started.id, taken.cause, taken.failure)
            self.program.close()
            self.program = self.new_program()
            self.seen = 0
            return taken
        assert isinstance(taken, TurnCompleted)
        commands = list(taken.commands)
        self.turns.append((started.id, admitted, commands))
        completed = self.add(e.WorkflowTaskCompleted, scheduled.id, started.id)
        for command in commands:
            self._carry_out(command, admitted, completed.id)
        return commands

    def _carry_out(self, command: c.AnyCommand, admitted: list[e.UpdateAdmitted], completed: int) -> None:
        match command:
            case c.ScheduleActivityTask():
                event = self.add(
                    e.ActivityTaskScheduled,
                    command.activity_id,
                    command.activity_type,
                    command.task_queue,
                    command.input,
                )
                assert command.activity_id not in self.activities
                self.activities[command.activity_id] = event
            case c.RequestCancelActivityTask():
                assert any(a.id == command.scheduled_event_id for a in self.activities.values()), "nothing to cancel"
                self.add(e.ActivityTaskCancelRequested, command.scheduled_event_id)
            case c.StartTimer():
                assert command.timer_id not in self.timers
                assert command.start_to_fire_timeout_ns > 0
                self.timers[command.timer_id] = self.add(
                    e.TimerStarted, command.timer_id, command.start_to_fire_timeout_ns
                )
            case c.CancelTimer():
                timer = self.timers.pop(command.timer_id)
                self.add(e.TimerCanceled, command.timer_id, timer.id)
            case c.CompleteWorkflowExecution():
                self.closing = self.add(e.WorkflowExecutionCompleted, command.result)
            case c.FailWorkflowExecution():
                self.closing = self.add(e.WorkflowExecutionFailed, command.failure)
            case c.CancelWorkflowExecution():
                self.closing = self.add(e.WorkflowExecutionCanceled)
            case c.TimeOutWorkflowExecution():
                self.closing = self.add(e.WorkflowExecutionTimedOut, command.retry_state)
            case c.ContinueAsNewWorkflowExecution():
                self.closing = self.add(e.WorkflowExecutionContinuedAsNew, "next", "", "", command.input)
            case c.StartChildWorkflowExecution():
                self.children[command.workflow_id] = self.add(
                    e.StartChildWorkflowExecutionInitiated,
                    command.workflow_id,
                    command.workflow_type,
                    command.task_queue,
                )
            case c.SignalExternalWorkflowExecution():
                self.externals.append(
                    self.add(
                        e.SignalExternalWorkflowExecutionInitiated, command.workflow_execution, command.signal_name
                    )
                )
            case c.RequestCancelExternalWorkflowExecution():
                self.externals.append(
                    self.add(e.RequestCancelExternalWorkflowExecutionInitiated, command.workflow_execution)
                )
            case c.RecordMarker():
                self.add(e.MarkerRecorded, command.marker_name, command.details)
            case c.UpsertWorkflowSearchAttributes():
                self.add(e.UpsertWorkflowSearchAttributes, command.search_attributes)
            case c.ModifyWorkflowProperties():
                self.memo.update(self.converter.from_payload_map(command.upserted_memo))
                self.add(e.WorkflowPropertiesModified, command.upserted_memo)
            case c.AcceptUpdate():
                update = next(update for update in admitted if update.update_id == command.update_id)
                event = self.add(e.WorkflowExecutionUpdateAccepted, command.update_id, update.update_name, update.input)
                self.updates[command.update_id] = event.id
            case c.RejectUpdate():
                self.rejected[command.update_id] = command.failure
            case c.CompleteUpdate():
                self.outcomes[command.update_id] = self.add(
                    e.WorkflowExecutionUpdateCompleted,
                    command.update_id,
                    self.updates[command.update_id],
                    command.result,
                    command.failure,
                )
            case c.ScheduleNexusOperation() | c.RequestCancelNexusOperation():
                raise AssertionError("no program of the SDK asks for operations")

    # --- inputs

    def find(self, activity: str) -> e.ActivityTaskScheduled:
        """A pending activity, by its type or its id."""
        return next(event for id, event in self.activities.items() if activity in (event.activity_type, id))

    def complete(self, activity: str, value: Any = None) -> "FakeKernel":
        scheduled = self.find(activity)
        del self.activities[scheduled.activity_id]
        started = self.add(e.ActivityTaskStarted, scheduled.id)
        result = () if value is None else (self.converter.to_payload(value),)
        self.add(e.ActivityTaskCompleted, scheduled.id, started.id, result)
        return self

    def fail(self, activity: str, message: str = "broken", type: str = "ValueError") -> "FakeKernel":
        scheduled = self.find(activity)
        del self.activities[scheduled.activity_id]
        started = self.add(e.ActivityTaskStarted, scheduled.id)
        state = RetryState.MAXIMUM_ATTEMPTS_REACHED
        self.add(e.ActivityTaskFailed, scheduled.id, started.id, Failure(message, type=type), state)
        return self

    def time_out(self, activity: str) -> "FakeKernel":
        scheduled = self.find(activity)
        del self.activities[scheduled.activity_id]
        failure = Failure("too late", FailureKind.TIMEOUT, timeout_type=TimeoutType.START_TO_CLOSE)
        self.add(e.ActivityTaskTimedOut, scheduled.id, 0, failure)
        return self

    def cancelled(self, activity: str) -> "FakeKernel":
        """A worker has stopped an activity."""
        scheduled = self.find(activity)
        del self.activities[scheduled.activity_id]
        self.add(e.ActivityTaskCanceled, scheduled.id, 0)
        return self

    def fire(self, timer_id: str | None = None) -> "FakeKernel":
        """The next timer that is due, or the one named, fires; time passes until then."""
        timer = self.timers[timer_id] if timer_id else min(self.timers.values(), key=self.due)
        del self.timers[timer.timer_id]
        self.now = max(self.now, self.due(timer))
        self.add(e.TimerFired, timer.timer_id, timer.id)
        return self

    @staticmethod
    def due(timer: e.TimerStarted) -> int:
        return timer.time + timer.start_to_fire_timeout_ns

    def signal(self, name: str, *args: Any) -> "FakeKernel":
        self.add(e.WorkflowExecutionSignaled, name, self.converter.to_payloads(args))
        return self

    def cancel(self) -> "FakeKernel":
        self.add(e.WorkflowExecutionCancelRequested, "because")
        return self

    def child_started(self, workflow_id: str, run_id: str = "child-run") -> "FakeKernel":
        initiated = self.children[workflow_id]
        self.add(e.ChildWorkflowExecutionStarted, initiated.id, workflow_id, run_id, initiated.workflow_type)
        return self

    def child_ended(self, workflow_id: str, kind: Any, *values: Any) -> "FakeKernel":
        initiated = self.children.pop(workflow_id)
        self.add(kind, initiated.id, 0, workflow_id, "child-run", initiated.workflow_type, *values)
        return self

    def child_completed(self, workflow_id: str, value: Any) -> "FakeKernel":
        return self.child_ended(workflow_id, e.ChildWorkflowExecutionCompleted, (self.converter.to_payload(value),))

    def delivered(self, cause: str = "") -> "FakeKernel":
        """The oldest message to another run has arrived, or cannot."""
        initiated = self.externals.pop(0)
        target = initiated.workflow_execution
        if isinstance(initiated, e.SignalExternalWorkflowExecutionInitiated):
            if cause:
                self.add(e.SignalExternalWorkflowExecutionFailed, cause, target, initiated.id)
            else:
                self.add(e.ExternalWorkflowExecutionSignaled, initiated.id, target)
        elif cause:
            self.add(e.RequestCancelExternalWorkflowExecutionFailed, cause, target, initiated.id)
        else:
            self.add(e.ExternalWorkflowExecutionCancelRequested, initiated.id, target)
        return self

    # --- looking

    def query(self, name: str, *args: Any) -> Any:
        answer = self.program.query(name, self.converter.to_payloads(args))
        return answer if isinstance(answer, Failure) else self.converter.from_payload(answer[0])

    @property
    def result(self) -> Any:
        """What the workflow returned."""
        assert isinstance(self.closing, e.WorkflowExecutionCompleted), self.closing
        return self.converter.from_payload(self.closing.result[0]) if self.closing.result else None

    @property
    def failure(self) -> Failure:
        assert isinstance(self.closing, e.WorkflowExecutionFailed), self.closing
        return self.closing.failure

    def update_result(self, id: str) -> Any:
        outcome = self.outcomes[id]
        assert outcome.failure is None, outcome.failure
        return self.converter.from_payload(outcome.result[0]) if outcome.result else None

    @property
    def history(self) -> History:
        return History("w", "r", self.events)

    # --- replay

    def evict(self) -> "FakeKernel":
        """The program leaves memory; the next turn begins with the whole history."""
        self.program.close()
        self.program = self.new_program()
        self.seen = 0
        return self

    def check_replay(self) -> None:
        """Every turn, taken again from the history before it, gives the same commands.

        So does the whole history at once.
        """
        for started_id, updates, commands in self.turns:
            program = self.new_program()
            taken = program.turn(self.events[:started_id], updates)
            assert isinstance(taken, TurnCompleted), taken
            assert list(taken.commands) == commands
            program.close()
        program = self.new_program()
        assert program.catch_up(self.events) is None
        program.close()
