"""What a Task's Resource may name: a function, an activity, or an integration with one of AWS's services.

Source: Amazon's page "Integrating services with Step Functions", its table of optimised integrations and patterns.
Names that are no ARN are ours: an activity of a worker (docs/state-machines.md).
"""

from __future__ import annotations

import re
from typing import Any, Final

from perdure.expressions.located_json import Place
from perdure.languages.asl.checks.diagnostics import Findings

ARN: Final = re.compile(
    r"arn:(?P<partition>aws[\w-]*):(?P<service>[\w-]+):(?P<region>[\w-]*):(?P<account>[\w-]*):(?P<rest>.+)"
)
INTEGRATION: Final = re.compile(
    r"(?P<service>[\w-]+):(?P<action>[\w.:-]+?)(?P<pattern>\.sync:2|\.sync|\.waitForTaskToken)?"
)

SYNC: Final = ".sync"
SYNC_2: Final = ".sync:2"
TOKEN: Final = ".waitForTaskToken"

# service -> action -> patterns besides asking and going on.
OPTIMISED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "apigateway": {"invoke": (TOKEN,)},
    "athena": {
        "startQueryExecution": (SYNC,), "stopQueryExecution": (), "getQueryExecution": (), "getQueryResults": (),
    },
    "batch": {"submitJob": (SYNC,)},
    "bedrock": {
        "invokeModel": (TOKEN,), "createModelCustomizationJob": (SYNC, TOKEN),
    },
    "bedrock-agentcore": {"invokeHarness": (), "invokeAgentRuntime": ()},
    "codebuild": {
        "startBuild": (SYNC,), "stopBuild": (), "batchDeleteBuilds": (), "batchGetReports": (),
        "startBuildBatch": (SYNC,), "stopBuildBatch": (), "retryBuildBatch": (SYNC,), "deleteBuildBatch": (),
    },
    "databrew": {"startJobRun": (SYNC,)},
    "dynamodb": {"getItem": (), "putItem": (), "deleteItem": (), "updateItem": ()},
    "ecs": {"runTask": (SYNC, TOKEN)},
    "eks": {
        "createCluster": (SYNC, TOKEN), "deleteCluster": (SYNC, TOKEN), "createNodegroup": (SYNC, TOKEN),
        "deleteNodegroup": (SYNC, TOKEN), "createFargateProfile": (SYNC, TOKEN), "deleteFargateProfile": (SYNC, TOKEN),
        "call": (TOKEN,), "runJob": (SYNC, TOKEN),
    },
    "elasticmapreduce": {
        "createCluster": (SYNC,), "terminateCluster": (SYNC,), "addStep": (SYNC,), "cancelStep": (),
        "setClusterTerminationProtection": (), "modifyInstanceFleetByName": (), "modifyInstanceGroupByName": (),
    },
    "emr-containers": {
        "createVirtualCluster": (), "deleteVirtualCluster": (SYNC,), "startJobRun": (SYNC,),
    },
    "emr-serverless": {
        "createApplication": (SYNC,), "startApplication": (SYNC,), "stopApplication": (SYNC,),
        "deleteApplication": (SYNC,), "startJobRun": (SYNC,), "cancelJobRun": (SYNC,),
    },
    "events": {"putEvents": (TOKEN,)},
    "glue": {"startJobRun": (SYNC,)},
    "http": {"invoke": ()},
    "lambda": {"invoke": (TOKEN,)},
    "mediaconvert": {"createJob": (SYNC,)},
    "s3": {"getObject": (), "listObjectsV2": (), "putObject": ()},
    "sagemaker": {
        "createEndpoint": (), "createEndpointConfig": (), "createHyperParameterTuningJob": (SYNC,),
        "createLabelingJob": (SYNC,), "createModel": (), "createProcessingJob": (SYNC,), "createTrainingJob": (SYNC,),
        "createTransformJob": (SYNC,), "updateEndpoint": (),
    },
    "sns": {"publish": (TOKEN,)},
    "sqs": {"sendMessage": (TOKEN,)},
    "states": {"startExecution": (SYNC, SYNC_2, TOKEN)},
}  # fmt: skip

# Parameters that AWS asks for when a machine is made.
NEEDED: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("lambda", "invoke"): ("FunctionName",),
    ("sqs", "sendMessage"): ("QueueUrl", "MessageBody"),
    ("sns", "publish"): ("Message",),
    ("dynamodb", "putItem"): ("TableName", "Item"),
    ("dynamodb", "getItem"): ("TableName", "Key"),
    ("states", "startExecution"): ("StateMachineArn",),
    ("events", "putEvents"): ("Entries",),
    ("ecs", "runTask"): ("TaskDefinition",),
    ("glue", "startJobRun"): ("JobName",),
}


def judge(state: dict[str, Any], place: Place, found: Findings, jsonata: bool) -> None:
    """Notes what is wrong with the Resource of a Task, and with what goes with it."""
    resource, where = state["Resource"], (*place, "Resource")
    if not found.type_of(where, resource, "STRING"):
        return
    if not resource:
        found.add(where, "Value is not a valid resource ARN", expected="an ARN, or the name of an activity")
        return
    if not resource.startswith("arn:"):
        return
    arn = ARN.fullmatch(resource)
    if arn is None:
        found.add(where, "Value is not a valid resource ARN", expected="arn:aws:SERVICE:REGION:ACCOUNT:NAME")
        return
    if arn["service"] == "states" and arn["rest"].startswith("activity:"):
        if found.of_express:
            found.add(where, "Express state machine does not support Activity ARN")
        if "Credentials" in state:
            found.add((*place, "Credentials"), "The field 'Credentials' is not supported for activities")
    elif arn["service"] == "states" and not arn["account"]:
        integration(arn["rest"], resource, state, place, found, jsonata)


def integration(rest: str, resource: str, state: dict[str, Any], place: Place, found: Findings, jsonata: bool) -> None:
    where = (*place, "Resource")
    parts = INTEGRATION.fullmatch(rest)
    if parts is None or not is_known(parts["service"], parts["action"], parts["pattern"]):
        names = [f"{service}:{action}" for service, actions in OPTIMISED.items() for action in actions]
        found.add(
            where,
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource is "
            "not available in this region.",
            near=(rest, names),
            expected="an integration that AWS has, in a pattern that it has",
        )
        return
    if found.of_express and parts["pattern"] in (SYNC, SYNC_2):
        found.add(where, "Express state machine does not support '.sync' service integration")
    elif found.of_express and parts["pattern"] == TOKEN:
        found.add(where, "Express state machine does not support '.waitForTaskToken' service integration ")
    field = "Arguments" if jsonata else "Parameters"
    if field not in state:
        found.add(place, f"{field} field is required for resource ARN: {resource}", expected=f"the field '{field}'")
    elif isinstance(state[field], dict):
        for name in NEEDED.get((parts["service"], parts["action"]), ()):
            if name not in state[field] and f"{name}.$" not in state[field]:
                found.add((*place, field), f"The field '{name}' is required but was missing", near=(name, state[field]))


def is_known(service: str, action: str, pattern: str | None) -> bool:
    if service == "aws-sdk":
        return re.fullmatch(r"\w+:\w+", action) is not None and pattern in (None, TOKEN)
    patterns = OPTIMISED.get(service, {}).get(action)
    return patterns is not None and (pattern is None or pattern in patterns)


def credentials(value: Any, place: Place, found: Findings) -> None:
    """Notes what is wrong with Credentials."""
    if not found.type_of(place, value, "OBJECT"):
        return
    if "RoleArn" not in value and "RoleArn.$" not in value:
        found.add(place, "The field 'RoleArn' is required but was missing", near=("RoleArn", value))
