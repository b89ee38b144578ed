"""A run of a Python workflow, as the engine sees it: ``model.program.Program``.

Live and in replay the same thing happens. Events come in order. Those that answer something resolve a future; those
that a command led to are compared with what the code asked for. At each ``WorkflowTaskStarted`` the loop runs until
nothing is ready any more, at that event's time - unless that turn came to nothing, which the next event about it says.
Then the commands that were added are the turn's.
"""

import asyncio
import atexit
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from math import inf
from threading import get_ident
from typing import Any, TypeVar, TypeVarTuple

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import DeadlockError, NonDeterminismError
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.program import TurnCompleted, TurnFailed
from perdure.model.trace_context import passed_on
from perdure.sdk.calls import PendingChild
from perdure.sdk.closing import FailureTypes, closing_command
from perdure.sdk.converter import Converter
from perdure.sdk.deadlock import stage_of_thread
from perdure.sdk.definitions import WorkflowDefinition
from perdure.sdk.failures import to_failure
from perdure.sdk.inspection import must_be_profiled, profile
from perdure.sdk.loop import Timer, WorkflowLoop
from perdure.sdk.mailbox import mailbox_of
from perdure.sdk.matching import RULES, Expected
from perdure.sdk.operations import PendingOperation
from perdure.sdk.run import IN_QUERY, OVER, Awaited, Run, log
from perdure.sdk.turns import TurnInterrupted, stages

T = TypeVar("T")
A = TypeVarTuple("A")

UNHANDLED_FAILURE = "WORKFLOW_WORKER_UNHANDLED_FAILURE"
NON_DETERMINISTIC_ERROR = "NON_DETERMINISTIC_ERROR"
RESET_WORKFLOW = "RESET_WORKFLOW"


@dataclass(frozen=True)
class ProgramSettings:
    """What programs of one worker have in common.

    ``failure_types`` extend each workflow's own. ``deadlock_timeout_seconds`` is how long one turn may take; None for
    any time. ``build_id`` names the code.
    """

    failure_types: FailureTypes = ()
    deadlock_timeout_seconds: float | None = 2.0
    build_id: str = ""


# A program that is forgotten without being closed must not be collected either: see ``teardown``.
_open_programs: set["PythonProgram"] = set()


@atexit.register
def _close_programs() -> None:
    for program in list(_open_programs):
        program.close()


class PythonProgram:
    """One run's coroutines between turns."""

    __slots__ = ("_expected", "_in_hand", "_limit", "_run", "error")

    def __init__(
        self,
        definition: WorkflowDefinition,
        address: RunAddress,
        started: e.WorkflowExecutionStarted,
        converter: Converter,
        settings: ProgramSettings = ProgramSettings(),  # frozen
    ) -> None:
        types = definition.options.failure_types + settings.failure_types
        loop = WorkflowLoop(started.time)  # type: ignore[abstract]  # what it does not have is refused at run time
        run = self._run = loop.run = Run(
            definition,
            address,
            started,
            converter,
            types,
            settings.build_id,
            loop,
            address.run_id,
            memo=started.memo,
            search_attributes=started.search_attributes,
            header=passed_on(started.header, address.run_id) if started.header else None,
        )
        self._expected = Expected()
        limit = settings.deadlock_timeout_seconds
        self._limit = limit if limit is not None else inf
        # What the last failure was made from.
        self.error: BaseException | None = None
        # Whether a turn was taken whose WorkflowTaskCompleted has not come back yet.
        self._in_hand = False
        if must_be_profiled(definition):
            run.profile = profile
        _open_programs.add(self)

    # --- the protocol

    def turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted | TurnFailed:
        """As ``Program.turn``."""
        return self._watched(self._turn, events, updates)

    def _turn(self, events: Sequence[e.Event], updates: Sequence[e.UpdateAdmitted]) -> TurnCompleted:
        run = self._run
        self._feed(events, len(events) - 1)
        self._begin_turn(events[-1])
        if run.loop.ready:
            self._settle()
        for update in updates:
            self._deliver(update)
        commands, awaiting = self._end_turn()
        if updates:
            self._expect_accepted(commands, awaiting)
        else:
            self._expected.expect(commands, awaiting)
            self._in_hand = True
        return TurnCompleted(commands)

    def catch_up(self, events: Sequence[e.Event]) -> TurnFailed | None:
        """As ``Program.catch_up``."""
        return self._watched(self._catch_up, events)

    def _catch_up(self, events: Sequence[e.Event]) -> None:
        self._feed(events, len(events))
        self._expected.end(None)

    def query(self, name: str, input: Payloads, header: PayloadMap | None = None) -> Payloads | Failure:
        """As ``Program.query``."""
        answer = self._watched(self._query, name, input)
        return answer.failure if isinstance(answer, TurnFailed) else answer

    def _query(self, name: str, input: Payloads) -> Payloads:
        run = self._run
        barred, run.barred = run.barred, IN_QUERY
        # No replay asks a query again, so its code may look at the clock.
        run.is_guarded = False
        try:
            return (mailbox_of(run).answer(name, input),)
        finally:
            run.is_guarded = True
            run.barred = barred

    def _watched(self, step: Callable[[*A], T], *args: *A) -> T | TurnFailed:
        """Run user code.

        Inside the run's loop, with the watchdog looking on, and with whatever it raises turned into a failure.
        """
        stage = stages.get(get_ident()) or stage_of_thread()
        stuck = ""
        result: T | TurnFailed
        try:
            try:
                stage.enter(self._run, self._limit)
                result = step(*args)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                result = self._failed(error)
            finally:
                stuck = stage.leave()
        except TurnInterrupted:
            # Raised when the turn had just ended; then what should have followed is done here.
            stuck = stage.leave() or stuck or "an unknown line"
        if stuck:
            return self._failed(self._deadlock(stuck))
        return result

    def _deadlock(self, stuck: str) -> DeadlockError:
        run = self._run
        return DeadlockError(
            f"A turn of workflow {run.definition.name!r} ({run.address.workflow_id}) did not end in {self._limit:g} "
            f"seconds; it was at {stuck}. Heavy work belongs in an activity, and waiting in an await"
        )

    @property
    def turn_event_id(self) -> int:
        """The number of the event that its present or last turn began with; 0 before the first."""
        turn = self._run.turn
        return 0 if turn is None else turn.id

    def close(self) -> None:
        """As ``Program.close``."""
        _open_programs.discard(self)
        self.error = None
        self._run.close()

    # --- events

    def _feed(self, events: Sequence[e.Event], end: int) -> None:
        """Apply the events before ``end``, repeating the turns among them."""
        if end > 2 and events[0].__class__ is e.WorkflowExecutionStarted:
            self._run.seed = _first_seed(events) or self._run.seed
        for index in range(end):
            event = events[index]
            kind = event.__class__
            if kind in _APPLY:
                _APPLY[kind](self, event)
            elif kind is e.WorkflowTaskStarted and not self._in_hand:
                self._repeat_turn(events, index)

    def _repeat_turn(self, events: Sequence[e.Event], index: int) -> None:
        """A turn of the past: take it again if it was completed."""
        for later in range(index + 1, len(events)):
            kind = events[later].__class__
            if kind is e.WorkflowTaskCompleted:
                break
            if kind is e.WorkflowTaskFailed or kind is e.WorkflowTaskTimedOut or kind is e.WorkflowTaskStarted:
                return
        else:
            return
        run = self._run
        run.is_replaying = True
        run.history, run.history_index = events, index
        self._begin_turn(events[index])
        if run.loop.ready:
            self._settle()
        for position in range(later + 1, len(events)):
            event = events[position]
            if isinstance(event, e.WorkflowExecutionUpdateAccepted):
                self._deliver_again(event)
            elif isinstance(event, e.WorkflowTaskStarted):
                break
        self._expected.expect(*self._end_turn())
        run.is_replaying = False
        run.history = ()

    # --- turns

    def _begin_turn(self, started: e.Event) -> None:
        assert started.__class__ is e.WorkflowTaskStarted
        expected, run = self._expected, self._run
        if expected.position < len(expected.commands):
            expected.end(started)
        run.loop.now_ns = started.time
        run.turn = started
        if run.commands:
            run.commands = []
            run.awaiting = []

    def _settle(self) -> None:
        """Run until nothing is ready and no condition becomes true."""
        run, loop = self._run, self._run.loop
        loop.run_ready()
        while run.conditions is not None:
            run.check_conditions()
            if not loop.ready:
                break
            loop.run_ready()

    def _end_turn(self) -> tuple[list[c.AnyCommand], list[Awaited | None]]:
        run = self._run
        if run.main.done() or run.outcome is not None:
            run.add(closing_command(run))
            if not run.is_replaying:
                self._warn_of_open_handlers()
                run.report_lost_failures()
        commands, awaiting = run.commands, run.awaiting
        if run.has_gaps:
            run.has_gaps = False
            kept = [index for index, command in enumerate(commands) if command is not None]
            commands = [commands[index] for index in kept]
            awaiting = [awaiting[index] for index in kept]
        return commands, awaiting  # type: ignore[return-value]  # without the gaps

    def _expect_accepted(self, commands: list[c.AnyCommand], awaiting: list[Awaited | None]) -> None:
        """Expect the events of these commands; the history does not know rejected updates."""
        kept = [index for index, command in enumerate(commands) if command.__class__ is not c.RejectUpdate]
        self._expected.expect([commands[index] for index in kept], [awaiting[index] for index in kept])
        # Nor does it know turns that only rejected.
        self._in_hand = bool(kept)

    def _failed(self, error: BaseException) -> TurnFailed:
        self.error = error
        cause = NON_DETERMINISTIC_ERROR if isinstance(error, NonDeterminismError) else UNHANDLED_FAILURE
        return TurnFailed(cause, to_failure(error, self._run.converter))

    # --- messages

    def _deliver(self, update: e.UpdateAdmitted) -> None:
        """Let the code accept or reject an update. A run that has just ended does neither."""
        run = self._run
        if run.main.done() or run.outcome is not None:
            return
        mailbox = mailbox_of(run)
        try:
            handler, args = mailbox.validate(update.update_name, update.input)
        except Exception as error:
            run.add(c.RejectUpdate(update.update_id, to_failure(error, run.converter)))
            return
        mailbox.accept(update.update_id, handler, args)
        self._settle()

    def _deliver_again(self, event: e.WorkflowExecutionUpdateAccepted) -> None:
        mailbox = mailbox_of(self._run)
        try:
            handler, args = mailbox.open_update(event.update_name, event.input)
        except Exception as error:
            raise NonDeterminismError(
                f"At event {event.id}, the update {event.update_name!r} was accepted, but now it cannot be: {error}",
                event_id=event.id,
            ) from error
        mailbox.accept(event.protocol_instance_id, handler, args)
        self._settle()

    def _warn_of_open_handlers(self) -> None:
        run = self._run
        if run.mailbox is not None and run.mailbox.open_count:
            log.warning(
                "workflow %s (run %s) ended while handlers were still at work: %s; "
                "wait for workflow.all_handlers_finished before the end",
                run.address.workflow_id,
                run.address.run_id,
                ", ".join(run.mailbox.open_names),
                extra=run.log_fields,
            )

    # --- what events do

    def _on_command(self, event: e.Event) -> None:
        self._expected.match(self._run, event)

    def _on_started(self, event: e.WorkflowExecutionStarted) -> None:
        run, definition = self._run, self._run.definition
        args = run.converter.from_payloads(event.input, definition.parameter_types)
        context = Context()
        if definition.cls is not None:
            run.instance = context.run(definition.cls)
            coroutine = run.instance.run(*args)
        else:
            assert definition.fn is not None
            coroutine = definition.fn(*args)
        run.main = asyncio.Task(coroutine, loop=run.loop, name=definition.name, context=context)

    def _on_task_completed(self, event: e.WorkflowTaskCompleted) -> None:
        self._in_hand = False

    def _on_task_failed(self, event: e.WorkflowTaskFailed) -> None:
        if event.cause == RESET_WORKFLOW:
            # Up to here it was another run. What comes now is this run's own, and must not be the same as the other's.
            self._run.seed = event.new_run_id
            self._run.chance = None

    def _on_signaled(self, event: e.WorkflowExecutionSignaled) -> None:
        mailbox_of(self._run).deliver(event)

    def _on_cancel_requested(self, event: e.WorkflowExecutionCancelRequested) -> None:
        run = self._run
        run.cancel_requested = True
        # Not at once: what came before it, above all the first step of a new run, comes before it here too.
        run.loop.call_soon(run.main.cancel, event.cause or "the workflow was asked to cancel", context=Context())

    def _on_activity_ended(self, event: Any) -> None:
        pending = self._run.pending.pop(event.scheduled_event_id, None)
        if pending is not None:
            pending.settle(event)

    def _on_timer_fired(self, event: e.TimerFired) -> None:
        timer: Timer | None = self._run.pending.pop(event.started_event_id, None)
        if timer is not None:
            timer.event_id = OVER
            self._run.loop.ready.append(timer)

    def _on_answered(self, event: Any) -> None:
        pending = self._run.pending.pop(event.initiated_event_id, None)
        if pending is not None:
            pending.settle(event)

    def _on_child_started(self, event: e.ChildWorkflowExecutionStarted) -> None:
        pending: PendingChild | None = self._run.pending.get(event.initiated_event_id)
        if pending is not None:
            pending.run_id = event.run_id
            if not pending.started.done():
                pending.started.set_result(event)

    def _on_operation_started(self, event: e.NexusOperationStarted) -> None:
        pending: PendingOperation | None = self._run.pending.get(event.scheduled_event_id)
        if pending is not None:
            pending.accept(event)


_APPLY: dict[type[e.Record], Callable[[PythonProgram, Any], None]] = {
    **dict.fromkeys(RULES, PythonProgram._on_command),
    e.WorkflowExecutionStarted: PythonProgram._on_started,
    e.WorkflowExecutionSignaled: PythonProgram._on_signaled,
    e.WorkflowExecutionCancelRequested: PythonProgram._on_cancel_requested,
    e.WorkflowTaskCompleted: PythonProgram._on_task_completed,
    e.WorkflowTaskFailed: PythonProgram._on_task_failed,
    e.ActivityTaskCompleted: PythonProgram._on_activity_ended,
    e.ActivityTaskFailed: PythonProgram._on_activity_ended,
    e.ActivityTaskTimedOut: PythonProgram._on_activity_ended,
    e.ActivityTaskCanceled: PythonProgram._on_activity_ended,
    e.TimerFired: PythonProgram._on_timer_fired,
    e.ChildWorkflowExecutionStarted: PythonProgram._on_child_started,
    e.StartChildWorkflowExecutionFailed: PythonProgram._on_answered,
    e.ChildWorkflowExecutionCompleted: PythonProgram._on_answered,
    e.ChildWorkflowExecutionFailed: PythonProgram._on_answered,
    e.ChildWorkflowExecutionCanceled: PythonProgram._on_answered,
    e.ChildWorkflowExecutionTimedOut: PythonProgram._on_answered,
    e.ChildWorkflowExecutionTerminated: PythonProgram._on_answered,
    e.SignalExternalWorkflowExecutionFailed: PythonProgram._on_answered,
    e.ExternalWorkflowExecutionSignaled: PythonProgram._on_answered,
    e.RequestCancelExternalWorkflowExecutionFailed: PythonProgram._on_answered,
    e.ExternalWorkflowExecutionCancelRequested: PythonProgram._on_answered,
    e.NexusOperationStarted: PythonProgram._on_operation_started,
    e.NexusOperationCompleted: PythonProgram._on_activity_ended,
    e.NexusOperationFailed: PythonProgram._on_activity_ended,
    e.NexusOperationCanceled: PythonProgram._on_activity_ended,
    e.NexusOperationTimedOut: PythonProgram._on_activity_ended,
}
"""What events do to a program. To those that are not here, ``WorkflowTaskStarted`` apart, it pays no attention."""


def _first_seed(events: Sequence[e.Event]) -> str:
    """The run that a copied history was copied from first; empty when it is no copy."""
    for event in events:
        if isinstance(event, e.WorkflowTaskFailed) and event.cause == RESET_WORKFLOW:
            return event.base_run_id
    return ""
