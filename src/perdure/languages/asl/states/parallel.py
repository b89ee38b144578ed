"""The Parallel state: branches at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.languages.asl import state_data
from perdure.languages.asl.data import Data
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.said import said
from perdure.languages.asl.states.kind import Kind

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line

LINES = "lines"


class Parallel(Kind):
    """Begins a line for each branch, and gathers what they give."""

    failed_event = "ParallelStateFailed"

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        given = line.input
        run.log(line, "ParallelStateStarted", {})
        if not state.is_plain:
            scope = run.scope(line, state)
            effective = state_data.effective_input(state, line.input.value, scope)
            given = run.data(line, state_data.arguments(state, effective, scope))
        branches = len(state.fields["Branches"])
        run.wait(line, LINES, left=branches)
        for index in range(branches):
            states = f"{state.pointer}/Branches/{index}"
            start_at = run.definition.states(states).start_at
            run.add_line(line.id, index, states, start_at, given, line.previous)

    def line_ended(self, run: Interpreter, line: Line, state: State, child: Line, output: Data) -> None:
        """As ``Kind.line_ended``."""
        left = line.notes["left"] - 1
        line.notes = {"left": left}
        run.lines.keep(line.id, f"result {child.index}", output)
        line.previous = child.previous
        run.lines.remove(child.id)
        if left:
            return
        run.log(line, "ParallelStateSucceeded", {}, leads=False)
        kept = run.lines.values[line.id]
        results = [kept[f"result {index}"].value for index in range(len(state.fields["Branches"]))]
        run.lines.clear(line.id)
        run.succeed(line, state, results)

    def line_failed(self, run: Interpreter, line: Line, state: State, child: Line, failure: StateFailure) -> None:
        """As ``Kind.line_failed``."""
        line.previous = child.previous
        run.drop_line(child, is_failed=True)
        run.drop_children(line)
        raise said(failure)
