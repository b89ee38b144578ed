"""What a client sends for what it is asked, and what it makes of the answers. The engine is tested end to end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import msgspec
import pytest
from tests.sdk.fake_service import FakeService

from perdure.model import events as e
from perdure.model.errors import (
    ApplicationError,
    CancelledError,
    InvalidArgumentError,
    RunClosedError,
    TerminatedError,
    TimeoutError,
    UpdateFailedError,
    WorkflowFailedError,
)
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, IdReuse, RetryPolicy, RunStatus
from perdure.model.payloads import Payload
from perdure.model.requests import (
    CancelActivity,
    CancelWorkflow,
    CompleteActivity,
    FailActivity,
    HeartbeatActivity,
    PauseWorkflow,
    ResumeWorkflow,
    SignalWorkflow,
    StartWorkflow,
    TerminateWorkflow,
)
from perdure.model.service import (
    Namespace,
    PendingActivity,
    RunDescription,
    RunPage,
    RunSummary,
    UpdateOutcome,
    UpdateStage,
)
from perdure.model.task_tokens import TaskToken
from perdure.sdk import workflow
from perdure.sdk.app import App
from perdure.sdk.client import Client
from perdure.sdk.converter import Converter
from perdure.sdk.handles import Run
from perdure.sdk.references import message
from perdure.sdk.retry import Retry
from perdure.sdk.updates import UpdateHandle

converter = Converter()
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Order:
    id: str
    cents: int = 0


@dataclass(frozen=True)
class Receipt:
    order_id: str


app = App("shop", task_queue="shop")


@app.workflow
async def fulfil(order: Order, urgent: bool = False) -> Receipt:
    return Receipt(order.id)


@app.workflow(
    task_queue="slow", execution_timeout=timedelta(days=1), run_timeout=60, task_timeout=5, retry=Retry(max_attempts=3)
)
async def careful() -> None: ...


@app.workflow
class Loan:
    async def run(self, applicant: str, amount: int = 0) -> Receipt:
        return Receipt(applicant)

    @workflow.signal
    def decide(self, approved: bool, note: str = "") -> None: ...

    @workflow.query
    def status(self) -> dict[str, int]:
        return {}

    @workflow.update
    async def add(self, name: str) -> int:
        return 1


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def client(service: FakeService) -> Client:
    return Client(service, apps=[app], identity="me")


def started(service: FakeService) -> StartWorkflow:
    request = service.calls[0][2]
    assert isinstance(request, StartWorkflow)
    return request


def completed(value: Any) -> e.WorkflowExecutionCompleted:
    return e.WorkflowExecutionCompleted(9, 0, (converter.to_payload(value),))


# --- starting


async def test_a_plain_start(service: FakeService, client: Client) -> None:
    run = await client.start(fulfil, Order("7"), id="order-7")
    assert_type(run, Run[Receipt])
    assert (run.id, run.run_id, run.is_new) == ("order-7", "run-1", True)
    kind, namespace, request = service.last()
    assert (kind, namespace) == ("start", "default")
    assert request == StartWorkflow(
        "order-7",
        "fulfil",
        "shop",
        converter.to_payloads([Order("7")]),
        request.request_id,
        identity="me",
    )
    assert len(request.request_id) == 32
    assert request.id_conflict is IdConflict.USE


async def test_ids_are_made_up_and_all_different(service: FakeService, client: Client) -> None:
    for _ in range(3):
        await client.start(fulfil, Order("7"))
    assert len({call[2].workflow_id for call in service.calls}) == 3
    assert len({call[2].request_id for call in service.calls}) == 3


async def test_options_of_the_workflow_are_the_default(service: FakeService, client: Client) -> None:
    await client.start(careful)
    request = started(service)
    assert request.task_queue == "slow"
    assert request.execution_timeout_ns == 86_400 * SECOND
    assert (request.run_timeout_ns, request.task_timeout_ns) == (60 * SECOND, 5 * SECOND)
    assert request.retry_policy == RetryPolicy(max_attempts=3)


async def test_all_options(service: FakeService, client: Client) -> None:
    await client.start(
        careful,
        id="c",
        id_conflict="fail",
        id_reuse="reject",
        task_queue="other",
        namespace="tests",
        execution_timeout=None,
        run_timeout=timedelta(minutes=2),
        task_timeout=1.5,
        retry=None,
        start_delay=timedelta(hours=1),
        memo={"who": "ada"},
        search_attributes={"Amount": 3},
        request_id="once",
        start_signal=message(Loan.decide, True),
    )
    assert service.last()[1] == "tests"
    request = started(service)
    signal = request.signal
    assert signal is not None
    assert request == StartWorkflow(
        workflow_id="c",
        workflow_type="careful",
        task_queue="other",
        request_id="once",
        id_reuse=IdReuse.REJECT,
        id_conflict=IdConflict.FAIL,
        run_timeout_ns=120 * SECOND,
        task_timeout_ns=SECOND * 3 // 2,
        start_delay_ns=3600 * SECOND,
        memo={"who": Payload(b'"ada"')},
        search_attributes={"Amount": Payload(b"3")},
        identity="me",
        signal=SignalWorkflow("decide", (Payload(b"true"),), None, signal.request_id, "me"),
    )
    assert signal.request_id


async def test_options_set_on_the_workflow_count_too(service: FakeService, client: Client) -> None:
    await client.start(fulfil.options(id="a", run_timeout=5, retry=Retry(max_attempts=2)), Order("1"), id="b")
    request = started(service)
    assert (request.workflow_id, request.run_timeout_ns) == ("b", 5 * SECOND)
    assert request.retry_policy == RetryPolicy(max_attempts=2)


async def test_classes_and_names(service: FakeService, client: Client) -> None:
    service.closing["run-1"] = completed(Receipt("ada"))
    loan = await client.start(Loan, "ada")
    assert_type(loan, Run[Receipt])
    assert await loan.result() == Receipt("ada")
    assert_type(await client.start(Loan, "ada", 3), Run[Receipt])

    # A name that an app knows has types; others may be given one.
    named = await client.start("Loan", "ada", 3)
    assert_type(named, Run[Any])
    assert await named.result() == Receipt("ada")
    other = await client.start("elsewhere", 1, id="x", result_type=Receipt)
    assert service.last()[2].task_queue == "default"
    assert await other.result() == Receipt("ada")
    assert await (await client.start("elsewhere", 1)).result() == {"order_id": "ada"}


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        (lambda client: client.start(fulfil, object()), InvalidArgumentError, "argument 1: a value of type object"),
        (lambda client: client.start(fulfil), TypeError, "missing"),
        (lambda client: client.start(fulfil, Order("1"), True, 3), TypeError, "too many"),
        (lambda client: client.start(fulfil, Order("1"), idd="x"), TypeError, "no option idd"),
        (lambda client: client.start(fulfil, Order("1"), id_reuse="never"), InvalidArgumentError, "'allow_if_failed'"),
        (lambda client: client.start(fulfil, Order("1"), run_timeout=-1), InvalidArgumentError, "run_timeout: -1"),
        (lambda client: client.start(fulfil, Order("1"), start_delay=-1), InvalidArgumentError, "must not be negative"),
        (lambda client: client.start(fulfil, Order("1"), memo={"a": object()}), InvalidArgumentError, "'a': a value"),
        (lambda client: client.start(fulfil.fn, Order("1")), InvalidArgumentError, "decorate it with @app.workflow"),
        (lambda client: client.start(""), InvalidArgumentError, "must not be empty"),
        (
            lambda client: client.start(fulfil, Order("1"), start_signal=message(Loan.add, "x")),
            InvalidArgumentError,
            "is not a signal",
        ),
    ],
)
async def test_mistakes_surface_before_anything_is_sent(
    service: FakeService, client: Client, start: Callable[[Any], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        await start(client)
    assert service.calls == []


async def test_a_class_that_only_inherits_is_no_workflow(client: Client) -> None:
    class Mortgage(Loan):
        pass

    with pytest.raises(InvalidArgumentError, match="only its base class is"):
        await client.start(Mortgage, "ada")


async def test_each_app_has_its_own_converter(service: FakeService, client: Client) -> None:
    narrow = App("narrow", converter=Converter(max_payload_bytes=5))

    @narrow.workflow
    async def short(text: str) -> str:
        return text

    with pytest.raises(Exception, match="max_payload_bytes"):
        await client.start(short, "too long")


async def test_with_namespace(service: FakeService, client: Client) -> None:
    other = client.with_namespace("tests")
    assert other.namespace == "tests"
    await other.start(fulfil, Order("1"))
    assert service.last()[1] == "tests"
    assert other.get("x").namespace == "tests"


# --- results


async def test_results_have_their_types(service: FakeService, client: Client) -> None:
    service.closing["run-1"] = completed(Receipt("7"))
    receipt = await client.execute(fulfil, Order("7"))
    assert_type(receipt, Receipt)
    assert receipt == Receipt("7")
    assert service.last() == ("wait_closed", RunAddress("default", started(service).workflow_id, "run-1"), True)
    service.closing["run-1"] = e.WorkflowExecutionCompleted(9, 0)
    nothing: object = await client.execute(careful)
    assert nothing is None


@pytest.mark.parametrize(
    ("closing", "status", "cause", "text"),
    [
        (
            e.WorkflowExecutionFailed(9, 0, Failure("no stock", type="OutOfStock")),
            RunStatus.FAILED,
            ApplicationError,
            "workflow 'w' failed: no stock",
        ),
        (
            e.WorkflowExecutionTimedOut(9, 0),
            RunStatus.TIMED_OUT,
            TimeoutError,
            "workflow 'w' timed out: it took longer than its execution timeout or run timeout",
        ),
        (
            e.WorkflowExecutionCanceled(9, 0, details=(Payload(b'"why"'),)),
            RunStatus.CANCELED,
            CancelledError,
            "workflow 'w' was cancelled",
        ),
        (
            e.WorkflowExecutionTerminated(9, 0, "too old"),
            RunStatus.TERMINATED,
            TerminatedError,
            "workflow 'w' was terminated: too old",
        ),
    ],
)
async def test_other_ends_are_errors(
    service: FakeService, client: Client, closing: e.Event, status: RunStatus, cause: type, text: str
) -> None:
    service.closing["run-1"] = closing
    run = await client.start(fulfil, Order("7"), id="w")
    with pytest.raises(WorkflowFailedError) as caught:
        await run.result()
    assert str(caught.value) == text
    assert (caught.value.status, caught.value.workflow_id, caught.value.run_id) == (status, "w", "run-1")
    assert type(caught.value.cause) is cause


async def test_a_result_need_not_be_waited_for_forever(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(client._service, "wait_closed", never)
    run = await client.start(fulfil, Order("7"))
    with pytest.raises(asyncio.TimeoutError):
        await run.result(timeout=timedelta(milliseconds=10))


# --- messages


async def test_signals(service: FakeService, client: Client) -> None:
    run = client.get("loan-7")
    await run.signal(Loan.decide, True)
    _, address, request = service.last()
    assert address == RunAddress("default", "loan-7")
    assert request == SignalWorkflow("decide", (Payload(b"true"),), None, request.request_id, "me")
    assert request.request_id
    await run.signal(Loan.decide, True, note="fine")
    assert service.last()[2].input == converter.to_payloads([True, "fine"])
    await run.signal("anything", 1, 2, request_id="once")
    assert service.last()[2] == SignalWorkflow("anything", converter.to_payloads([1, 2]), None, "once", "me")


async def test_queries(service: FakeService, client: Client) -> None:
    service.answer = (Payload(b'{"a":1}'),)
    run = await client.start(Loan, "ada", id="loan-7")
    answer = await run.query(Loan.status)
    assert_type(answer, dict[str, int])
    assert answer == {"a": 1}
    assert service.last() == ("query", RunAddress("default", "loan-7"), "status", ())
    await client.get("loan-7", "run-5").query("status", 3)
    assert service.last() == ("query", RunAddress("default", "loan-7", "run-5"), "status", (Payload(b"3"),))


async def test_updates(service: FakeService, client: Client) -> None:
    service.outcomes = [UpdateOutcome(UpdateStage.COMPLETED, (Payload(b"2"),))] * 2
    run = await client.start(Loan, "ada", id="loan-7")
    count = await run.update(Loan.add, "passport.pdf")
    assert_type(count, int)
    assert count == 2
    _, address, request, wait = service.last()
    assert (address.run_id, wait) == ("run-1", UpdateStage.COMPLETED)
    assert (request.update_name, request.input) == ("add", (Payload(b'"passport.pdf"'),))
    await run.update(Loan.add, "x", id="mine")
    assert service.last()[2].update_id == "mine"


async def test_an_update_can_be_waited_for_in_two_steps(service: FakeService, client: Client) -> None:
    service.outcomes = [
        UpdateOutcome(UpdateStage.ACCEPTED),
        UpdateOutcome(UpdateStage.COMPLETED, failure=Failure("attached already", type="ValueError")),
    ]
    handle = await client.get("loan-7").start_update(Loan.add, "x", id="u")
    assert_type(handle, UpdateHandle[int])
    assert (handle.id, service.last()[3]) == ("u", UpdateStage.ACCEPTED)
    for _ in range(2):
        with pytest.raises(
            UpdateFailedError, match="update 'add' of workflow 'loan-7' failed: attached already"
        ) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ApplicationError)
    # The second time, the answer was known.
    assert [call[3] for call in service.calls] == [UpdateStage.ACCEPTED, UpdateStage.COMPLETED]


async def test_update_with_start(service: FakeService, client: Client) -> None:
    service.outcomes = [UpdateOutcome(UpdateStage.COMPLETED, (Payload(b"1"),))]
    handle = await client.update_with_start(message(Loan.add, "x"), Loan, "ada", id="loan-7", update_id="u")
    assert_type(handle, UpdateHandle[int])
    assert await handle.result() == 1
    assert handle.run.id == "loan-7"
    request = started(service)
    assert request.update is not None
    assert (request.update.update_id, request.update.input) == ("u", (Payload(b'"x"'),))
    assert service.last() == ("update", RunAddress("default", "loan-7", "run-1"), request.update, UpdateStage.COMPLETED)
    with pytest.raises(InvalidArgumentError, match="cannot be sent as an update"):
        await client.update_with_start(message(Loan.decide, True), Loan, "ada")


async def test_messages_of_the_wrong_kind(client: Client) -> None:
    run: Run[Any] = client.get("x")
    with pytest.raises(InvalidArgumentError, match=r"is not a signal; send it with run.update"):
        await run.signal(Loan.add, "x")  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError, match="is no query: pass a handler such as"):
        await run.query(3)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError, match="pass note by position"):
        await run.signal("decide", note="x")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="missing"):
        await run.signal(Loan.decide)  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError, match="argument 1"):
        await run.update("x", object())


async def test_messages_follow_a_run_that_goes_on_in_another(service: FakeService, client: Client) -> None:
    run = await client.start(Loan, "ada", id="loan-7")
    service.closed_runs = {"run-1", "run-2"}
    service.closing = {
        "run-1": e.WorkflowExecutionContinuedAsNew(9, 0, "run-2", "Loan", "shop"),
        "run-2": e.WorkflowExecutionFailed(9, 0, Failure("x"), new_execution_run_id="run-3"),
    }
    await run.signal(Loan.decide, True)
    assert service.last()[1].run_id == "run-3"
    await run.cancel()
    assert service.last()[1].run_id == "run-3"

    service.closed_runs.add("run-3")
    with pytest.raises(RunClosedError):
        await run.terminate("over")
    # A handle on an exact run stays there.
    exact = client.get("loan-7", "run-1")
    with pytest.raises(RunClosedError):
        await exact.signal(Loan.decide, True)
    with pytest.raises(RunClosedError):
        await exact.update(Loan.add, "x")


async def test_control(service: FakeService, client: Client) -> None:
    run = client.get("w", "run-1")
    await run.cancel("late")
    assert service.last()[2] == CancelWorkflow("late", service.last()[2].request_id, "me")
    await run.terminate("gone")
    assert service.last()[2] == TerminateWorkflow("gone", (), "me")
    await run.pause("wait")
    assert service.last()[2] == PauseWorkflow("wait", "me", service.last()[2].request_id)
    await run.resume()
    assert service.last()[2] == ResumeWorkflow("", "me", service.last()[2].request_id)
    address = RunAddress("default", "w", "run-1")
    again = await run.reset(7, "bug")
    assert service.last() == ("reset", address, 7, "bug")
    assert (again.id, again.run_id) == ("w", "run-2")
    copy = await run.fork(7, id="w2", args=["x"])
    assert service.last() == ("fork", address, 7, "w2", (Payload(b'"x"'),), "")
    assert (copy.id, copy.run_id) == ("w2", "run-3")
    await run.fork(7, id="w3")
    assert service.last()[4] is None
    await run.delete()
    assert service.last() == ("delete", address)


# --- looking


SUMMARY = RunSummary(
    "default",
    "w",
    "run-1",
    "fulfil",
    "shop",
    RunStatus.RUNNING,
    1_700_000_000_123_456_789,
    0,
    12,
    {"who": Payload(b'"ada"')},
    {"Amount": Payload(b"3")},
)


async def test_listing(service: FakeService, client: Client) -> None:
    closed = msgspec.structs.replace(
        SUMMARY, run_id="run-2", status=RunStatus.COMPLETED, close_time=1_700_000_001 * SECOND
    )
    service.pages = [RunPage([SUMMARY], "more"), RunPage([closed], "")]
    first, second = [run async for run in client.list(status=["running", RunStatus.COMPLETED], workflow_type=fulfil)]
    assert (first.id, first.run_id, first.type, first.task_queue) == ("w", "run-1", "fulfil", "shop")
    assert (first.status, first.history_length, first.namespace, first.parent) == (
        RunStatus.RUNNING,
        12,
        "default",
        None,
    )
    assert first.started == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert first.closed is None
    assert second.closed == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert (first.memo, first.search_attributes) == ({"who": "ada"}, {"Amount": 3})
    assert repr(first) == "<fulfil 'w' running, run run-1>"
    statuses = (RunStatus.RUNNING, RunStatus.COMPLETED)
    assert service.calls == [("list", "default", "", statuses, "fulfil", cursor) for cursor in ("", "more")]

    service.pages = [RunPage([], "")]
    assert [run async for run in client.list(status="failed", workflow_type="Loan")] == []
    assert service.last() == ("list", "default", "", (RunStatus.FAILED,), "Loan", "")


async def test_filters_are_passed_on_with_the_words_beside_them(service: FakeService, client: Client) -> None:
    service.pages = [RunPage([SUMMARY], "")]
    (found,) = [run async for run in client.list("Amount > 3", status="running")]
    assert found.id == "w"
    assert service.last() == ("list", "default", "Amount > 3", (RunStatus.RUNNING,), "", "")
    with pytest.raises(InvalidArgumentError, match="choose one of 'running'"):
        client.list(status="runing")


async def test_describing(service: FakeService, client: Client) -> None:
    service.description = describe([])
    details = await client.get("w").describe()
    assert (details.id, details.first_run_id, details.attempt, details.build_id) == ("w", "run-0", 2, "v1")
    assert (details.cancel_requested, details.history_size_bytes, details.turn) == (False, 900, None)
    assert (details.activities, details.timers, details.children) == ([], [], [])


def describe(activities: list[PendingActivity]) -> RunDescription:
    return RunDescription(SUMMARY, "run-0", 2, 900, 0, 0, False, "v1", None, activities, [], [])


async def test_history(service: FakeService, client: Client) -> None:
    service.events = [
        e.WorkflowExecutionStarted(
            1, SUMMARY.start_time, "w", "fulfil", "shop", (Payload(b'{"id":"7"}'), Payload(b"x", "binary/zlib"))
        ),
        e.WorkflowTaskScheduled(2, SUMMARY.start_time, "shop"),
        e.WorkflowExecutionCompleted(3, SUMMARY.start_time, (Payload(b"1"),)),
    ]
    first, _, last = [event async for event in client.get("w").history()]
    assert (first.id, first.type) == (1, "WorkflowExecutionStarted")
    assert first.time == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert first.attributes["input"] == [{"id": "7"}, Payload(b"x", "binary/zlib")]
    assert list(first.attributes)[:2] == ["workflow_id", "workflow_type"]
    assert last.attributes["result"] == [1]
    assert repr(last).startswith("<3 WorkflowExecutionCompleted 2023")
    # The first page says which run is current, and the second is of that one.
    assert [(call[1].run_id, call[2]) for call in service.calls] == [("", 0), ("run-1", 2)]

    history = await client.get("w").fetch_history()
    assert list(history.events) == service.events
    assert (history.workflow_id, history.run_id) == ("w", "run-1")


# --- activities from outside


async def test_activities_are_completed_by_token(service: FakeService, client: Client) -> None:
    token = TaskToken("tests", "w", "run-1", 5, 2).encode()
    address = RunAddress("tests", "w", "run-1")
    await client.complete_activity(token, {"a": 1})
    assert service.last() == ("request", address, CompleteActivity(5, 2, (Payload(b'{"a":1}'),), "me"))
    await client.fail_activity(token, ValueError("no"))
    assert isinstance(service.last()[2], FailActivity)
    assert (service.last()[2].failure.type, service.last()[2].failure.message) == ("ValueError", "no")
    await client.fail_activity(token, "no")
    assert service.last()[2].failure == Failure("no")
    await client.cancel_activity(token, "half")
    assert service.last()[2] == CancelActivity(5, 2, (Payload(b'"half"'),), "me")

    service.description = describe([pending(5, False), pending(6, True)])
    assert await client.heartbeat_activity(token, 3) is False
    assert service.calls[-2][2] == HeartbeatActivity(5, 2, (Payload(b"3"),), "me")
    service.description = describe([pending(5, True)])
    assert await client.heartbeat_activity(token) is True

    for wrong in ("", "hello", token[:-4]):
        with pytest.raises(InvalidArgumentError, match="is not a task token"):
            await client.complete_activity(wrong, 1)


def pending(event_id: int, cancel_requested: bool) -> PendingActivity:
    return PendingActivity(
        event_id, str(event_id), "charge", "shop", 1, 0, 0, 0, 0, 0, (), None, "me", cancel_requested
    )


async def test_namespaces(service: FakeService, client: Client) -> None:
    await client.set_namespace("tests", retention=timedelta(days=1), description="for tests")
    assert service.last() == ("set_namespace", Namespace("tests", 86_400 * SECOND, "for tests"))
    assert await client.namespaces() == [Namespace("default")]
