"""A run of a machine, as the engine sees it: a snapshotted ``model.program.Program``.

A turn hands the interpreter what has happened, lets it go on until everything waits, and saves what changed. A new program
folds what older turns saved, and runs nothing again.
"""

from collections.abc import Callable, Sequence

import msgspec

from perdure.languages.asl import map_run
from perdure.languages.asl.context import timestamp
from perdure.languages.asl.data import Data, raw
from perdure.languages.asl.definition import definition_of
from perdure.languages.asl.execution import Execution, execution_of
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.interpreter import GO_ON, RETRY, HistoryFull, Interpreter
from perdure.languages.asl.lines import Lines
from perdure.languages.asl.states import KINDS
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import RunAddress
from perdure.model.payloads import JSON, NULL, Payload, Payloads
from perdure.model.program import TurnCompleted, TurnFailed

ChildEvent = (
    e.StartChildWorkflowExecutionFailed
    | e.ChildWorkflowExecutionStarted
    | e.ChildWorkflowExecutionCompleted
    | e.ChildWorkflowExecutionFailed
    | e.ChildWorkflowExecutionCanceled
    | e.ChildWorkflowExecutionTimedOut
    | e.ChildWorkflowExecutionTerminated
)

LINES_QUERY = "perdure.asl.lines"
MAP_RUNS_QUERY = "perdure.map_runs"


class MachineProgram:
    """One run's state between turns.

    Args:
        address: which run it is.
        started: its first event.
        execution: what it goes by, if its start does not say; saved with its first turn, and not needed after that.
    """

    def __init__(
        self, address: RunAddress, started: e.WorkflowExecutionStarted, execution: Execution | None = None
    ) -> None:
        self._address = address
        self._started = started
        self._execution = execution
        self._lines = Lines()
        self._interpreter: Interpreter | None = None
        self._scheduled: dict[int, str] = {}
        self._event_ids: dict[str, int] = {}

    # --- the protocol

    def turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted | TurnFailed:
        """As ``Program.turn``."""
        try:
            return self._turn(events, updates)
        except Exception as error:
            return _failed(error)

    def catch_up(self, events: Sequence[e.Event]) -> TurnFailed | None:
        """As ``Program.catch_up``."""
        try:
            self._news(events)
        except Exception as error:
            return _failed(error)
        return None

    def query(self, name: str, input: Payloads) -> Payloads | Failure:
        """As ``Program.query``: where its lines are."""
        if name == MAP_RUNS_QUERY:
            return (Payload(msgspec.json.encode([map_run.shown(one) for one in self._lines.map_runs.values()])),)
        if name != LINES_QUERY:
            return Failure(
                f"a state machine has no query {name!r}, only {LINES_QUERY!r} and {MAP_RUNS_QUERY!r}",
                type="QueryNotFound",
                source="perdure",
            )
        shown = [
            {"line": line.id, "parent": line.parent, "index": line.index, "states": line.states, "state": line.state}
            for line in self._lines.lines.values()
        ]
        return (Payload(msgspec.json.encode(shown)),)

    def close(self) -> None:
        """As ``Program.close``: there is nothing to let go of."""

    # --- a turn

    def _turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted:
        news = self._news(events)
        is_first = not self._lines.last_event
        run = self._interpreter or self._begin()
        self._interpreter = run
        run.commands = []
        run.now_ns = events[-1].time
        refused = [
            c.RejectUpdate(
                u.update_id, Failure("a state machine takes no updates", type="NotSupported", source="perdure")
            )
            for u in updates
        ]
        try:
            if is_first:
                run.begin()
            if any(_is_redrive(event) for event in news):
                news = self._redriven(run, news)
            for event in news:
                handle = _HANDLERS.get(event.__class__)
                if handle is not None and not run.is_over:
                    handle(self, run, event)
            run.drive()
        except HistoryFull:
            run.end_full()
        except StateFailure as failure:
            # There is no line that could fail with it.
            run.commands = [c.FailWorkflowExecution(Failure(failure.cause, type=failure.error, source="asl"))]
        return TurnCompleted([*refused, *run.commands], self._lines.take())

    def _begin(self) -> Interpreter:
        started = self._started
        execution = execution_of(started.input) or self._lines.execution or self._execution
        if execution is None:
            raise ValueError("nothing says which state machine this run goes by")
        if execution is self._execution:
            self._lines.pin(execution)
        if self._lines.redrives:
            at = timestamp(self._lines.redrive_time)
            execution = msgspec.structs.replace(execution, redrive_count=self._lines.redrives, redrive_time=at)
        text = started.input[0] if started.input else Payload(b"{}")
        if text.encoding not in (JSON, NULL):
            raise ValueError(f"the execution's input is no JSON: its encoding is {text.encoding!r}")
        given = Data.of(text.data if text.encoding == JSON else b"{}")
        return Interpreter(
            self._address,
            self._lines,
            execution,
            definition_of(execution.definition),
            given,
            started.time,
            started.task_queue,
            self._event_ids,
        )

    # --- after a failure

    def _redriven(self, run: Interpreter, news: Sequence[e.Event]) -> Sequence[e.Event]:
        """The turn that failed the execution is taken anew: the states that had failed are entered again. What is left of
        the news."""
        count = self._lines.redrive(run.now_ns)
        run.context["Execution"] |= {"RedriveCount": count, "RedriveTime": timestamp(run.now_ns)}
        run.log(None, "ExecutionRedriven", {"redriveCount": raw(count)})
        left = []
        for event in news:
            line = None
            if isinstance(event, e.ActivityTaskFailed | e.ActivityTaskTimedOut):
                name = self._scheduled.pop(event.scheduled_event_id, "")
                self._event_ids.pop(name, None)
                line = run.waiting(name)
            elif isinstance(event, _FAILED_CHILDREN):
                line = run.waiting(self._lines.children.get(event.workflow_id, ""))
                self._lines.end_child(event.workflow_id)
            if line is None:
                left.append(event)
            else:
                line.attempt, line.retries = 0, {}
                run.again(line)
        return left

    # --- events

    def _news(self, events: Sequence[e.Event]) -> Sequence[e.Event]:
        """Take over what older turns saved; what is left is what this turn is for."""
        start = 0
        is_new = bool(events) and events[0].id == 1
        for index, event in enumerate(events):
            if event.__class__ is e.WorkflowTaskCompleted:
                start = index + 1
                if is_new and event.state:
                    self._lines.fold(event.state)
            elif event.__class__ is e.ActivityTaskScheduled:
                self._scheduled[event.id] = event.activity_id
                self._event_ids[event.activity_id] = event.id
        if is_new:
            # What older turns have seen the end of.
            for event in events[:start]:
                if event.__class__ in _ENDS:
                    self._event_ids.pop(self._scheduled.pop(event.scheduled_event_id, ""), None)
        return events[start:]

    def _activity_ended(self, run: Interpreter, event: e.ActivityTaskCompleted) -> None:
        name = self._scheduled.pop(event.scheduled_event_id, "")
        self._event_ids.pop(name, None)
        line = run.waiting(name)
        if line is not None:
            state = run.state_of(line)
            run.attempt(line, state, lambda run, at, of: KINDS[of.kind].activity_ended(run, at, of, name, event))
        run.identities.pop(name, None)

    def _activity_started(self, run: Interpreter, event: e.ActivityTaskStarted) -> None:
        run.identities[self._scheduled.get(event.scheduled_event_id, "")] = event.identity

    def _child_changed(self, run: Interpreter, event: ChildEvent) -> None:
        name = self._lines.children.get(event.workflow_id, "")
        line = run.waiting(name)
        if event.__class__ is not e.ChildWorkflowExecutionStarted:
            self._lines.end_child(event.workflow_id)
        if line is not None:
            run.attempt(
                line, run.state_of(line), lambda run, at, of: KINDS[of.kind].child_changed(run, at, of, name, event)
            )

    def _timer_fired(self, run: Interpreter, event: e.TimerFired) -> None:
        if event.timer_id.startswith(GO_ON):
            run.go_on()
            return
        line = run.waiting(event.timer_id)
        if line is None:
            return
        if line.waits == RETRY:
            run.again(line)
        else:
            run.attempt(line, run.state_of(line), KINDS[run.state_of(line).kind].timer_fired)

    def _cancel_requested(self, run: Interpreter, event: e.WorkflowExecutionCancelRequested) -> None:
        run.is_over = True
        run.commands.append(c.CancelWorkflowExecution())


def _failed(error: Exception) -> TurnFailed:
    failure = Failure(
        f"{type(error).__name__}: {error}", FailureKind.APPLICATION, type=type(error).__name__, source="perdure"
    )
    return TurnFailed("WORKFLOW_WORKER_UNHANDLED_FAILURE", failure)


REDRIVE = "RedriveExecution"
"""The reason of a reset that lets a failed execution go on."""


def _is_redrive(event: e.Event) -> bool:
    return (
        isinstance(event, e.WorkflowTaskFailed)
        and event.cause == "RESET_WORKFLOW"
        and event.failure is not None
        and event.failure.message == REDRIVE
    )


_FAILED_CHILDREN = (
    e.ChildWorkflowExecutionFailed,
    e.ChildWorkflowExecutionCanceled,
    e.ChildWorkflowExecutionTimedOut,
    e.ChildWorkflowExecutionTerminated,
)
_ENDS = (e.ActivityTaskCompleted, e.ActivityTaskFailed, e.ActivityTaskTimedOut, e.ActivityTaskCanceled)

_HANDLERS: dict[type, Callable[..., None]] = {
    **dict.fromkeys(_ENDS, MachineProgram._activity_ended),
    **dict.fromkeys(ChildEvent.__args__, MachineProgram._child_changed),
    e.ActivityTaskStarted: MachineProgram._activity_started,
    e.TimerFired: MachineProgram._timer_fired,
    e.WorkflowExecutionCancelRequested: MachineProgram._cancel_requested,
}
