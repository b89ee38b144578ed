"""Signals, queries and updates, and workflows that talk to each other."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import App, workflow
from perdure.app import Embedded
from perdure.engine.clock import SystemClock
from perdure.model.errors import StoreError
from perdure.stores.memory import MemoryStore

from .conftest import events_of, settled

app = App("messages")


@app.activity
async def archive(balance: int) -> int:
    return balance


@app.workflow
class Archived:
    def __init__(self) -> None:
        self.done = False

    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.done)
        return await archive(1)

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.query
    def is_done(self) -> bool:
        return self.done


@app.workflow
class Account:
    def __init__(self) -> None:
        self.balance = 0
        self.closed = False

    async def run(self, opening: int = 0) -> int:
        self.balance += opening
        await workflow.wait_condition(lambda: self.closed)
        return self.balance

    @workflow.signal
    def deposit(self, amount: int) -> None:
        self.balance += amount

    @workflow.signal
    def close(self) -> None:
        self.closed = True

    @workflow.query
    def now(self) -> int:
        return self.balance

    @workflow.query
    def broken(self) -> int:
        raise ValueError("no such number")

    @workflow.update
    async def withdraw(self, amount: int) -> int:
        if amount == 13:
            raise perdure.ApplicationError("unlucky amount")
        self.balance -= amount
        await asyncio.sleep(0.01)
        return self.balance

    @withdraw.validator
    def _enough(self, amount: int) -> None:
        if amount > self.balance:
            raise ValueError(f"only {self.balance} left")


@app.workflow
async def child(number: int) -> int:
    if number < 0:
        raise perdure.ApplicationError("negative")
    await asyncio.sleep(0.01)
    return number + 1


@app.workflow
async def parent(numbers: list[int]) -> list[int]:
    return list(await asyncio.gather(*(child(number) for number in numbers)))


@app.workflow
async def sleeper() -> str:
    await asyncio.sleep(1000)
    return "slept"


@app.workflow
async def leaves(policy: str) -> str:
    handle = await workflow.start_child(sleeper.options(id=f"left-{policy}", parent_close=policy))  # type: ignore[arg-type]
    return handle.run_id


@app.workflow
async def talks(target: str) -> str:
    other = workflow.external(target)
    await other.signal("deposit", 5)
    await other.signal(Account.close)
    try:
        await workflow.external("nobody").signal("hello")
    except perdure.FailureError as error:
        return str(error)
    return "delivered to nobody"


async def test_a_query_that_comes_while_the_run_closes_is_answered(opened):
    async with opened(app) as client:
        run = await client.start(Archived, id="a")
        await run.signal(Archived.finish)
        for _ in range(20):  # before, while and after it closes
            assert await run.query(Archived.is_done)


async def test_signals_queries_and_updates(opened):
    async with opened(app) as client:
        run = await client.start(Account, 100, id="a")
        await run.signal(Account.deposit, 50)
        assert await run.query(Account.now) == 150
        assert await run.update(Account.withdraw, 30) == 120
        with pytest.raises(perdure.UpdateFailedError) as refused:
            await run.update(Account.withdraw, 1000)
        assert "only 120 left" in str(refused.value.__cause__)
        with pytest.raises(perdure.UpdateFailedError) as failed:
            await run.update(Account.withdraw, 13)
        assert "unlucky" in str(failed.value.__cause__)
        with pytest.raises(perdure.QueryFailedError, match="no such number"):
            await run.query(Account.broken)
        with pytest.raises(perdure.QueryFailedError):
            await run.query("nothing")
        await run.signal(Account.close)
        assert await run.result() == 120
        assert await run.query(Account.now) == 120, "a closed run answers too"
        with pytest.raises(perdure.RunClosedError):
            await run.update(Account.withdraw, 1)


async def test_a_rejected_update_leaves_no_trace(opened):
    async with opened(app) as client:
        run = await client.start(Account, 1)
        await settled(run)
        before = await events_of(run)
        with pytest.raises(perdure.UpdateFailedError):
            await run.update(Account.withdraw, 2)
        assert await events_of(run) == before
        await run.signal(Account.close)
        assert await run.result() == 1


async def test_messages_sent_twice_count_once(opened):
    async with opened(app) as client:
        run = await client.start(Account, 10)
        for _ in range(3):
            await run.signal(Account.deposit, 5, request_id="one")
            assert await run.update(Account.withdraw, 1, id="once") == 14
        await run.signal(Account.close)
        assert await run.result() == 14


async def test_update_stages(opened):
    async with opened(app) as client:
        run = await client.start(Account, 10)
        handle = await run.start_update(Account.withdraw, 4, wait="accepted")
        assert await handle.result() == 6
        await run.terminate()


async def test_signal_and_update_with_start(opened):
    async with opened(app) as client:
        await client.start(Account, 1, id="s", start_signal=perdure.message(Account.deposit, 10))
        run = await client.start(Account, 1, id="s", start_signal=perdure.message(Account.deposit, 10))
        assert await run.query(Account.now) == 21
        answer = await client.update_with_start(perdure.message(Account.withdraw, 1), Account, 0, id="s")
        assert await answer.result() == 20
        fresh = await client.update_with_start(perdure.message(Account.withdraw, 2), Account, 7, id="fresh")
        assert await fresh.result() == 5
        for id in ("s", "fresh"):
            await client.get(id).terminate()


async def test_children_run_and_fail_into_their_parent(opened):
    async with opened(app) as client:
        assert await client.execute(parent, [1, 2, 3]) == [2, 3, 4]
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await client.execute(parent, [1, -1])
        assert isinstance(caught.value.__cause__, perdure.ChildWorkflowError)


@app.workflow
async def chain(length: int) -> int:
    return 1 + await chain(length - 1) if length else 0


async def test_few_or_many_children_deep_or_wide(opened):
    async with opened(app) as client:
        assert await client.execute(parent, list(range(30))) == list(range(1, 31))
        assert await client.execute(chain, 40) == 40


@app.workflow
async def starts(id: str) -> str:
    try:
        return str(await child.options(id=id)(1))
    except perdure.ChildWorkflowError as error:
        return str(error)


async def test_a_child_whose_id_is_taken_cannot_start(opened):
    async with opened(app) as client:
        taken = await client.start(sleeper, id="taken")
        assert "is running as" in await client.execute(starts, "taken")
        await taken.terminate()
        assert await client.execute(starts, "taken") == "2"


class Noting(MemoryStore):
    """Says what was written; the batches whose numbers are in ``failing`` are not."""

    def __init__(self, failing=()):
        super().__init__()
        self.batches = []
        self.failing = failing

    def write(self, batch, done):
        self.batches.append(batch)
        if len(self.batches) in self.failing:
            asyncio.get_running_loop().call_soon(done, StoreError("no"))
        else:
            super().write(batch, done)


async def executed_on(store, workflow, *args):
    settings = perdure.Settings(store_retry_ns=1_000_000)
    embedded = Embedded([app], store, SystemClock(asyncio.get_running_loop()), settings=settings)
    await embedded.open()
    try:
        return await embedded.client.execute(workflow, *args, id="run")
    finally:
        await embedded.close()


async def test_a_child_starts_and_ends_in_transactions_of_its_parent_and_nothing_is_sent():
    store = Noting()
    assert await executed_on(store, parent, [1, 2]) == [2, 3]
    assert sorted(each.key for each in store.batches[0]) == [1, 2, 3]
    ends = [batch for batch in store.batches if {2, 3} & {each.key for each in batch if each.changed is not None}]
    assert all(1 in {each.key for each in batch} for batch in ends)
    assert not any(each.messages or each.messages_done for batch in store.batches for each in batch)


@pytest.mark.parametrize("failing", [{2}, {2, 3}])
async def test_a_child_that_ends_in_a_transaction_that_fails_ends_once_more(failing):
    store = Noting(failing)
    assert await executed_on(store, parent, [1, 2, 3]) == [2, 3, 4]
    assert len(store.batches) > max(failing)


@pytest.mark.parametrize(
    ("policy", "status"),
    [("terminate", "TERMINATED"), ("abandon", "RUNNING"), ("cancel", "CANCELED")],
)
async def test_parent_close_policies(opened, policy, status):
    async with opened(app) as client:
        await client.execute(leaves, policy)
        left = client.get(f"left-{policy}")
        if status == "RUNNING":
            assert (await left.describe()).status.name == status
            await left.terminate()
        else:
            with pytest.raises(perdure.WorkflowFailedError) as caught:
                await left.result()
            assert caught.value.status.name == status


@app.workflow
class Cleans:
    """A child that is not done with its cancellation until somebody says so."""

    def __init__(self) -> None:
        self.may_end = False

    async def run(self) -> None:
        try:
            await workflow.wait_condition(lambda: self.may_end)
        finally:
            await workflow.wait_condition(lambda: self.may_end)

    @workflow.signal
    def end(self) -> None:
        self.may_end = True


@app.workflow
async def nurse(cancellation: Any) -> None:
    await (await workflow.start_child(Cleans, id="patient", parent_close="abandon", cancellation=cancellation))


@pytest.mark.parametrize(
    ("cancellation", "is_asked", "is_awaited"), [("wait", True, True), ("try", True, False), ("abandon", False, False)]
)
async def test_a_cancelled_wait_for_a_child(opened, cancellation, is_asked, is_awaited):
    async with opened(app) as client:
        run = await client.start(nurse, cancellation)
        while "ChildWorkflowExecutionStarted" not in await events_of(run):
            await asyncio.sleep(0.01)
        child = client.get("patient")
        await run.cancel()
        if is_awaited:
            while not (await child.describe()).cancel_requested:
                await asyncio.sleep(0.01)
            assert (await run.describe()).status is perdure.RunStatus.RUNNING
            await child.signal("end")
        with pytest.raises(perdure.WorkflowFailedError) as caught:
            await run.result()
        assert caught.value.status is perdure.RunStatus.CANCELED
        while is_asked and not (await child.describe()).cancel_requested:
            await asyncio.sleep(0.01)
        if not is_awaited:
            assert (await child.describe()).status is perdure.RunStatus.RUNNING
            assert (await child.describe()).cancel_requested is is_asked
            await child.signal("end")
        if is_asked:
            with pytest.raises(perdure.WorkflowFailedError):
                await child.result()
        else:
            await child.result()


async def test_workflows_signal_each_other(opened):
    async with opened(app) as client:
        run = await client.start(Account, 1, id="target")
        said = await client.execute(talks, "target")
        assert await run.result() == 6
        assert "nobody" in said


@app.workflow
async def waits_for_days() -> str:
    return await workflow.receive("go", str, timeout=timedelta(days=9), default="nobody came")


async def test_a_loan_waits_for_days_at_no_cost(environment):
    async with environment(app) as env:
        assert await env.client.execute(waits_for_days) == "nobody came"
        assert env.elapsed >= timedelta(days=9)
