"""The recorded vectors, played on the kernel alone: the folder beside the project's, where it is there."""

import base64
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from tests.languages.asl.playing import Failed, Never, Play, World

from perdure.languages.asl.definition import definition_of
from perdure.languages.asl.execution import Execution, start_of

FOLDER = Path(__file__).parents[3].parent / "shared" / "vectors" / "asl"
REGION = "us-east-1"
ACCOUNT = "111111111111"


def load_judge() -> Any:
    """The folder's own judge, for how answers are matched."""
    spec = importlib.util.spec_from_file_location("asl_vectors_judge", FOLDER / "run.py")
    assert spec is not None and spec.loader is not None
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    return judge


def runs_of(vector: dict[str, Any]) -> list[dict[str, Any]]:
    """The executions of a vector; none if it is about the API."""
    if "api" not in vector:
        return [vector]
    if vector["api"] != "executions":
        return []
    names = {"state_machine": "machine", "role_arn": f"arn:aws:iam::{ACCOUNT}:role/vectors"}
    return [{"names": names, **vector, **run} for run in vector["runs"]]


def execution_of(names: dict[str, Any], definition: str, name: str, **facts: Any) -> Execution:
    account, machine = names.get("account", ACCOUNT), names["state_machine"]
    arn = f"arn:aws:states:{REGION}:{account}:execution:{machine}:{name}"
    if facts.get("type") == "EXPRESS":
        arn = f"arn:aws:states:{REGION}:{account}:express:{machine}:{name}:{name}"
    return Execution(
        definition,
        name=name,
        arn=arn,
        role_arn=names.get("role_arn", ""),
        machine_name=machine,
        machine_arn=f"arn:aws:states:{REGION}:{account}:stateMachine:{machine}",
        account=account,
        is_strict=True,
        **facts,
    )


def played(vector: dict[str, Any], *, forgets: bool = False) -> Play:
    """Play an execution to its end."""
    now = int(datetime.fromisoformat(vector["now"]).timestamp() * 1e9) if "now" in vector else 1_700_000_000 * 10**9
    world = World(Answers(vector), forgets=forgets, now=now)
    names = vector["names"]
    definition = json.dumps(vector["definition"])
    execution = execution_of(
        names,
        definition,
        names.get("execution", "execution"),
        type=vector.get("type", "STANDARD"),
        mocked=tuple(key.removeprefix("state:") for key in vector["mocks"] if key.startswith("state:")),
    )
    text = vector.get("input_text") or json.dumps(vector["input"])
    play = world.start(start_of(execution, text, timeout_seconds=definition_of(definition).timeout_seconds))
    world.run()
    return play


class Answers:
    """What calls give: the vector's mocks, and machines that its set-up made."""

    def __init__(self, vector: dict[str, Any]) -> None:
        mocks = vector["mocks"]
        self.functions = {_function(arn): mock for arn, mock in mocks.items() if mock["kind"] == "lambda"}
        self.activities = {arn: mock for arn, mock in mocks.items() if mock["kind"] == "activity"}
        self.states = {key.removeprefix("state:"): mock for key, mock in mocks.items() if key.startswith("state:")}
        self.machines = {
            step["request"]["name"]: step for step in vector.get("setup", []) if step["op"] == "create_state_machine"
        }

    def __call__(self, play: Play, activity_type: str, given: Any, call: dict[str, Any] | None) -> Any:
        if call is not None and call["state"] in self.states:
            return self._mocked(self.states[call["state"]], activity_type, call["attempt"])
        if ":function:" in activity_type:
            return self._invoked(activity_type, given)
        if activity_type in self.activities:
            return self._worked(self.activities[activity_type], given)
        if activity_type.startswith("arn:aws:states:::lambda:invoke"):
            seconds, payload = self._invoked(given["FunctionName"], given.get("Payload", {}))
            return seconds, {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}
        if activity_type.startswith("arn:aws:states:::states:startExecution.sync"):
            return self._started(play, given)
        raise Failed("NotPlayedHere", activity_type)

    def _mocked(self, mock: dict[str, Any], activity_type: str, attempt: int) -> Any:
        for span, answer in mock["attempts"].items():
            first, _, last = span.partition("-")
            if int(first) <= attempt <= int(last or first):
                if "throw" in answer:
                    raise Failed(answer["throw"]["error"], answer["throw"]["cause"])
                has_pattern = ".sync" in activity_type or ".waitForTaskToken" in activity_type
                return {"output": answer["return"]} if has_pattern else answer["return"]
        raise Never

    def _invoked(self, name: str, event: Any) -> tuple[float, Any]:
        mock = self.functions.get(_function(name))
        if mock is None:
            raise Failed("Lambda.ResourceNotFoundException", f"Function not found: {name}")
        seconds = mock.get("after_seconds") or 0
        match mock["behaviour"]:
            case "echo":
                return seconds, event
            case "return":
                repeat = mock.get("repeat")
                return seconds, repeat["text"] * repeat["times"] if repeat else mock["value"]
            case "return_text":
                return seconds, mock["prefix"] + repr(event)
            case _:
                pass
        said = mock.get("error_payload") or {
            "errorMessage": mock["message"],
            "errorType": mock["error"],
            "requestId": "-",
        }
        raise Failed(said["errorType"], json.dumps(said))

    def _worked(self, mock: dict[str, Any], given: Any) -> Any:
        for action in mock["actions"]:
            if action.get("send") == "success":
                return given if action["output"] == "the task's input" else json.loads(action["output"])
            if action.get("send") == "failure":
                raise Failed(action.get("error", ""), action.get("cause", ""))
        raise Never

    def _started(self, play: Play, given: dict[str, Any]) -> dict[str, Any]:
        parts = given["StateMachineArn"].split(":")
        step = self.machines[parts[-1]]
        names = {"state_machine": parts[-1], "account": parts[4]}
        execution = execution_of(names, step["request"]["definition"], given.get("Name", "nested"))
        text = given["Input"] if isinstance(given.get("Input"), str) else json.dumps(given.get("Input") or {})
        timeout = definition_of(execution.definition).timeout_seconds
        request = start_of(execution, text, timeout_seconds=timeout)
        return {
            "submitted": {"ExecutionArn": execution.arn, "StartDate": play.world.now // 10**6},
            "start": base64.b64encode(msgspec.msgpack.encode(request)).decode(),
        }


def _function(arn: str) -> str:
    return arn.rpartition(":function:")[2].partition(":")[0]


def shown(play: Play) -> dict[str, Any]:
    """What describing the execution would say."""
    ended = play.outcome
    return {name: value for name, value in msgspec.structs.asdict(ended).items() if value is not None}


def events(play: Play) -> list[dict[str, Any]]:
    """As boto3 has them."""
    return [{**event, "timestamp": datetime.fromtimestamp(event["timestamp"], UTC)} for event in play.events]
