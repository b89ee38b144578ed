"""A run of a machine, as the engine sees it: a snapshotted ``model.program.Program``.

A turn hands the interpreter what has happened, lets it go on until everything waits, and saves what changed. A new program
folds what older turns saved, and runs nothing again.
"""

import copy
from collections.abc import Callable, Sequence

import msgspec

from perdure.languages.asl import keepers, map_run, map_run_shown
from perdure.languages.asl.context import timestamp
from perdure.languages.asl.data import Data, raw
from perdure.languages.asl.definition import definition_of
from perdure.languages.asl.execution import Execution, execution_of
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.interpreter import GO_ON, RETRY, HistoryFull, Interpreter
from perdure.languages.asl.lines import Line, Lines
from perdure.languages.asl.redrives import ABORTED, FAILED, OF_MAP_RUN, is_redrive, redriven_from
from perdure.languages.asl.states import KINDS
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import RunAddress
from perdure.model.payloads import JSON, NULL, Payload, PayloadMap, Payloads
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
REDRIVES_QUERY = "perdure.redrives"
UPDATE_SIGNAL = "perdure.update_map_run"
END_SIGNAL = "perdure.end_at_next_state"
"""The execution ends where its next state would begin, or the next child execution of its Map run."""


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
        self._unheard: Sequence[e.Event] = ()

    # --- the protocol

    def turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted | TurnFailed:
        """As ``Program.turn``."""
        try:
            return self._turn(events, updates)
        except Exception as error:
            return _failed(error)

    def catch_up(self, events: Sequence[e.Event]) -> TurnFailed | None:
        """As ``Program.catch_up``. What no turn was for yet, the next one is for."""
        try:
            self._unheard = self._news(events)
        except Exception as error:
            return _failed(error)
        return None

    def query(self, name: str, input: Payloads, header: PayloadMap | None = None) -> Payloads | Failure:
        """As ``Program.query``: where its lines are."""
        if name == MAP_RUNS_QUERY:
            return (Payload(msgspec.json.encode([map_run_shown.shown(one) for one in self._lines.map_runs.values()])),)
        if name == REDRIVES_QUERY:
            told = {"count": self._lines.redrives, "time": self._lines.redrive_time / 1e9}
            return (Payload(msgspec.json.encode(told)),)
        if name != LINES_QUERY:
            return Failure(
                f"a state machine has no query {name!r}, only {LINES_QUERY!r}, {MAP_RUNS_QUERY!r} and {REDRIVES_QUERY!r}",
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
        if self._unheard:
            news, self._unheard = [*self._unheard, *news], ()
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
            self._play(run, news, is_first=is_first)
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

    def _play(self, run: Interpreter, news: Sequence[e.Event], *, is_first: bool) -> int:
        """What happened, one after the other; then the lines go on. As ``_handle``."""
        over = self._handle(run, news, is_first=is_first)
        run.drive()
        return over

    def _handle(self, run: Interpreter, news: Sequence[e.Event], *, is_first: bool, most: int | None = None) -> int:
        """Tell the lines what happened. The place of the event with which the execution was over, if one of these was it; else
        -1."""
        for place in reversed(range(len(news))):
            if news[place].__class__ is e.WorkflowTaskFailed and is_redrive(news[place]):
                self._redrive(run, news[:place], news[place], news[place + 1 :], is_first=is_first)
                return -1
        if is_first:
            run.begin()
            keepers.make_call(run)
        for place, event in enumerate(news if most is None else news[:most]):
            if event.__class__ in _HANDLERS:
                self._handle_one(run, event)
                if run.is_over:
                    return place
        return -1

    def _handle_one(self, run: Interpreter, event: e.Event) -> None:
        handle = _HANDLERS.get(event.__class__)
        if handle is not None:
            handle(self, run, event)

    # --- after its end

    def _redrive(
        self,
        run: Interpreter,
        before: Sequence[e.Event],
        reset: e.Event,
        after: Sequence[e.Event],
        *,
        is_first: bool,
    ) -> None:
        """The execution had ended with the turn that is taken anew, or after it, and goes on. What that turn saw happen stays in
        AWS's history; what failed the execution then is begun again.

        Args:
            run: the execution.
            before: what the turn was for.
            reset: says how the execution had ended.
            after: what became of the children that it waited for.
            is_first: whether the turn was its first.
        """
        self._lines.end_early(False)
        before = [event for event in before if not _is_end_signal(event)]
        ended, culprit = redriven_from(reset), len(before)
        twin, over = None, -1
        if ended in (FAILED, OF_MAP_RUN):
            # Another one takes the turn as it was taken, and says what happened.
            twin = self._twin()
            twin_run = twin._begin()
            twin_run.now_ns = run.now_ns
            over = twin._play(twin_run, before, is_first=is_first)
            if ended == OF_MAP_RUN:
                ended = FAILED if twin_run.is_over else ABORTED
        if ended == FAILED and twin is not None:
            culprit = over if over >= 0 else culprit
            self._handle(run, before, is_first=is_first, most=culprit)
            self._lines.tell(twin._lines)
        else:
            self._play(run, before, is_first=is_first)
            run.log(None, f"Execution{ended}", {})
        count = self._lines.redrive(run.now_ns)
        run.context["Execution"] |= {"RedriveCount": count, "RedriveTime": timestamp(run.now_ns)}
        run.log(None, "ExecutionRedriven", {"redriveCount": raw(count)})
        waiting: dict[int, Line] = {}
        for place, event in enumerate((*before[culprit:], *after)):
            line = self._failed_line(run, event, is_culprit=place == 0)
            if line is not None:
                waiting[line.id] = line
            else:
                self._handle_one(run, event)
        for line in waiting.values():
            state = run.state_of(line)
            run.attempt(line, state, KINDS[state.kind].redrive)

    def _failed_line(self, run: Interpreter, event: e.Event, *, is_culprit: bool) -> Line | None:
        """The line that waited for what has failed, and waits for that no more. ``is_culprit``: what it made of the event failed
        the execution, whatever that was."""
        if isinstance(event, _ENDS if is_culprit else _FAILED_ACTIVITIES):
            name = self._scheduled.pop(event.scheduled_event_id, "")
            self._event_ids.pop(name, None)
            return run.waiting(name)
        if isinstance(event, _CLOSED_CHILDREN if is_culprit else _FAILED_CHILDREN):
            line = run.waiting(self._lines.children.get(event.workflow_id, ""))
            self._lines.end_child(event.workflow_id)
            return line
        return None

    def _twin(self) -> "MachineProgram":
        twin = MachineProgram(self._address, self._started, self._execution)
        twin._lines = copy.deepcopy(self._lines)
        twin._scheduled, twin._event_ids = dict(self._scheduled), dict(self._event_ids)
        return twin

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
        if keepers.is_taken(run, name, event, self._started.parent):
            return
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
        elif event.workflow_type == keepers.TYPE:
            keepers.has_started(run, event)
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

    def _signaled(self, run: Interpreter, event: e.WorkflowExecutionSignaled) -> None:
        if event.signal_name == UPDATE_SIGNAL and event.input:
            map_run.update(run, msgspec.json.decode(event.input[0].data, type=dict))
        elif event.signal_name == keepers.BEGUN and event.input:
            self._job_begun(run, msgspec.json.decode(event.input[0].data, type=keepers.Begun))
        elif event.signal_name == END_SIGNAL:
            run.lines.end_early(True)
        elif event.signal_name == keepers.OVER and run.execution.stops:
            run.is_over = True
            run.commands = [c.CompleteWorkflowExecution(())]

    def _job_begun(self, run: Interpreter, begun: keepers.Begun) -> None:
        line = run.waiting(self._lines.children.get(begun.keeper, ""))
        if line is not None:
            run.attempt(
                line, run.state_of(line), lambda run, at, of: KINDS[of.kind].job_begun(run, at, of, begun.answer)
            )

    def _cancel_requested(self, run: Interpreter, event: e.WorkflowExecutionCancelRequested) -> None:
        if keepers.stop(run):
            return
        run.is_over = True
        if run.execution.stops:
            run.commands = []  # a job that has not begun is not to begin
        run.commands.append(c.CancelWorkflowExecution())


def _is_end_signal(event: e.Event) -> bool:
    return isinstance(event, e.WorkflowExecutionSignaled) and event.signal_name == END_SIGNAL


def _failed(error: Exception) -> TurnFailed:
    failure = Failure(
        f"{type(error).__name__}: {error}", FailureKind.APPLICATION, type=type(error).__name__, source="perdure"
    )
    return TurnFailed("WORKFLOW_WORKER_UNHANDLED_FAILURE", failure)


_FAILED_CHILDREN = (
    e.ChildWorkflowExecutionFailed,
    e.ChildWorkflowExecutionCanceled,
    e.ChildWorkflowExecutionTimedOut,
    e.ChildWorkflowExecutionTerminated,
    e.StartChildWorkflowExecutionFailed,
)
_CLOSED_CHILDREN = (e.ChildWorkflowExecutionCompleted, *_FAILED_CHILDREN)
_FAILED_ACTIVITIES = (e.ActivityTaskFailed, e.ActivityTaskTimedOut)
_ENDS = (e.ActivityTaskCompleted, e.ActivityTaskFailed, e.ActivityTaskTimedOut, e.ActivityTaskCanceled)

_HANDLERS: dict[type, Callable[..., None]] = {
    **dict.fromkeys(_ENDS, MachineProgram._activity_ended),
    **dict.fromkeys(ChildEvent.__args__, MachineProgram._child_changed),
    e.ActivityTaskStarted: MachineProgram._activity_started,
    e.TimerFired: MachineProgram._timer_fired,
    e.WorkflowExecutionSignaled: MachineProgram._signaled,
    e.WorkflowExecutionCancelRequested: MachineProgram._cancel_requested,
}
