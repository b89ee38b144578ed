"""Errors cross the engine and come back as what they were."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from perdure.model import errors
from perdure.model.failures import Failure, FailureKind, RetryState, TimeoutType
from perdure.sdk.converter import Converter
from perdure.sdk.failures import MAX_CAUSES, MAX_STACK_CHARACTERS, from_failure, to_failure

converter = Converter()
NOTHING: dict[str, int] = {}


class CardDeclined(Exception):
    pass


class CardStolen(CardDeclined):
    pass


def failure_of(error: BaseException, **options: Any) -> Failure:
    """Of an error that was raised here."""
    try:
        raise error
    except BaseException as caught:
        return to_failure(caught, converter, **options)


def test_an_exception_of_the_users() -> None:
    failure = failure_of(CardDeclined("no funds"))
    assert failure.kind is FailureKind.APPLICATION
    assert failure.type == "CardDeclined"
    assert failure.message == "no funds"
    assert not failure.non_retryable
    assert "test_failures.py" in failure.stack_trace
    assert "raise error" in failure.stack_trace
    assert failure.source == "perdure-python"

    error = from_failure(failure, converter)
    assert isinstance(error, errors.ApplicationError)
    assert error.type == "CardDeclined"
    assert str(error) == "no funds"
    assert error.stack_trace == failure.stack_trace


def test_listed_classes_are_final_and_so_are_their_subclasses() -> None:
    assert failure_of(CardDeclined(), final_types=("CardDeclined",)).non_retryable
    assert failure_of(CardStolen(), final_types=("CardDeclined",)).non_retryable
    assert not failure_of(CardDeclined(), final_types=("CardStolen",)).non_retryable


def test_frames_of_the_plumbing_are_left_out() -> None:
    async def fails() -> None:
        async with asyncio.timeout(1):
            await asyncio.gather(inner())

    async def inner() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError) as caught:
        asyncio.run(fails())
    failure = to_failure(caught.value, converter)
    assert "in inner" in failure.stack_trace
    assert "asyncio/" not in failure.stack_trace


def test_long_stack_traces_lose_their_middle() -> None:
    def deep(levels: int) -> None:
        if levels:
            # Frames that repeat are folded, so two of them take turns.
            return deeper(levels - 1)
        raise ValueError("x")

    def deeper(levels: int) -> None:
        deep(levels)

    with pytest.raises(ValueError) as caught:
        deep(300)
    failure = to_failure(caught.value, converter)
    assert len(failure.stack_trace) < MAX_STACK_CHARACTERS + 100
    assert "characters left out" in failure.stack_trace
    assert failure.stack_trace.endswith('raise ValueError("x")\n')


def test_causes_and_contexts() -> None:
    with pytest.raises(ValueError) as caught:
        try:
            NOTHING["key"]
        except KeyError as error:
            raise ValueError("second") from error
    failure = to_failure(caught.value, converter)
    assert failure.cause is not None
    assert failure.cause.type == "KeyError"
    back = from_failure(failure, converter)
    assert isinstance(back.__cause__, errors.ApplicationError)

    try:
        try:
            NOTHING["key"]
        except KeyError:
            raise ValueError("second")  # noqa: B904
    except ValueError as error:
        assert to_failure(error, converter).cause is not None
    try:
        try:
            NOTHING["key"]
        except KeyError:
            raise ValueError("second") from None
    except ValueError as error:
        assert to_failure(error, converter).cause is None


def test_the_chain_of_causes_is_bounded() -> None:
    error = ValueError("0")
    for number in range(1, 100):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer
    failure: Failure | None = to_failure(error, converter)
    depth = 0
    while failure is not None:
        depth, failure = depth + 1, failure.cause
    assert depth == MAX_CAUSES

    error.__cause__ = error  # a cycle
    assert to_failure(error, converter).message == "99"


def test_a_group_names_its_size_and_its_first() -> None:
    async def fails(error: Exception) -> None:
        raise error

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(CardDeclined("a")))
            group.create_task(fails(ValueError("b")))

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    failure = to_failure(caught.value, converter)
    assert failure.type == "ExceptionGroup"
    assert "2 sub-exceptions" in failure.message
    assert failure.cause is not None
    assert failure.cause.type == "CardDeclined"


def test_notes_are_kept() -> None:
    error = ValueError("x")
    error.add_note("while reading line 3")
    assert "while reading line 3" in failure_of(error).stack_trace


def test_an_exception_that_cannot_even_be_printed() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "cannot be shown" in failure_of(Broken()).message


def test_details_that_cannot_be_stored_do_not_hide_the_error() -> None:
    failure = failure_of(errors.ApplicationError("boom", object()))
    assert failure.details == ()
    assert failure.message.startswith("boom (its details are lost: ")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            errors.ApplicationError("m", 1, {"a": 2}, type="T", non_retryable=True, next_retry_delay=1.5),
            FailureKind.APPLICATION,
        ),
        (
            errors.TimeoutError("m", timeout_type=TimeoutType.HEARTBEAT, last_heartbeat_details=7),
            FailureKind.TIMEOUT,
        ),
        (errors.CancelledError("m", "detail"), FailureKind.CANCELED),
        (errors.TerminatedError("m"), FailureKind.TERMINATED),
        (errors.ServerError("m"), FailureKind.SERVER),
        (
            errors.ActivityError(
                "m",
                activity_type="t",
                activity_id="5",
                scheduled_event_id=5,
                started_event_id=6,
                identity="w",
                retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
            ),
            FailureKind.ACTIVITY,
        ),
        (
            errors.ChildWorkflowError(
                "m", workflow_type="t", workflow_id="w", run_id="r", retry_state=RetryState.TIMEOUT
            ),
            FailureKind.CHILD_WORKFLOW,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failures_of_our_own_come_back_whole(error: errors.FailureError, kind: FailureKind) -> None:
    error.__cause__ = errors.ApplicationError("why")
    failure = to_failure(error, converter)
    assert failure.kind is kind
    back = from_failure(failure, converter)
    assert type(back) is type(error)
    assert {**vars(back), "stack_trace": ""} == {**vars(error), "stack_trace": ""}
    assert isinstance(back.__cause__, errors.ApplicationError)
    assert to_failure(back, converter) == failure


def test_a_subclass_of_application_error_comes_back_by_its_name() -> None:
    class Refused(errors.ApplicationError):
        pass

    back = from_failure(failure_of(Refused("no")), converter)
    assert type(back) is errors.ApplicationError
    assert back.type == "Refused"


def test_asyncio_cancellation() -> None:
    failure = failure_of(asyncio.CancelledError())
    assert failure.kind is FailureKind.CANCELED
    assert failure.message == "cancelled"
    assert isinstance(from_failure(failure, converter), errors.CancelledError)


def test_builtin_timeout_is_the_users_own() -> None:
    failure = failure_of(TimeoutError("slow"))
    assert (failure.kind, failure.type) == (FailureKind.APPLICATION, "TimeoutError")


def test_details_that_cannot_be_read_do_not_hide_the_error() -> None:
    from perdure.model.payloads import Payload

    error = from_failure(Failure("m", details=(Payload(b"x", "binary/unknown"),)), converter)
    assert isinstance(error, errors.ApplicationError)
    assert "cannot be read" in error.details[0]


@pytest.mark.parametrize("delay", [timedelta(minutes=5), 300, 300.0])
def test_the_delay_of_the_next_attempt_is_a_timedelta_or_seconds(delay):
    failure = to_failure(errors.ApplicationError("later", next_retry_delay=delay), converter)
    assert failure.next_retry_delay_ns == 300 * 10**9


@pytest.mark.parametrize("delay", [-1, float("inf"), float("nan"), "soon"])
def test_a_delay_that_is_none_is_refused_where_it_is_said(delay):
    with pytest.raises(errors.InvalidArgumentError, match="next_retry_delay="):
        errors.ApplicationError("later", next_retry_delay=delay)
