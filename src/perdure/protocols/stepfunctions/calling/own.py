"""Tasks that ask this very server: nested executions, and ``aws-sdk:sfn``.

They take the way that a client's request takes, with the shapes and the words of AWS's API, but for the wire.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from perdure.protocols.stepfunctions.calling.failures import TaskFailed, refused_by
from perdure.protocols.stepfunctions.refusals import Refusal

Ask = Callable[[str, Mapping[str, Any], str, str], Awaitable[dict[str, Any]]]
"""Asks for an operation with a request, an account and a region. Raises ``Refusal``."""

_TIMES = frozenset({"startDate", "stopDate", "creationDate", "updateDate", "redriveDate", "timestamp"})


async def asked(ask: Ask, service: str, action: str, parameters: Any, account: str, region: str) -> dict[str, Any]:
    """Ask for a call. What AWS shows of the answer; raises ``TaskFailed``.

    Args:
        service: as errors name it: ``StepFunctions`` of a nested execution, ``Sfn`` of ``aws-sdk:sfn``.
        action: ``startExecution``.
    """
    request_id = str(uuid.uuid4())
    body = {name[:1].lower() + name[1:]: _text(value) for name, value in dict(parameters or {}).items()}
    try:
        answer = await ask(action[:1].upper() + action[1:], body, account, region)
    except Refusal as refusal:
        raise refused(service, refusal, request_id) from None
    return {
        **{name[:1].upper() + name[1:]: _shown(name, value) for name, value in answer.items()},
        "SdkHttpMetadata": {
            "AllHttpHeaders": {"x-amzn-RequestId": [request_id]},
            "HttpHeaders": {"x-amzn-RequestId": request_id},
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
    }


def bare(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as an ``aws-sdk`` call shows it: nothing of HTTP."""
    return {name: value for name, value in answer.items() if name not in ("SdkHttpMetadata", "SdkResponseMetadata")}


def refused(service: str, refusal: Refusal, request_id: str = "") -> TaskFailed:
    """A refusal as the failure of a task."""
    return refused_by(service, refusal.code, refusal.message, refusal.status, request_id or str(uuid.uuid4()))


def start_request(parameters: Any) -> dict[str, Any]:
    """The request of a nested execution. Raises ``TaskFailed``."""
    if not isinstance(parameters, dict) or not isinstance(parameters.get("StateMachineArn"), str):
        raise TaskFailed("States.Runtime", "The field 'StateMachineArn' is required but was missing.")
    body = {"stateMachineArn": parameters["StateMachineArn"]}
    if parameters.get("Input") is not None:
        body["input"] = _text(parameters["Input"])
    if parameters.get("Name") is not None:
        body["name"] = _text(parameters["Name"])
    return body


def shown_start(execution_arn: str, started: float) -> dict[str, Any]:
    """What AWS shows of an execution that was started."""
    request_id = str(uuid.uuid4())
    return {
        "ExecutionArn": execution_arn,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {"x-amzn-RequestId": [request_id]},
            "HttpHeaders": {"x-amzn-RequestId": request_id},
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
        "StartDate": _date(started),
    }


def _text(value: Any) -> Any:
    """Where AWS's API has text a state may have any value."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _shown(name: str, value: Any) -> Any:
    if name in _TIMES and isinstance(value, (int, float)):
        return _date(value)
    if isinstance(value, dict):
        return {inner[:1].upper() + inner[1:]: _shown(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_shown("", one) for one in value]
    return value


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
