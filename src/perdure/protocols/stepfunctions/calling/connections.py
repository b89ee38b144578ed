"""EventBridge's connections, which ``http:invoke`` gets its credentials from.

AWS keeps them as secrets that nobody can read, so here they come from a file: JSON, by ARN or by name, each as it was given to
EventBridge's CreateConnection (``AuthorizationType`` and ``AuthParameters``).
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from perdure.model.errors import ApplicationError, InvalidArgumentError
from perdure.protocols.stepfunctions.calling.failures import TaskFailed

SLACK_SECONDS = 30.0
"""A token is asked for anew before it is over."""


class Parameter(msgspec.Struct, frozen=True, rename="pascal"):
    """One that is added to a request."""

    key: str
    value: Any = ""


class HttpParameters(msgspec.Struct, frozen=True, rename="pascal"):
    """What is added to each request."""

    header_parameters: tuple[Parameter, ...] = ()
    query_string_parameters: tuple[Parameter, ...] = ()
    body_parameters: tuple[Parameter, ...] = ()


class Basic(msgspec.Struct, frozen=True, rename="pascal"):
    """A user and a password."""

    username: str
    password: str


class ApiKey(msgspec.Struct, frozen=True, rename="pascal"):
    """A header and its value."""

    api_key_name: str
    api_key_value: str


class OAuthClient(msgspec.Struct, frozen=True):
    """Who asks for a token."""

    id: str = msgspec.field(name="ClientID")
    secret: str = msgspec.field(name="ClientSecret")


class OAuth(msgspec.Struct, frozen=True, rename="pascal"):
    """Where tokens come from."""

    client_parameters: OAuthClient
    authorization_endpoint: str
    http_method: str = "POST"
    o_auth_http_parameters: HttpParameters = HttpParameters()


class AuthParameters(msgspec.Struct, frozen=True, rename="pascal"):
    """A connection's credentials."""

    basic_auth_parameters: Basic | None = None
    api_key_auth_parameters: ApiKey | None = None
    o_auth_parameters: OAuth | None = None
    invocation_http_parameters: HttpParameters = HttpParameters()


class Connection(msgspec.Struct, frozen=True, rename="pascal"):
    """As EventBridge's CreateConnection takes it; what else that takes is left alone."""

    auth_parameters: AuthParameters


class Addition(NamedTuple):
    """What a connection adds to a request."""

    headers: Mapping[str, str] = {}
    query: Mapping[str, Any] = {}
    body: Mapping[str, Any] = {}


class Token(NamedTuple):
    """Of OAuth; ``until`` is seconds of the monotonic clock."""

    authorization: str
    until: float


class Connections:
    """Connections by ARN, or by name.

    Args:
        by_name: as the file has them.
        path: of the file, for messages.
    """

    def __init__(self, by_name: Mapping[str, Connection], path: str = "") -> None:
        self._by_name = by_name
        self._path = path
        self._tokens: dict[str, Token] = {}

    @classmethod
    def read(cls, path: str) -> "Connections":
        """A file of them; none without one. Raises ``InvalidArgumentError``."""
        if not path:
            return cls({})
        try:
            return cls(msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Connection]), path)
        except OSError as error:
            raise InvalidArgumentError(f"The file of connections {path} can't be read: {error.strerror}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidArgumentError(
                f"The file of connections {path} is not one: {error}. It has, by ARN or name, what EventBridge's "
                "CreateConnection takes."
            ) from None

    async def addition(self, arn: str, ask: Callable[..., Awaitable[Any]]) -> Addition:
        """What a connection adds to a request; nothing without an ARN, or where no connections are known.

        Raises:
            TaskFailed: there is no such connection, or it gets no token.
        """
        if not arn or not self._path:
            return Addition()
        connection = self._find(arn)
        auth = connection.auth_parameters
        more = auth.invocation_http_parameters
        headers = {one.key: str(one.value) for one in more.header_parameters}
        if auth.basic_auth_parameters is not None:
            headers["Authorization"] = _basic(auth.basic_auth_parameters.username, auth.basic_auth_parameters.password)
        if auth.api_key_auth_parameters is not None:
            headers[auth.api_key_auth_parameters.api_key_name] = auth.api_key_auth_parameters.api_key_value
        if auth.o_auth_parameters is not None:
            headers["Authorization"] = await self._token(arn, auth.o_auth_parameters, ask)
        return Addition(
            headers,
            {one.key: one.value for one in more.query_string_parameters},
            {one.key: one.value for one in more.body_parameters},
        )

    def forget_token(self, arn: str) -> bool:
        """A token was refused; whether there was one."""
        return self._tokens.pop(arn, None) is not None

    def _find(self, arn: str) -> Connection:
        name = arn.rpartition(":connection/")[2].partition("/")[0]
        found = self._by_name.get(arn) or self._by_name.get(name)
        if found is None:
            raise TaskFailed("States.Runtime", f"There is no connection {arn} in {self._path}.")
        return found

    async def _token(self, arn: str, oauth: OAuth, ask: Callable[..., Awaitable[Any]]) -> str:
        kept = self._tokens.get(arn)
        if kept is not None and kept.until > time.monotonic():
            return kept.authorization
        more, client = oauth.o_auth_http_parameters, oauth.client_parameters
        form = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
        form |= {one.key: str(one.value) for one in more.body_parameters}
        headers = {
            "Authorization": _basic(client.id, client.secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        headers |= {one.key: str(one.value) for one in more.header_parameters}
        url = oauth.authorization_endpoint
        query = {one.key: str(one.value) for one in more.query_string_parameters}
        if oauth.http_method == "GET":
            query, body = {**form, **query}, b""
        else:
            body = urlencode(form).encode()
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        try:
            answer = await ask(oauth.http_method, url, headers, body)
        except ApplicationError as error:
            raise TaskFailed("States.Http.Socket", f"The connection {arn} gets no token: {error}") from None
        try:
            said = json.loads(answer.content)
            token, seconds = str(said["access_token"]), float(said.get("expires_in", 3600))
        except (ValueError, KeyError, TypeError):
            raise TaskFailed(
                "States.Runtime",
                f"The connection {arn} gets no token: {oauth.authorization_endpoint} answers with status {answer.status}.",
            ) from None
        kept = Token(f"Bearer {token}", time.monotonic() + seconds - SLACK_SECONDS)
        self._tokens[arn] = kept
        return kept.authorization


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
