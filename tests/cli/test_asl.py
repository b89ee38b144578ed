"""``perdure asl``."""

import json
import subprocess
import sys
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


def asl(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "perdure", "asl", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "order.asl.json").write_text(json.dumps(MACHINE))
    (tmp_path / "wrong.asl.json").write_text(json.dumps(MACHINE, indent=1).replace('"Look"\n', '"Lok"\n'))
    mocks = {"Charge": [{"Throw": {"Error": "Busy", "Cause": "later"}}, {"Return": {"StatusCode": 200}}]}
    (tmp_path / "mocks.json").write_text(json.dumps(mocks))
    return tmp_path


def test_check_says_where_and_what_would_be_right(folder):
    right, wrong = asl("check", "order.asl.json", cwd=folder), asl("check", "wrong.asl.json", "--json", cwd=folder)
    assert (right.returncode, wrong.returncode) == (0, 1)
    lines = [json.loads(line) for line in wrong.stdout.splitlines()]
    found = next(line for line in lines if line["code"] == "MISSING_TRANSITION_TARGET")
    assert found["nearest"] == "Look"
    assert (folder / "wrong.asl.json").read_text().splitlines()[found["line"] - 1].strip() == '"Next": "Lok"'


def test_run_shows_each_state_as_it_goes(folder):
    done = asl("run", "order.asl.json", '{"amount": 200}', "--mocks", "mocks.json", "--wait-time-scale", 0, cwd=folder)
    assert done.returncode == 0
    lines = [line.split(maxsplit=1)[1] for line in done.stdout.splitlines()[:-1]]
    assert lines[0] == '> Charge  {"amount": 200}'
    assert lines[1] == "! TaskFailed  Busy: later"
    assert lines[-1] == '< Done  {"amount":200,"charge":{"StatusCode":200}}'
    assert done.stdout.splitlines()[-1] == '{"amount":200,"charge":{"StatusCode":200}}'


def test_run_takes_the_mock_file_of_step_functions_local(folder):
    local = {
        "StateMachines": {"order": {"TestCases": {"Broken": {"Charge": "broken"}}}},
        "MockedResponses": {"broken": {"0-9": {"Throw": {"Error": "Broken", "Cause": "for good"}}}},
    }
    (folder / "local.json").write_text(json.dumps(local))
    failed = asl("run", "order.asl.json", "--mocks", "local.json", "--test-case", "Broken", "--json", cwd=folder)
    assert failed.returncode == 1
    assert json.loads(failed.stdout.splitlines()[-1])["executionFailedEventDetails"] == {
        "error": "Broken",
        "cause": "for good",
    }
    unknown = asl("run", "order.asl.json", "--mocks", "local.json", "--test-case", "No", cwd=folder)
    assert (unknown.returncode, "only: Broken" in unknown.stderr) == (2, True)


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
def test_mistakes_are_one_message(folder, arguments, said):
    done = asl(*arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


async def test_draw_shows_where_a_run_is(folder):
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
    drawn = asl("draw", "order.asl.json", "--svg", "--run", "order-1", "--at", "orders.db", cwd=folder)
    assert drawn.returncode == 0, drawn.stderr
    picture = xml.dom.minidom.parseString(drawn.stdout)
    filled = {
        group.getElementsByTagName("text")[0].firstChild.data:  # type: ignore[union-attr]
        group.getElementsByTagName("rect")[0].getAttribute("fill")
        for group in picture.getElementsByTagName("g")
    }
    assert len({filled["Charge"], filled["Look"], filled["Done"]}) == 3
    text = asl("draw", "order.asl.json", cwd=folder).stdout
    assert text.startswith("stateDiagram-v2")
    assert "$.amount NumericGreaterThan 100" in text
