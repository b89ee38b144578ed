"""Operations asked for by workflows and served by apps: a function, a workflow, how they fail, cancellation, and a crash in the middle."""

import asyncio
from pathlib import Path

import pytest

import perdure
from perdure import App, OperationError, workflow

app = App("bank", task_queue="bank")
shop = App("shop", task_queue="shop")


@app.activity(name="Bank/greet")
async def greet(name: str) -> str:
    return f"hello {name}"


@app.workflow(name="Bank/transfer")
class Transfer:
    def __init__(self) -> None:
        self.is_approved = False

    @workflow.signal
    def approve(self) -> None:
        self.is_approved = True

    async def run(self, amount: int) -> dict[str, int]:
        if amount < 0:
            raise perdure.ApplicationError("no funds", type="NoFunds")
        if amount > 100:
            await workflow.wait_condition(lambda: self.is_approved)
        return {"moved": amount}


@shop.workflow
async def pay(amount: int) -> list[object]:
    greeted = await workflow.execute_operation(greet, "shop", task_queue="bank")
    handle = await workflow.start_operation("Bank/transfer", amount, task_queue="bank", result_type=dict[str, int])
    return [greeted, bool(handle.token), await handle, await handle.result()]


@shop.workflow
async def pay_or_tell(amount: int, limit: float) -> str:
    try:
        async with asyncio.timeout(limit or None):
            await workflow.execute_operation(Transfer, amount, task_queue="bank")
    except OperationError as error:
        cause = error.cause
        assert isinstance(cause, perdure.ApplicationError)
        return f"{error.service} {error.operation}: {cause.type}"
    except TimeoutError:
        return "called off"
    return "paid"


@shop.workflow
async def wrong(name: str) -> str:
    return str(await workflow.execute_operation(name, None))


async def test_operations_are_workflows_and_activities(opened):
    async with opened(app, shop) as client:
        run = await client.start(pay, 7, id="pay")
        assert await run.result() == ["hello shop", True, {"moved": 7}, {"moved": 7}]
        events = [event.type async for event in run.history()]
        assert [name for name in events if name.startswith("Nexus")] == [
            "NexusOperationScheduled",
            "NexusOperationStarted",
            "NexusOperationCompleted",
        ] * 2
        perdure.replay(shop, await run.fetch_history())
        served = [one.type async for one in client.list("WorkflowId != 'pay'")]
        assert sorted(served) == ["Bank/greet", "Bank/transfer"]


async def test_how_they_fail_and_are_called_off(opened):
    async with opened(app, shop) as client:
        assert await client.execute(pay_or_tell, -1, 0, id="failing") == "Bank transfer: NoFunds"
        assert await client.execute(pay_or_tell, 500, 0.2, id="late") == "called off"
        (served,) = [
            one async for one in client.list("WorkflowType = 'Bank/transfer' AND ExecutionStatus = 'canceled'")
        ]
        assert served.id.startswith("transfer-")


async def test_without_a_workflow(opened):
    async with opened(app, shop) as client:
        assert await client.execute_operation(greet, "you", id="one") == "hello you"
        run = await client.start_operation(
            "Bank/transfer", 500, task_queue="bank", id="two", result_type=dict[str, int]
        )
        again = await client.start_operation("Bank/transfer", 500, task_queue="bank", id="two")
        assert (run.id, again.run_id, again.is_new) == ("perdure.operation:two", run.run_id, False)
        await run.cancel()
        with pytest.raises(perdure.WorkflowFailedError) as failed:
            await run.result()
        assert failed.value.status is perdure.RunStatus.CANCELED
        with pytest.raises(perdure.WorkflowFailedError) as failed:
            await client.execute_operation(Transfer, -1)
        assert isinstance(failed.value.__cause__, perdure.ApplicationError)
        for options in ({}, {"endpoint": "e", "task_queue": "q"}):
            with pytest.raises(perdure.InvalidArgumentError, match="give one of them"):
                await client.start_operation("Bank/transfer", 1, **options)


async def test_a_wrong_name_is_told_at_its_line(opened):
    async with opened(app, shop) as client:
        run = await client.start(wrong, "transfer", id="wrong")
        while not (problem := (await run.explain()).waits[0].failure):
            await asyncio.sleep(0.01)
        assert "names no operation: it must be text such as 'Bank/transfer'" in problem.message
        await run.terminate()


async def test_an_operation_waits_for_a_worker_that_serves_it(tmp_path: Path):
    store = f"sqlite:///{tmp_path / 'work.db'}"
    async with perdure.open(shop, store=store) as client:
        run = await client.start(pay_or_tell, 500, 0, id="pay")
        while not (waits := [wait for wait in (await run.explain()).waits if "operation" in wait.what]):
            await asyncio.sleep(0.01)
        assert waits[0].ends_by == "a worker that serves Bank on task queue bank"
    async with perdure.open(app, shop, store=store) as client:
        run = client.get("pay")
        while not (served := [one async for one in client.list("WorkflowType = 'Bank/transfer'")]):
            await asyncio.sleep(0.01)
    async with perdure.open(app, shop, store=store) as client:
        await client.get(served[0].id).signal(Transfer.approve)
        assert await client.get("pay").result() == "paid"
