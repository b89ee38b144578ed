"""States that wait for nothing: Pass, Succeed, Fail, Choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.languages.asl import choices, state_data, templates
from perdure.languages.asl.failure import StateFailure, runtime
from perdure.languages.asl.said import Said
from perdure.languages.asl.scope import ABSENT
from perdure.languages.asl.states.kind import Kind

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.scope import Scope


class Pass(Kind):
    """Passes its input on, or a fixed result."""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        if state.is_plain:
            run.succeed(line, state, line.input)
            return
        scope = run.scope(line, state)
        effective = state_data.effective_input(state, line.input.value, scope)
        worked_on = state_data.arguments(state, effective, scope)
        outcome = worked_on if state.is_jsonata else state.fields.get("Result", worked_on)
        run.succeed(line, state, outcome, outcome)


class Succeed(Kind):
    """Ends its line well."""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        if state.is_plain:
            run.succeed(line, state, line.input)
            return
        effective = state_data.effective_input(state, line.input.value, run.scope(line, state))
        run.succeed(line, state, effective, effective)


class Fail(Kind):
    """Ends its line with an error."""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        scope = None if state.fields.keys() <= _FIXED and not state.is_jsonata else run.scope(line, state)
        raise Said(text_of(state, scope, "Error") or "", text_of(state, scope, "Cause") or "")


_FIXED = {"Type", "Comment", "QueryLanguage", "Error", "Cause"}


def text_of(state: State, scope: Scope | None, field: str) -> str | None:
    """Error or Cause of a Fail state, or None without it.

    Args:
        state: the Fail.
        scope: what it may see; None where nothing is evaluated.
        field: "Error" or "Cause".

    Raises:
        StateFailure: what it reads is not there, or no text.
    """
    fields = state.fields
    if scope is not None and field + "Path" in fields:
        text = templates.reference(fields[field + "Path"], scope, field=field + "Path")
        if not isinstance(text, str):
            raise runtime(f"The {field}Path field '{fields[field + 'Path']}' must resolve to a string")
        return text
    if scope is not None and state.is_jsonata and templates.is_jsonata(fields.get(field)):
        answer: str = templates.evaluate_jsonata(fields[field], scope, field=field, expected="string")
        return answer
    found: str | None = fields.get(field)
    return found


_CHANGED = {"Assign", "Output"}


class Choice(Kind):
    """Goes where the first rule that holds says."""

    def enter(self, run: Interpreter, line: Line, state: State) -> None:
        """As ``Kind.enter``."""
        scope = run.scope(line, state)
        whole = line.input.value
        effective = state_data.effective_input(state, whole, scope)
        scope.input = effective
        fields = state.fields
        within = ""
        language = "JSONata" if state.is_jsonata else "JSONPath"
        for index, rule in enumerate(state.fields["Choices"]):
            if choices.matches(rule, scope, language, index=index):
                # What is assigned, and what goes out, is the rule's own affair; without one, the state's.
                fields, next, within = rule, rule["Next"], f"Choices[{index}]/"
                break
        else:
            next = state.fields.get("Default")
            if next is None:
                raise StateFailure(
                    "States.NoChoiceMatched",
                    "Failed to transition out of the state. The state does not point to a next state.",
                )
        if effective is whole and fields.keys().isdisjoint(_CHANGED) and "OutputPath" not in state.fields:
            run.leave(line, state, next, line.input, {})
            return
        if state.is_jsonata:
            seen = state_data.in_jsonata(scope, whole, result=ABSENT)
            output = state_data.output(state, fields, whole, whole, seen, within=within)
            assigned = state_data.assigned(state, fields, whole, seen, within=within)
        else:
            shown = {"OutputPath": state.fields["OutputPath"]} if "OutputPath" in state.fields else {}
            output = state_data.output(state, shown, whole, effective, scope)
            assigned = state_data.assigned(state, fields, effective, scope, within=within)
        run.leave(line, state, next, run.data(line, output), assigned)


__all__ = ["Choice", "Fail", "Pass", "Succeed"]
