"""``http:invoke``: a call of any HTTP API, with what an EventBridge connection adds to it.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from perdure.model.errors import ApplicationError, PerdureError
from perdure.protocols.stepfunctions.calling.connections import Addition, Connections
from perdure.protocols.stepfunctions.calling.failures import TaskFailed

METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"})
FORM = "application/x-www-form-urlencoded"
REFUSED = (401, 407)

# fmt: off
FORBIDDEN = frozenset({
    "a-im", "accept-charset", "accept-datetime", "accept-encoding", "cache-control", "connection",
    "content-encoding", "content-md5", "date", "expect", "forwarded", "from", "host", "http2-settings", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "max-forwards", "origin", "pragma",
    "proxy-authorization", "referer", "server", "te", "trailer", "transfer-encoding", "upgrade", "via", "warning",
})
# fmt: on
"""Headers that a definition may not have."""

FORBIDDEN_BEGINNINGS = ("x-forwarded", "x-amz", "x-amzn")


class Answer(NamedTuple):
    """What came of a request. ``headers`` are in their order, one name perhaps several times."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    content: bytes


class Sent(NamedTuple):
    """A request as it goes out."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes


@dataclass(slots=True)
class Exchange:
    """What was said while a call was made, for whoever inspects it.

    Args:
        sent: the last request; None if none was made.
        open: the same as the definition alone has it, if it can: what the connection adds is secret.
        answer: what came of it; None if nothing did.
    """

    sent: Sent | None = None
    open: Sent | None = None
    answer: Answer | None = None


Ask = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Answer]]
"""Makes a request, of a method, a URL, headers and a body. Raises ``PerdureError`` for a URL that this server does not ask, and
``ApplicationError`` if there is no answer."""


class Web:
    """Calls HTTP APIs.

    Args:
        ask: makes requests.
        connections: EventBridge's, as far as they are known here.
    """

    def __init__(self, ask: Ask, connections: Connections | None = None) -> None:
        self._ask = ask
        self._connections = connections or Connections({})

    async def invoke(self, parameters: Any, exchange: Exchange | None = None) -> dict[str, Any]:
        """Make a call. What AWS shows of the answer; raises ``TaskFailed``. ``exchange`` is told what was said."""
        if not isinstance(parameters, dict):
            raise TaskFailed("States.Runtime", "The fields 'ApiEndpoint' and 'Method' are required but were missing.")
        url, method = str(parameters.get("ApiEndpoint", "")), str(parameters.get("Method", ""))
        if urlsplit(url).scheme not in ("http", "https") or method not in METHODS:
            raise TaskFailed(
                "States.Runtime", f"'ApiEndpoint' must be a URL and 'Method' one of HTTP: {url!r:.200}, {method!r:.50}"
            )
        arn = _connection_arn(parameters)
        answer = await self._asked(method, url, parameters, await self._addition(arn), exchange)
        if answer.status in REFUSED and self._connections.forget_token(arn):
            answer = await self._asked(method, url, parameters, await self._addition(arn), exchange)
        shown = {
            "Headers": _shown_headers(answer),
            "ResponseBody": _body(answer),
            "StatusCode": answer.status,
            "StatusText": answer.reason,
        }
        if answer.status >= 400:
            body = shown["ResponseBody"]
            raise TaskFailed(
                f"States.Http.StatusCode.{answer.status}", body if isinstance(body, str) else json.dumps(body)
            )
        return shown

    async def _addition(self, arn: str) -> Addition:
        try:
            return await self._connections.addition(arn, self._ask)
        except PerdureError as error:
            raise TaskFailed("States.Runtime", str(error)) from None

    async def _asked(
        self, method: str, url: str, parameters: Mapping[str, Any], added: Addition, exchange: Exchange | None
    ) -> Answer:
        sent = _request(method, url, parameters, added)
        if exchange is not None:
            exchange.sent, exchange.open, exchange.answer = sent, _without(method, url, parameters), None
        try:
            answer = await self._ask(*sent)
        except ApplicationError as error:
            raise TaskFailed("States.Http.Socket", str(error)) from None
        except PerdureError as error:
            raise TaskFailed("States.Runtime", str(error)) from None
        if exchange is not None:
            exchange.answer = answer
        return answer


def _without(method: str, url: str, parameters: Mapping[str, Any]) -> Sent | None:
    """The request without what the connection adds; None if it can't be made so."""
    try:
        return _request(method, url, parameters, Addition())
    except TaskFailed:
        return None


def _request(method: str, url: str, parameters: Mapping[str, Any], added: Addition) -> Sent:
    headers = _headers(parameters.get("Headers"))
    for name, value in added.headers.items():
        headers = {other: kept for other, kept in headers.items() if other.lower() != name.lower()} | {name: value}
    query = {**_table(parameters.get("QueryParameters"), "QueryParameters"), **added.query}
    if query:
        url += ("&" if urlsplit(url).query else "?") + encoded(query, "REPEAT")
    body = parameters.get("RequestBody")
    if added.body:
        if body is not None and not isinstance(body, dict):
            raise TaskFailed("States.Runtime", "'RequestBody' must be an object: the connection adds to it.")
        body = {**(body or {}), **added.body}
    content = _content(body, headers, _table(parameters.get("Transform"), "Transform"))
    return Sent(method, url, headers, content)


def _connection_arn(parameters: Mapping[str, Any]) -> str:
    for field in ("Authentication", "InvocationConfig"):
        inner = parameters.get(field)
        if isinstance(inner, dict) and inner.get("ConnectionArn"):
            return str(inner["ConnectionArn"])
    return ""


def _table(value: Any, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TaskFailed("States.Runtime", f"'{field}' must be an object.")
    return value


def _headers(given: Any) -> dict[str, str]:
    headers = {}
    for name, value in _table(given, "Headers").items():
        low = name.lower()
        if low in FORBIDDEN or low.startswith(FORBIDDEN_BEGINNINGS):
            raise TaskFailed("States.Runtime", f"The header {name!r:.100} can't be set.")
        text = ", ".join(_text(one) for one in value) if isinstance(value, list) else _text(value)
        if not (low.isascii() and low and low.isprintable() and text.isprintable()) or not set(" :").isdisjoint(low):
            raise TaskFailed("States.Runtime", f"{name!r:.100} is no header: {text!r:.100}")
        headers[name] = text
    return headers


def _content(body: Any, headers: dict[str, str], transform: Mapping[str, Any]) -> bytes:
    """The body as it is sent. ``headers`` get its type, if they say none."""
    if body is None:
        return b""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if transform.get("RequestBodyEncoding", "NONE") == "URL_ENCODED" or kind.partition(";")[0].strip() == FORM:
        if isinstance(body, dict):
            if not kind:
                headers["Content-Type"] = FORM
            options = _table(transform.get("RequestEncodingOptions"), "RequestEncodingOptions")
            return encoded(body, options.get("ArrayFormat", "INDICES")).encode()
        if not isinstance(body, str):
            raise TaskFailed("States.Runtime", "'RequestBody' must be an object to be URL-encoded.")
    if not kind:
        headers["Content-Type"] = "application/json"
    return (body if isinstance(body, str) and kind else json.dumps(body)).encode()


def encoded(values: Mapping[str, Any], arrays: str) -> str:
    """Values as a form has them.

    Args:
        arrays: how those of several values are written: ``INDICES`` a[0]=x&a[1]=y, ``REPEAT`` a=x&a=y, ``COMMAS`` a=x,y,
            ``BRACKETS`` a[]=x&a[]=y.
    """
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in _pairs("", values, arrays))


def _pairs(prefix: str, value: Any, arrays: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(f"{prefix}[{name}]" if prefix else name, inner, arrays)
    elif isinstance(value, list):
        if arrays == "COMMAS":
            yield prefix, ",".join(_text(one) for one in value)
            return
        for index, one in enumerate(value):
            name = {"INDICES": f"{prefix}[{index}]", "BRACKETS": f"{prefix}[]"}.get(arrays, prefix)
            yield from _pairs(name, one, arrays)
    else:
        yield prefix, _text(value)


def _quoted(text: str) -> str:
    return quote(text, safe="[],")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown_headers(answer: Answer) -> dict[str, list[str]]:
    shown: dict[str, list[str]] = {}
    for name, value in answer.headers:
        shown.setdefault(name.lower(), []).append(value)
    return shown


def _charset(answer: Answer) -> tuple[str, str]:
    """The answer's type, and what its text is encoded in."""
    kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
    return kind, kind.lower().partition("charset=")[2].partition(";")[0].strip(' "') or "utf-8"


def text_of(answer: Answer) -> str:
    """An answer's body as text, whatever it is."""
    _, charset = _charset(answer)
    try:
        return answer.content.decode(charset, "replace")
    except LookupError:
        return answer.content.decode("utf-8", "replace")


def _body(answer: Answer) -> Any:
    kind, charset = _charset(answer)
    try:
        text = answer.content.decode(charset)
    except (LookupError, UnicodeDecodeError):
        raise TaskFailed("States.Runtime", f"The answer is no text: its type is {kind!r:.100}") from None
    if "json" in kind:
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text
