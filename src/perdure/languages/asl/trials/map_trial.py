"""What a Map goes over, when it is tried alone; its iterations are a mock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perdure.expressions.located_json import InvalidJson, parse
from perdure.languages.asl import map_items, templates
from perdure.languages.asl.failure import StateFailure

if TYPE_CHECKING:
    from perdure.languages.asl.trials.trial import Trial


def note(trial: Trial) -> None:
    """Notes the items, how many at once, and how many may fail."""
    effective = trial.effective()
    found = items(trial, effective)
    selected(trial, effective, found)
    state, scope = trial.state, replace(trial.scope, input=effective)
    trial.notes["maxConcurrency"] = map_items.number(state, state.fields, "MaxConcurrency", scope)
    if not state.fields.keys().isdisjoint(("ToleratedFailureCount", "ToleratedFailureCountPath")):
        trial.notes["toleratedFailureCount"] = map_items.number(state, state.fields, "ToleratedFailureCount", scope)
    if not state.fields.keys().isdisjoint(("ToleratedFailurePercentage", "ToleratedFailurePercentagePath")):
        trial.notes["toleratedFailurePercentage"] = map_items.percentage(state, scope)


def items(trial: Trial, effective: Any) -> list[Any]:
    fields, scope = trial.state.fields, replace(trial.scope, input=effective)
    if "ItemReader" in fields:
        text = trial.request.configuration.get("mapItemReaderData")
        try:
            found = parse(text) if text else []
        except InvalidJson as e:
            raise StateFailure("States.ItemReaderFailed", e.message) from None
        return found if isinstance(found, list) else [found]
    found = map_items.items_in(trial.state, scope)
    if "ItemsPath" in fields:
        trial.note("afterItemsPath", found)
    return found


def selected(trial: Trial, effective: Any, found: list[Any]) -> None:
    fields = trial.state.fields
    if "ItemSelector" not in fields:
        return
    fill = templates.fill_jsonata if trial.state.is_jsonata else templates.fill
    chosen = []
    for index, item in enumerate(found):
        context = {**trial.scope.context, "Map": {"Item": {"Index": index, "Value": item}}}
        scope = replace(trial.scope, input=effective, context=context)
        chosen.append(fill(fields["ItemSelector"], scope, field="ItemSelector"))
    trial.note("afterItemSelector", chosen)


def exceeded(trial: Trial) -> StateFailure | None:
    """The failure of a Map more of whose iterations failed than may; None if it goes on.

    As AWS has it, any number may where the state names none.
    """
    failures = trial.request.configuration.get("mapIterationFailureCount", 0)
    count = trial.notes.get("toleratedFailureCount")
    percentage = trial.notes.get("toleratedFailurePercentage")
    total = len(trial.request.result) if isinstance(trial.request.result, list) else failures
    if (count is not None and failures > count) or (
        percentage is not None and total and failures * 100 / total > percentage
    ):
        return StateFailure(
            "States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"
        )
    return None
