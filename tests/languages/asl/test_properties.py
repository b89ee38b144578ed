"""Small random machines: the interpreter gives what a direct, naive evaluator gives, also when its program is made anew for
each turn; and what is saved for an item of a Map does not grow with their number."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.languages.asl.playing import Failed, Play, play

Machine = dict[str, Any]


class Error(Exception):
    """A state failed; all failures of these machines are alike."""


FAILURE = {"Error": "E", "Cause": "because"}


# --- machines


@st.composite
def machines(draw: st.DrawFn, depth: int = 2, prefix: str = "s") -> Machine:
    """States one after the other, which may jump over some; each value is an object with a number n and an array xs."""
    count = draw(st.integers(1, 4))
    names = [f"{prefix}{number}" for number in range(count)]
    states = {name: draw(_state(depth, name, names[number + 1 :])) for number, name in enumerate(names)}
    return {"StartAt": names[0], "States": states}


paths: st.SearchStrategy[str | None] = st.sampled_from(["$.r", "$.n", None])


@st.composite
def _state(draw: st.DrawFn, depth: int, name: str, later: list[str]) -> dict[str, Any]:
    kinds = ["Pass", "Task", "Fail", "Wait", "Succeed"] + (["Choice"] if later else [])
    kind = draw(st.sampled_from(kinds + ["Parallel", "Map"] * 2 if depth else kinds))
    state: dict[str, Any] = {"Type": kind}
    match kind:
        case "Fail":
            return state | FAILURE
        case "Succeed":
            return state
        case "Choice":
            rule = {
                "Variable": "$.n",
                "NumericGreaterThan": draw(st.integers(-2, 4)),
                "Next": draw(st.sampled_from(later)),
            }
            return state | {"Choices": [rule], "Default": draw(st.sampled_from(later))}
        case "Pass":
            if draw(st.booleans()):
                state["Result"] = {"n": draw(st.integers(-2, 4)), "xs": draw(st.lists(st.integers(-2, 4), max_size=3))}
            elif draw(st.booleans()):
                state |= {"Result": draw(st.integers(0, 9)), "ResultPath": draw(paths)}
        case "Wait":
            state["Seconds"] = draw(st.integers(0, 3))
        case "Task":
            state["Resource"] = draw(st.sampled_from(["add", "add", "fail"]))
        case "Parallel":
            count = draw(st.integers(1, 3))
            state["Branches"] = [draw(machines(depth - 1, f"{name}b{number}")) for number in range(count)]
            state["ResultPath"] = "$.p"
        case "Map":
            state["ItemProcessor"] = draw(machines(depth - 1, f"{name}i"))
            state["ItemsPath"] = "$.xs"
            state["ItemSelector"] = {"n.$": "$$.Map.Item.Value", "xs.$": "States.Array($$.Map.Item.Value, $.n)"}
            state["MaxConcurrency"] = draw(st.integers(0, 2))
            state["ResultPath"] = "$.m"
        case _:
            pass
    if kind in ("Task", "Parallel", "Map"):
        if draw(st.booleans()):
            state["Retry"] = [{"ErrorEquals": ["E"], "MaxAttempts": draw(st.integers(0, 2))}]
        if draw(st.booleans()) and later:
            name = draw(st.sampled_from(["E", "States.ALL", "Other"]))
            state["Catch"] = [{"ErrorEquals": [name], "Next": draw(st.sampled_from(later)), "ResultPath": "$.e"}]
    return state | ({"Next": later[0]} if later else {"End": True})


# --- the naive evaluator


def naive(machine: Machine, value: dict[str, Any]) -> dict[str, Any]:
    """What a machine makes of a value. Raises ``Error``."""
    name = machine["StartAt"]
    while True:
        state = machine["States"][name]
        try:
            value, following = _step(state, value)
        except Error:
            catcher = next((c for c in state.get("Catch", []) if c["ErrorEquals"] != ["Other"]), None)
            if catcher is None:
                raise
            value, following = {**value, "e": FAILURE}, catcher["Next"]
        if following is None:
            return value
        name = following


def _step(state: dict[str, Any], value: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    following = state.get("Next")
    match state["Type"]:
        case "Fail":
            raise Error
        case "Succeed":
            return value, None
        case "Choice":
            rule = state["Choices"][0]
            return value, rule["Next"] if value["n"] > rule["NumericGreaterThan"] else state["Default"]
        case "Task":
            if state["Resource"] == "fail":
                raise Error
            return {**value, "n": value["n"] + 1}, following
        case "Parallel":
            return {**value, "p": [naive(branch, value) for branch in state["Branches"]]}, following
        case "Map":
            processor = state["ItemProcessor"]
            given = [{"n": item, "xs": [item, value["n"]]} for item in value["xs"]]
            return {**value, "m": [naive(processor, one) for one in given]}, following
        case "Pass" if "Result" in state:
            path = state.get("ResultPath", "$")
            if path is None:
                return value, following
            return state["Result"] if path == "$" else {**value, path[2:]: state["Result"]}, following
        case _:
            return value, following


def answer(played: Play, activity_type: str, value: dict[str, Any], call: object) -> object:
    if activity_type == "fail":
        raise Failed("E", "because")
    return {**value, "n": value["n"] + 1}


# --- the properties


@settings(max_examples=150, deadline=None)
@given(machines(), st.integers(-2, 4), st.lists(st.integers(-2, 4), max_size=3), st.booleans())
def test_the_interpreter_gives_what_a_naive_evaluator_gives(machine, n, xs, forgets):
    value = {"n": n, "xs": xs}
    played = play(machine, value, answer, forgets=forgets)
    try:
        expected: tuple[str, Any] = "SUCCEEDED", naive(machine, value)
    except Error:
        expected = "FAILED", FAILURE
    ended = played.outcome
    got = json.loads(ended.output) if ended.output is not None else {"Error": ended.error, "Cause": ended.cause}
    assert (ended.status, got) == expected
    _check_events(played)


def _check_events(played: Play) -> None:
    """AWS's events are numbered, follow earlier ones, and whatever is left had been entered."""
    entered: list[str] = []
    for number, event in enumerate(played.events, 1):
        assert event["id"] == number
        assert 0 <= event["previousEventId"] < number
        if "stateEnteredEventDetails" in event:
            entered.append(event["stateEnteredEventDetails"]["name"])
        elif "stateExitedEventDetails" in event:
            entered.remove(event["stateExitedEventDetails"]["name"])


@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_an_item_of_a_large_map_costs_what_one_of_a_small_map_does(mode):
    def machine() -> Machine:
        task = {"Type": "Task", "Resource": "add", "End": True}
        processor = {"ProcessorConfig": {"Mode": mode}, "StartAt": "T", "States": {"T": task}}
        return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}}

    def cost(count: int) -> tuple[float, float]:
        played = play(machine(), [{"n": number} for number in range(count)], answer)
        assert len(json.loads(played.outcome.output or "")) == count
        return played.bytes_saved / count, played.turns / count

    small, large = cost(100), cost(2_000)
    assert large[0] < 1.5 * small[0]
    assert large[1] < 1.5 * small[1]
