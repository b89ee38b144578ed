"""What single values look like."""

import pytest

from perdure.cli.progress import progress_of
from perdure.cli.times import TimeStyle, duration, rfc3339
from perdure.cli.values import byte_count, failures_text, json_bytes, jsonable, payload_text, payloads_text, visible
from perdure.model.failures import Failure, FailureKind, TimeoutType
from perdure.model.payloads import NULL, Payload

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (400_000, "0.4ms"),
        (9_990_000, "10.0ms"),
        (123_456_789, "123ms"),
        (999_400_000, "999ms"),
        (999_500_000, "1.00s"),
        (1_234_000_000, "1.23s"),
        (59_994_000_000, "59.99s"),
        (59_995_000_000, "1m 00s"),
        (184 * SECOND, "3m 04s"),
        (3600 * SECOND - 1, "1h 00m"),
        (5 * 3600 * SECOND + 6 * 60 * SECOND, "5h 06m"),
        (200 * 3600 * SECOND, "8d 08h"),
        (-2 * SECOND, "-2.00s"),
    ],
)
def test_durations(ns, text):
    assert duration(ns) == text


def test_moments():
    assert rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"
    assert rfc3339(0) is None
    assert rfc3339(10**21) is None
    style = TimeStyle(utc=True, now=100 * SECOND)
    assert style.moment(5 * SECOND) == "1970-01-01 00:00:05+00:00"
    assert style.moment(5 * SECOND, milliseconds=True) == "1970-01-01 00:00:05.000+00:00"
    assert style.moment(10**21) == "beyond the year 9999"
    assert style.since(40 * SECOND) == "1970-01-01 00:00:40+00:00, 1m 00s ago"
    assert style.until(110 * SECOND) == "in 10.00s, at 1970-01-01 00:01:50+00:00"
    assert style.until(90 * SECOND) == "overdue by 10.00s, at 1970-01-01 00:01:30+00:00"
    assert (style.day(0), style.clock(0), style.offset(0)) == ("1970-01-01 (UTC+00:00)", "00:00:00.000", "+00:00")


@pytest.mark.parametrize(
    ("payload", "text", "json"),
    [
        (Payload(b'{"a" : [1, 2.50]}'), '{"a":[1,2.50]}', b'{"encoding":"json/plain","value":{"a":[1,2.50]}}'),
        (Payload(b"", NULL), "null", b'{"encoding":"binary/null","value":null}'),
        (
            Payload(b"\xff\x00", "binary/plain"),
            "<binary/plain, 2 bytes>",
            b'{"encoding":"binary/plain","base64":"/wA="}',
        ),
        (
            Payload(b"{broken", "json/plain"),
            "<json/plain, 7 bytes>",
            b'{"encoding":"json/plain","base64":"e2Jyb2tlbg=="}',
        ),
        (Payload(b'"\xff"'), "<json/plain, 3 bytes>", b'{"encoding":"json/plain","base64":"Iv8i"}'),
        (Payload(b"1" * 40), "1" * 40, b'{"encoding":"json/plain","value":' + b"1" * 40 + b"}"),
        (
            Payload(b"x", "encrypted", {"key": b"\x01"}),
            "<encrypted, 1 byte>",
            b'{"encoding":"encrypted","base64":"eA==","metadata":{"key":"AQ=="}}',
        ),
    ],
)
def test_payloads(payload, text, json):
    assert payload_text(payload, 50) == text
    assert json_bytes(jsonable(payload)) == json


def test_long_values_are_cut_and_several_look_like_arguments():
    assert payload_text(Payload(b'"abcdefghij"'), 5) == '"abcd… (12 characters)'
    assert payloads_text((Payload(b"1"), Payload(b'"a"')), 50) == '(1, "a")'
    assert payloads_text((), 50) == "()"


def test_text_is_made_harmless():
    assert visible("plain text, ünïcödé 漢字") == "plain text, ünïcödé 漢字"
    assert visible("a\x1b[2Jb\r\n\tc\x00\u202e\u00a0d") == r"a\x1b[2Jb\r\n\tc\x00\u202e d"


def test_failure_chains():
    cause = Failure("no funds", type="CardDeclined")
    failure = Failure("activity failed", FailureKind.ACTIVITY, cause=cause)
    assert failures_text(failure, 100) == "ActivityError: activity failed, caused by CardDeclined: no funds"
    late = Failure("", FailureKind.TIMEOUT, timeout_type=TimeoutType.START_TO_CLOSE)
    assert failures_text(late, 100) == "TimeoutError: start to close"


def test_sizes():
    assert [byte_count(count) for count in (1, 2, 1023, 1024, 5 << 20, 3 << 30, 2 << 40)] == [
        "1 byte",
        "2 bytes",
        "1023 bytes",
        "1.0 KiB",
        "5.0 MiB",
        "3.0 GiB",
        "2.0 TiB",
    ]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"done": 3, "total": 12, "label": "packing"}', "3/12 25% packing"),
        (b'[3, 12, "packing"]', "3/12 25% packing"),
        (b'{"done": 999, "total": 1000}', "999/1000 99%"),
        (b'{"done": 0.5}', "0.5"),
        (b'{"done": 5, "total": 0}', "5/0"),
        (b'{"done": 5, "label": "a\\u001bb"}', r"5 a\x1bb"),
    ],
)
def test_progress(data, text):
    progress = progress_of({"__progress": Payload(data)})
    assert progress is not None and progress.text() == text


@pytest.mark.parametrize("data", [b'"x"', b"{}", b'{"done": "many"}', b"not json", b"7", b"[]", b"null"])
def test_progress_that_says_nothing(data):
    assert progress_of({"__progress": Payload(data)}) is None
    assert progress_of({}) is None
