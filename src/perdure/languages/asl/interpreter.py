"""Takes lines from state to state, until each waits for something.

What a type of state does is in ``states``; here is what all of them share: entering and leaving, the data on its way, AWS's
events, errors with their Retry and Catch, and what becomes of a line that has ended. Nothing here has effects: commands
are gathered, and the changed lines are saved with the turn.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from perdure.expressions.jsonpath import InvalidPath
from perdure.languages.asl import context, retries, state_data
from perdure.languages.asl.chance import Chance
from perdure.languages.asl.data import MOST_BYTES, Data, Details, encode, raw
from perdure.languages.asl.definition import Definition, State
from perdure.languages.asl.execution import Execution
from perdure.languages.asl.failure import StateFailure, runtime
from perdure.languages.asl.lines import Line, Lines
from perdure.languages.asl.said import Said, said, too_large
from perdure.languages.asl.scope import ABSENT, Scope
from perdure.languages.asl.states import KINDS
from perdure.model import commands as c
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload

SOURCE = "asl"
STEPS_PER_TURN = 1_000
"""A machine that goes round in circles lets others have their turn after so many states."""

LAST_EVENTS = ("ExecutionFailed", "ExecutionSucceeded")
RETRIED = ("Task", "Map", "Parallel")
GO_ON = "go on"
RETRY = "retry"


class HistoryFull(Exception):
    """The execution has as many of AWS's events as it may have, and no state of it can do anything about that."""


class Interpreter:
    """A run of a machine, while it takes a turn.

    Args:
        address: which run it is.
        lines: its state.
        execution: what it goes by.
        definition: the machine.
        input: the execution's.
        started_ns: when the run began, in ns since 1970.
        task_queue: the run's.
        scheduled: numbers of the events that scheduled the activities under way, by activity id.
    """

    def __init__(
        self,
        address: RunAddress,
        lines: Lines,
        execution: Execution,
        definition: Definition,
        input: Data,
        started_ns: int,
        task_queue: str,
        scheduled: dict[str, int],
    ) -> None:
        self.address = address
        self.lines = lines
        self.execution = execution
        self.definition = definition
        self.input = input
        self.task_queue = execution.task_queue or task_queue
        self.context = context.of_execution(execution, input.value, started_ns)
        self.commands: list[c.AnyCommand] = []
        self.now_ns = started_ns
        self.scheduled = scheduled
        self.identities: dict[str, str] = {}
        """Who took the activities that have just ended, by activity id."""
        self.is_over = False
        self._ready: deque[Line] = deque()

    # --- turns

    def begin(self) -> None:
        """The execution starts."""
        self.log(None, "ExecutionStarted", {})
        try:
            start_at = self.definition.states(self.execution.states).start_at
        except KeyError:
            raise StateFailure("States.Runtime", f"The definition has no states at {self.execution.states!r}") from None
        self.add_line(0, 0, self.execution.states, start_at, self.input, 0)

    def drive(self) -> None:
        """Go on with all lines that wait for nothing."""
        for _ in range(STEPS_PER_TURN):
            if not self._ready or self.is_over:
                return
            line = self._ready.popleft()
            if self.lines.lines.get(line.id) is line:
                self._enter(line)
        if self._ready and not self.is_over:
            for line in self._ready:
                line.waits = GO_ON
                self.lines.change(line)
            self._ready.clear()
            self.commands.append(c.StartTimer(f"{GO_ON}:{self.lines.last_event}", 1))

    def go_on(self) -> None:
        """Take up the lines that only let others have their turn."""
        for line in self.lines.lines.values():
            if line.waits == GO_ON:
                line.waits = ""
                self._ready.append(line)

    # --- lines

    def add_line(self, parent: int, index: int, states: str, state: str, input: Data, previous: int) -> Line:
        """A line begins."""
        line = Line(self.lines.new_id(), states, state, parent, index, previous, input=input)
        self.lines.add(line)
        self._ready.append(line)
        return line

    def state_of(self, line: Line) -> State:
        """The state that a line is in."""
        return self.definition.state(line.states, line.state)

    def wait(self, line: Line, word: str, **notes: Any) -> str:
        """The line waits; the name of what it waits for, which is used only once."""
        line.waits = word
        line.sequence += 1
        line.notes = notes
        self.lines.change(line)
        return f"{line.id}:{line.sequence}"

    def waiting(self, name: str) -> Line | None:
        """The line that waits for what has this name, if it still does."""
        number, _, rest = name.partition(":")
        sequence = rest.partition(":")[0]
        if not number.isdecimal() or not sequence.isdecimal():
            return None
        line = self.lines.lines.get(int(number))
        return line if line is not None and line.sequence == int(sequence) and line.waits else None

    def variables(self, line: Line) -> dict[str, Any]:
        """All that a line sees: its own variables, and those of the lines around it."""
        if not line.parent:
            return line.variables
        around = self.variables(self.lines.lines[line.parent])
        return {**around, **line.variables} if line.variables else around

    def scope(self, line: Line, state: State, input: Any = ABSENT) -> Scope:
        """What expressions of a state may see."""
        attempt = line.attempt if state.kind in RETRIED else None
        seen = context.of_state(self.context, state.name, line.entered_time, attempt)
        self._add_items(line, seen)
        return Scope(
            input=line.input.value if input is ABSENT else input,
            context=seen,
            variables=self.variables(line),
            chance=Chance(f"{self.address.run_id}:{line.id}:{self.lines.last_event}"),
            now_ms=self.now_ns // 1_000_000,
        )

    def _add_items(self, line: Line, seen: dict[str, Any]) -> None:
        """An iteration of a Map knows its item."""
        child = line
        while child.parent:
            parent = self.lines.lines[child.parent]
            items = self.lines.values.get(parent.id, {}).get("items")
            if items is not None:
                seen["Map"] = {"Item": {"Index": child.index, "Value": items.value[child.index]}}
                return
            child = parent

    # --- events

    def log(self, line: Line | None, type: str, details: Details, *, previous: int = -1, leads: bool = True) -> int:
        """One of AWS's events; its number.

        Args:
            line: where it happens; None for what comes before all lines.
            type: AWS's name.
            details: as JSON, by name.
            previous: the number of the one before it; the line's last one without.
            leads: whether what follows in the line follows this.
        """
        if 0 < self.execution.event_limit <= self.lines.last_event + 1 and type not in LAST_EVENTS:
            raise HistoryFull
        before = previous if previous >= 0 else line.previous if line is not None else 0
        number = self.lines.record(type, before, details)
        if line is not None and leads:
            line.previous = number
            self.lines.change(line)
        return number

    def _log_passage(self, line: Line, around: tuple[bytes, bytes], value: Data) -> int:
        """What ``log`` does, for the two events that every state has: they are most of all there are."""
        lines = self.lines
        if 0 < self.execution.event_limit <= lines.last_event + 1:
            raise HistoryFull
        number = lines.record_json(b"%b%d%b%b}]" % (around[0], line.previous, around[1], value.raw))
        line.previous = number
        lines.change(line)
        return number

    # --- states

    def _enter(self, line: Line) -> None:
        if self.lines.is_ending:
            self.end_early()
            return
        state = self.state_of(line)
        line.before = line.previous
        line.entered = self._log_passage(line, state.entered, line.input)
        line.entered_time = self.now_ns
        line.waits = ""
        line.attempt = 0
        line.retries = {}
        line.notes = {}
        self.attempt(line, state, KINDS[state.kind].enter)

    def attempt(self, line: Line, state: State, work: Callable[["Interpreter", Line, State], None]) -> None:
        """Do a state's work; if it fails, the line does."""
        try:
            work(self, line, state)
        except StateFailure as failure:
            self.fail(line, self._said(line, state, failure))
        except InvalidPath as error:  # of a definition that was never checked
            self.fail(line, self._said(line, state, runtime(str(error))))

    def again(self, line: Line) -> None:
        """Another attempt at the state that the line is in."""
        state = self.state_of(line)
        line.waits = ""
        line.notes = {}
        self.lines.change(line)
        self.attempt(line, state, KINDS[state.kind].enter)

    def succeed(self, line: Line, state: State, outcome: Any, effective: Any = ABSENT) -> None:
        """The state's work is done.

        Args:
            line: in the state.
            state: the state.
            outcome: its result.
            effective: for a state without work of its own, whose outcome is what came in: the effective input.
        """
        whole = line.input.value
        if state.is_plain:
            self.leave(line, state, state.next, self.data(line, outcome), {})
            return
        scope = self.scope(line, state)
        if state.is_jsonata:
            seen = state_data.in_jsonata(scope, whole, result=outcome if effective is ABSENT else ABSENT)
            output = state_data.output(state, state.fields, whole, outcome, seen)
            assigned = state_data.assigned(state, state.fields, whole, seen)
        else:
            selected = state_data.result(state, outcome, scope)
            output = state_data.output(state, state.fields, whole, selected, scope)
            assigned = state_data.assigned(state, state.fields, selected if effective is ABSENT else effective, scope)
        self.leave(line, state, state.next, self.data(line, output), assigned)

    def leave(self, line: Line, state: State, next: str | None, output: Data, assigned: dict[str, Any]) -> None:
        """Go on to the next state, or end."""
        if self.execution.event_limit and self.execution.is_strict and len(output.raw) > MOST_BYTES:
            raise too_large(state.name)
        if assigned:
            shown = raw({name: encode(value).decode() for name, value in assigned.items()})
            details: Details = {"name": state.name_raw, "output": raw(output), "assignedVariables": shown}
            self.log(line, f"{state.kind}StateExited", details)
        else:
            self._log_passage(line, state.exited, output)
        line.input = output
        line.waits = ""
        line.notes = {}
        if assigned:
            line.variables = {**line.variables, **assigned}
        if next is not None:
            line.state = next
            self._ready.append(line)
        else:
            self.end(line, output)

    def data(self, line: Line, value: Any) -> Data:
        """A value on its way; one that has not changed is not written anew."""
        return line.input if value is line.input.value else value if value.__class__ is Data else Data(value)

    def end(self, line: Line, output: Data) -> None:
        """The line has come to its end."""
        if not line.parent:
            self.log(line, "ExecutionSucceeded", {})
            self.is_over = True
            self.commands.append(c.CompleteWorkflowExecution((Payload(output.raw),)))
            return
        parent = self.lines.lines[line.parent]
        state = self.state_of(parent)
        self.lines.change(parent)
        self.attempt(parent, state, lambda run, at, of: KINDS[of.kind].line_ended(run, at, of, line, output))

    # --- failure

    def _said(self, line: Line, state: State, failure: StateFailure) -> Said:
        """With AWS's words about where it was."""
        if isinstance(failure, Said) or not failure.cause:
            return said(failure)
        where = (
            f"An error occurred while executing the state '{state.name}' (entered at the event id #{line.entered}). "
        )
        whole = Said(failure.error, where + failure.cause, failure.location)
        if failure.error == "States.QueryEvaluationError":
            details: Details = {"error": raw(whole.error), "cause": raw(whole.cause), "state": state.name_raw}
            if whole.location:
                details["location"] = raw(whole.location)
            # An expression is evaluated before anything of the state counts; a Wait finds out later what it gave.
            is_first = line.previous == line.entered and state.kind != "Wait"
            self.log(line, "EvaluationFailed", details, previous=line.before if is_first else line.previous)
        return whole

    def fail(self, line: Line, failure: StateFailure) -> None:
        """The state that the line is in has failed: it is tried again, or caught, or the line fails with it."""
        state = self.state_of(line)
        kind = KINDS[state.kind]
        self.drop_children(line)
        if self._retried(line, state, failure):
            return
        if kind.failed_event and failure.error != retries.UNCATCHABLE:
            self.log(line, kind.failed_event, {})
        try:
            if self._caught(line, state, failure):
                return
        except StateFailure as another:
            failure = self._said(line, state, another)
        self._end_failed(line, failure)

    def _retried(self, line: Line, state: State, failure: StateFailure) -> bool:
        found = retries.matching_retrier(state.fields, failure.error)
        if found is None:
            return False
        index, retrier = found
        used = line.retries.get(index, 0)
        delay = retries.delay_seconds(retrier, used, Chance(f"{self.address.run_id}:{line.id}:{line.sequence}"))
        if delay is None:
            return False
        line.retries = {**line.retries, index: used + 1}
        line.attempt += 1
        name = self.wait(line, RETRY)
        self.start_timer(name, delay)
        return True

    def _caught(self, line: Line, state: State, failure: StateFailure) -> bool:
        found = retries.matching_catcher(state.fields, failure.error)
        if found is None:
            return False
        index, catcher = found
        within = f"Catch[{index}]/"
        error_output = {"Error": failure.error, "Cause": failure.cause} if failure.cause else {"Error": failure.error}
        scope = self.scope(line, state)
        whole = line.input.value
        if state.is_jsonata:
            scope = state_data.in_jsonata(scope, whole, error_output=error_output)
            output = state_data.output(state, catcher, whole, error_output, scope, within=within)
            assigned = state_data.assigned(state, catcher, whole, scope, within=within)
        else:
            output = state_data.output(state, catcher, whole, error_output, scope)
            assigned = state_data.assigned(state, catcher, error_output, scope, within=within)
        self.leave(line, state, catcher["Next"], self.data(line, output), assigned)
        return True

    def _end_failed(self, line: Line, failure: StateFailure) -> None:
        if not line.parent:
            self._end_whole(line, failure)
            return
        parent = self.lines.lines[line.parent]
        state = self.state_of(parent)
        self.lines.change(parent)
        self.attempt(parent, state, lambda run, at, of: KINDS[of.kind].line_failed(run, at, of, line, failure))

    def _end_whole(self, line: Line, failure: StateFailure) -> None:
        """The execution has failed."""
        why = {"error": failure.error, "cause": failure.cause}
        self.log(line, "ExecutionFailed", {name: raw(text) for name, text in why.items() if text})
        self.is_over = True
        self.commands.append(c.FailWorkflowExecution(Failure(failure.cause, type=failure.error, source=SOURCE)))

    def end_early(self) -> None:
        """The execution is over, wherever its lines are: nobody wants it to go on."""
        self.is_over = True
        self.commands.append(c.CancelWorkflowExecution())

    def end_full(self) -> None:
        """The execution has as many events as it may have: the next is its last."""
        cause = f"The execution reached the maximum number of history events ({self.execution.event_limit})."
        self.lines.record(
            "ExecutionFailed", self.lines.last_event, {"error": raw("States.Runtime"), "cause": raw(cause)}
        )
        self.is_over = True
        self.commands = [c.FailWorkflowExecution(Failure(cause, type="States.Runtime", source=SOURCE))]

    # --- commands

    def start_timer(self, name: str, seconds: float) -> None:
        """Have a timer fire."""
        self.commands.append(c.StartTimer(name, max(1, round(seconds * self.execution.wait_time_scale * 1e9))))

    def drop_children(self, line: Line) -> None:
        """Nobody wants any more what goes on under a line."""
        for child in [other for other in self.lines.lines.values() if other.parent == line.id]:
            self.drop_line(child)
        self.lines.clear(line.id)

    def drop_line(self, line: Line, *, is_failed: bool = False) -> None:
        """Nobody wants a line any more: end what it waits for. What AWS says of it, unless it has failed by itself."""
        self.drop_children(line)
        state = self.state_of(line)
        if line.waits == RETRY:
            self.cancel_timer(f"{line.id}:{line.sequence}")
        elif line.waits and line.waits != GO_ON:
            KINDS[state.kind].drop(self, line)
        if not is_failed:
            if line.waits and line.waits != GO_ON:
                self.log(line, f"{state.kind}StateAborted", {})
            parent = self.state_of(self.lines.lines[line.parent])
            if parent.kind == "Map":
                self.log(line, "MapIterationAborted", {"index": raw(line.index), "name": parent.name_raw})
        self.lines.remove(line.id)

    def cancel_timer(self, name: str) -> None:
        """A timer need not fire any more."""
        if not self._take_back(c.StartTimer, name):
            self.commands.append(c.CancelTimer(name))

    def cancel_activity(self, activity_id: str) -> None:
        """An activity is not wanted any more."""
        if not self._take_back(c.ScheduleActivityTask, activity_id) and activity_id in self.scheduled:
            self.commands.append(c.RequestCancelActivityTask(self.scheduled[activity_id]))

    def _take_back(self, kind: type[c.AnyCommand], name: str) -> bool:
        """What is asked for in this very turn is not asked for at all."""
        for index, command in enumerate(self.commands):
            if command.__class__ is kind and name in (
                getattr(command, "timer_id", None),
                getattr(command, "activity_id", None),
            ):
                del self.commands[index]
                return True
        return False

    def start_child(self, name: str, command: c.StartChildWorkflowExecution) -> None:
        """Have a child workflow run; what becomes of it comes under this name."""
        self.lines.begin_child(command.workflow_id, name)
        self.commands.append(command)

    def cancel_child(self, name: str) -> None:
        """A child workflow is not wanted any more."""
        for workflow_id in [child for child, other in self.lines.children.items() if other == name]:
            self.lines.end_child(workflow_id)
            kind = c.StartChildWorkflowExecution
            if any(one.__class__ is kind and one.workflow_id == workflow_id for one in self.commands):
                self.commands = [x for x in self.commands if not (isinstance(x, kind) and x.workflow_id == workflow_id)]
            else:
                address = RunAddress(self.address.namespace, workflow_id)
                self.commands.append(c.RequestCancelExternalWorkflowExecution(address, child_workflow_only=True))
