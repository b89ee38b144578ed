"""``http:invoke``: a call of any HTTP API."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from perdure.protocols.stepfunctions.calling.failures import TaskFailed

SECONDS = 60.0
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"})


class Web:
    """Calls HTTP APIs.

    Args:
        check: raises ``PerdureError`` for a URL that this server does not ask.
    """

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check
        self._client: Any = None

    async def invoke(self, parameters: Any) -> dict[str, Any]:
        """Make a call. What AWS shows of the answer; raises ``TaskFailed``."""
        import httpx

        if not isinstance(parameters, dict):
            raise TaskFailed("States.Runtime", "The fields 'ApiEndpoint' and 'Method' are required but were missing.")
        url, method = str(parameters.get("ApiEndpoint", "")), str(parameters.get("Method", ""))
        if urlsplit(url).scheme not in ("http", "https") or method not in METHODS:
            raise TaskFailed(
                "States.Runtime", f"'ApiEndpoint' must be a URL and 'Method' one of HTTP: {url!r:.200}, {method!r:.50}"
            )
        self._check(url)
        headers = {str(name): str(value) for name, value in (parameters.get("Headers") or {}).items()}
        query = parameters.get("QueryParameters") or {}
        if query:
            url += ("&" if urlsplit(url).query else "?") + urlencode(query, doseq=True)
        content = _content(parameters.get("RequestBody"), headers, parameters.get("Transform") or {})
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=SECONDS)
        try:
            answer = await self._client.request(method, url, headers=headers, content=content)
        except httpx.HTTPError as error:
            raise TaskFailed("States.Http.Socket", str(error) or type(error).__name__) from None
        shown = {
            "Headers": {name: answer.headers.get_list(name) for name in answer.headers},
            "ResponseBody": _body(answer),
            "StatusCode": answer.status_code,
            "StatusText": answer.reason_phrase,
        }
        if answer.status_code >= 400:
            raise TaskFailed(f"States.Http.StatusCode.{answer.status_code}", json.dumps(shown["ResponseBody"]))
        return shown

    async def close(self) -> None:
        """Close what connections there are."""
        if self._client is not None:
            await self._client.aclose()


def _content(body: Any, headers: dict[str, str], transform: Mapping[str, Any]) -> bytes | None:
    if body is None:
        return None
    names = {name.lower() for name in headers}
    if transform.get("RequestBodyEncoding") == "URL_ENCODED" and isinstance(body, dict):
        if "content-type" not in names:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return urlencode(body, doseq=True).encode()
    if isinstance(body, str):
        return body.encode()
    if "content-type" not in names:
        headers["Content-Type"] = "application/json"
    return json.dumps(body).encode()


def _body(answer: Any) -> Any:
    if "json" in answer.headers.get("content-type", ""):
        try:
            return answer.json()
        except ValueError:
            pass
    return answer.text
