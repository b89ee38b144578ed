"""Is a mock's result what the service would answer? Judged by botocore's model of the service.

The States Language writes members of an answer with a capital letter, and times and bytes as texts. Members that the
model does not know are let through, as AWS lets them through.
"""

from __future__ import annotations

import functools
import re
from typing import Any

INTEGRATION = re.compile(r"arn:[^:]+:states:::(?:aws-sdk:)?(?P<service>[\w-]+):(?P<action>\w+)")
# Where the States Language's name of a service is not botocore's.
SERVICES = {
    "states": "stepfunctions",
    "sfn": "stepfunctions",
    "elasticmapreduce": "emr",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "elasticloadbalancingv2": "elbv2",
    "emrcontainers": "emr-containers",
    "emrserverless": "emr-serverless",
    "rdsdata": "rds-data",
    "redshiftdata": "redshift-data",
    "sesv2": "sesv2",
    "ssm": "ssm",
}
# Step Functions' own copy of a service's model is older than botocore's; these are as recorded from it.
MOST = {"MemorySize": 10_240}
NUMBERS = frozenset({"integer", "long", "float", "double"})
TEXTS = frozenset({"string", "timestamp", "blob", "character"})


def problem(resource: str, result: Any, mode: str) -> str | None:
    """What is wrong with the result; None if nothing, or if there is no model to judge it by.

    Args:
        resource: of the Task.
        result: the mock's.
        mode: "STRICT", where required members must be there, or "PRESENT", where only what is there is judged.
    """
    found = INTEGRATION.fullmatch(resource)
    if found is None:  # other patterns answer with what the service says later
        return None
    shape = shape_of(SERVICES.get(found["service"], found["service"]), found["action"])
    if shape is None or not isinstance(result, dict):
        return None if shape is None else "Result must be an object"
    skipped = {"Payload"} if found["service"] == "lambda" else set()
    return of_structure(shape, {name: value for name, value in result.items() if name not in skipped}, mode)


@functools.lru_cache(maxsize=256)
def shape_of(service: str, action: str) -> Any:
    try:
        import botocore.session  # the `stepfunctions` extra brings it; without it mocks are taken as they are
        from botocore.exceptions import BotoCoreError
    except ImportError:
        return None
    session = botocore.session.get_session()
    try:
        model = session.get_service_model(service)
    except BotoCoreError:
        return None
    name = action[0].upper() + action[1:]
    return model.operation_model(name).output_shape if name in model.operation_names else None


def of_structure(shape: Any, value: dict[str, Any], mode: str) -> str | None:
    members = {name[0].upper() + name[1:]: inner for name, inner in shape.members.items()}
    if mode == "STRICT":
        for name in shape.required_members:
            if name[0].upper() + name[1:] not in value:
                return f"Required field '{name[0].upper() + name[1:]}' is missing"
    for name, inner in value.items():
        if name in members and (found := of_value(name, members[name], inner, mode)):
            return found
    return None


def of_value(name: str, shape: Any, value: Any, mode: str) -> str | None:
    if value is None:
        return None
    kind = shape.type_name
    if kind in NUMBERS:
        return of_number(name, shape, value)
    if kind in TEXTS:
        if not isinstance(value, str):
            return f"Field '{name}' must be a string"
        if kind == "string" and shape.enum and value not in shape.enum:
            return f"Field '{name}' is not an expected value"
        return None
    if kind == "boolean":
        return None if isinstance(value, bool) else f"Field '{name}' must be a boolean"
    if kind == "list":
        if not isinstance(value, list):
            return f"Field '{name}' must be an array"
        return next((found for item in value if (found := of_value(name, shape.member, item, mode))), None)
    if not isinstance(value, dict):
        return f"Field '{name}' must be an object"
    if kind == "map":
        return next((found for item in value.values() if (found := of_value(name, shape.value, item, mode))), None)
    return of_structure(shape, value, mode)


def of_number(name: str, shape: Any, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"Field '{name}' must be a number"
    most, least = MOST.get(name, shape.metadata.get("max")), shape.metadata.get("min")
    if most is not None and value > most:
        return f"Field '{name}' exceeds the maximum value"
    if least is not None and value < least:
        return f"Field '{name}' is less than the minimum value"
    return None
