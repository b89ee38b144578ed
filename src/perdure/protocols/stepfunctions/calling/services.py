"""AWS's services by boto3: any call of any of them, with the user's endpoints and credentials.

A state names the members of a request with a capital letter at the beginning, whatever the service does, and sees those of
the answer so. boto3 blocks, so calls are made in threads.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from perdure.protocols.stepfunctions.calling.failures import (
    OLDER,
    TaskFailed,
    java_name,
    not_supported,
    refused_as_older,
    refused_by,
    unreachable,
)

T = TypeVar("T")

THREADS = 32

_NAMES = {
    "sfn": "stepfunctions",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "cognitoidentity": "cognito-identity",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "databasemigration": "dms",
    "costexplorer": "ce",
    "configservice": "config",
    "directory": "ds",
    "elasticsearch": "es",
    "iotdataplane": "iot-data",
    "elasticmapreduce": "emr",
    "elasticfilesystem": "efs",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "applicationautoscaling": "application-autoscaling",
    "simpleemail": "ses",
}
"""What a state calls a service, where boto3 calls it something else than that with hyphens in it."""


class Services:
    """boto3's clients.

    Args:
        endpoints: by boto3's name of a service; ``*`` is that of all others.
    """

    def __init__(self, endpoints: Mapping[str, str]) -> None:
        self._endpoints = endpoints
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._names: dict[str, str] | None = None
        self._is_known: bool | None = None

    async def call(
        self,
        service: str,
        action: str,
        parameters: Any,
        region: str,
        account: str,
        shown: str = "",
        *,
        is_sdk: bool = False,
    ) -> dict[str, Any]:
        """Make a call.

        Args:
            service: as a state names it: ``sqs``, ``cognitoidentityprovider``.
            action: ``sendMessage``.
            parameters: the request, its members with capital letters.
            account: the access key, where the user has no credentials.
            shown: the service as errors name it; as AWS's Java client has it without.
            is_sdk: whether it is an ``aws-sdk`` call, rather than an integration of the service's own: what its errors are
                called, and whether the answer tells of HTTP, too.

        Returns:
            The answer, as AWS shows it.

        Raises:
            TaskFailed: the service says no, or can't be reached, or there is no such call.
        """
        return await self._in_thread(partial(self._call, service, action, parameters, region, account, shown, is_sdk))

    async def object(self, bucket: str, key: str, region: str, account: str, version: str = "") -> bytes:
        """An object of S3 as it is; the last one, unless its version is given. Raises ``TaskFailed``."""
        return await self._in_thread(partial(self._object, bucket, key, region, account, version))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "perdure-aws")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Let go of the threads; a call that is under way is not waited for."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _call(
        self, service: str, action: str, parameters: Any, region: str, account: str, shown: str, is_sdk: bool
    ) -> dict[str, Any]:
        import botocore.exceptions

        client = self._client(service, region, account)
        model = client.meta.service_model
        name = action[:1].upper() + action[1:]
        if name not in model.operation_names:
            raise TaskFailed("States.Runtime", f"{service} has no call {action}.")
        operation = model.operation_model(name)
        who = shown or java_name(model.service_id)
        try:
            asked = {} if operation.input_shape is None else _asked(operation.input_shape, parameters or {})
            # boto3's own method names are made from the operations'; this asks for the operation as it is.
            answer = client._make_api_call(name, asked)
        except botocore.exceptions.ClientError as error:
            raise _refused(model, who, error, None if is_sdk or shown else service) from None
        except botocore.exceptions.ParamValidationError as error:
            raise TaskFailed("States.Runtime", str(error)) from None
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise unreachable(who, str(error)) from None
        metadata = answer.pop("ResponseMetadata", {})
        output = {} if operation.output_shape is None else _answered(operation.output_shape, answer)
        return output if is_sdk else {**output, **_metadata(metadata)}

    def _object(self, bucket: str, key: str, region: str, account: str, version: str) -> bytes:
        import botocore.exceptions

        client = self._client("s3", region, account)
        try:
            answer = client.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
            content: bytes = answer["Body"].read()
            return content
        except botocore.exceptions.ClientError as error:
            raise _refused(client.meta.service_model, "S3", error) from None
        except (botocore.exceptions.BotoCoreError, OSError) as error:
            raise unreachable("S3", str(error)) from None

    def _client(self, service: str, region: str, account: str) -> Any:
        import boto3
        import botocore.config

        name = self._boto_name(service)
        key = (name, region, account)
        if key not in self._clients:
            session = boto3.Session(region_name=region)
            given: dict[str, Any] = {}
            endpoint = self._endpoints.get(name) or self._endpoints.get("*")
            if endpoint and not self._has_credentials():
                given = {"aws_access_key_id": account, "aws_secret_access_key": "none"}
            config = botocore.config.Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=THREADS,
                # An endpoint of one's own has no names for buckets.
                s3={"addressing_style": "path"} if endpoint else None,
            )
            self._clients[key] = session.client(name, endpoint_url=endpoint or None, config=config, **given)
        return self._clients[key]

    def _has_credentials(self) -> bool:
        import boto3

        if self._is_known is None:
            # Looked for once: where there are none, boto3 asks the network.
            self._is_known = boto3.Session().get_credentials() is not None
        return self._is_known

    def _boto_name(self, service: str) -> str:
        import boto3

        name = _NAMES.get(service, service)
        if self._names is None:
            known = boto3.Session().get_available_services()
            self._names = {one: one for one in known} | {one.replace("-", ""): one for one in known}
        found = self._names.get(name)
        if found is None:
            raise TaskFailed("States.Runtime", f"There is no service {service!r:.100}.")
        return found


def _asked(shape: Any, value: Any) -> Any:
    """A request as boto3 has it, from one as a state has it: the first letter of a member may be of either case, and what
    is to be text may be any value."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            names = {name[:1].upper() + name[1:]: name for name in shape.members}
            own = {names.get(name[:1].upper() + name[1:], name): inner for name, inner in value.items()}
            for name in own:
                if name not in shape.members:
                    raise not_supported(str(name))
            return {name: _asked(shape.members[name], inner) for name, inner in own.items() if inner is not None}
        case "list" if isinstance(value, list):
            return [_asked(shape.member, inner) for inner in value]
        case "map" if isinstance(value, dict):
            return {name: _asked(shape.value, inner) for name, inner in value.items()}
        case "string" if isinstance(value, (dict, list, bool, int, float)):
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        case "blob" if not isinstance(value, bytes):
            return (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode()
        case "integer" | "long" if isinstance(value, float) and value.is_integer():
            return int(value)
        case _:
            return value


def _answered(shape: Any, value: Any) -> Any:
    """An answer as a state has it, from one as boto3 has it."""
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            return {
                name[:1].upper() + name[1:]: _answered(shape.members[name], inner)
                for name, inner in value.items()
                if name in shape.members
            }
        case "list" if isinstance(value, list):
            return [_answered(shape.member, inner) for inner in value]
        case "map" if isinstance(value, dict):
            return {name: _answered(shape.value, inner) for name, inner in value.items()}
        case "timestamp" if isinstance(value, datetime):
            return _moment(value)
        case "blob":
            content = value.read() if hasattr(value, "read") else value
            return content.decode(errors="replace") if isinstance(content, bytes) else content
        case _:
            return value


def _moment(value: datetime) -> str:
    """As Java writes an instant: without a fraction where there is none."""
    precision = "seconds" if not value.microsecond else "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _refused(model: Any, who: str, error: Any, own: str | None = None) -> TaskFailed:
    """Args:
    own: the service's name in a resource, of an integration of its own.
    """
    said, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(said.get("Code", "Unknown")), str(said.get("Message", ""))
    status, request_id = metadata.get("HTTPStatusCode", 500), metadata.get("RequestId", "")
    # Some services' codes are not the names of their errors: AWS.SimpleQueueService.NonExistentQueue.
    names = {(shape.metadata.get("error") or {}).get("code", shape.name): shape.name for shape in model.error_shapes}
    known = {*names.values()}
    name = names.get(code) or next((one for one in (said.get("QueryErrorCode"), code) if one in known), "")
    if own in OLDER:
        return refused_as_older(OLDER[own], name, code, message, status, request_id)
    return refused_by(who, name or f"{who}Exception", message, status, request_id)


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    headers = {name.title(): value for name, value in metadata.get("HTTPHeaders", {}).items()}
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": metadata.get("HTTPStatusCode", 200),
        },
        "SdkResponseMetadata": {"RequestId": metadata.get("RequestId", "")},
    }
