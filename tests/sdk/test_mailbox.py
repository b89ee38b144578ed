"""Signals, updates and queries, as the program handles them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from tests.sdk.fake_kernel import FakeKernel

from perdure.model import commands as c
from perdure.model.errors import ApplicationError
from perdure.model.failures import Failure
from perdure.model.program import TurnFailed
from perdure.sdk import workflow
from perdure.sdk.app import App

app = App("test")


@dataclass(frozen=True)
class Decision:
    officer: str
    approved: bool


@app.activity
async def work(tag: str) -> str: ...  # type: ignore[empty-body]


def types(commands: list[c.AnyCommand]) -> list[str]:
    return [type(command).__name__ for command in commands]


@app.workflow
class Loan:
    def __init__(self) -> None:
        self.documents: list[str] = []
        self.decision: Decision | None = None

    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.decision is not None and len(self.documents) >= 2)
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert self.decision is not None
        return f"{self.decision.officer}: {self.decision.approved} {','.join(self.documents)}"

    @workflow.signal
    def decide(self, decision: Decision) -> None:
        self.decision = decision

    @workflow.signal(name="note")
    async def take_note(self, text: str) -> None:
        await work(text)
        self.documents.append(text)

    @workflow.query
    def status(self) -> dict[str, int]:
        return {"documents": len(self.documents)}

    @workflow.query
    def changes_something(self) -> None:
        workflow.upsert_memo({"a": 1})

    @workflow.update
    async def add_document(self, name: str) -> int:
        await work(name)
        self.documents.append(name)
        if name == "refused.txt":
            raise ApplicationError("cannot be read", type="Unreadable")
        if name == "bug.txt":
            raise RuntimeError("bug")
        return len(self.documents)

    @add_document.validator
    def _only_new(self, name: str) -> None:
        if name in self.documents:
            raise ValueError(f"{name} is already attached")
        if name == "changes":
            workflow.upsert_memo({"a": 1})

    @workflow.update
    def rename(self, old: str, new: str) -> None:
        self.documents[self.documents.index(old)] = new


def test_signals_and_updates_lead_to_a_decision() -> None:
    run = FakeKernel(Loan)
    run.signal("decide", {"officer": "o-3", "approved": True})
    assert types(run.turn(("u1", "add_document", ("a.pdf",)))) == ["AcceptUpdate", "ScheduleActivityTask"]
    assert types(run.complete("work").turn()) == ["CompleteUpdate"]
    assert run.update_result("u1") == 1
    assert run.query("status") == {"documents": 1}
    assert types(run.turn(("u2", "add_document", ("a.pdf",)))) == ["RejectUpdate"]
    assert run.rejected["u2"].message == "a.pdf is already attached"
    run.signal("note", "b.pdf").turn()
    assert types(run.complete("work").turn()) == ["CompleteWorkflowExecution"]
    assert run.result == "o-3: True a.pdf,b.pdf"
    run.check_replay()


def test_a_turn_with_only_rejected_updates_leaves_no_trace() -> None:
    run = FakeKernel(Loan)
    run.turn(("u0", "add_document", ("a.pdf",)))
    run.complete("work").turn()
    before = list(run.events)
    run.turn(("u1", "add_document", ("a.pdf",)))
    # As the kernel does when a turn brought nothing but rejected updates: it never was.
    run.events[:] = before
    run.seen = len(before)
    run.turns.pop()
    run.signal("decide", {"officer": "o", "approved": False}).turn()
    run.turn(("u2", "add_document", ("b.pdf",)))
    run.complete("work").turn()
    assert run.result == "o: False a.pdf,b.pdf"
    run.check_replay()


def test_several_updates_in_one_turn_are_taken_one_after_another() -> None:
    run = FakeKernel(Loan)
    run.turn(("u1", "add_document", ("a.pdf",)), ("u2", "add_document", ("b.pdf",)))
    run.complete("1").complete("2").turn()
    assert (run.update_result("u1"), run.update_result("u2")) == (1, 2)
    assert types(run.turn(("u3", "rename", ("a.pdf", "c.pdf")), ("u4", "rename", ("c.pdf", "d.pdf")))) == [
        "AcceptUpdate",
        "CompleteUpdate",
        "AcceptUpdate",
        "CompleteUpdate",
    ]
    run.evict().signal("decide", {"officer": "o", "approved": True}).turn()
    assert run.result == "o: True d.pdf,b.pdf"
    run.check_replay()


def test_an_application_error_fails_the_update_only() -> None:
    run = FakeKernel(Loan)
    run.turn(("u1", "add_document", ("refused.txt",)))
    run.complete("work").turn()
    failure = run.outcomes["u1"].failure
    assert failure is not None
    assert (failure.type, failure.message) == ("Unreadable", "cannot be read")
    run.check_replay()


def test_a_bug_in_a_handler_fails_the_turn() -> None:
    run = FakeKernel(Loan)
    run.turn(("u1", "add_document", ("bug.txt",)))
    failed = run.complete("work").try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.failure.type == "RuntimeError"


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("unknown", (), "has no update 'unknown'; it has: add_document, rename"),
        ("rename", ("a",), "missing a required argument"),
        ("add_document", (5,), "argument 1"),
        ("add_document", ("changes",), "is not allowed in an update's validator"),
    ],
)
def test_updates_that_make_no_sense_are_rejected(name: str, args: tuple[Any, ...], message: str) -> None:
    run = FakeKernel(Loan)
    assert types(run.turn(("u1", name, args))) == ["RejectUpdate"]
    assert message in run.rejected["u1"].message


@pytest.mark.parametrize(
    ("name", "message"),
    [("unknown", "has no query 'unknown'; it has: "), ("changes_something", "is not allowed in a query")],
)
def test_queries_that_fail(name: str, message: str) -> None:
    run = FakeKernel(Loan)
    run.turn()
    answer = run.query(name)
    assert isinstance(answer, Failure)
    assert message in answer.message
    assert run.turn() == []


def test_where_the_code_stands() -> None:
    run = FakeKernel(Loan)
    run.signal("note", "x").turn()
    trace = run.query("__stack_trace")
    assert "Loan:\n" in trace
    assert "in Loan.run" in trace
    assert "signal note:\n" in trace
    assert "in Loan.take_note" in trace


@pytest.mark.parametrize("args", [(), ({"officer": "o", "approved": True}, "too many"), (5,)])
def test_a_signal_with_wrong_arguments_is_dropped(args: tuple[Any, ...], caplog: pytest.LogCaptureFixture) -> None:
    run = FakeKernel(Loan)
    assert run.signal("decide", *args).turn() == []
    assert "signal 'decide' to workflow w was dropped" in caplog.text
    run.check_replay()


def test_a_signal_that_cannot_be_read_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    run = FakeKernel(Loan)
    run.signal("decide", "nonsense").turn()
    assert "signal 'decide' to workflow w was dropped" in caplog.text
    caplog.clear()
    run.check_replay()
    # Once live in check_replay's last turn; never for turns that are only repeated.
    run.evict().turn()
    assert caplog.text.count("was dropped") == 1


@app.workflow
async def expense(employee: str) -> str:
    decision = await workflow.receive("decide", Decision, timeout=timedelta(days=7), default=None)
    return "no answer" if decision is None else ("paid" if decision.approved else "refused")


def test_a_function_receives_buffered_signals() -> None:
    run = FakeKernel(expense, "ada").signal("decide", {"officer": "o", "approved": True})
    run.turn()
    assert run.result == "paid"
    run.check_replay()


def test_or_waits_for_them() -> None:
    run = FakeKernel(expense, "ada")
    assert types(run.turn()) == ["StartTimer"]
    run.signal("decide", {"officer": "o", "approved": False})
    assert types(run.turn()) == ["CancelTimer", "CompleteWorkflowExecution"]
    assert run.result == "refused"
    run.check_replay()


def test_or_gives_up() -> None:
    run = FakeKernel(expense, "ada")
    run.turn()
    run.fire().turn()
    assert run.result == "no answer"
    run.check_replay()


@app.workflow
async def receives_twice() -> list[str]:
    try:
        first = await workflow.receive("x", str, timeout=10)
    except TimeoutError as error:
        first = str(error)
    return [first, await workflow.receive("x", str)]


def test_a_signal_that_comes_with_the_timeout_is_not_lost() -> None:
    run = FakeKernel(receives_twice)
    run.turn()
    run.fire().signal("x", "a").turn()
    assert run.result == ["no signal 'x' came in 10 seconds", "a"]
    run.check_replay()


def test_signals_are_received_in_order() -> None:
    run = FakeKernel(receives_twice)
    run.signal("x", "a").signal("x", 7).signal("x", "b").signal("x", "c").turn()
    assert run.result == ["a", "b"]
    run.check_replay()


@app.workflow
async def many_receivers() -> tuple[str, str, str]:
    async def receive(timeout: float) -> str:
        return await workflow.receive("x", str, timeout=timeout, default="none")

    return await asyncio.gather(receive(1), receive(5), receive(5))


def test_receivers_are_served_in_order() -> None:
    run = FakeKernel(many_receivers)
    run.turn()
    run.fire("1").signal("x", "a").turn()
    run.signal("x", "b").turn()
    assert run.result == ["none", "a", "b"]
    run.check_replay()


@app.workflow
async def sets_handlers() -> list[str]:
    seen: list[str] = []

    async def on_signal(text: str) -> None:
        await asyncio.sleep(0)
        seen.append(text)

    def validate(text: str) -> None:
        if not text:
            raise ValueError("say something")

    def on_update(text: str) -> str:
        seen.append(text)
        return text.upper()

    workflow.set_signal_handler("say", on_signal)
    workflow.set_query_handler("seen", lambda: list(seen))
    workflow.set_update_handler("shout", on_update, validator=validate)
    await workflow.wait_condition(lambda: len(seen) >= 3)
    workflow.set_signal_handler("say", None)
    seen.append(await workflow.receive("say", str))
    return seen


def test_a_function_may_set_handlers_itself() -> None:
    run = FakeKernel(sets_handlers).signal("say", "early")
    commands = run.turn(("u1", "shout", ("hey",)), ("u2", "shout", ("",)))
    assert types(commands) == ["AcceptUpdate", "CompleteUpdate", "RejectUpdate"]
    assert run.update_result("u1") == "HEY"
    assert run.query("seen") == ["early", "hey"]
    run.signal("say", "late").turn()
    run.signal("say", "later").turn()
    assert run.result == ["early", "hey", "late", "later"]
    run.check_replay()


@app.workflow
class Hasty:
    async def run(self) -> str:
        await work("main")
        return "done"

    @workflow.signal
    async def slow(self) -> None:
        await work("signal")

    @workflow.update
    async def slow_update(self) -> str:
        return await work("update")


def test_open_handlers_at_the_end_are_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    run = FakeKernel(Hasty).signal("slow")
    run.turn()
    run.complete("1").turn()
    assert run.result == "done"
    assert "ended while handlers were still at work: slow" in caplog.text
    run.check_replay()


def test_a_handler_that_ends_in_the_last_turn_still_answers() -> None:
    run = FakeKernel(Hasty)
    run.turn(("u", "slow_update", ()))
    assert types(run.complete("1").complete("2", "yes").turn()) == ["CompleteUpdate", "CompleteWorkflowExecution"]
    assert run.update_result("u") == "yes"
    run.check_replay()


def test_an_update_that_comes_with_the_end_is_left_to_the_engine() -> None:
    run = FakeKernel(Hasty)
    run.turn()
    assert types(run.complete("1").turn(("u", "slow_update", ()))) == ["CompleteWorkflowExecution"]
    run.check_replay()


@app.workflow
class Broken:
    async def run(self) -> None:
        await workflow.sleep(100)

    @workflow.signal
    def fail(self, kind: str) -> None:
        if kind == "application":
            raise ApplicationError("enough", type="Enough")
        if kind == "continue":
            workflow.continue_as_new()
        raise RuntimeError("bug")


def test_how_a_signal_handler_can_end_a_run() -> None:
    run = FakeKernel(Broken).signal("fail", "application")
    assert types(run.turn()) == ["StartTimer", "FailWorkflowExecution"]
    assert run.failure.type == "Enough"
    run.check_replay()
    run = FakeKernel(Broken).signal("fail", "continue")
    assert types(run.turn())[-1] == "ContinueAsNewWorkflowExecution"
    run.check_replay()
    assert isinstance(FakeKernel(Broken).signal("fail", "bug").try_turn(), TurnFailed)


@app.workflow
class Ordered:
    def __init__(self) -> None:
        self.log: list[str] = []

    async def run(self) -> list[str]:
        self.log.append("run")
        await workflow.wait_condition(lambda: len(self.log) >= 4)
        return self.log

    @workflow.signal
    def one(self, n: int) -> None:
        self.log.append(f"signal {n}")


def test_main_takes_its_first_step_before_any_signal() -> None:
    run = FakeKernel(Ordered).signal("one", 1).signal("one", 2).signal("one", 3)
    run.turn()
    assert run.result == ["run", "signal 1", "signal 2", "signal 3"]
    run.check_replay()
