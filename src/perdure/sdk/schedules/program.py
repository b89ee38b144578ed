"""The program of a schedule's run: a snapshotted ``model.program.Program``, of the workflow ``perdure.schedule``.

A turn hears what has happened, lets the ``Plan`` go on until everything waits, and saves what has changed. So a schedule
that is not in memory is read, and nothing of it is run again. Where an occasion may start its run, that is a command of
the turn; the next times are found in the turn, too, and saved with it, so that another version of the time zone database
never breaks a history. Two activities do what takes longer: ``perdure.schedule.times`` finds times that are far apart, and
``perdure.schedule.start`` looks at the runs that were open and does what the overlap policy says. After a batch of times
it goes on as a new run, with all it must remember as its argument.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError
from perdure.model.explanation import PROGRAM_VIEW_QUERY, CodeWait, ProgramView
from perdure.model.failures import Failure, FailureKind
from perdure.model.ids import Completion, RunAddress
from perdure.model.payloads import Payload, PayloadMap, Payloads
from perdure.model.program import Program, TurnCompleted, TurnFailed
from perdure.model.service import Service
from perdure.sdk import activity, calls
from perdure.sdk.app import App
from perdure.sdk.converter import Converter
from perdure.sdk.languages import Written
from perdure.sdk.program import PythonProgram
from perdure.sdk.retry import Retry
from perdure.sdk.schedules import firing
from perdure.sdk.schedules.course import Asked, Course, Doing, Saved
from perdure.sdk.schedules.definition import (
    CLOSED_SIGNAL,
    COMMAND_SIGNAL,
    MEMO,
    REPLACE_UPDATE,
    STATE_QUERY,
    SYSTEM_QUEUE,
    WORKFLOW_TYPE,
    Answer,
    AskStart,
    AskTimes,
    Command,
    Outcome,
    Replace,
    Snapshot,
    Started,
    Times,
    listed,
)
from perdure.sdk.schedules.plan import STEPS, Deal, Find, Plan
from perdure.sdk.schedules.replayed import define_replayed
from perdure.sdk.schedules.times import to_datetime
from perdure.sdk.stacks import STACK_TRACE_QUERY

T = TypeVar("T")

log = logging.getLogger("perdure.schedules")

TIMES_ACTIVITY = "perdure.schedule.times"
START_ACTIVITY = "perdure.schedule.start"
TIMER = "due"
SHORTEST_NS = 1_000_000
"""So long a timer takes at least."""

_RETRY = Retry(initial=1.0, maximum=60.0)
_plain = Converter()


def schedule_app(service: Callable[[], Service]) -> App:
    """The app that every engine serves besides the user's own. ``service`` gives the engine, once it is there."""
    app = App("perdure.schedules", task_queue=SYSTEM_QUEUE)

    @app.activity(name=TIMES_ACTIVITY, retry=_RETRY)
    async def find_times(ask: AskTimes) -> Times:
        return firing.find_times(ask)

    @app.activity(name=START_ACTIVITY, retry=_RETRY)
    async def start_run(ask: AskStart) -> Answer:
        return await firing.deal_with(service(), ask, activity.info().workflow_id)

    define_replayed(app, find_times, start_run)
    replayed = app.workflows[WORKFLOW_TYPE]

    def create_program(address: RunAddress, started: e.WorkflowExecutionStarted) -> Program:
        course = _plain.from_payload(started.input[0], Course) if started.input else None
        if course is not None and course.by_state:
            return ScheduleProgram(address, started, course)
        return PythonProgram(replayed, address, started, app.converter)

    app.workflows[WORKFLOW_TYPE] = replace(replayed, written=Written("", create_program))
    return app


class ScheduleProgram:
    """One run's state between turns.

    Args:
        address: which run it is.
        started: its first event.
        course: where it stands at its beginning.
    """

    __slots__ = (
        "_address",
        "_commands",
        "_course",
        "_is_cancelled",
        "_is_told",
        "_key",
        "_news",
        "_now",
        "_plan",
        "_saved",
    )

    def __init__(self, address: RunAddress, started: e.WorkflowExecutionStarted, course: Course) -> None:
        self._address = address
        self._key = started.first_execution_run_id
        self._course = course
        self._plan = Plan(course)
        self._saved = Saved(course)
        self._now = started.time
        self._commands: list[c.AnyCommand] = []
        self._news: Sequence[e.Event] = ()
        self._is_told = False
        self._is_cancelled = False

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
            self._news = self._fold(events)
        except Exception as error:
            return _failed(error)
        return None

    def query(self, name: str, input: Payloads, header: PayloadMap | None = None) -> Payloads | Failure:
        """As ``Program.query``."""
        course = self._course
        if name == STATE_QUERY:
            return (_plain.to_payload(Snapshot(course.state, course.upcoming)),)
        waits = CodeWait("schedule", self._wait())
        if name == STACK_TRACE_QUERY:
            return (_plain.to_payload(f"{waits.task}: {waits.on}"),)
        if name == PROGRAM_VIEW_QUERY:
            view = ProgramView([waits], [CLOSED_SIGNAL, COMMAND_SIGNAL], [REPLACE_UPDATE], [STATE_QUERY])
            return (Payload(msgspec.json.encode(view)),)
        return Failure(
            f"a schedule has no query {name!r}, only {STATE_QUERY!r}", type="QueryNotFound", source="perdure"
        )

    def close(self) -> None:
        """As ``Program.close``: there is nothing to let go of."""

    # --- a turn

    def _turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted:
        news = self._fold(events)
        if self._news:
            news, self._news = [*self._news, *news], ()
        self._now = events[-1].time // 1000 * 1000
        commands = self._commands = list[c.AnyCommand]()
        self._is_told = False
        for event in news:
            handle = _HANDLERS.get(event.__class__)
            if handle is not None:
                handle(self, event)
        if self._is_cancelled:
            return TurnCompleted([c.CancelWorkflowExecution()], self._saved.take())
        for update in updates:
            self._ask(update)
        self._go_on()
        if not self._plan.is_shown:
            self._plan.is_shown = True
            memo = {MEMO: _plain.to_payload(listed(self._course))}
            commands.insert(0, c.ModifyWorkflowProperties(memo))
        return TurnCompleted(commands, self._saved.take())

    def _fold(self, events: Sequence[e.Event]) -> Sequence[e.Event]:
        """Take over what older turns saved; what is left is what this turn is for."""
        start, is_new = 0, bool(events) and events[0].id == 1
        for place, event in enumerate(events):
            if event.__class__ is e.WorkflowTaskCompleted:
                start = place + 1
                if is_new and event.state:
                    self._saved.fold(event.state)
        return events[start:]

    def _go_on(self) -> None:
        plan, course = self._plan, self._course
        while course.doing is None:
            # A step goes by one definition from its beginning to its end.
            for asked in course.asked:
                self._is_told = True
                done = plan.replace(asked.command, asked.revision, self._now)
                self._commands.append(c.CompleteUpdate(asked.update_id, (_plain.to_payload(done),)))
            if course.asked:
                course.asked = []
            plan.hear(self._now)
            step = plan.next_step(self._now)
            if isinstance(step, Deal):
                self._deal(step)
            elif isinstance(step, Find):
                self._find(step)
            elif not step and plan.is_over:
                self._keep()
                return
            if course.doing is None and course.steps >= STEPS:
                again = (_plain.to_payload(plan.next_state),)
                self._commands.append(c.ContinueAsNewWorkflowExecution(input=again))
                return
            if not step:
                course.kept_until = 0
                self._set_timer(plan.next_due)
                return

    def _deal(self, deal: Deal) -> None:
        """Start an occasion's run, or have the runs looked at that are open."""
        course, waiting = self._course, deal.waiting
        definition = course.definition
        if not firing.may_start(waiting.overlap, course.open, deal.buffered):
            ask = AskStart(definition, waiting, self._key, course.open, deal.buffered)
            self._have_done(START_ACTIVITY, ask, Doing(waiting))
        elif refused := firing.refusal(definition, self._address.workflow_id):
            self._plan.answered(waiting, Answer(Outcome.FAILED, course.open, error=refused), self._now)
        else:
            request = firing.start_request(definition, waiting, self._key)
            self._commands.append(calls.detached_start(definition.namespace, request, CLOSED_SIGNAL))
            course.doing = Doing(waiting, request.workflow_id)

    def _find(self, find: Find) -> None:
        course, found = self._course, None
        if not find.is_backfill and not course.is_hard:
            found = firing.try_times(find.ask)
            # One turn looks once: what is hard to find would hold up the engine's loop.
            course.is_hard = found is None or not (found.occasions or found.is_last)
        if found is None:
            self._have_done(TIMES_ACTIVITY, find.ask, Doing(is_backfill=find.is_backfill))
        else:
            self._plan.found(found)

    def _have_done(self, activity_type: str, ask: AskTimes | AskStart, doing: Doing) -> None:
        self._course.doing = doing
        name, input = str(self._course.steps), (_plain.to_payload(ask),)
        self._commands.append(c.ScheduleActivityTask(name, activity_type, "", input, retry_policy=_RETRY.policy))

    def _keep(self) -> None:
        """Its last time is past. It ends, at once or when nothing has been said to it for a while."""
        course = self._course
        keep_for = course.definition.keep_for
        if not keep_for or (course.kept_until and not self._is_told and self._now >= course.kept_until):
            self._commands.append(c.CompleteWorkflowExecution())
        elif self._is_told or not course.kept_until:
            course.kept_until = self._now + keep_for
            self._set_timer(course.kept_until)

    def _set_timer(self, due: int) -> None:
        """Have a turn then, and no other time; 0 for none."""
        course = self._course
        if due == course.timer_due:
            return
        if course.timer_due:
            self._commands.append(c.CancelTimer(TIMER))
        if due:
            self._commands.append(c.StartTimer(TIMER, max(SHORTEST_NS, due - self._now)))
        course.timer_due = due

    # --- what has happened

    def _began(self, event: e.WorkflowExecutionStarted) -> None:
        self._plan.begin(self._now)

    def _timer_fired(self, event: e.TimerFired) -> None:
        self._course.timer_due = 0

    def _signaled(self, event: e.WorkflowExecutionSignaled) -> None:
        course = self._course
        if event.signal_name == COMMAND_SIGNAL:
            command = self._read(event, Command)
            course.heard = course.heard if command is None else [*course.heard, command]
        elif event.signal_name == CLOSED_SIGNAL:
            closed = self._read(event, Completion)
            course.closed = course.closed if closed is None else [*course.closed, closed]
        self._is_told = True

    def _read(self, event: e.WorkflowExecutionSignaled, kind: Any) -> Any:
        try:
            return _plain.from_payload(event.input[0], kind) if event.input else None
        except InvalidArgumentError as error:
            log.warning("signal %r to %s was dropped: %s", event.signal_name, self._address.workflow_id, error)
            return None

    def _cancel_requested(self, event: e.WorkflowExecutionCancelRequested) -> None:
        self._is_cancelled = True

    def _run_started(self, event: e.ChildWorkflowExecutionStarted) -> None:
        waiting = self._end_step().waiting
        if waiting is not None:
            started = Started(event.workflow_id, event.run_id, waiting.occasion.nominal, 0)
            self._plan.answered(waiting, Answer(Outcome.STARTED, self._course.open, started), self._now)

    def _run_refused(self, event: e.StartChildWorkflowExecutionFailed) -> None:
        waiting = self._end_step().waiting
        if waiting is not None:
            error = firing.could_not_start(waiting, event.message or event.cause)
            self._plan.answered(waiting, Answer(Outcome.FAILED, self._course.open, error=error), self._now)

    def _activity_completed(self, event: e.ActivityTaskCompleted) -> None:
        doing = self._end_step()
        if doing.waiting is not None:
            self._plan.answered(doing.waiting, _plain.from_payload(event.result[0], Answer), self._now)
        elif doing.is_backfill:
            self._plan.found_back(_plain.from_payload(event.result[0], Times), self._now)
        else:
            self._plan.found(_plain.from_payload(event.result[0], Times))

    def _activity_lost(self, event: e.ActivityTaskFailed | e.ActivityTaskTimedOut | e.ActivityTaskCanceled) -> None:
        """It is tried for ever, so this is somebody's will. Times are looked for again."""
        waiting = self._end_step().waiting
        if waiting is not None:
            error = firing.could_not_start(waiting, f"the activity {START_ACTIVITY} was ended from outside")
            self._plan.answered(waiting, Answer(Outcome.FAILED, self._course.open, error=error), self._now)

    def _end_step(self) -> Doing:
        doing, self._course.doing = self._course.doing, None
        return doing or Doing()

    def _ask(self, update: e.UpdateAdmitted) -> None:
        try:
            if update.update_name != REPLACE_UPDATE:
                raise InvalidArgumentError(f"a schedule has no update {update.update_name!r}, only {REPLACE_UPDATE!r}")
            command, revision = _plain.from_payloads(update.input, (Replace, int))
        except (InvalidArgumentError, ValueError) as error:
            refused = Failure(str(error), type="InvalidArgumentError", source="perdure", non_retryable=True)
            self._commands.append(c.RejectUpdate(update.update_id, refused))
            return
        self._commands.append(c.AcceptUpdate(update.update_id))
        self._course.asked = [*self._course.asked, Asked(update.update_id, command, revision)]

    # --- where it stands

    def _wait(self) -> str:
        course, doing = self._course, self._course.doing
        if doing is not None:
            if doing.workflow_id:
                return f"workflow {doing.workflow_id} to start"
            return f"activity {TIMES_ACTIVITY if doing.waiting is None else START_ACTIVITY}"
        waits = ["a signal"]
        if course.timer_due:
            waits.insert(0, f"its next time, {to_datetime(course.timer_due):%Y-%m-%dT%H:%M:%SZ}")
        if course.open and (course.buffer or course.urgent):
            waits.append(f"the end of workflow {course.open[-1].workflow_id}")
        return " or ".join(waits)


def _failed(error: Exception) -> TurnFailed:
    kind = type(error).__name__
    failure = Failure(f"{kind}: {error}", FailureKind.APPLICATION, type=kind, source="perdure")
    return TurnFailed("WORKFLOW_WORKER_UNHANDLED_FAILURE", failure)


_HANDLERS: dict[type, Callable[[ScheduleProgram, Any], None]] = {
    e.WorkflowExecutionStarted: ScheduleProgram._began,
    e.TimerFired: ScheduleProgram._timer_fired,
    e.WorkflowExecutionSignaled: ScheduleProgram._signaled,
    e.WorkflowExecutionCancelRequested: ScheduleProgram._cancel_requested,
    e.ChildWorkflowExecutionStarted: ScheduleProgram._run_started,
    e.StartChildWorkflowExecutionFailed: ScheduleProgram._run_refused,
    e.ActivityTaskCompleted: ScheduleProgram._activity_completed,
    e.ActivityTaskFailed: ScheduleProgram._activity_lost,
    e.ActivityTaskTimedOut: ScheduleProgram._activity_lost,
    e.ActivityTaskCanceled: ScheduleProgram._activity_lost,
}
