"""Everything together as one ASGI application: AWS JSON 1.0, a POST whose ``X-Amz-Target`` names the operation."""

import logging
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from perdure.model.access import Credentials
from perdure.model.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PerdureError,
    PermissionDeniedError,
    StoreError,
    UnauthenticatedError,
)
from perdure.protocols.stepfunctions import (
    activities,
    aliases,
    executions,
    histories,
    machines,
    map_runs,
    tags,
    tasks,
    testing,
    versions,
)
from perdure.protocols.stepfunctions.bodies import read_body
from perdure.protocols.stepfunctions.operations import Call, Gone, Handler
from perdure.protocols.stepfunctions.parts import Parts
from perdure.protocols.stepfunctions.refusals import Refusal
from perdure.protocols.stepfunctions.signatures import signed_by

log = logging.getLogger("perdure.stepfunctions")

TARGET = "AWSStepFunctions."
MEDIA_TYPE = "application/x-amz-json-1.0"

HANDLERS: Mapping[str, Handler] = {
    **machines.operations.all,
    **versions.operations.all,
    **aliases.operations.all,
    **executions.operations.all,
    **histories.operations.all,
    **map_runs.operations.all,
    **activities.operations.all,
    **tasks.operations.all,
    **tags.operations.all,
    **testing.operations.all,
}

_encode = msgspec.json.Encoder().encode


def create_app(parts: Parts) -> ASGIApp:
    """The Step Functions API."""
    return _Application(parts)


class _Application:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = str(uuid.uuid4())
        try:
            answer = await self._answer(scope, receive)
            await _send(send, request_id, 200, _encode(answer))
            return
        except Gone:
            return
        except Refusal as error:
            refusal = error
        except (LimitExceededError, PermissionDeniedError, UnauthenticatedError, InvalidArgumentError) as error:
            refusal = _refusal_of(error)
        except StoreError as error:
            log.warning("%s: %s", scope["path"], error)
            refusal = Refusal("ServiceUnavailableException", str(error), 503)
        except PerdureError as error:
            log.warning("%s: %s", scope["path"], error)
            refusal = Refusal("InternalServerException", str(error), 500)
        except Exception:
            log.exception("A request to Step Functions failed")
            refusal = Refusal("InternalServerException", "Internal error.", 500)
        if (observed := scope.get("perdure.observed")) is not None:
            observed["error"] = refusal.code
        await _send_refusal(send, request_id, refusal)

    async def _answer(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        parts = self._parts
        request = Request(scope, receive)
        self._check_door(request)
        target = request.headers.get("x-amz-target", "")
        name = target.removeprefix(TARGET)
        if (observed := scope.get("perdure.observed")) is not None:
            observed["route"] = f"stepfunctions {name}" if name in HANDLERS else "stepfunctions"
        if request.method != "POST" or not target.startswith(TARGET) or name not in parts.model.names:
            raise Refusal("UnknownOperationException", "")
        body = await read_body(request, parts.bounds)
        signed = signed_by(request, body, parts)
        client = request.client
        session = await parts.gate.admit(
            Credentials(
                "" if signed.signature is not None else request.headers.get("authorization", ""),
                scope.get("state", {}).get("certificate", ""),
                client.host if client is not None else "",
                signed.signature,
            )
        )
        session.check_size(name, len(body))
        try:
            asked = msgspec.json.decode(body or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refusal("SerializationException", "") from None
        parts.model.check(name, asked)
        present = {key: value for key, value in asked.items() if value is not None}
        return await HANDLERS[name](Call(name, present, signed.account, signed.region, session, parts, receive))

    def _check_door(self, request: Request) -> None:
        """A page of somebody else's site must not use a browser that may reach this server."""
        host = request.headers.get("host", "").lower()
        name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        hosts = self._parts.allowed_hosts
        if hosts is not None and name.removeprefix("sync-") not in hosts:
            raise Refusal(
                "AccessDeniedException", f"Without authentication it answers to {', '.join(sorted(hosts))}.", 421
            )
        if request.headers.get("origin") is not None:
            raise Refusal("AccessDeniedException", "It does not answer to pages of the web.", 403)


def _refusal_of(error: PerdureError) -> Refusal:
    match error:
        case LimitExceededError() if error.limit:
            # What is too large stays so: as throttling, clients would send it again and again.
            return Refusal("RequestEntityTooLarge", str(error), 413)
        case LimitExceededError():
            return Refusal("ThrottlingException", str(error))
        case PermissionDeniedError():
            return Refusal("AccessDeniedException", str(error))
        case UnauthenticatedError():
            return Refusal(
                "UnrecognizedClientException", f"The security token included in the request is invalid. {error}", 403
            )
        case _:
            return Refusal("ValidationException", str(error))


async def _send_refusal(send: Send, request_id: str, refusal: Refusal) -> None:
    body = {"__type": refusal.code, **({"message": refusal.message} if refusal.message else {})}
    await _send(send, request_id, refusal.status, _encode(body))


async def _send(send: Send, request_id: str, status: int, content: bytes) -> None:
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(content)),
        (b"x-amzn-requestid", request_id.encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
