"""``perdure asl``."""

import asyncio
import json
import xml.dom.minidom

import pytest

import perdure

MACHINE = {
    "StartAt": "Charge",
    "States": {
        "Charge": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "charge", "Payload.$": "$"},
            "ResultPath": "$.charge",
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60}],
            "Next": "Big?",
        },
        "Big?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.amount", "NumericGreaterThan": 100, "Next": "Look"}],
            "Default": "Done",
        },
        "Look": {"Type": "Wait", "Seconds": 3600, "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}


@pytest.fixture
def asl(perdure, folder, monkeypatch):
    """The command, in the folder of the definitions."""
    monkeypatch.chdir(folder)
    return lambda *arguments: perdure("asl", *arguments)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "order.asl.json").write_text(json.dumps(MACHINE))
    (tmp_path / "wrong.asl.json").write_text(json.dumps(MACHINE, indent=1).replace('"Look"\n', '"Lok"\n'))
    mocks = {"Charge": [{"Throw": {"Error": "Busy", "Cause": "later"}}, {"Return": {"StatusCode": 200}}]}
    (tmp_path / "mocks.json").write_text(json.dumps(mocks))
    return tmp_path


def test_check_says_where_and_what_would_be_right(asl, folder):
    right, wrong = asl("check", "order.asl.json"), asl("check", "wrong.asl.json", "--json")
    assert (right.exit_code, wrong.exit_code) == (0, 1)
    lines = [json.loads(line) for line in wrong.out.splitlines()]
    found = next(line for line in lines if line["code"] == "MISSING_TRANSITION_TARGET")
    assert found["nearest"] == "Look"
    assert (folder / "wrong.asl.json").read_text().splitlines()[found["line"] - 1].strip() == '"Next": "Lok"'


def test_run_shows_each_state_as_it_goes(asl, folder):
    done = asl("run", "order.asl.json", '{"amount": 200}', "--mocks", "mocks.json", "--wait-time-scale", 0)
    assert done.exit_code == 0
    lines = [line.split(maxsplit=1)[1] for line in done.out.splitlines()[:-1]]
    assert lines[0] == '> Charge  {"amount": 200}'
    assert lines[1] == "! TaskFailed  Busy: later"
    assert lines[-1] == '< Done  {"amount":200,"charge":{"StatusCode":200}}'
    assert done.out.splitlines()[-1] == '{"amount":200,"charge":{"StatusCode":200}}'


def test_run_takes_the_mock_file_of_step_functions_local(asl, folder):
    local = {
        "StateMachines": {"order": {"TestCases": {"Broken": {"Charge": "broken"}}}},
        "MockedResponses": {"broken": {"0-9": {"Throw": {"Error": "Broken", "Cause": "for good"}}}},
    }
    (folder / "local.json").write_text(json.dumps(local))
    failed = asl("run", "order.asl.json", "--mocks", "local.json", "--test-case", "Broken", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.out.splitlines()[-1])["executionFailedEventDetails"] == {
        "error": "Broken",
        "cause": "for good",
    }
    unknown = asl("run", "order.asl.json", "--mocks", "local.json", "--test-case", "No")
    assert (unknown.exit_code, "only: Broken" in unknown.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "wrong.asl.json"], "Did you mean 'Look'?"),
        (["run", "order.asl.json", "{"], "the input is no JSON"),
        (["run", "nowhere.asl.json"], "No such file"),
        (["run", "order.asl.json", "--mocks", "order.asl.json"], "must be"),
        (["draw", "mocks.json"], "can't be run"),
    ],
)
def test_mistakes_are_one_message(asl, folder, arguments, said):
    done = asl(*arguments)
    assert done.exit_code == 2
    assert said in done.err
    assert "Traceback" not in done.err


async def test_draw_shows_where_a_run_is(asl, folder):
    app = perdure.App("orders")

    @app.activity
    async def charge(order: dict) -> dict:
        return {}

    flow = app.state_machine(folder / "order.asl.json")
    async with perdure.open(app, store=f"sqlite:///{folder}/orders.db") as client:
        run = await client.start(flow, {"amount": 200}, id="order-1")
        async for event in run.history(follow=True):
            if event.type == "TimerStarted":
                break
    drawn = await asyncio.to_thread(asl, "draw", "order.asl.json", "--svg", "--run", "order-1", "--at", "orders.db")
    assert drawn.exit_code == 0, drawn.err
    picture = xml.dom.minidom.parseString(drawn.out)
    filled = {
        group.getElementsByTagName("text")[0].firstChild.data:  # type: ignore[union-attr]
        group.getElementsByTagName("rect")[0].getAttribute("fill")
        for group in picture.getElementsByTagName("g")
    }
    assert len({filled["Charge"], filled["Look"], filled["Done"]}) == 3
    text = (await asyncio.to_thread(asl, "draw", "order.asl.json")).out
    assert text.startswith("stateDiagram-v2")
    assert "$.amount NumericGreaterThan 100" in text
