"""A distributed Map: a Map run, whose iterations are child executions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.model import events as e

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line


def is_distributed(state: State) -> bool:
    """Whether a Map is distributed."""
    processor = state.fields.get("ItemProcessor", {})
    return bool(processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


def enter(run: Interpreter, line: Line, state: State) -> None:
    """The Map begins."""


def activity_ended(run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
    """An ItemReader or a ResultWriter has ended."""


def child_changed(run: Interpreter, line: Line, state: State, name: str, event: e.Event) -> None:
    """A child execution has started or closed."""


def drop(run: Interpreter, line: Line) -> None:
    """Nobody wants the Map run any more."""
