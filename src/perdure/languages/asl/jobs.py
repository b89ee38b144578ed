"""What a Task with ``.sync`` waits for: a job that somebody else does, which is looked at from time to time, or another
execution; and no longer than its time-out.

It waits by timers, so that nothing is lost with a server and nothing is held while a job takes its days. Notes of the line:
``until`` (ns since 1970) is its time-out, ``poll`` the request that looks at the job, ``looks`` how often that was done,
``looking`` whether it is being done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from perdure.languages.asl import calls
from perdure.languages.asl.resources import Resource
from perdure.model import commands as c

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line

SECOND_NS = 10**9
MOST_SECONDS = 30
"""A job is looked at after a second, then after twice as long each time, up to so long."""


def wait(run: Interpreter, line: Line, poll: dict[str, Any]) -> None:
    """The job goes on: look at it later."""
    looks = line.notes.get("looks", -1) + 1
    line.notes = {**line.notes, "submitted": True, "poll": poll, "looks": looks, "looking": False}
    delay = round(min(2**looks, MOST_SECONDS) * SECOND_NS * run.execution.wait_time_scale)
    _timer(run, line, looks, delay)


def limit_begin(run: Interpreter, line: Line) -> None:
    """A job is asked for: no longer than the time-out."""
    if "until" in line.notes:
        run.commands.append(c.StartTimer(_begin_name(line), max(1, line.notes["until"] - run.now_ns)))


def end_begin(run: Interpreter, line: Line) -> None:
    """A job has begun, or could not, or is not wanted any more."""
    if "until" in line.notes and not is_late(run, line):
        run.cancel_timer(_begin_name(line))


def look(run: Interpreter, line: Line, state: State, resource: Resource) -> None:
    """It is time to look at the job."""
    line.notes = {**line.notes, "looking": True}
    run.lines.change(line)
    told = calls.about(run, line, state, resource.text) | {"poll": line.notes["poll"]}
    command = calls.call(_look_name(line), resource.text, None, told)
    if "until" in line.notes:
        left = max(1, line.notes["until"] - run.now_ns)
        command = msgspec.structs.replace(command, schedule_to_close_timeout_ns=left)
    run.commands.append(command)


def limit(run: Interpreter, line: Line) -> None:
    """An execution that is waited for has begun: no longer than the time-out."""
    if "until" in line.notes:
        _timer(run, line, 0, line.notes["until"] - run.now_ns)


def end_limit(run: Interpreter, line: Line) -> None:
    """An execution that was waited for has ended."""
    if "until" in line.notes:
        run.cancel_timer(_timer_name(line, 0))


def is_late(run: Interpreter, line: Line) -> bool:
    """Whether the time-out is over."""
    return "until" in line.notes and bool(run.now_ns >= line.notes["until"])


def drop(run: Interpreter, line: Line) -> None:
    """Nobody wants any more what the line waits for."""
    if "child" in line.notes:
        end_limit(run, line)
    elif line.notes.get("looking"):
        run.cancel_activity(_look_name(line))
    elif "poll" in line.notes and not is_late(run, line):
        run.cancel_timer(_timer_name(line, line.notes["looks"]))
    elif "keeper" in line.notes and "poll" not in line.notes:
        end_begin(run, line)


def _timer(run: Interpreter, line: Line, number: int, delay_ns: int) -> None:
    left = line.notes["until"] - run.now_ns if "until" in line.notes else delay_ns
    run.commands.append(c.StartTimer(_timer_name(line, number), max(1, min(delay_ns, left))))


def _timer_name(line: Line, number: int) -> str:
    return f"{line.id}:{line.sequence}:{number}"


def _begin_name(line: Line) -> str:
    return f"{line.id}:{line.sequence}:begin"


def _look_name(line: Line) -> str:
    return f"{line.id}:{line.sequence}:look{line.notes['looks']}"
