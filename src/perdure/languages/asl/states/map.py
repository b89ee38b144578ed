"""The Map state, inline: an iteration for each item, so many at once. A distributed one is handed to ``map_run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl import map_items, map_run
from perdure.languages.asl.data import Data, raw
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.said import said
from perdure.languages.asl.states.kind import Kind
from perdure.languages.asl.states.parallel import LINES
from perdure.model import events as e

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line

INLINE_AT_ONCE = 40
"""AWS's limit; more are begun as others end."""


class Map(Kind):
    """Begins a line for each item, and gathers what they give."""

    failed_event = "MapStateFailed"

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        if map_run.is_distributed(state):
            map_run.enter(run, line, state)
            return
        items = map_items.items_of(run, line, state)
        at_once = map_items.concurrency(run, line, state)
        if any(name.startswith("Tolerated") for name in state.fields):
            map_items.tolerated(run, line, state)  # an inline Map tolerates no failure, but the fields must be right
        length = len(items)
        run.log(line, "MapStateStarted", {"length": raw(length)})
        run.wait(line, LINES, left=length, next=0)
        run.lines.keep(line.id, "items", Data(items))
        if not items:
            self._gather(run, line, state, 0)
            return
        for _ in range(min(length, at_once or INLINE_AT_ONCE, INLINE_AT_ONCE)):
            self._begin_next(run, line, state)

    def line_ended(self, run: Interpreter, line: Line, state: State, child: Line, output: Data) -> None:
        """As ``Kind.line_ended``."""
        run.log(child, "MapIterationSucceeded", {"index": raw(child.index), "name": state.name_raw}, leads=False)
        notes = line.notes
        left = notes["left"] - 1
        line.notes = {**notes, "left": left}
        run.lines.keep(line.id, f"result {child.index}", output)
        line.previous = child.previous
        run.lines.remove(child.id)
        length = len(run.lines.values[line.id]["items"].value)
        if notes["next"] < length:
            self._begin_next(run, line, state)
        elif not left:
            self._gather(run, line, state, length)

    def line_failed(self, run: Interpreter, line: Line, state: State, child: Line, failure: StateFailure) -> None:
        """As ``Kind.line_failed``."""
        run.log(child, "MapIterationFailed", {"index": raw(child.index), "name": state.name_raw}, leads=False)
        line.previous = child.previous
        run.drop_line(child, is_failed=True)
        run.drop_children(line)
        raise said(failure)

    def activity_ended(self, run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
        """As ``Kind.activity_ended``: of a distributed Map."""
        map_run.activity_ended(run, line, state, name, event)

    def child_changed(self, run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
        """As ``Kind.child_changed``: of a distributed Map."""
        map_run.child_changed(run, line, state, name, event)

    def redrive(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.redrive``: of a distributed Map."""
        line.attempt, line.retries = 0, {}
        map_run.redrive(run, line, state)

    def drop(self, run: Interpreter, line: Line) -> None:
        """As ``Kind.drop``."""
        if line.waits != LINES:
            map_run.drop(run, line)

    def _begin_next(self, run: Interpreter, line: Line, state: State) -> None:
        index = line.notes["next"]
        line.notes = {**line.notes, "next": index + 1}
        run.lines.change(line)
        states = map_items.processor_pointer(state)
        item = run.lines.values[line.id]["items"].value[index]
        previous = run.log(line, "MapIterationStarted", {"index": raw(index), "name": state.name_raw}, leads=False)
        given = map_items.selected(run, line, state, index, item)
        start_at = run.definition.states(states).start_at
        run.add_line(line.id, index, states, start_at, Data(given), previous)

    def _gather(self, run: Interpreter, line: Line, state: State, length: int) -> None:
        run.log(line, "MapStateSucceeded", {}, leads=False)
        kept = run.lines.values.get(line.id, {})
        results: list[Any] = [kept[f"result {index}"].value for index in range(length)]
        run.lines.clear(line.id)
        run.succeed(line, state, results)
