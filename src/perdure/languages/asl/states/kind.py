"""What the interpreter asks of a type of state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl.data import Data
from perdure.languages.asl.failure import StateFailure
from perdure.model import events as e
from perdure.model.errors import InvariantError

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line


class Kind:
    """A type of state: what happens when it is entered, and when something happens that it waits for.

    All methods may raise ``StateFailure``: the state has failed then. ``failed_event`` is what AWS's history says when it
    has, if anything.
    """

    failed_event = ""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """The line is in the state now, or tries it again."""
        raise NotImplementedError

    def activity_ended(self, run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
        """An activity that the line waits for has ended; ``name`` is its activity id."""
        raise InvariantError(f"a {state.kind} state waits for no activity")

    def timer_fired(self, run: Interpreter, line: Line, state: State) -> None:
        """The timer that the line waits for has fired."""
        raise InvariantError(f"a {state.kind} state waits for no timer")

    def child_changed(self, run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
        """A child workflow that the line waits for has started or closed."""
        raise InvariantError(f"a {state.kind} state waits for no child workflow")

    def job_begun(self, run: Interpreter, line: Line, state: State, answer: dict[str, Any]) -> None:
        """The keeper of the job that the line waits for has begun it; ``answer`` is the service's."""
        raise InvariantError(f"a {state.kind} state waits for no job")

    def line_ended(self, run: Interpreter, line: Line, state: State, child: Line, output: Data) -> None:
        """A line that the state began has come to its end."""
        raise InvariantError(f"a {state.kind} state has no lines")

    def line_failed(self, run: Interpreter, line: Line, state: State, child: Line, failure: StateFailure) -> None:
        """A line that the state began has failed."""
        raise failure

    def redrive(self, run: Interpreter, line: Line, state: State) -> None:
        """What the line waited for has failed the execution, or was lost with it, and the execution is redriven."""
        line.attempt, line.retries = 0, {}
        run.again(line)

    def drop(self, run: Interpreter, line: Line) -> None:
        """Nobody wants any more what the line waits for."""
