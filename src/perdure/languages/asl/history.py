"""AWS's view of a run: its own events, read from the states that the turns saved, and how the run ended."""

from collections.abc import Sequence
from typing import Any

import msgspec

from perdure.languages.asl.data import decode
from perdure.languages.asl.execution import execution_of
from perdure.languages.asl.lines import Entry, log_of
from perdure.model import events as e

TEXTS = {"input", "output", "parameters"}
WHOLE = {"truncated": False}
NO_DETAILS = {
    "LambdaFunctionStarted",
    "MapRunAborted",
    "MapRunSucceeded",
    "MapStateAborted",
    "MapStateFailed",
    "MapStateSucceeded",
    "ParallelStateAborted",
    "ParallelStateFailed",
    "ParallelStateStarted",
    "ParallelStateSucceeded",
    "TaskStateAborted",
    "WaitStateAborted",
}


class Outcome(msgspec.Struct, frozen=True):
    """How an execution ended, as DescribeExecution says it: SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""

    status: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None


def outcome(closing: e.Event) -> Outcome:
    """How a run ended, from its last event."""
    match closing:
        case e.WorkflowExecutionCompleted(result=result):
            return Outcome("SUCCEEDED", result[0].data.decode() if result else "null")
        case e.WorkflowExecutionFailed(failure=failure):
            return Outcome("FAILED", error=failure.type or None, cause=failure.message or None)
        case e.WorkflowExecutionTimedOut():
            return Outcome("TIMED_OUT", error="States.Timeout")
        case e.WorkflowExecutionTerminated(details=details, reason=reason):
            said = decode(details[0].data) if details else {}
            if not isinstance(said, dict):
                said = {}
            return Outcome(
                "ABORTED", error=said.get("error"), cause=said.get("cause") or (None if details else reason or None)
            )
        case _:
            return Outcome("ABORTED")


class Turn(msgspec.Struct, frozen=True):
    """What AWS shows of one turn, or of what closed a run.

    Args:
        event_id: of the run's event that holds it.
        started_time: when the turn began, in ns since 1970.
        events: AWS's.
    """

    event_id: int
    started_time: int
    events: list[dict[str, Any]]


def aws_events(events: Sequence[e.Event]) -> list[dict[str, Any]]:
    """AWS's events of a run, as GetExecutionHistory answers them; any first part of a history will do.

    Args:
        events: of the run, from the first.
    """
    return [shown for turn in aws_turns(events) for shown in turn.events]


def aws_turns(events: Sequence[e.Event], number: int = 0, started_time: int = 0) -> list[Turn]:
    """As ``aws_events``, by turns, and from any place of a history on.

    Args:
        events: of the run, from some event on.
        number: of AWS's last event before them, which the turns of newer versions say themselves.
        started_time: when the turn began that they begin in the middle of, in ns since 1970.
    """
    turns: list[Turn] = []
    for event in events:
        match event:
            case e.WorkflowTaskStarted():
                started_time = event.time
            case e.WorkflowTaskCompleted(state=state) if state:
                entries, before = log_of(state)
                number = before or number
                shown = [_event(number + place, started_time, entry) for place, entry in enumerate(entries, 1)]
                number += len(shown)
                if shown:
                    turns.append(Turn(event.id, started_time, shown))
    if turns and isinstance(events[0], e.WorkflowExecutionStarted):
        _fill_first(turns[0].events[0], events[0])
    if (turns or number) and events:
        _fill_last(turns, events[-1], number)
    return turns


def _fill_first(shown: dict[str, Any], first: e.WorkflowExecutionStarted) -> None:
    """What the first event says is in the run's own."""
    execution = execution_of(first.input)
    shown["timestamp"] = first.time / 1e9
    shown["executionStartedEventDetails"] = {
        "input": first.input[0].data.decode() if first.input else "{}",
        "inputDetails": WHOLE,
        "roleArn": execution.role_arn if execution is not None else "",
    }


def _fill_last(turns: list[Turn], last: e.Event, number: int) -> None:
    """What the last event says is in the run's own."""
    shown = turns[-1].events[-1] if turns else {}
    match last:
        case e.WorkflowExecutionCompleted():
            output = outcome(last).output
            shown["executionSucceededEventDetails"] = {"output": output, "outputDetails": WHOLE}
        case e.WorkflowExecutionFailed():
            shown["executionFailedEventDetails"] = _why(outcome(last))
        case e.WorkflowExecutionTimedOut():
            ended = _last(number, last, "ExecutionTimedOut", "executionTimedOutEventDetails")
            turns.append(Turn(last.id, last.time, [ended]))
        case e.WorkflowExecutionTerminated() | e.WorkflowExecutionCanceled():
            ended = _last(number, last, "ExecutionAborted", "executionAbortedEventDetails")
            turns.append(Turn(last.id, last.time, [ended]))
        case _:
            pass


def _last(number: int, closing: e.Event, type: str, details: str) -> dict[str, Any]:
    return {
        "timestamp": closing.time / 1e9,
        "type": type,
        "id": number + 1,
        "previousEventId": 0,
        details: _why(outcome(closing)),
    }


def _why(ended: Outcome) -> dict[str, str]:
    said = {"error": ended.error, "cause": ended.cause}
    return {name: text for name, text in said.items() if text is not None}


def _event(number: int, time_ns: int, entry: Entry) -> dict[str, Any]:
    event: dict[str, Any] = {
        "timestamp": time_ns / 1e9,
        "type": entry.type,
        "id": number,
        "previousEventId": entry.previous,
    }
    if entry.type in NO_DETAILS:
        return event
    details: dict[str, Any] = {}
    for name, raw in entry.details.items():
        if name in TEXTS:
            details[name] = bytes(raw).decode()
            if name != "parameters":
                details[f"{name}Details"] = WHOLE
        else:
            details[name] = decode(raw)
            if name == "assignedVariables":
                details["assignedVariablesDetails"] = WHOLE
    event[_details_name(entry.type)] = details
    return event


def _details_name(type: str) -> str:
    if type.endswith("StateEntered"):
        return "stateEnteredEventDetails"
    if type.endswith("StateExited"):
        return "stateExitedEventDetails"
    return f"{type[0].lower()}{type[1:]}EventDetails"
