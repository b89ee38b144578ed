"""From a request to an answer: admit, read, handle, write. The same for every operation."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from typing import Any
from urllib.parse import unquote

import msgspec
import msgspec.inspect
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from perdure.model.access import Credentials, Permission, Principal, Session
from perdure.model.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PerdureError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from perdure.model.service import Service
from perdure.protocols.rest.bodies import BodyRefused, read_body
from perdure.protocols.rest.idempotency import Answered, Remembered, key_of
from perdure.protocols.rest.operations import NOTHING, Call, Document, Nothing, Operation, Stream
from perdure.protocols.rest.parts import Parts
from perdure.protocols.rest.problems import MEDIA_TYPE, Problem, problem_of, problem_of_http
from perdure.protocols.rest.streaming import send_stream
from perdure.protocols.rest.waiting import Gone

_log = logging.getLogger("perdure.rest")

_encode = msgspec.json.Encoder().encode


class _Nobody:
    """The session of an operation that lets in by other means."""

    principal = Principal("", {})
    key = ""
    request_bytes = 0

    @property
    def service(self) -> Service:
        raise PermissionDeniedError("Nobody is known to call.")

    def require(self, permission: Permission, namespace: str) -> None:
        raise PermissionDeniedError("Nobody is known to call.")

    def check_size(self, act: str, size: int) -> None: ...

    async def perform(self, act: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        raise PermissionDeniedError("Nobody is known to call.")

    def pace(self, messages: int) -> float:
        return 0.0


_NOBODY = _Nobody()


class Endpoint:
    """The operations of one path, as an ASGI application."""

    def __init__(self, operations: Mapping[str, Operation], parts: Parts, remembered: Remembered) -> None:
        self._operations = {method: _Reader(operation) for method, operation in operations.items()}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        self._parts = parts
        self._remembered = remembered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        reader = self._operations.get(scope["method"])
        if reader is None:
            allowed = ", ".join(sorted(self._operations))
            await send_problem(send, problem_of_http(405, f"Allowed are {allowed}."), (("allow", allowed),))
            return
        if (observed := scope.get("perdure.observed")) is not None:
            observed["route"] = reader.operation.path
        request = Request(scope, receive)
        try:
            answer = await self._answer(reader, request, scope["path_params"])
        except Gone:
            return
        except BodyRefused as refused:
            await send_problem(send, problem_of_http(refused.status, str(refused)), (("connection", "close"),))
            return
        except UnauthenticatedError as error:
            await send_problem(send, problem_of(error), (("www-authenticate", "Bearer"),))
            return
        except PerdureError as error:
            if not isinstance(error, InvalidArgumentError) and problem_of(error).status >= 500:
                _log.warning("%s %s: %s", scope["method"], scope["path"], error)
            await send_problem(send, problem_of(error, getattr(error, "shown_failure", None)), _retry_after(error))
            return
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await send_problem(send, problem_of_http(500))
            return
        if isinstance(answer, Stream):
            await send_stream(answer, self._parts, receive, send)
        else:
            await send_answer(send, answer)

    async def _answer(self, reader: "_Reader", request: Request, path: dict[str, str]) -> Answered | Stream:
        operation, parts = reader.operation, self._parts
        if operation.is_public:
            session: Session = _NOBODY
            parts.gate.approach(credentials_of(request))
        else:
            session = await parts.gate.admit(credentials_of(request))
        key = key_of(request.headers.get("idempotency-key"))
        named = {name: _segment(text) for name, text in path.items()}
        call: Call[Any, Any] = Call(operation, request, parts, session, named, key)
        call.query = reader.query(request)
        body = b"" if operation.is_raw else await _body_of(request, parts, session, operation)
        call.body = reader.body(request, body)
        if operation.is_public:
            try:
                return _written(call, operation, await operation.handler(call))
            except UnauthenticatedError as error:
                parts.gate.turned_away(credentials_of(request), operation.name, str(error))
                raise
        if not (key and operation.remembers):
            return _written(call, operation, await operation.handler(call))
        place = (session.key, request.method, request.scope["path"], key)
        async with self._remembered.at(place, body) as known:
            if known.answer is not None:
                return known.answer
            answer = _written(call, operation, await operation.handler(call))
            known.answer = answer if isinstance(answer, Answered) else None
            return answer


async def _body_of(request: Request, parts: Parts, session: Session, operation: Operation) -> bytes:
    """The body, of at most so many bytes as the protocol takes, and as this caller may send."""
    own, bounds = session.request_bytes, parts.bounds
    try:
        return await read_body(request, bounds, min(own or bounds.body_bytes, bounds.body_bytes))
    except BodyRefused as refused:
        try:
            session.check_size(operation.name, refused.size)
        except LimitExceededError as error:
            raise BodyRefused(refused.status, str(error)) from None
        raise


class _Reader:
    """What is read of the requests of an operation."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._has_query = operation.query is not Nothing
        self._several = {
            field.name
            for field in msgspec.structs.fields(operation.query)
            if _is_list(msgspec.inspect.type_info(field.type))
        }
        self._decode = None if operation.body is None else msgspec.json.Decoder(operation.body).decode
        self._is_optional = operation.body is not None and not _required(operation.body)

    def query(self, request: Request) -> Any:
        """The query parameters in their type."""
        if not request.scope["query_string"] and not self._has_query:
            return NOTHING
        given = request.query_params
        values: dict[str, Any] = {name: given.getlist(name) if name in self._several else given[name] for name in given}
        try:
            return msgspec.convert(values, self.operation.query, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidArgumentError(f"In the query: {error}") from None

    def body(self, request: Request, body: bytes) -> Any:
        """The body in its type; what need not be sent has its defaults."""
        if self._decode is None:
            if body and not self.operation.is_raw:
                raise InvalidArgumentError("This operation has no body; send none.")
            return NOTHING
        if not body and self._is_optional:
            body = b"{}"
        try:
            body.decode()  # what is kept byte for byte must be text
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise InvalidArgumentError(f"In the body: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidArgumentError(f"The body is no JSON: {error}") from None
        except RecursionError:
            raise InvalidArgumentError("The body is nested too deeply.") from None


def _is_list(type: msgspec.inspect.Type) -> bool:
    return isinstance(type.type if isinstance(type, msgspec.inspect.Metadata) else type, msgspec.inspect.ListType)


def _required(body: Any) -> bool:
    return any(field.required for field in msgspec.structs.fields(body))


def _retry_after(error: PerdureError) -> tuple[tuple[str, str], ...]:
    seconds = getattr(error, "retry_after_seconds", 0.0)
    return (("retry-after", str(ceil(seconds))),) if seconds else ()


def _segment(text: str) -> str:
    """A piece of the path as it was meant: %2F is a slash in a name."""
    try:
        return unquote(text, errors="strict") if "%" in text else text
    except UnicodeDecodeError:
        raise InvalidArgumentError(f"{text!r} in the path is no UTF-8 in percent encoding.") from None


def credentials_of(request: Request) -> Credentials:
    """What came with a request."""
    client = request.client
    return Credentials(
        request.headers.get("authorization", ""),
        request.scope.get("state", {}).get("certificate", ""),
        client.host if client is not None else "",
    )


def _written(call: Call[Any, Any], operation: Operation, answer: Any) -> Answered | Stream:
    if isinstance(answer, Stream):
        return answer
    if isinstance(answer, Document):
        return Answered(answer.status, answer.media_type, answer.content)
    if answer is None:
        return Answered(204, "", b"")
    return Answered(call.status or operation.status, "application/json", _encode(answer))


async def send_answer(send: Send, answer: Answered) -> None:
    """A whole answer."""
    headers = [(b"content-length", b"%d" % len(answer.content)), (b"cache-control", b"no-store")]
    if answer.media_type:
        headers.append((b"content-type", answer.media_type.encode()))
    if answer.status == 204:
        headers = headers[1:]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


async def send_problem(send: Send, problem: Problem, headers: tuple[tuple[str, str], ...] = ()) -> None:
    """A problem document."""
    content = _encode(problem)
    pairs = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(content))]
    pairs += [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": problem.status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})
