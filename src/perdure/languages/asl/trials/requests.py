"""What TestState is asked: read, and refused where AWS refuses it, in its words and in its order."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from perdure.expressions.located_json import InvalidJson, parse
from perdure.languages.asl.chance import Chance
from perdure.languages.asl.checks import check_state, refusal
from perdure.languages.asl.checks.checking import TESTED, no_json, no_object
from perdure.languages.asl.scope import ABSENT

Json = Any
# What is wrong with a mock's result, judged by the model of the service whose answer it stands for; None if nothing.
Shapes = Callable[[str, Json, str], str | None]

WITHOUT_MOCK: Final = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice")
WITH_MOCK: Final = ("Task", "Map", "Parallel")
IN_CONTEXT: Final = ("Execution", "State", "StateMachine", "Task")
WAITING: Final = (".sync", ".sync:2", ".waitForTaskToken")


class TrialRefused(Exception):
    """AWS refuses the request.

    Args:
        code: "ValidationException", "InvalidDefinition" or "InvalidExecutionInput".
        message: AWS's.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass(slots=True, frozen=True)
class About:
    """Where and when a trial is made.

    Args:
        account, region, partition: of whoever asks.
        now_ms: milliseconds since 1970.
        seed: whatever makes this trial unlike others; names and random numbers follow from it.
    """

    account: str
    region: str = "us-east-1"
    now_ms: int = 0
    seed: str = ""
    partition: str = "aws"


@dataclass(slots=True)
class Request:
    """A request that is right.

    Args:
        name: the state's, or None if the definition is the state.
        fields: the state's.
        is_jsonata: its query language.
        error_output: of the mock, if it stands for a failure.
        configuration: stateConfiguration.
    """

    name: str | None
    fields: Mapping[str, Json]
    is_jsonata: bool
    input: Json
    context: Mapping[str, Json]
    variables: dict[str, Json]
    level: str
    result: Json = ABSENT
    error_output: Mapping[str, Json] | None = None
    configuration: Mapping[str, Json] = field(default_factory=dict)
    chance: Chance = field(default_factory=lambda: Chance(""))

    @property
    def is_mocked(self) -> bool:
        return self.result is not ABSENT or self.error_output is not None


def read(request: Mapping[str, Json], about: About, shapes: Shapes | None) -> Request:
    """Reads a request.

    Raises:
        TrialRefused: it is not right.
    """
    name = request.get("stateName")
    fields, query_language = state_of(request.get("definition", ""), name)
    found = check_state(fields, query_language=query_language, name=TESTED if name is None else name)
    if found:
        raise TrialRefused("InvalidDefinition", refusal(request["definition"], found))
    kind = fields["Type"]
    mock = request.get("mock")
    mock_rules(request, mock, kind, str(fields.get("Resource", "")))
    given = read_json(request.get("input") or "{}")
    chance = Chance(f"trial {about.seed}")
    context = default_context(request, about, given, kind, chance)
    if request.get("context"):
        context = own_context(request["context"], fields)
    result, error_output = mocked(mock, fields, shapes)
    own = fields.get("QueryLanguage", query_language)
    return Request(
        name=name,
        fields=fields,
        is_jsonata=own == "JSONata",
        input=given,
        context=context,
        variables=read_object(request.get("variables") or "{}", "variables"),
        level=request.get("inspectionLevel", "INFO"),
        result=result,
        error_output=error_output,
        configuration=request.get("stateConfiguration") or {},
        chance=chance,
    )


def state_of(text: str, name: str | None) -> tuple[dict[str, Json], str]:
    """The state that is meant, and the query language around it."""
    try:
        definition = parse(text) if text.strip() else None
    except InvalidJson as e:
        raise TrialRefused("InvalidDefinition", refusal(text, [no_json(e)])) from None
    if not isinstance(definition, dict):
        raise TrialRefused("InvalidDefinition", refusal(text, [no_object()]))
    if name is None:
        return definition, "JSONPath"
    state = named(definition, name)
    if state is None:
        raise TrialRefused("ValidationException", "State not found in definition")
    return state, "JSONPath" if definition.get("QueryLanguage", "JSONPath") == "JSONPath" else "JSONata"


def named(holder: Json, name: str) -> dict[str, Json] | None:
    """The state of that name, wherever it stands in a machine."""
    waiting = [holder]
    while waiting:
        current = waiting.pop(0)
        states = current.get("States") if isinstance(current, dict) else None
        if not isinstance(states, dict):
            continue
        if isinstance(states.get(name), dict):
            return dict(states[name])
        for state in states.values():
            if isinstance(state, dict):
                branches = state.get("Branches")
                waiting += branches if isinstance(branches, list) else []
                waiting += [state[inner] for inner in ("ItemProcessor", "Iterator") if inner in state]
    return None


def mock_rules(request: Mapping[str, Json], mock: Mapping[str, Json] | None, kind: str, resource: str) -> None:
    """What goes with a mock, and what without."""
    if mock is not None:
        if "result" in mock and "errorOutput" in mock:
            raise invalid("A test mock should have only one of the following fields: [result, errorOutput].")
        if request.get("revealSecrets"):
            raise invalid("TestState does not support RevealSecrets when a mock is specified.")
        if kind not in WITH_MOCK:
            raise invalid(f"State type '{kind}' is not supported when a mock is specified")
        return
    for option in ("mapIterationFailureCount", "retrierRetryCount", "errorCausedByState", "mapItemReaderData"):
        if option in (request.get("stateConfiguration") or {}):
            named_option = option[0].upper() + option[1:]
            raise invalid(f"TestState does not support {named_option} when a mock is not specified.")
    if request.get("context"):
        raise invalid("TestState does not support Context when a mock is not specified.")
    if kind not in WITHOUT_MOCK:
        raise TrialRefused(
            "InvalidDefinition",
            "TestState API does not support Map or Parallel states. Supported state types include: "
            f"[{', '.join(WITHOUT_MOCK)}]",
        )
    if kind == "Task" and not request.get("roleArn"):
        raise invalid("RoleArn must be specified when testing a Task state")
    if kind == "Task" and (resource.endswith(WAITING) or ":activity:" in resource):
        raise TrialRefused(
            "InvalidDefinition",
            "TestState API does not support activities, '.sync' and '.waitForTaskToken' when a mock is not specified.",
        )


def invalid(message: str) -> TrialRefused:
    return TrialRefused("ValidationException", message)


def read_json(text: str) -> Json:
    try:
        return parse(text)
    except InvalidJson as e:
        raise TrialRefused("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{e.message}'") from None


def read_object(text: str, field_: str) -> dict[str, Json]:
    try:
        value = parse(text)
    except InvalidJson as e:
        raise invalid(f"Invalid JSON in '{field_}': {e.message}") from None
    if not isinstance(value, dict):
        raise invalid(f"Value of '{field_}' must be a JSON object.")
    return value


def own_context(text: str, fields: Mapping[str, Json]) -> dict[str, Json]:
    """The context object of a request."""
    said = "Invalid Context object provided:"
    try:
        context = parse(text)
    except InvalidJson as e:
        raise invalid(f"{said} {e.message}") from None
    if not isinstance(context, dict):
        raise invalid(f"{said} must be a JSON object")
    for name in context:
        if name == "Map":
            raise invalid(f"{said} 'Map' field is not supported when mocking a Context object")
        if name not in IN_CONTEXT:
            raise invalid(f"{said} Field '{name}' is not allowed")
    if "Task" in context and not (fields["Type"] == "Task" and str(fields.get("Resource")).endswith(WAITING)):
        raise invalid(
            f"{said} Context object contains 'Task' when state is not a Task state with a '.sync' or "
            "'.waitForTaskToken' service integration pattern"
        )
    return context


def default_context(
    request: Mapping[str, Json], about: About, given: Json, kind: str, chance: Chance
) -> dict[str, Json]:
    """The context object of a state that is tried alone: of an execution that there never was."""
    machine, execution = chance.uuid(), chance.uuid()
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=about.now_ms)
    now = moment.isoformat(timespec="milliseconds") + "Z"
    start = f"arn:{about.partition}:states:{about.region}:{about.account}"
    state: dict[str, Json] = {"Name": TESTED, "EnteredTime": now}
    if kind in WITH_MOCK:
        state["RetryCount"] = (request.get("stateConfiguration") or {}).get("retrierRetryCount", 0)
    context: dict[str, Json] = {
        "Execution": {
            "Id": f"{start}:express:{machine}:{execution}",
            "Input": given,
            "Name": execution,
            "RoleArn": request.get("roleArn"),
            "StartTime": now,
        },
        "StateMachine": {"Id": f"{start}:stateMachine:{machine}", "Name": machine},
        "State": state,
    }
    return context


def mocked(
    mock: Mapping[str, Json] | None, fields: Mapping[str, Json], shapes: Shapes | None
) -> tuple[Json, Mapping[str, Json] | None]:
    """A mock's result, or its failure."""
    if mock is None:
        return ABSENT, None
    if "errorOutput" in mock:
        return ABSENT, mock["errorOutput"]
    try:
        result = parse(mock.get("result") or "null")
    except InvalidJson as e:
        raise invalid(f"Mocked result must be a valid JSON: {e.message}") from None
    if fields["Type"] != "Task":
        if "ResultWriter" in fields and not isinstance(result, dict):
            raise invalid("Mocked result must be a JSON object.")
        if "ResultWriter" not in fields and not isinstance(result, list):
            raise invalid("Mocked result must be an array.")
    elif shapes is not None and isinstance(fields.get("Resource"), str):
        mode = mock.get("fieldValidationMode", "STRICT")
        if mode != "NONE" and (problem := shapes(fields["Resource"], result, mode)):
            raise invalid(f"Mock result schema validation error: {problem}")
    return result, None
