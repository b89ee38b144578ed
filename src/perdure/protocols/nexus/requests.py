"""One attempt as an HTTP request, and its answer as a request to the engine."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

import msgspec

from perdure.engine.operations import OperationTask
from perdure.model.failures import Failure
from perdure.model.requests import (
    AcceptOperation,
    CompleteOperation,
    FailOperation,
    FailOperationAttempt,
    OperationCancelDelivered,
    Request,
)
from perdure.protocols.nexus.contents import content, value_of
from perdure.protocols.nexus.dialect import Dialect
from perdure.protocols.nexus.failures import call_error, handler_failure, is_final, said_in, unsuccessful
from perdure.protocols.nexus.links import link_to_event, links_in

STATE, TOKEN = "nexus-operation-state", "nexus-operation-token"
CALLBACK_PREFIX = "nexus-callback-"
TOKEN_HEADER = "temporal-callback-token"
"""Where a callback's token goes, by Temporal's convention: whoever is called sends it back as it came."""

SCHEDULED = "NexusOperationScheduled"

NOT_THEIRS = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "te", "upgrade", "expect", "trailer"}
)
"""Headers that a program does not choose."""

LARGEST_BYTES = 2 << 20
"""Of an answer."""

Answer = tuple[int, str, Sequence[tuple[str, str]], bytes]
"""Status, reason, headers and body."""


class Posted(msgspec.Struct, frozen=True):
    """What is posted."""

    url: str
    headers: dict[str, str]
    body: bytes = b""


def posted(task: OperationTask, url: str, callback_url: str, token: str, now: int, dialect: Dialect) -> Posted:
    """An attempt at an endpoint's ``url``. ``token`` is the callback's; ``now`` is ns since 1970. Raises ``NoContent``."""
    operation, source = task.operation, task.source
    scheduled = operation.scheduled
    headers = {
        name.lower(): value
        for name, value in (scheduled.nexus_header or {}).items()
        if name.lower() not in NOT_THEIRS and not name.lower().startswith("nexus-")
    }
    headers["request-timeout"] = f"{int(task.answer_seconds * 1_000)}ms"
    place = f"{url.rstrip('/')}/{quote(scheduled.service, safe='')}/{quote(scheduled.operation, safe='')}"
    if task.of_cancel:
        return Posted(
            f"{place}/cancel", {**headers, TOKEN: quote(operation.token, safe=" !#$%&'()*+,-./:;<=>?@[]^_`{|}~")}
        )
    if scheduled.schedule_to_close_timeout_ns:
        left_ns = max(0, scheduled.time + scheduled.schedule_to_close_timeout_ns - now)
        headers["operation-timeout"] = f"{left_ns // 1_000_000}ms"
    kind, body = content(scheduled.input[0] if scheduled.input else None, dialect)
    headers |= kind | {
        "nexus-request-id": scheduled.request_id,
        "nexus-link": link_to_event(source, scheduled.id, SCHEDULED),
        f"{CALLBACK_PREFIX}{TOKEN_HEADER}": token,
    }
    return Posted(f"{place}?{urlencode({'callback': callback_url})}", headers, body)


def answered(task: OperationTask, answer: Answer, dialect: Dialect) -> Request:
    """What an answer says of the attempt."""
    status, reason, pairs, body = answer
    headers = {name.lower(): value for name, value in pairs}
    ref, attempt = task.operation.scheduled.id, task.attempt
    if len(body) > LARGEST_BYTES:
        return attempt_failed(task, call_error("http: response body too large"), True)
    if task.of_cancel:
        if 200 <= status < 300:
            return OperationCancelDelivered(ref, attempt)
    elif status == 200:
        value = value_of(headers, body, dialect)
        return CompleteOperation(ref, attempt, (value,), dialect.links(links_in(pairs)))
    elif status == 201:
        return _accepted(task, body, dialect.links(links_in(pairs)))
    elif status == 424:
        return _unsuccessful(task, headers, body, dialect)
    said = said_in(headers, body)
    wrong = handler_failure(status, headers, body, dialect)
    if wrong is None:
        words = f'unexpected response status: "{status} {reason}"' + (f": {said.message}" if said is not None else "")
        return _failed(task, call_error(words))
    return _failed(task, wrong)


def _accepted(task: OperationTask, body: bytes, links: tuple[bytes, ...]) -> Request:
    try:
        info = msgspec.json.decode(body, type=_Info)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _failed(task, call_error("the answer's body does not say which operation was started"))
    if info.state != "running":
        return _failed(task, call_error(f'invalid operation state in response info: "{info.state}"'))
    token = info.token or info.id
    if not token:
        return _failed(task, call_error("empty operation token in response"))
    return AcceptOperation(task.operation.scheduled.id, task.attempt, token, links)


def _unsuccessful(task: OperationTask, headers: Mapping[str, str], body: bytes, dialect: Dialect) -> Request:
    said, state = said_in(headers, body), headers.get(STATE, "")
    if said is None:
        kind = headers.get("content-type", "")
        return _failed(task, call_error(f'invalid response content type: "{kind}"'))
    if state not in ("failed", "canceled"):
        return _failed(task, call_error(f'invalid operation state header: "{state}": {said.message}'))
    is_cancelled = state == "canceled"
    failure = unsuccessful(said, dialect, is_cancelled=is_cancelled)
    return FailOperation(task.operation.scheduled.id, task.attempt, failure, is_cancelled)


def _failed(task: OperationTask, failure: Failure) -> Request:
    return attempt_failed(task, failure, is_final(failure))


def attempt_failed(task: OperationTask, failure: Failure, final: bool) -> FailOperationAttempt:
    """Why an attempt came to nothing."""
    return FailOperationAttempt(task.operation.scheduled.id, task.attempt, failure, task.of_cancel, final)


class _Info(msgspec.Struct, frozen=True):
    """What whoever has started an operation says of it. ``id`` is what ``token`` was called before."""

    token: str = ""
    id: str = ""
    state: str = ""


__all__ = ["Answer", "Posted", "answered", "attempt_failed", "posted"]
