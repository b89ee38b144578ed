"""What answers of those who are asked over HTTP come to. The table is what Temporal's server of 1.29 made of the same answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.engine.operations import OperationTask
from perdure.kernel.run import Operation
from perdure.model.events import NexusOperationScheduled
from perdure.model.failures import FailureKind
from perdure.model.ids import RunAddress
from perdure.model.payloads import NULL, Payload
from perdure.model.requests import (
    AcceptOperation,
    BaseRequest,
    CompleteOperation,
    FailOperation,
    FailOperationAttempt,
    OperationCancelDelivered,
    Request,
)
from perdure.protocols.nexus.dialect import Plain
from perdure.protocols.nexus.requests import answered, posted

JSON = ("Content-Type", "application/json")
SAID = json.dumps({"message": "said", "metadata": {"k": "v"}, "details": {"d": 1}}).encode()
KEPT = Payload(b'{"message":"","metadata":{"k":"v"},"details":{"d": 1}}')
STATE = "Nexus-Operation-State"


def task(*, of_cancel: bool = False, token: str = "", header: dict[str, str] | None = None) -> OperationTask:
    scheduled = NexusOperationScheduled(
        5,
        0,
        "bank",
        "my bank",
        "pay/now",
        "perdure.system",
        "q",
        "req-1",
        (Payload(b"7"),),
        12_000_000_000,
        0,
        0,
        header,
    )
    operation = Operation(scheduled)
    operation.token = token
    return OperationTask(RunAddress("default", "w/1", "r"), operation, 1, of_cancel)


def came_to(
    status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"", reason: str = "Reason"
) -> Request:
    return answered(task(), (status, reason, headers, body), Plain())


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (400, "BAD_REQUEST", True),
        (401, "UNAUTHENTICATED", True),
        (403, "UNAUTHORIZED", True),
        (404, "NOT_FOUND", True),
        (429, "RESOURCE_EXHAUSTED", False),
        (500, "INTERNAL", False),
        (501, "NOT_IMPLEMENTED", True),
        (503, "UNAVAILABLE", False),
        (520, "UPSTREAM_TIMEOUT", False),
    ],
)
def test_errors_of_handlers(status: int, kind: str, final: bool) -> None:
    request = came_to(status, (JSON,), SAID)
    assert isinstance(request, FailOperationAttempt) and request.final is final
    failure = request.failure
    assert (failure.kind, failure.type) == (FailureKind.HANDLER, kind)
    assert failure.message == f"handler error ({kind}): said"
    assert failure.cause is not None and failure.cause.details == (KEPT,)
    for value, expected in (("true", False), ("false", True)):
        request = came_to(status, (JSON, ("Nexus-Request-Retryable", value)), SAID)
        assert isinstance(request, FailOperationAttempt) and request.final is expected


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (204, (), b"", 'unexpected response status: "204 Reason"'),
        (409, (JSON,), SAID, 'unexpected response status: "409 Reason": said'),
        (201, (JSON,), b'{"state":"running"}', "empty operation token in response"),
        (201, (JSON,), b'{"token":"t","state":"succeeded"}', 'invalid operation state in response info: "succeeded"'),
        (201, (JSON,), b"[]", "the answer's body does not say which operation was started"),
        (424, (JSON,), SAID, 'invalid operation state header: "": said'),
        (424, ((STATE, "failed"),), b"plain", 'invalid response content type: ""'),
    ],
)
def test_answers_that_make_no_sense_are_tried_again(
    status: int, headers: tuple[tuple[str, str], ...], body: bytes, message: str
) -> None:
    request = came_to(status, headers, body)
    assert isinstance(request, FailOperationAttempt) and not request.final
    assert (request.failure.type, request.failure.message) == ("CallError", message)


def test_results() -> None:
    assert came_to(200, (JSON,), b'"hello"') == CompleteOperation(5, 1, (Payload(b'"hello"'),))
    assert came_to(200) == CompleteOperation(5, 1, (Payload(b"", NULL),))
    text = Payload(b"hi", "unknown/nexus-content", {"type": b"text/plain"})
    assert came_to(200, (("content-type", "text/plain"),), b"hi") == CompleteOperation(5, 1, (text,))
    assert came_to(201, (JSON,), b'{"token":"t","state":"running"}') == AcceptOperation(5, 1, "t")
    large = came_to(200, (JSON,), b'"' + b"x" * (2 << 20) + b'"')
    assert isinstance(large, FailOperationAttempt) and large.final


def test_operations_that_do_not_succeed() -> None:
    failed = came_to(424, (JSON, (STATE, "failed")), SAID)
    assert isinstance(failed, FailOperation) and not failed.canceled
    assert (failed.failure.message, failed.failure.non_retryable) == ("said", True)
    cancelled = came_to(424, (JSON, (STATE, "canceled")), SAID)
    assert isinstance(cancelled, FailOperation) and cancelled.canceled
    assert (cancelled.failure.kind, cancelled.failure.details) == (FailureKind.CANCELED, (KEPT,))


def test_what_is_posted() -> None:
    given = {"My-Header": "1", "Host": "elsewhere", "Content-Length": "9", "Nexus-Request-Id": "other"}
    asked = posted(task(header=given), "http://bank.test/api/", "http://me/callback", "sealed", 2_000_000_000, Plain())
    assert asked.url == "http://bank.test/api/my%20bank/pay%2Fnow?callback=http%3A%2F%2Fme%2Fcallback"
    assert asked.body == b"7"
    assert asked.headers == {
        "my-header": "1",
        "content-type": "application/json",
        "request-timeout": "10000ms",
        "operation-timeout": "10000ms",
        "nexus-request-id": "req-1",
        "nexus-link": "<temporal:///namespaces/default/workflows/w%2F1/r/history?eventID=5&eventType=NexusOperationScheduled"
        '&referenceType=EventReference>; type="temporal.api.common.v1.Link.WorkflowEvent"',
        "nexus-callback-temporal-callback-token": "sealed",
    }


def test_a_cancellation() -> None:
    asked = posted(task(of_cancel=True, token="t"), "http://bank.test", "", "", 0, Plain())
    assert asked.url == "http://bank.test/my%20bank/pay%2Fnow/cancel"
    assert (asked.headers["nexus-operation-token"], asked.body) == ("t", b"")
    assert answered(task(of_cancel=True), (202, "", (), b""), Plain()) == OperationCancelDelivered(5, 1)


@given(
    st.integers(100, 599),
    st.lists(st.tuples(st.sampled_from(["content-type", STATE, "nexus-link", "x"]), st.text())),
    st.one_of(
        st.binary(),
        st.recursive(st.none() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)).map(
            lambda value: json.dumps(value).encode()
        ),
    ),
    st.booleans(),
)
def test_any_answer_comes_to_something(
    status: int, headers: list[tuple[str, str]], body: bytes, of_cancel: bool
) -> None:
    assert isinstance(answered(task(of_cancel=of_cancel), (status, "", headers, body), Plain()), BaseRequest)
