"""The Wait state: a timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl import paths, state_data, templates, timestamps
from perdure.languages.asl.failure import StateFailure, query_evaluation
from perdure.languages.asl.json_text import compact
from perdure.languages.asl.states.kind import Kind

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.scope import Scope

TIMER = "timer"
MOST_SECONDS = 2**31 - 1


class Wait(Kind):
    """Waits for some seconds, or for a time."""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        if state.is_fixed and "Seconds" in state.fields:
            seconds = float(state.fields["Seconds"])
        else:
            scope = run.scope(line, state)
            scope.input = state_data.effective_input(state, line.input.value, scope)
            seconds = seconds_of(state, scope, run.now_ns)
        if seconds <= 0:
            self.timer_fired(run, line, state)
            return
        name = run.wait(line, TIMER)
        run.start_timer(name, seconds)

    def timer_fired(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.timer_fired``."""
        effective = line.input.value
        if not state.is_plain:
            effective = state_data.effective_input(state, effective, run.scope(line, state))
        run.succeed(line, state, effective, effective)

    def drop(self, run: Interpreter, line: Line) -> None:
        """As ``Kind.drop``."""
        run.cancel_timer(f"{line.id}:{line.sequence}")


def seconds_of(state: State, scope: Scope, now_ns: int) -> float:
    """How long a Wait waits; less than 0 for a time that has passed.

    Args:
        state: the Wait.
        scope: what it may see; ``input`` is the effective input.
        now_ns: ns since 1970.

    Raises:
        StateFailure: what it reads is no number of seconds and no time, or is too long.
    """
    seconds = _seconds(state, scope, now_ns)
    if seconds > MOST_SECONDS:
        raise StateFailure("States.Runtime", "Wait state delay is too long.")
    return seconds


def _seconds(state: State, scope: Scope, now_ns: int) -> float:
    fields = state.fields
    if "Seconds" in fields:
        seconds = fields["Seconds"]
        if templates.is_jsonata(seconds):
            seconds = templates.evaluate_jsonata(seconds, scope, field="Seconds", expected="integer")
            if seconds < 0:
                raise query_evaluation("Seconds cannot be negative.", "Seconds")
        return float(seconds)
    if "SecondsPath" in fields:
        return _from_path(fields["SecondsPath"], scope)
    if "TimestampPath" in fields:
        path = fields["TimestampPath"]
        text = paths.read(path, scope, field="TimestampPath")
        moment = _moment(text)
        if moment is None:
            raise StateFailure(
                "States.Runtime",
                "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
                f"{path} == {_shown(text)}",
            )
        return (moment - now_ns) / 1e9
    text = fields["Timestamp"]
    if templates.is_jsonata(text):
        text = templates.evaluate_jsonata(text, scope, field="Timestamp", expected="string")
    moment = _moment(text)
    if moment is None:
        raise StateFailure(
            "States.QueryEvaluationError" if state.is_jsonata else "States.Runtime",
            f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}",
            "Timestamp" if state.is_jsonata else None,
        )
    return (moment - now_ns) / 1e9


def _from_path(path: str, scope: Scope) -> float:
    seconds = paths.read(path, scope, field="SecondsPath")
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise StateFailure(
            "States.Runtime",
            f"The SecondsPath parameter references a negative or non-integer value: {path} == {_shown(seconds)}",
        )
    return float(seconds)


def _moment(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return timestamps.instant(text)
    except ValueError:
        return None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)
