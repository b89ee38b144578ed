"""Whatever is done to a definition, it is refused or it runs to an end; and TestState answers or refuses."""

import copy
import json
import random

import pytest
from tests.languages.asl.playing import Failed, play

from perdure.languages.asl.checks import check
from perdure.languages.asl.trials import About, Trial, TrialRefused

ITEMS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
TASK = {
    "Type": "Task",
    "Resource": "work",
    "TimeoutSeconds": 9,
    "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1.5}],
    "Next": "E",
}
PATHS = {
    "InputPath": "$.a",
    "Parameters": {"x.$": "$.b", "y.$": "States.Format('{}', $.b)"},
    "ResultSelector": {"r.$": "$"},
    "ResultPath": "$.out",
    "OutputPath": "$.out",
    "Assign": {"v.$": "$.r"},
}
CATCH = {"ErrorEquals": ["States.ALL"], "Next": "E"}
MACHINES = [
    {"S": {**TASK, **PATHS, "Catch": [{**CATCH, "ResultPath": "$.error", "Assign": {"e.$": "$.Error"}}]}},
    {"S": {**TASK, "QueryLanguage": "JSONata", "Arguments": {"x": "{% $states.input.a.b %}"}, "Output": "{% $states.result %}",
           "Catch": [{**CATCH, "Output": "{% $states.errorOutput %}", "Assign": {"e": "{% $states.errorOutput.Error %}"}}]}},
    {"S": {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": {"i.$": "$$.Map.Item.Value"}, "MaxConcurrencyPath": "$.n",
           "ItemProcessor": ITEMS, "ResultPath": "$.out", "Next": "E"}},
    {"S": {"Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $states.input.items %}", "MaxConcurrency": "{% 1 %}",
           "ItemProcessor": {**ITEMS, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
           "ItemBatcher": {"MaxItemsPerBatch": 2}, "ToleratedFailurePercentage": 50, "Next": "E"}},
    {"S": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Wait", "SecondsPath": "$.n", "End": True}}}],
           "ResultSelector": {"r.$": "$[0]"}, "Catch": [CATCH], "Next": "E"}},
    {"S": {"Type": "Choice", "Default": "E", "Choices": [
        {"And": [{"Variable": "$.n", "NumericGreaterThan": 1}, {"Not": {"Variable": "$.s", "IsPresent": True}}], "Next": "E"},
        {"Variable": "$.s", "StringMatches": "a*", "Next": "E", "Assign": {"v.$": "$.n"}}]}},
    {"S": {"Type": "Choice", "QueryLanguage": "JSONata", "Default": "E", "Choices": [
        {"Condition": "{% $states.input.n > 1 %}", "Next": "E", "Output": {"o": "{% $states.input %}"}, "Assign": {"v": 1}}]}},
]  # fmt: skip
VALUES = [
    None, True, 0, -1, 1.5, "", "x", "$", "$.a", "$$.Execution", "$v", "$.a[*]", "$..a", "$.items[?(@.b>1)]", "$.items.max()",
    "States.Array(1)", "{% 1 %}", "{% $states %}", "{% $nothing %}", "{% [1..3] %}", "{% $error('x') %}", "{% function($x){$x} %}",
    "{% 1/0 %}", [], {}, [1], {"a": 1}, {"a.$": "$.a"}, {"a": "{% $v %}"}, "2020-01-01T00:00:00Z",
]  # fmt: skip
GIVEN = [{"a": {"b": 1}, "items": [1, {"b": 2}], "n": 2, "s": "abc"}, {}, [], "text", 5]


def places(value, place=()):
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*place, key))


def mutated(machine, chance):
    found = copy.deepcopy(machine)
    place = chance.choice([place for place in places(found) if place])
    holder = found
    for key in place[:-1]:
        holder = holder[key]
    if chance.random() < 0.2:
        del holder[place[-1]]
    elif isinstance(holder[place[-1]], dict) and chance.random() < 0.5:
        fields = [
            "InputPath",
            "Output",
            "Assign",
            "ResultPath",
            "Result",
            "Items",
            "Comment",
            "QueryLanguage",
            "Credentials",
        ]
        holder[place[-1]][chance.choice(fields)] = copy.deepcopy(chance.choice(VALUES))
    else:
        holder[place[-1]] = copy.deepcopy(chance.choice(VALUES))
    return found


@pytest.mark.parametrize("number", range(len(MACHINES)))
def test_a_definition_is_refused_or_runs_to_its_end(number):
    chance = random.Random(number)
    machine = {"StartAt": "S", "States": {**MACHINES[number], "E": {"Type": "Pass", "End": True}}}
    assert not check(json.dumps(machine))
    ran = 0

    def answer(*_):
        if chance.random() < 0.4:
            raise Failed("Boom", "why")
        return chance.choice([None, {"b": 1}, [1], "s"])

    for _ in range(200):
        text, given = json.dumps(mutated(machine, chance)), chance.choice(GIVEN)
        request = {"definition": text, "stateName": "S", "input": json.dumps(given), "roleArn": "arn:aws:iam::1:role/r"}
        for mock in ({}, {"mock": {"result": "[]"}}):
            try:
                Trial({**request, **mock}, About("111111111111", seed="s"))
            except TrialRefused:
                pass
        if any(one.severity == "ERROR" for one in check(text)):
            continue
        played = play(text, given, answer, event_limit=200)
        assert played.outcome.status in ("SUCCEEDED", "FAILED", "TIMED_OUT"), text
        ran += 1
    assert ran > 5
