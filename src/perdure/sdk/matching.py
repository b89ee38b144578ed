"""Whether the code does again what the history says it did.

The commands of a turn become events in the same order, behind that turn's ``WorkflowTaskCompleted``. So live and in
replay alike, a program remembers what it has just asked for and compares, event by event. This is also how it learns
the events' numbers.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.errors import NonDeterminismError
from perdure.model.payloads import Payloads
from perdure.sdk.run import PROGRESS_KEY, Awaited, Run

PATCH_MARKER = "patch"
SIDE_EFFECT_MARKER = "side_effect"

HINT = (
    "The code has changed in a way that this run cannot follow, or it does something that is not the same every time. "
    "Keep the old path behind workflow.patched(), or let runs that began before the change finish on the old code."
)


class Rule:
    """Which command an event belongs to, and what must be the same in both.

    ``names`` are attributes, dotted where they are nested; a pair where the event and the command call it differently.
    """

    __slots__ = ("command", "command_names", "event_names", "of_command", "of_event")

    def __init__(self, command: type[c.Command], *names: str | tuple[str, str]) -> None:
        pairs = [(name, name) if isinstance(name, str) else name for name in names]
        self.command = command
        self.event_names = [event for event, _ in pairs]
        self.command_names = [command for _, command in pairs]
        self.of_event: Callable[[Any], Any] = attrgetter(*self.event_names) if pairs else _nothing
        self.of_command: Callable[[Any], Any] = attrgetter(*self.command_names) if pairs else _nothing

    @classmethod
    def comparing(cls, command: type[c.Command], key: Callable[[Any], Any]) -> "Rule":
        """A rule that compares what ``key`` gives for the event and for the command."""
        rule = cls(command)
        rule.of_event = rule.of_command = key
        return rule

    def fits(self, event: Any, command: c.AnyCommand) -> bool:
        """Whether the event is the command's."""
        return command.__class__ is self.command and bool(self.of_event(event) == self.of_command(command))


def _nothing(_: object) -> None:
    return None


def marker_id(details: dict[str, Payloads]) -> str:
    """The name in a marker that the SDK recorded; empty in others."""
    payloads = details.get("id")
    return str(msgspec.json.decode(payloads[0].data)) if payloads else ""


def is_progress(payloads: dict[str, Any]) -> bool:
    """Whether a change of the memo only reports progress, which code may begin or cease to do at any time."""
    return len(payloads) == 1 and PROGRESS_KEY in payloads


_TARGET = "workflow_execution.workflow_id"

RULES: dict[type[e.Record], Rule] = {
    e.ActivityTaskScheduled: Rule(c.ScheduleActivityTask, "activity_id", "activity_type"),
    e.ActivityTaskCancelRequested: Rule(c.RequestCancelActivityTask, "scheduled_event_id"),
    e.TimerStarted: Rule(c.StartTimer, "timer_id", "start_to_fire_timeout_ns"),
    e.TimerCanceled: Rule(c.CancelTimer, "timer_id"),
    e.MarkerRecorded: Rule.comparing(c.RecordMarker, lambda it: (it.marker_name, marker_id(it.details))),
    e.UpsertWorkflowSearchAttributes: Rule(c.UpsertWorkflowSearchAttributes),
    e.WorkflowPropertiesModified: Rule.comparing(c.ModifyWorkflowProperties, lambda it: is_progress(it.upserted_memo)),
    e.StartChildWorkflowExecutionInitiated: Rule(c.StartChildWorkflowExecution, "workflow_id", "workflow_type"),
    e.SignalExternalWorkflowExecutionInitiated: Rule(c.SignalExternalWorkflowExecution, _TARGET, "signal_name"),
    e.RequestCancelExternalWorkflowExecutionInitiated: Rule(c.RequestCancelExternalWorkflowExecution, _TARGET),
    e.NexusOperationScheduled: Rule(c.ScheduleNexusOperation, "endpoint", "service", "operation"),
    e.NexusOperationCancelRequested: Rule(c.RequestCancelNexusOperation, "scheduled_event_id"),
    e.WorkflowExecutionUpdateAccepted: Rule(c.AcceptUpdate, ("protocol_instance_id", "update_id")),
    e.WorkflowExecutionUpdateCompleted: Rule(c.CompleteUpdate, "update_id"),
    e.WorkflowExecutionCompleted: Rule(c.CompleteWorkflowExecution),
    e.WorkflowExecutionFailed: Rule(c.FailWorkflowExecution),
    e.WorkflowExecutionCanceled: Rule(c.CancelWorkflowExecution),
    e.WorkflowExecutionContinuedAsNew: Rule(c.ContinueAsNewWorkflowExecution),
}
"""Every event that a command leads to."""

_RULE_OF_COMMAND = {rule.command: rule for rule in RULES.values()}


class Expected(msgspec.Struct):
    """The commands of the last turn whose events have not come yet: those from ``position`` on."""

    commands: list[c.AnyCommand] = []
    awaiting: list[Awaited | None] = []
    position: int = 0

    def expect(self, commands: list[c.AnyCommand], awaiting: list[Awaited | None]) -> None:
        """A turn has ended with these commands."""
        self.commands = commands
        self.awaiting = awaiting
        self.position = 0

    def match(self, run: Run, event: Any) -> None:
        """The next event of a command. Raises ``NonDeterminismError`` when the code asked for something else."""
        position = self.position
        if position < len(self.commands) and RULES[event.__class__].fits(event, self.commands[position]):
            awaited = self.awaiting[position]
            if awaited is not None:
                awaited.event_id = event.id
                run.pending[event.id] = awaited
            self.position = position + 1
        elif _may_stand_alone(event):
            return
        elif position < len(self.commands) and _may_be_missing(self.commands[position]):
            self.position = position + 1
            self.match(run, event)
        else:
            raise _mismatch(event, self.commands[position] if position < len(self.commands) else None)

    def end(self, event: e.Event | None) -> None:
        """There will be no more events of that turn: ``event`` is the first of what follows, if anything does."""
        for command in self.commands[self.position :]:
            if not _may_be_missing(command):
                where = f"event {event.id} ({type(event).__name__})" if event is not None else "the end of the history"
                raise NonDeterminismError(
                    f"Before {where}, the code asked for {_describe_command(command)}, "
                    f"but the history has no such event. {HINT}",
                    event_id=event.id if event is not None else 0,
                )


def _may_stand_alone(event: Any) -> bool:
    """Whether the code need not have asked for this event."""
    if isinstance(event, e.MarkerRecorded):
        return event.marker_name == PATCH_MARKER and "deprecated" in event.details
    return isinstance(event, e.WorkflowPropertiesModified) and is_progress(event.upserted_memo)


def _may_be_missing(command: c.AnyCommand) -> bool:
    """Whether the history need not have an event for this command."""
    return isinstance(command, c.ModifyWorkflowProperties) and is_progress(command.upserted_memo)


def _mismatch(event: Any, command: c.AnyCommand | None) -> NonDeterminismError:
    did = _describe_command(command) if command is not None else "nothing more in that turn"
    return NonDeterminismError(
        f"At event {event.id}, the history has {_describe_event(event)}, but the code asked for {did}. {HINT}",
        event_id=event.id,
    )


def _describe_event(event: Any) -> str:
    rule = RULES[event.__class__]
    return _describe(event, rule.event_names)


def _describe_command(command: c.AnyCommand) -> str:
    rule = _RULE_OF_COMMAND.get(command.__class__)
    return _describe(command, rule.command_names if rule is not None else [])


def _describe(record: Any, names: list[str]) -> str:
    parts = [f"{name.rpartition('.')[2]}={attrgetter(name)(record)!r}" for name in names]
    if isinstance(record, (e.MarkerRecorded, c.RecordMarker)):
        parts = [f"marker_name={record.marker_name!r}", f"id={marker_id(record.details)!r}"]
    return f"{type(record).__name__}({', '.join(parts)})"
