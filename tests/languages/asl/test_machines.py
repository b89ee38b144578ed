"""Small machines, run on the kernel alone; each also with a program that forgets everything between two turns."""

import json

import pytest
from tests.languages.asl.playing import Failed, Never, Play, play

from perdure.languages.asl.tokens import read
from perdure.model.payloads import Payload
from perdure.model.requests import CompleteActivity

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

    def test_a_machine_has_its_own_time_out(self, forgets):
        machine = {"TimeoutSeconds": 3, "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10, "End": True}}}
        played = play(machine, {}, answer, forgets=forgets)
        assert played.outcome.status == "TIMED_OUT"
        assert types(played) == ["ExecutionStarted", "WaitStateEntered", "ExecutionTimedOut"]

    @pytest.mark.parametrize(("sent_after", "status"), [(2, "SUCCEEDED"), (9, "FAILED")])
    def test_a_token_that_comes_back_in_time(self, forgets, sent_after, status):
        task = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
            "HeartbeatSeconds": 5,
            "TimeoutSeconds": 50,
            "End": True,
        }

        def send(play, activity_type, given, call):
            found = read(given["MessageBody"]["token"])
            assert found is not None and found[0] == play.address

            def come_back():
                pending = play.run.activity_ids.get(found[1])
                if pending is not None:
                    play.ask(CompleteActivity(pending, 1, (Payload(b'"back"'),)))

            play.world.at(play.world.now + sent_after * 10**9, come_back)
            return {"submitted": {"MessageId": "1"}}

        played = play({"StartAt": "T", "States": {"T": task}}, {}, send, forgets=forgets)
        assert (played.outcome.status, played.outcome.output) == (status, '"back"' if sent_after < 5 else None)
        last = "TaskSucceeded" if sent_after < 5 else "TaskTimedOut"
        assert types(played)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", last]
        assert played.outcome.error == (None if sent_after < 5 else "States.HeartbeatTimeout")

    def test_a_map_run_reads_goes_in_batches_and_writes(self, forgets):
        files = {}

        def service(play, resource, given, call):
            if resource.endswith("s3:getObject"):
                assert call["reader_config"]["InputType"] == "CSV"
                return {"Body": "name,size\nada,1\nbob,2\neve,3\n"}
            if resource.endswith("s3:putObject"):
                files[given["Key"].rpartition("/")[2]] = json.loads(given["Body"])
                return {}
            return answer(play, resource, given, call)

        machine = {
            "StartAt": "M",
            "States": {
                "M": {
                    "Type": "Map",
                    "ItemReader": {
                        "Resource": "arn:aws:states:::s3:getObject",
                        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
                        "Parameters": {"Bucket": "in", "Key": "people.csv"},
                    },
                    "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"by": "test"}},
                    "ItemProcessor": {
                        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                        "StartAt": "P",
                        "States": {"P": {"Type": "Pass", "End": True}},
                    },
                    "ResultWriter": {
                        "Resource": "arn:aws:states:::s3:putObject",
                        "Parameters": {"Bucket": "out", "Prefix": "results"},
                    },
                    "End": True,
                }
            },
        }
        played = play(machine, {}, service, forgets=forgets)
        output = json.loads(played.outcome.output or "")
        assert output["ResultWriterDetails"]["Key"].startswith("results/")
        assert [json.loads(one["Output"]) for one in files["SUCCEEDED_0.json"]] == [
            {"BatchInput": {"by": "test"}, "Items": [{"name": "ada", "size": "1"}, {"name": "bob", "size": "2"}]},
            {"BatchInput": {"by": "test"}, "Items": [{"name": "eve", "size": "3"}]},
        ]
        assert files["manifest.json"]["MapRunArn"] == output["MapRunArn"]
        (map_run,) = json.loads(played.ask_program("perdure.map_runs"))
        assert map_run["status"] == "SUCCEEDED"
        assert (map_run["itemCounts"]["succeeded"], map_run["executionCounts"]["succeeded"]) == (3, 2)

    @pytest.mark.parametrize(("tolerated", "status"), [(1, "FAILED"), (2, "SUCCEEDED")])
    def test_a_map_run_tolerates_so_many_failures(self, forgets, tolerated, status):
        choice = {
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericLessThan": 2, "Next": "Bad"}],
            "Default": "Good",
        }
        processor = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "C",
            "States": {"C": choice, "Bad": {"Type": "Fail", "Error": "Bad"}, "Good": {"Type": "Succeed"}},
        }
        state = {"Type": "Map", "ToleratedFailureCount": tolerated, "ItemProcessor": processor, "End": True}
        played = play({"StartAt": "M", "States": {"M": state}}, [0, 1, 2, 3], answer, forgets=forgets)
        assert played.outcome.status == status
        if status == "SUCCEEDED":
            assert played.outcome.output == "[2,3]"
        else:
            assert played.outcome.error == "States.ExceedToleratedFailureThreshold"
            assert types(played)[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]

    def test_a_limit_of_events_ends_an_execution_where_it_is_set(self, forgets):
        loop = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}}
        played = play(loop, {}, answer, forgets=forgets, event_limit=25_000)
        assert "maximum number of history events (25000)" in (played.outcome.cause or "")
        assert len(played.events) <= 25_000
