"""Events, as a table and as JSON."""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import Any

from perdure.cli.output import FAINT, STRONG, Output
from perdure.cli.times import TimeStyle
from perdure.cli.values import UNLIMITED, attribute_text, jsonable
from perdure.model import events as e
from perdure.model.events import Event

_LIMIT = 100
_LEAST_FOR_ATTRIBUTES = 40
_PAGE = 200

# What is worth seeing at a glance, in this order; --full and --json show the rest.
ATTRIBUTES: dict[type[Event], tuple[str, ...]] = {
    e.WorkflowExecutionStarted: (
        "workflow_type",
        "input",
        "attempt",
        "first_workflow_task_backoff_ns",
        "initiator",
        "continued_execution_run_id",
        "parent",
        "identity",
    ),
    e.WorkflowExecutionCompleted: ("result", "new_execution_run_id"),
    e.WorkflowExecutionFailed: ("failure", "retry_state", "new_execution_run_id"),
    e.WorkflowExecutionTimedOut: ("retry_state", "new_execution_run_id"),
    e.WorkflowExecutionContinuedAsNew: ("new_execution_run_id", "workflow_type", "input", "backoff_start_interval_ns"),
    e.WorkflowExecutionCanceled: ("details",),
    e.WorkflowExecutionTerminated: ("reason", "details", "identity"),
    e.WorkflowExecutionCancelRequested: ("cause", "external_workflow_execution", "identity"),
    e.WorkflowExecutionSignaled: ("signal_name", "input", "external_workflow_execution", "identity"),
    e.WorkflowExecutionPaused: ("reason", "identity"),
    e.WorkflowExecutionUnpaused: ("reason", "identity"),
    e.WorkflowExecutionOptionsUpdated: ("pinned_build_id", "identity"),
    e.WorkflowTaskScheduled: ("task_queue",),
    e.WorkflowTaskStarted: ("identity", "suggest_continue_as_new"),
    e.WorkflowTaskCompleted: ("build_id", "state"),
    e.WorkflowTaskTimedOut: ("timeout_type",),
    e.WorkflowTaskFailed: ("cause", "failure", "base_run_id", "build_id"),
    e.ActivityTaskScheduled: ("activity_type", "activity_id", "input", "task_queue"),
    e.ActivityTaskStarted: ("scheduled_event_id", "attempt", "last_failure", "identity"),
    e.ActivityTaskCompleted: ("scheduled_event_id", "result"),
    e.ActivityTaskFailed: ("scheduled_event_id", "failure", "retry_state"),
    e.ActivityTaskTimedOut: ("scheduled_event_id", "failure", "retry_state"),
    e.ActivityTaskCancelRequested: ("scheduled_event_id",),
    e.ActivityTaskCanceled: ("scheduled_event_id", "details"),
    e.TimerStarted: ("timer_id", "start_to_fire_timeout_ns"),
    e.TimerFired: ("timer_id", "started_event_id"),
    e.TimerCanceled: ("timer_id", "started_event_id"),
    e.MarkerRecorded: ("marker_name", "details"),
    e.UpsertWorkflowSearchAttributes: ("search_attributes",),
    e.WorkflowPropertiesModified: ("upserted_memo",),
    e.StartChildWorkflowExecutionInitiated: ("workflow_type", "workflow_id", "input", "parent_close_policy"),
    e.StartChildWorkflowExecutionFailed: ("initiated_event_id", "workflow_id", "cause"),
    e.ChildWorkflowExecutionStarted: ("initiated_event_id", "workflow_id", "run_id"),
    e.ChildWorkflowExecutionCompleted: ("initiated_event_id", "workflow_id", "result"),
    e.ChildWorkflowExecutionFailed: ("initiated_event_id", "workflow_id", "failure", "retry_state"),
    e.ChildWorkflowExecutionCanceled: ("initiated_event_id", "workflow_id", "details"),
    e.ChildWorkflowExecutionTimedOut: ("initiated_event_id", "workflow_id", "retry_state"),
    e.ChildWorkflowExecutionTerminated: ("initiated_event_id", "workflow_id"),
    e.SignalExternalWorkflowExecutionInitiated: ("workflow_execution", "signal_name", "input"),
    e.SignalExternalWorkflowExecutionFailed: ("initiated_event_id", "workflow_execution", "cause"),
    e.ExternalWorkflowExecutionSignaled: ("initiated_event_id", "workflow_execution"),
    e.RequestCancelExternalWorkflowExecutionInitiated: ("workflow_execution", "reason"),
    e.RequestCancelExternalWorkflowExecutionFailed: ("initiated_event_id", "workflow_execution", "cause"),
    e.ExternalWorkflowExecutionCancelRequested: ("initiated_event_id", "workflow_execution"),
    e.WorkflowExecutionUpdateAccepted: ("update_name", "protocol_instance_id", "input", "identity"),
    e.WorkflowExecutionUpdateCompleted: ("accepted_event_id", "update_id", "result", "failure"),
    e.NexusOperationScheduled: ("endpoint", "service", "operation", "input", "schedule_to_close_timeout_ns"),
    e.NexusOperationStarted: ("scheduled_event_id", "operation_token"),
    e.NexusOperationCompleted: ("scheduled_event_id", "result"),
    e.NexusOperationFailed: ("scheduled_event_id", "failure"),
    e.NexusOperationCanceled: ("scheduled_event_id", "failure"),
    e.NexusOperationTimedOut: ("scheduled_event_id", "failure"),
    e.NexusOperationCancelRequested: ("scheduled_event_id",),
    e.NexusOperationCancelRequestCompleted: ("requested_event_id", "scheduled_event_id"),
    e.NexusOperationCancelRequestFailed: ("requested_event_id", "scheduled_event_id", "failure"),
}

# Turns are bookkeeping, failures are what one looks for.
_FAINT = (e.WorkflowTaskScheduled, e.WorkflowTaskStarted, e.WorkflowTaskCompleted)
_STYLES: dict[str, str] = {
    "Completed": "green",
    "Failed": "red",
    "TimedOut": "red",
    "Canceled": "magenta",
    "Terminated": "magenta",
}


def event_json(event: Event) -> dict[str, Any]:
    """An event as a program sees it: number, time, type, and all attributes of that type."""
    attributes: dict[str, Any] = jsonable(event)
    return {
        "event_id": attributes.pop("id"),
        "time": attributes.pop("time"),
        "type": event.__class__.__name__,
        "attributes": attributes,
    }


def print_events(
    output: Output, style: TimeStyle, events: Sequence[Event], *, full: bool, with_header: bool = True
) -> None:
    """One line for each event; ``full`` adds one for each attribute that says something. ``with_header`` False goes on
    with what was begun."""
    if not events:
        return
    if output.is_terminal:
        _print_days(output, style, events, full)
    else:
        _print_lines(output, style, events, full, with_header)


def _print_lines(output: Output, style: TimeStyle, events: Iterable[Event], full: bool, with_header: bool) -> None:
    """For pipes: the same columns whatever the events are, so that they can be searched and compared."""
    if with_header:
        output.line(f"{'ID':>5}  {'TIME':<29}  {'TYPE':<36}  ATTRIBUTES")
    for event in events:
        time = style.moment(event.time, milliseconds=True)
        output.line(
            f"{event.id:>5}  {time}  {event.__class__.__name__:<36}  ", "" if full else _at_a_glance(event, style)
        )
        if full:
            for name, text in _all_attributes(event, style):
                output.line(f"         {name}: {text}")


def _print_days(output: Output, style: TimeStyle, events: Sequence[Event], full: bool) -> None:
    """For people: the day once, then times of day, and attributes below the type where there is no room beside it."""
    from rich.table import Table
    from rich.text import Text

    type_width = max(len(event.__class__.__name__) for event in events)
    id_width = len(str(events[-1].id))
    has_room = output.width - id_width - type_width - 18 >= _LEAST_FOR_ATTRIBUTES
    for day, of_day in groupby(events, lambda event: style.day(event.time)):
        output.line((day, STRONG))
        remaining = iter(of_day)
        while page := list(islice(remaining, _PAGE)):
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(justify="right", min_width=id_width, no_wrap=True)
            grid.add_column(no_wrap=True)
            grid.add_column(min_width=type_width if has_room else 0, no_wrap=has_room, overflow="fold")
            grid.add_column(overflow="fold")
            for event in page:
                name = Text(event.__class__.__name__, _style(event))
                text = Text("" if full else _at_a_glance(event, style), FAINT if isinstance(event, _FAINT) else "")
                if full:
                    text = Text("\n").join(
                        Text.assemble((f"{name}: ", FAINT), text) for name, text in _all_attributes(event, style)
                    )
                if not has_room and text:
                    name, text = Text("\n").join((name, text)), Text()
                grid.add_row(Text(str(event.id), FAINT), Text(style.clock(event.time), FAINT), name, text)
            output.render(grid)


def _style(event: Event) -> str:
    if isinstance(event, _FAINT):
        return FAINT
    name = event.__class__.__name__
    return next((style for end, style in _STYLES.items() if name.endswith(end)), "")


def _at_a_glance(event: Event, style: TimeStyle) -> str:
    texts = ((name, attribute_text(name, getattr(event, name), style, _LIMIT)) for name in ATTRIBUTES[event.__class__])
    return "  ".join(f"{_short(name)}={text}" for name, text in texts if text)


def _all_attributes(event: Event, style: TimeStyle) -> list[tuple[str, str]]:
    names = [name for name in event.__struct_fields__ if name not in ("id", "time")]
    texts = ((name, attribute_text(name, getattr(event, name), style, UNLIMITED)) for name in names)
    return [(_short(name), text) for name, text in texts if text]


def _short(name: str) -> str:
    """Durations show their own unit."""
    return name.removesuffix("_ns").removesuffix("_event_id")
