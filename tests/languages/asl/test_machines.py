"""Small machines, run on the kernel alone; each also with a program that forgets everything between two turns."""

import pytest
from tests.languages.asl.playing import Failed, Never, Play, play

DOUBLE = {"Type": "Task", "Resource": "double", "End": True}


def answer(play: Play, activity_type: str, given: object, call: dict | None) -> object:
    match activity_type:
        case "double":
            return given * 2  # type: ignore[operator]
        case "fail":
            raise Failed("Oops", "it broke")
        case "never":
            raise Never
        case _:
            return given


def types(played: Play) -> list[str]:
    return [event["type"] for event in played.events]


@pytest.mark.parametrize("forgets", [False, True])
class TestMachines:
    def test_a_chain_of_states(self, forgets):
        states = {
            "A": {"Type": "Pass", "Result": {"n": 2}, "Next": "B"},
            "B": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "C"}],
                "Default": "D",
            },
            "C": {"Type": "Wait", "Seconds": 60, "Next": "E"},
            "D": {"Type": "Fail", "Error": "Small"},
            "E": {**DOUBLE, "InputPath": "$.n", "ResultPath": "$.n"},
        }
        played = play({"StartAt": "A", "States": states}, {}, answer, forgets=forgets)
        assert played.outcome.output == '{"n":4}'
        assert types(played)[-5:] == [
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ]

    def test_a_map_keeps_the_order_of_its_items(self, forgets):
        machine = {
            "StartAt": "M",
            "States": {"M": {"Type": "Map", "ItemProcessor": {"StartAt": "D", "States": {"D": DOUBLE}}, "End": True}},
        }
        played = play(machine, list(range(100)), answer, forgets=forgets)
        assert played.outcome.output == "[" + ",".join(str(2 * n) for n in range(100)) + "]"

    def test_a_failed_branch_ends_the_others(self, forgets):
        def branch(resource):
            return {"StartAt": resource, "States": {resource: {"Type": "Task", "Resource": resource, "End": True}}}

        machine = {
            "StartAt": "P",
            "States": {
                "P": {
                    "Type": "Parallel",
                    "Branches": [branch("never"), branch("fail")],
                    "Catch": [{"ErrorEquals": ["Oops"], "Next": "Caught", "ResultPath": "$.why"}],
                    "End": True,
                },
                "Caught": {"Type": "Pass", "End": True},
            },
        }
        played = play(machine, {"a": 1}, answer, forgets=forgets)
        assert played.outcome.output == '{"a":1,"why":{"Error":"Oops","Cause":"it broke"}}'

    def test_retries_back_off_and_then_give_up(self, forgets):
        machine = {
            "StartAt": "T",
            "States": {
                "T": {
                    "Type": "Task",
                    "Resource": "fail",
                    "Retry": [{"ErrorEquals": ["Oops"], "IntervalSeconds": 3, "MaxAttempts": 2}],
                    "End": True,
                }
            },
        }
        played = play(machine, {}, answer, forgets=forgets)
        assert (played.outcome.error, played.outcome.cause) == ("Oops", "it broke")
        assert types(played).count("ActivityFailed") == 3
        assert played.world.now - played.run.started.time == (3 + 6) * 10**9

    def test_a_machine_that_goes_round_in_circles_lets_others_have_their_turn(self, forgets):
        machine = {
            "QueryLanguage": "JSONata",
            "StartAt": "Count",
            "States": {
                "Count": {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}"}, "Next": "More"},
                "More": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% $states.input.n >= 1500 %}", "Next": "Done"}],
                    "Default": "Count",
                },
                "Done": {"Type": "Succeed"},
            },
        }
        played = play(machine, {"n": 0}, answer, forgets=forgets)
        assert played.outcome.output == '{"n":1500}'
        assert played.turns == 4
