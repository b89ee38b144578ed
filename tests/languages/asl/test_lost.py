"""What is lost with a server, and what others leave behind that are not wanted any more."""

from tests.languages.asl.playing import Failed, Never, Play, play

from perdure.languages.asl.program import MachineProgram
from perdure.languages.asl.tokens import read
from perdure.model.payloads import Payload
from perdure.model.requests import CompleteActivity, LoseActivity, StartActivity

ACTIVITY = "arn:aws:states:us-east-1:000000000000:activity:pack"


def one(resource, **more):
    return {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True, **more}}}


def types(played: Play) -> list[str]:
    return [event["type"] for event in played.events]


def test_a_token_outlives_the_attempt_that_stood_for_it():
    def send(play, resource, given, call):
        found = read(given["MessageBody"])
        assert found is not None
        second = 10**9

        def lose():
            pending = play.run.activity_ids[found[1]]
            assert play.ask(LoseActivity(pending, 1, "the server died"))
            assert play.run.activity_ids[found[1]] == pending, "it is the same task all the time"
            assert play.ask(StartActivity(pending, 2, "the next one"))
            assert play.ask(CompleteActivity(pending, 2, (Payload(b'"back"'),)))

        play.world.at(play.world.now + second, lose)
        return {"submitted": {}}

    resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    parameters = {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}
    played = play(one(resource, Parameters=parameters, HeartbeatSeconds=60), {}, send)
    assert played.outcome.output == '"back"'


def test_a_token_without_a_heartbeat_is_not_waited_for_again():
    def send(play, resource, given, call):
        return {"submitted": {}}

    resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    parameters = {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}
    played = play(one(resource, Parameters=parameters, HeartbeatSeconds=60), {}, send)
    assert played.outcome.error == "States.HeartbeatTimeout"


def test_a_task_of_an_activity_that_was_lost_is_offered_again():
    def work(play, resource, given, call):
        pending = next(iter(play.run.activities))
        if pending < 6:
            play.world.at(play.world.now, lambda: play.ask(LoseActivity(pending, 1, "the server died")))
            raise Never
        return {"done": given}

    played = play(one(ACTIVITY), {"n": 1}, work)
    assert played.outcome.output == '{"done":{"n":1}}'
    assert types(played).count("ActivityScheduled") == types(played).count("ActivityStarted") == 1


def test_what_a_failed_branch_ends_is_aborted():
    def work(play, resource, given, call):
        if resource == "fail":
            return 1, Failed("Oops")
        raise Never

    def task(resource):
        return {"Type": "Task", "Resource": resource, "End": True}

    wait = {"Type": "Wait", "Seconds": 60, "End": True}
    inner = {"Type": "Map", "ItemProcessor": {"StartAt": "W", "States": {"W": wait}}, "Items": [1, 2], "End": True}
    late = {"W1": {"Type": "Wait", "Seconds": 1, "Next": "F"}, "F": {"Type": "Fail", "Error": "Oops"}}
    branches = [
        {"StartAt": "N", "States": {"N": task("never")}},
        {"StartAt": "W1", "States": late},
        {"StartAt": "M", "QueryLanguage": "JSONata", "States": {"M": {"QueryLanguage": "JSONata", **inner}}},
    ]
    played = play({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": branches, "End": True}}}, {}, work)
    assert played.outcome.error == "Oops"
    events = played.events
    assert types(played)[-9:] == [
        "FailStateEntered",
        "TaskStateAborted",
        "WaitStateAborted",
        "MapIterationAborted",
        "WaitStateAborted",
        "MapIterationAborted",
        "MapStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]
    by_id = {event["id"]: event for event in events}
    aborted = {e["type"]: by_id[e["previousEventId"]]["type"] for e in events if e["type"].endswith("Aborted")}
    assert aborted == {
        "TaskStateAborted": "ActivityScheduled",
        "WaitStateAborted": "WaitStateEntered",
        "MapIterationAborted": "WaitStateAborted",
        "MapStateAborted": "MapStateStarted",
    }
    assert [e["mapIterationAbortedEventDetails"] for e in events if e["type"] == "MapIterationAborted"] == [
        {"index": 0, "name": "M"},
        {"index": 1, "name": "M"},
    ]
    assert by_id[len(events) - 1]["previousEventId"] == len(events) - 8, "ParallelStateFailed follows what failed"


def test_the_last_event_that_there_may_be_says_so():
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    played = play({"StartAt": "A", "States": states}, {}, event_limit=40)
    assert len(played.events) == 40 and types(played)[-1] == "ExecutionFailed"
    assert (played.outcome.error, played.outcome.cause) == (
        "States.Runtime",
        "The execution reached the maximum number of history events (40).",
    )
    # An execution that ends with the last one is not too long.
    one = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    assert [play(one, {}, event_limit=limit).outcome.status for limit in (3, 4)] == ["FAILED", "SUCCEEDED"]


def test_what_is_too_large_for_aws_fails_where_that_is_asked_for():
    states = {
        "A": {"Type": "Pass", "Parameters": {"a.$": "$.a", "b.$": "$.a"}, "Next": "B"},
        "B": {"Type": "Pass", "End": True},
    }
    machine, text = {"StartAt": "A", "States": states}, {"a": "x" * 200_000}
    assert play(machine, text).outcome.status == "SUCCEEDED"
    assert play(machine, text, is_strict=True).outcome.status == "SUCCEEDED", "no task has given it"
    strict = play(machine, text, is_strict=True, event_limit=25_000)
    assert strict.outcome.error == "States.DataLimitExceeded"
    assert strict.outcome.cause == (
        "The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit."
    )


def test_what_happened_before_a_question_is_not_lost_to_the_turn_after_it(monkeypatch):
    """A program that was built to answer a question, while nobody could take the run's turn, takes that turn."""
    take = MachineProgram.turn

    def asked_first(self, events, updates):
        if events[0].id == 1:
            assert self.catch_up(events[:-2]) is None
            events = events[-2:]
        return take(self, events, updates)

    monkeypatch.setattr(MachineProgram, "turn", asked_first)
    states = {
        "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 5, "End": True},
    }
    played = play({"StartAt": "T", "States": states}, {}, lambda *call: "done", forgets=True)
    assert played.outcome.output == '"done"'
