"""Lambda's Invoke call, at an endpoint of the user's or at AWS.

At an endpoint the call is made here, for it is HTTP and a JSON body, and ten thousand of them at once need no threads. The
real Lambda is left to boto3 with its credentials, retries and regions.
"""

import json
import ssl
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from perdure.protocols.stepfunctions.calling.failures import TaskFailed, not_supported, refused_by, unreachable
from perdure.protocols.stepfunctions.calling.services import Services

SECONDS = 900.0
"""The longest that a function may take on AWS."""

MOST_AT_ONCE = 256


PARAMETERS = frozenset({"ClientContext", "FunctionName", "InvocationType", "LogType", "Payload", "Qualifier"})
"""Of Lambda's Invoke call."""


class Lambdas:
    """Invokes functions.

    Args:
        endpoint: where the Invoke call is answered; at AWS, by ``services``, if it is empty.
        services: boto3.
    """

    def __init__(self, endpoint: str, services: Services) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._services = services
        self._pool: Any = None

    async def function(self, arn: str, input: Any, account: str, region: str) -> Any:
        """Invoke a function by its ARN. What it returns; raises ``TaskFailed``."""
        # Its input is the payload, whatever it is; only lambda:invoke takes JSON in a text.
        answer = await self._invoke({"FunctionName": arn}, msgspec.json.encode(input), account, region)
        return answer["Payload"]

    async def invoke(self, parameters: Any, account: str, region: str) -> Any:
        """``lambda:invoke``. What AWS shows of the answer; raises ``TaskFailed``."""
        if not isinstance(parameters, dict) or not parameters.get("FunctionName"):
            raise TaskFailed("States.Runtime", "The field 'FunctionName' is required but was missing.")
        for name in parameters:
            if name not in PARAMETERS:
                raise not_supported(name)
        return await self._invoke(parameters, _body(parameters.get("Payload")), account, region)

    async def _invoke(self, parameters: Mapping[str, Any], body: bytes, account: str, region: str) -> dict[str, Any]:
        if not self._endpoint:
            return await self._at_aws(parameters, body, account, region)
        name = str(parameters["FunctionName"])
        path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
        if parameters.get("Qualifier"):
            path += f"?Qualifier={quote(str(parameters['Qualifier']), safe='')}"
        kind = str(parameters.get("InvocationType", "RequestResponse"))
        headers = {
            "content-type": "application/json",
            "x-amz-invocation-type": kind,
            "authorization": f"AWS4-HMAC-SHA256 Credential={account}/20000101/{region}/lambda/aws4_request, "
            "SignedHeaders=host, Signature=none",
            "user-agent": "perdure",
        }
        if parameters.get("ClientContext"):
            headers["x-amz-client-context"] = str(parameters["ClientContext"])
        status, answered, content = await self._post(path, headers, body)
        request_id = answered.get("x-amzn-requestid") or str(uuid.uuid4())
        if status >= 300:
            raise _refusal(status, answered, content, request_id)
        return _shown(status, answered, content, request_id)

    async def _post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        import httpcore

        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=ssl.create_default_context(), max_connections=MOST_AT_ONCE
            )
        timeouts = {"connect": 10.0, "read": SECONDS, "write": 60.0, "pool": SECONDS}
        try:
            answer = await self._pool.request(
                "POST", self._endpoint + path, headers=headers, content=body, extensions={"timeout": timeouts}
            )
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise unreachable("Lambda", f"Unable to execute HTTP request: {error or type(error).__name__}") from None
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, found, answer.content

    async def _at_aws(self, parameters: Mapping[str, Any], body: bytes, account: str, region: str) -> dict[str, Any]:
        answer = await self._services.call(
            "lambda", "invoke", {**parameters, "Payload": body}, region, account, "Lambda"
        )
        content = answer.pop("Payload", b"")
        content = content.encode() if isinstance(content, str) else content
        status = answer.get("StatusCode", 200)
        headers = {"x-amz-executed-version": answer.get("ExecutedVersion", "$LATEST")}
        if answer.get("FunctionError"):
            headers["x-amz-function-error"] = answer["FunctionError"]
        metadata = answer.get("SdkResponseMetadata", {})
        return _shown(status, headers, content, metadata.get("RequestId", ""))

    async def close(self) -> None:
        """Close what connections there are."""
        if self._pool is not None:
            await self._pool.aclose()


def _body(payload: Any) -> bytes:
    """A payload as it is sent: nothing is an empty object; text that is JSON is meant as such."""
    if payload is None:
        return b"{}"
    if isinstance(payload, str):
        try:
            json.loads(payload)
        except ValueError:
            pass
        else:
            return payload.encode()
    return msgspec.json.encode(payload)


def _shown(status: int, headers: Mapping[str, str], content: bytes, request_id: str) -> dict[str, Any]:
    if headers.get("x-amz-function-error"):
        raise _raised(content)
    try:
        payload = json.loads(content) if content.strip() else None
    except ValueError:
        payload = content.decode(errors="replace")
    shown = {name.title(): value for name, value in headers.items()}
    return {
        "ExecutedVersion": headers.get("x-amz-executed-version", "$LATEST"),
        "Payload": payload,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in shown.items()},
            "HttpHeaders": shown,
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
        "StatusCode": status,
    }


def _raised(content: bytes) -> TaskFailed:
    """The function itself has failed: its error's type is the name, its whole answer the cause."""
    text = content.decode(errors="replace")
    try:
        said = json.loads(text)
    except ValueError:
        return TaskFailed("Lambda.Unknown", text)
    name = said.get("errorType") if isinstance(said, dict) else None
    return TaskFailed(str(name) if name else "Lambda.Unknown", text)


def _refusal(status: int, headers: Mapping[str, str], content: bytes, request_id: str) -> TaskFailed:
    try:
        said = json.loads(content)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    code = headers.get("x-amzn-errortype") or said.get("__type") or "ServiceException"
    message = said.get("Message") or said.get("message") or ""
    return refused_by("Lambda", str(code).partition(":")[0].rpartition("#")[2], str(message), status, request_id)
