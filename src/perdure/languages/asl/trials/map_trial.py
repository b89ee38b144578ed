"""What a Map goes over, when it is tried alone; its iterations are a mock."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from perdure.expressions.located_json import InvalidJson, parse
from perdure.languages.asl import item_reader, map_items, templates
from perdure.languages.asl.failure import StateFailure

if TYPE_CHECKING:
    from perdure.languages.asl.trials.trial import Trial


def note(trial: Trial) -> None:
    """Notes the items, how many at once, and how many may fail."""
    effective = trial.effective()
    found = items(trial, effective)
    batched(trial, effective, selected(trial, effective, found))
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
        pointer = fields["ItemReader"].get("ReaderConfig", {}).get("ItemsPointer")
        if pointer and text:
            try:
                found = item_reader.pointed(found, pointer)
            except (LookupError, ValueError, TypeError) as e:
                raise StateFailure(
                    "States.ItemReaderFailed", f"The ItemsPointer {pointer} leads nowhere: {e}"
                ) from None
            trial.note("afterItemsPointer", found)
        return found if isinstance(found, list) else [found]
    found = map_items.items_in(trial.state, scope)
    if "ItemsPath" in fields:
        trial.note("afterItemsPath", found)
    return found


def selected(trial: Trial, effective: Any, found: list[Any]) -> list[Any]:
    fields = trial.state.fields
    if "ItemSelector" not in fields:
        return found
    fill = templates.fill_jsonata if trial.state.is_jsonata else templates.fill
    chosen = []
    for index, item in enumerate(found):
        context = {**trial.scope.context, "Map": {"Item": {"Index": index, "Value": item}}}
        scope = replace(trial.scope, input=effective, context=context)
        chosen.append(fill(fields["ItemSelector"], scope, field="ItemSelector"))
    trial.note("afterItemSelector", chosen)
    return chosen


def batched(trial: Trial, effective: Any, chosen: list[Any]) -> None:
    state, scope = trial.state, replace(trial.scope, input=effective)
    batcher = state.fields.get("ItemBatcher")
    if batcher is None:
        return
    bounds = item_reader.bounds_of(state, chosen, scope)
    given: dict[str, Any] = {}
    if "BatchInput" in batcher:
        fill = templates.fill_jsonata if state.is_jsonata else templates.fill
        given["BatchInput"] = fill(batcher["BatchInput"], scope, field="BatchInput")
    parts = [{**given, "Items": chosen[start:end]} for start, end in pairwise(bounds)]
    trial.note("afterItemBatcher", parts)


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
