"""How a task fails, in AWS's words.

Two families of names: ``aws-sdk`` calls fail as AWS's newer client for Java says, ``DynamoDb.ResourceNotFoundException``; most
of the integrations that AWS has made for one service, as the older one does, ``DynamoDB.ResourceNotFoundException``. An error
that the service's model does not have is that client's for all else: ``Sqs.SqsException``, ``SQS.AmazonSQSException``.
"""

import re
from typing import NamedTuple


class TaskFailed(Exception):
    """A task has failed: the error's name, which Retry and Catch go by, and its cause. ``may_pass``: the service could not
    answer, and may yet."""

    def __init__(self, error: str, cause: str = "", *, may_pass: bool = False) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.may_pass = may_pass


class Older(NamedTuple):
    """How an integration of its own names a service: in errors, the error for all else, and in causes."""

    prefix: str
    other: str
    service: str


OLDER = {
    "athena": Older("Athena", "AmazonAthenaException", "AmazonAthena"),
    "batch": Older("Batch", "AWSBatchException", "AWSBatch"),
    "codebuild": Older("CodeBuild", "AWSCodeBuildException", "AWSCodeBuild"),
    "dynamodb": Older("DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2"),
    "ecs": Older("ECS", "AmazonECSException", "AmazonECS"),
    "eks": Older("EKS", "AmazonEKSException", "AmazonEKS"),
    "elasticmapreduce": Older("ElasticMapReduce", "AmazonElasticMapReduceException", "AmazonElasticMapReduce"),
    "events": Older("EventBridge", "AmazonEventBridgeException", "AmazonEventBridge"),
    "glue": Older("Glue", "AWSGlueException", "AWSGlue"),
    "sagemaker": Older("SageMaker", "AmazonSageMakerException", "AmazonSageMaker"),
    "sns": Older("SNS", "AmazonSNSException", "AmazonSNS"),
    "sqs": Older("SQS", "AmazonSQSException", "AmazonSQS"),
}
"""By the name in the resource."""


def refused_by(service: str, code: str, message: str, status: int, request_id: str, shown: str = "") -> TaskFailed:
    """A service has answered with an error.

    Args:
        service: as error names have it, such as ``DynamoDb``.
        code: the error's type, as the service's model has it.
        shown: the service as its client names it, if that is something else.
    """
    cause = f"{message} (Service: {shown or service}, Status Code: {status}, Request ID: {request_id}) (SDK Attempt Count: 1)"
    return TaskFailed(f"{service}.{java_error(code)}", cause, may_pass=_may_pass(status, code))


def refused_as_older(older: Older, name: str, code: str, message: str, status: int, request_id: str) -> TaskFailed:
    """The same, of an integration of its own; ``name`` is that of the error in the service's model, or empty."""
    cause = f"{message} (Service: {older.service}; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
    error = f"{older.prefix}.{java_error(name) if name else older.other}"
    return TaskFailed(error, cause, may_pass=_may_pass(status, code))


def _may_pass(status: int, code: str) -> bool:
    return status >= 500 or status == 429 or "Throttl" in code or "TooManyRequests" in code


def not_supported(name: str) -> TaskFailed:
    """The service's call has no such parameter."""
    return TaskFailed("States.Runtime", f'The field "{name}" is not supported by Step Functions')


def unreachable(service: str, message: str) -> TaskFailed:
    """Nobody has answered."""
    return TaskFailed(f"{service}.SdkClientException", message, may_pass=True)


def java_name(service_id: str) -> str:
    """A service's name as AWS's Java client has it, from its service id: ``DynamoDB`` is DynamoDb, ``SFN`` Sfn."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", service_id) if word]
    return "".join(_word("Iot" if word == "IoT" else word) for word in words)


def java_error(name: str) -> str:
    """An error's name as AWS's Java client has it, from its shape's: ``NoSuchKey`` is NoSuchKeyException."""
    name = _word(name)
    return name if name.endswith("Exception") else name.removesuffix("Fault") + "Exception"


def _word(name: str) -> str:
    """With a capital letter at the beginning, and of each run of them the first alone: ``KMSInvalidState`` is KmsInvalidState."""
    name = re.sub(r"([A-Z])([A-Z]+)(?=[A-Z][a-z]|[^A-Za-z]|$)", lambda found: found[1] + found[2].lower(), name)
    return name[:1].upper() + name[1:]
