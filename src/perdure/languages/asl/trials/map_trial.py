"""What a Map goes over, when it is tried alone; its iterations are a mock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perdure.expressions.located_json import InvalidJson, parse
from perdure.languages.asl import paths, templates
from perdure.languages.asl.failure import StateFailure, query_evaluation, runtime
from perdure.languages.asl.json_text import compact

if TYPE_CHECKING:
    from perdure.languages.asl.trials.trial import Trial

NUMBERS = {
    "ToleratedFailureCount": "toleratedFailureCount",
    "ToleratedFailurePercentage": "toleratedFailurePercentage",
}


def note(trial: Trial) -> None:
    """Notes the items, how many at once, and how many may fail."""
    effective = trial.effective()
    found = items(trial, effective)
    selected(trial, effective, found)
    trial.notes["maxConcurrency"] = number(trial, effective, "MaxConcurrency") or 0
    for field, name in NUMBERS.items():
        value = number(trial, effective, field)
        if value is not None:
            trial.notes[name] = float(value) if field.endswith("Percentage") else value


def items(trial: Trial, effective: Any) -> list[Any]:
    fields, scope = trial.state.fields, replace(trial.scope, input=effective)
    if "ItemReader" in fields:
        text = trial.request.configuration.get("mapItemReaderData")
        try:
            found = parse(text) if text else []
        except InvalidJson as e:
            raise StateFailure("States.ItemReaderFailed", e.message) from None
        return found if isinstance(found, list) else [found]
    if trial.state.is_jsonata:
        if "Items" not in fields:
            found = effective
        elif templates.is_jsonata(fields["Items"]):
            found = templates.evaluate_jsonata(fields["Items"], scope, field="Items", expected="array")
        else:
            found = templates.fill_jsonata(fields["Items"], scope, field="Items")
        if not isinstance(found, list):
            raise query_evaluation(f"Map state input must be an array but was: {compact(found)}")
        return found
    path = fields.get("ItemsPath", "$")
    found = paths.read(path, scope, field="ItemsPath")
    if not isinstance(found, list):
        if "ItemsPath" not in fields:
            raise runtime(f"Map state input must be an array but was: {compact(found)}")
        shown = path.removeprefix("$") if path.startswith("$$") else path
        raise runtime(f'Reference path "{shown}" must point to array.')
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


def number(trial: Trial, effective: Any, field: str) -> int | float | None:
    """The value of a field of a number, of its path, or of its expression; None if there is none of them."""
    fields, scope = trial.state.fields, replace(trial.scope, input=effective)
    if f"{field}Path" in fields:
        value = paths.read(fields[f"{field}Path"], scope, field=f"{field}Path")
        kind = "float" if field.endswith("Percentage") else "integer"
        if isinstance(value, bool) or not isinstance(value, int | float):
            shown = value if isinstance(value, str) else compact(value)
            raise runtime(
                f'The {field}Path field refers to value "{shown}" which is not a valid {kind}: {fields[f"{field}Path"]}'
            )
    elif templates.is_jsonata(fields.get(field)):
        kind = "number" if field.endswith("Percentage") else "integer"
        value = templates.evaluate_jsonata(fields[field], scope, field=field, expected=kind)
    else:
        value = fields.get(field)
    if field.endswith("Percentage") and value is not None and not 0 <= value <= 100:
        raise runtime("ToleratedFailurePercentage must be between 0 and 100.")
    found: int | float | None = value
    return found


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
