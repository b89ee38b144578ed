"""``app.state_machine``: a machine is a workflow like any other, on a real engine."""

import json
from typing import Any

import pytest

import perdure
from perdure.languages.asl.execution import Execution, start_of
from perdure.languages.asl.history import aws_events
from perdure.model.errors import InvalidArgumentError, WorkflowFailedError
from perdure.model.events import WorkflowExecutionCompleted
from perdure.model.ids import RunAddress
from perdure.testing import environment

DOUBLE = {"Type": "Task", "Resource": "double", "End": True}
EACH = {
    "Comment": "Doubles each number",
    "StartAt": "Each",
    "States": {
        "Each": {"Type": "Map", "ItemProcessor": {"StartAt": "Double", "States": {"Double": DOUBLE}}, "End": True}
    },
}


def make_app() -> perdure.App:
    app = perdure.App("machines")

    @app.activity
    async def double(number: int) -> int:
        if number < 0:
            raise ValueError("negative")
        return 2 * number

    return app


async def test_a_machine_runs_alone_and_as_a_child():
    app = make_app()
    flow = app.state_machine(EACH, name="each")

    @app.workflow
    async def outer(numbers: list[int]) -> list[int]:
        doubled: list[int] = await flow(numbers)
        return doubled

    async with environment(app) as env:
        assert await env.client.execute(flow, [1, 2, 3]) == [2, 4, 6]
        assert await env.client.execute(outer, [4, 5]) == [8, 10]


async def test_an_exception_is_the_error_that_retry_and_catch_see():
    app = make_app()
    states = {
        "T": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:111122223333:function:double",
            "Catch": [{"ErrorEquals": ["ValueError"], "Next": "C"}],
            "End": True,
        },
        "C": {"Type": "Pass", "End": True},
    }
    flow = app.state_machine({"StartAt": "T", "States": states}, name="catching")
    async with environment(app) as env:
        assert await env.client.execute(flow, 4) == 8
        caught = await env.client.execute(flow, -1)
    assert caught["Error"] == "ValueError"
    assert json.loads(caught["Cause"]) == {"errorMessage": "negative", "errorType": "ValueError"}


async def test_targets_stand_for_other_resources():
    app = make_app()

    @app.activity
    async def send(message: dict[str, Any]) -> int:
        return 2 * int(message["MessageBody"])

    arn = "arn:aws:states:::sqs:sendMessage"
    task = {"Type": "Task", "Resource": arn, "Parameters": {"QueueUrl": "q", "MessageBody.$": "$"}, "End": True}
    machine = {"StartAt": "T", "States": {"T": task}}
    served = app.state_machine(machine, name="served", targets={arn: send})
    unserved = app.state_machine(machine, name="unserved")
    async with environment(app) as env:
        assert await env.client.execute(served, 21) == 42
        with pytest.raises(WorkflowFailedError, match="Nothing here calls arn:aws:states:::sqs:sendMessage"):
            await env.client.execute(unserved, 21)


async def test_a_map_reads_and_writes_what_an_activity_does(tmp_path):
    app = make_app()
    (tmp_path / "people.csv").write_text("name,size\nada,1\nbob,2\n")

    @app.activity
    async def read_file(where: dict[str, Any]) -> dict[str, Any]:
        return {"Body": (tmp_path / where["Key"]).read_text()}

    @app.activity
    async def write_file(what: dict[str, Any]) -> None:
        (tmp_path / what["Key"].rpartition("/")[2]).write_text(what["Body"])

    get, put = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:putObject"
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P"}
    each = {
        "Type": "Map",
        "ItemReader": {"Resource": get, "ReaderConfig": config, "Parameters": {"Bucket": "b", "Key": "people.csv"}},
        "ItemProcessor": {**processor, "States": {"P": {"Type": "Pass", "OutputPath": "$.name", "End": True}}},
        "ResultWriter": {"Resource": put, "Parameters": {"Bucket": "b", "Prefix": "out"}},
        "End": True,
    }
    machine = {"StartAt": "M", "States": {"M": each}}
    flow = app.state_machine(machine, name="files", targets={get: read_file, put: write_file})
    async with environment(app) as env:
        await env.client.execute(flow, {})
    written = json.loads((tmp_path / "SUCCEEDED_0.json").read_text())
    assert [json.loads(one["Output"]) for one in written] == ["ada", "bob"]


async def test_a_running_execution_keeps_the_machine_it_began_with(tmp_path):
    def machine(result):
        return {
            "StartAt": "W",
            "States": {
                "W": {"Type": "Wait", "Seconds": 1, "Next": "P"},
                "P": {"Type": "Pass", "Result": result, "End": True},
            },
        }

    store = f"sqlite:///{tmp_path}/machines.db"
    before, after = make_app(), make_app()
    old, new = before.state_machine(machine("old"), name="m"), after.state_machine(machine("new"), name="m")
    async with perdure.open(before, store=store) as client:
        run = await client.start(old, {}, id="one")
    async with perdure.open(after, store=store) as client:
        assert await client.get("one", run.run_id).result() == "old"
        assert await client.execute(new, {}, id="two") == "new"


async def test_an_execution_has_awss_events_and_its_history_replays():
    app = make_app()
    flow = app.state_machine(EACH, name="each")
    async with environment(app) as env:
        run = await env.client.start(flow, [1])
        await run.result()
        history = await run.fetch_history()
    types = [event["type"] for event in aws_events(history.events)]
    assert types[:3] == ["ExecutionStarted", "MapStateEntered", "MapStateStarted"]
    assert types[-1] == "ExecutionSucceeded"
    perdure.replay(app, perdure.History.from_json(history.to_json()))


async def test_the_engines_own_queue_runs_any_machine():
    execution = Execution(
        json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}), machine_name="any"
    )
    async with environment() as env:
        request = start_of(execution, '{"a":1}', workflow_id="any-1")
        await env.client._service.start("default", request)
        _, closing = await env.client._service.wait_closed(RunAddress("default", "any-1"), follow=True)
    assert isinstance(closing, WorkflowExecutionCompleted)
    assert closing.result[0].data == b'{"a":1}'


def test_a_wrong_definition_says_where_it_is_wrong(tmp_path):
    file = tmp_path / "order.asl.json"
    file.write_text(
        '{\n  "StartAt": "A",\n  "States": {"A": {"Type": "Pass", "Next": "Bee"},\n   "Be": {"Type": "Succeed"}}}'
    )
    with pytest.raises(InvalidArgumentError) as refused:
        make_app().state_machine(file)
    assert f"{file}:3:" in str(refused.value)
    assert "$.States.A.Next" in str(refused.value)
    assert "Did you mean 'Be'?" in str(refused.value)


def test_an_app_with_a_codec_has_no_machines():
    class Plain(perdure.Codec):
        def encode(self, payload):
            return payload

        def decode(self, payload):
            return payload

    app = perdure.App("secret", converter=perdure.Converter(codecs=[Plain()]))
    with pytest.raises(InvalidArgumentError, match="without codecs"):
        app.state_machine(EACH, name="each")


def test_names_and_targets_are_checked():
    app = make_app()
    app.state_machine(EACH, name="each")
    with pytest.raises(InvalidArgumentError, match="two workflow types named 'each'"):
        app.state_machine(EACH, name="each")
    with pytest.raises(InvalidArgumentError, match="needs a name"):
        app.state_machine(EACH)
    with pytest.raises(InvalidArgumentError, match="must be an activity or its name"):
        app.state_machine(EACH, name="other", targets={"arn": 3})  # type: ignore[dict-item]


async def test_a_failed_execution_is_redriven_from_the_state_that_failed():
    app = perdure.App("machines")
    calls: list[str] = []

    @app.activity
    async def first(given: Any) -> Any:
        calls.append("first")
        return given

    @app.activity
    async def second(given: Any) -> Any:
        calls.append("second")
        if len(calls) < 3:
            raise ValueError("not yet")
        return given

    states = {
        "A": {"Type": "Task", "Resource": "first", "Next": "B"},
        "B": {"Type": "Task", "Resource": "second", "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"redriven.$": "$$.Execution.RedriveCount"}, "End": True},
    }
    flow = app.state_machine({"StartAt": "A", "States": states}, name="redriven")
    async with environment(app) as env:
        run = await env.client.start(flow, {}, id="one")
        with pytest.raises(WorkflowFailedError, match="not yet"):
            await run.result()
        history = await run.fetch_history()
        service, address = env.client._service, RunAddress("default", "one", run.run_id)
        last = history.events[-1].id
        run_id = await service.reset(address, event_id=last, reason="RedriveExecution", request_id="redrive-1")
        again = env.client.get("one", run_id)
        assert await again.result() == {"redriven": 1}
        events = aws_events((await again.fetch_history()).events)
    assert calls == ["first", "second", "second"]
    kinds = [event["type"] for event in events]
    assert kinds.count("ExecutionRedriven") == 1
    assert kinds[kinds.index("ExecutionRedriven") + 1 :][:2] == ["ActivityScheduled", "ActivityStarted"]
