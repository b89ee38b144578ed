"""W3C Trace Context, and ids that are derived from runs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.payloads import Payload
from perdure.model.trace_context import (
    TraceContext,
    attempt_span_id,
    context_of,
    parse,
    passed_on,
    run_span_id,
    with_context,
)

digits = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")
contexts = st.builds(
    TraceContext,
    digits,
    st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}"),
    st.integers(0, 255),
    st.sampled_from(["", "vendor=1", "a=b,c=d"]),
)


@given(contexts)
def test_what_is_written_is_read(context):
    assert context_of(with_context(None, context)) == context


@given(st.text())
def test_nothing_that_comes_from_outside_raises(text):
    context = parse(text)
    assert context is None or re.fullmatch(r"[0-9a-f]{32}", context.trace_id)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_what_the_specification_calls_invalid_is_no_parent(traceparent):
    assert parse(traceparent) is None


def test_a_later_version_may_say_more():
    assert parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more") is not None


@given(contexts, st.text(), st.text())
def test_what_goes_along_names_the_run_as_parent(context, run_id, other):
    header = {**with_context(None, context), "tenant": Payload(b'"acme"')}
    passed = passed_on(header, run_id)
    assert passed is not None and passed["tenant"] == header["tenant"]
    below = context_of(passed)
    assert below is not None and (below.trace_id, below.flags, below.state) == (
        context.trace_id,
        context.flags,
        context.state,
    )
    assert below.span_id == run_span_id(run_id)
    assert (run_span_id(other) == run_span_id(run_id)) == (other == run_id)


@pytest.mark.parametrize("payload", [Payload(b"\xff"), Payload(b"17"), Payload(b"", "binary/null"), Payload(b'"junk"')])
def test_a_header_that_cannot_be_read_is_handed_on_as_it_is(payload):
    header = {"traceparent": payload}
    assert context_of(header) is None
    assert passed_on(header, "run") is header


def test_attempts_have_ids_of_their_own():
    ids = {attempt_span_id("run", event, attempt) for event in range(10) for attempt in range(10)}
    assert len(ids | {run_span_id("run")}) == 101
