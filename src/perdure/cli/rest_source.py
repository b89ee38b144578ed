"""What a server is asked over REST: where there is more to say than ``Service`` has words for."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from perdure.cli.certificates import certificates
from perdure.cli.sources import server_of
from perdure.model.errors import NotFoundError, PerdureError, UnavailableError

TIMEOUT_SECONDS = 30.0


def path(*parts: str) -> str:
    """A path of these parts, whatever characters they have."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def request(
    place: str | None, server: str, token: str, method: str, path: str, body: Mapping[str, Any] | None = None
) -> Any:
    """What the server that the command line names answers; None if that is nothing. ``path`` is that behind ``/api/v1``.

    Raises ``PerdureError``.
    """
    import httpx

    from perdure.app.remote import ClientTls

    url = server_of(place, server).rstrip("/")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    verify = ClientTls(**certificates()).context() if url.startswith("https:") else True
    try:
        answer = httpx.request(
            method,
            f"{url}/api/v1{path}",
            json=body,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            verify=verify,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError(
            f"The server {url} can't be reached: {error}. Does it run, and is that its address?"
        ) from None
    if answer.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        found = answer.json()
    except ValueError:
        raise NotFoundError(f"{url} answers, but is no Perdure server.") from None
    if answer.status_code >= 400:
        raise PerdureError(str(found.get("detail") or found))
    return found
