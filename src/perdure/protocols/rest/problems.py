"""Errors as RFC 9457 problem documents. Every class of ``model.errors`` has a code, which is its name: ``RunClosedError``
is ``run_closed``. Codes are stable; the words beside them are for people and may change."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from perdure.model import errors
from perdure.model.errors import PerdureError

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[BaseException], int] = {
    errors.InvalidArgumentError: 400,
    errors.UnauthenticatedError: 401,
    errors.PermissionDeniedError: 403,
    errors.NotFoundError: 404,
    errors.AlreadyExistsError: 409,
    errors.RunClosedError: 409,
    errors.NonDeterminismError: 409,
    errors.WorkflowFailedError: 422,
    errors.UpdateFailedError: 422,
    errors.QueryFailedError: 422,
    errors.FailureError: 422,
    errors.LimitExceededError: 429,
    errors.StoreError: 503,
    errors.UnavailableError: 503,
    errors.PerdureError: 500,
}

_OF_HTTP = {
    400: ("invalid_argument", "This is no HTTP, or its head is longer than 64 KiB."),
    403: ("permission_denied", "A page of another site may not use the browser of somebody who can reach this server."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not know the method."),
    408: ("request_timeout", "The request took too long to arrive."),
    413: ("limit_exceeded", "The request is too large."),
    415: ("unsupported_media_type", "A body is JSON: send it with `Content-Type: application/json`."),
    421: ("misdirected_request", "The server does not answer to this host name."),
    500: ("internal", "A bug in the server; it has the details in its log."),
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was wrong: ``code`` for programs, ``detail`` for people. ``run_id``: which run stands in the way. ``failure``:
    what the workflow's code said."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    run_id: str = ""
    failure: Any = None


class Kind(msgspec.Struct, frozen=True):
    """What a code means, and what to do about it."""

    code: str
    status: int
    title: str
    description: str


STATUSES = sorted({*_STATUS.values(), *_OF_HTTP})
"""All that a problem document can have."""


def code_of(kind: type[BaseException]) -> str:
    """``NotFoundError`` as ``not_found``."""
    name = kind.__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def kinds() -> dict[str, Kind]:
    """All codes."""
    found = {code: Kind(code, status, title, title) for status, (code, title) in _OF_HTTP.items()}
    found.update({code_of(kind): _kind(kind) for kind in _tree(PerdureError)})
    return found


def problem_of(error: PerdureError, failure: Any = None) -> Problem:
    """The document of an error."""
    kind = _KINDS[type(error)] if type(error) in _KINDS else _kind(type(error))
    run_id = getattr(error, "run_id", "")
    return Problem(_type(kind.code), kind.title, kind.status, str(error) or kind.title, kind.code, run_id, failure)


def problem_of_http(status: int, detail: str = "") -> Problem:
    """The document of what went wrong before anything was asked of the engine."""
    code, title = _OF_HTTP[status]
    return Problem(_type(code), title, status, detail or title, code)


def _type(code: str) -> str:
    return f"/api/v1/problems/{code}"


def _tree(kind: type[PerdureError]) -> Iterator[type[PerdureError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def _kind(kind: type[BaseException]) -> Kind:
    known = next(parent for parent in kind.__mro__ if parent.__module__ == errors.__name__)
    status = next(_STATUS[parent] for parent in known.__mro__ if parent in _STATUS)
    text = inspect.cleandoc(known.__doc__ or "").replace("``", "`")
    title, _, _ = text.partition("\n\n")
    return Kind(code_of(known), status, " ".join(title.split()), text)


_KINDS = {kind: _kind(kind) for kind in _tree(PerdureError)}
