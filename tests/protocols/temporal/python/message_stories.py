"""Signals, queries and updates, to runs that wait, have ended, or do not know what is asked of them."""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateStage
from temporalio.common import QueryRejectCondition, RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from tests.protocols.temporal.python import activities
from tests.protocols.temporal.python.telling import LONG, QUEUE, Teller, outcome, story, until


@workflow.defn
class Mailbox:
    """Keeps what it is told until it has heard enough."""

    @workflow.init
    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.heard: list[Any] = []

    @workflow.run
    async def run(self, enough: int) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.heard) >= self.enough and workflow.all_handlers_finished())
        return self.heard

    @workflow.signal
    def hear(self, what: Any) -> None:
        self.heard.append(what)

    @workflow.signal
    async def hear_slowly(self, what: Any) -> None:
        await workflow.execute_activity(activities.nothing, start_to_close_timeout=LONG)
        self.heard.append(what)

    @workflow.query
    def so_far(self) -> list[Any]:
        return self.heard

    @workflow.query
    def broken(self) -> str:
        raise ApplicationError("cannot say", type="Mute")

    @workflow.update
    def add(self, what: Any) -> int:
        self.heard.append(what)
        return len(self.heard)

    @add.validator
    def check(self, what: Any) -> None:
        if what == "bad":
            raise ApplicationError("not this", "detail", type="Refused")

    @workflow.update
    async def add_slowly(self, what: Any) -> int:
        await workflow.execute_activity(activities.nothing, start_to_close_timeout=LONG)
        self.heard.append(what)
        return len(self.heard)

    @workflow.update
    async def fail(self, what: Any) -> int:
        self.heard.append(what)
        raise ApplicationError("in the middle", type="Broken")

    @workflow.update
    async def wait_for(self, count: int) -> int:
        await workflow.wait_condition(lambda: len(self.heard) >= count)
        return len(self.heard)


@workflow.defn
class Dynamic:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.heard) == 2)
        return self.heard

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self.heard.append(name)


WORKFLOWS = [Mailbox, Dynamic]


@story
async def signals(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 2)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal(Mailbox.hear, {"number": 1})
    await until(handle, "WORKFLOW_EXECUTION_SIGNALED")
    await handle.signal(Mailbox.hear_slowly, "two")
    return await outcome(handle.result())


@story
async def signal_unknown(teller: Teller) -> Any:
    """A signal that nobody handles does no harm."""
    handle = await teller.start(Mailbox.run, 1)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal("no_such_signal", 1)
    await until(handle, "WORKFLOW_EXECUTION_SIGNALED")
    await handle.signal(Mailbox.hear, "known")
    return await outcome(handle.result())


@story
async def signals_dynamic(teller: Teller) -> Any:
    handle = await teller.start(Dynamic.run)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal("anything", args=[1, 2])
    await until(handle, "WORKFLOW_EXECUTION_SIGNALED")
    await handle.signal("else")
    return await outcome(handle.result())


@story
async def signal_with_start(teller: Teller) -> Any:
    options: dict[str, Any] = {"start_signal": "hear"}
    first = await teller.start(Mailbox.run, 2, start_signal_args=["with the start"], **options)
    await until(first, "WORKFLOW_TASK_COMPLETED")
    second = await teller.start(Mailbox.run, 2, start_signal_args=["of a running one"], **options)
    return [first.result_run_id == second.result_run_id, await outcome(first.result())]


@story
async def signal_closed(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 0)
    await handle.result()
    missing = teller.client.get_workflow_handle("python-nobody-of-this-id")
    return [await outcome(handle.signal(Mailbox.hear, 1)), await outcome(missing.signal("hear", 1))]


@story
async def queries(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 1)
    found = [await handle.query(Mailbox.so_far)]
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    found += [
        await handle.query(Mailbox.so_far),
        await outcome(handle.query(Mailbox.broken)),
        await outcome(handle.query("no_such_query")),
    ]
    await handle.signal(Mailbox.hear, "asked")
    found += [await handle.result(), await handle.query(Mailbox.so_far)]
    not_open = QueryRejectCondition.NOT_OPEN
    found.append(await outcome(handle.query(Mailbox.so_far, reject_condition=not_open)))
    missing = teller.client.get_workflow_handle("python-nobody-of-this-id")
    found.append(await outcome(missing.query("so_far")))
    return found


@story
async def query_without_worker(teller: Teller) -> Any:
    """Nobody is there to answer before the caller's patience ends."""
    from datetime import timedelta

    handle = await teller.start(Mailbox.run, 1, task_queue="python-nobody")
    found = await outcome(handle.query(Mailbox.so_far, rpc_timeout=timedelta(seconds=1)))
    await handle.terminate("not needed")
    return found["failed"][0]["error"]


@story
async def updates(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 3)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    found: list[Any] = [await handle.execute_update(Mailbox.add, "one", id="first")]
    await until(handle)
    found.append(await handle.execute_update(Mailbox.add_slowly, "two"))
    await until(handle)
    found.append(await handle.execute_update(Mailbox.add, "three"))
    return [*found, await outcome(handle.result())]


@story
async def update_rejected(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 1)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    found = [
        await outcome(handle.execute_update(Mailbox.add, "bad")),
        await outcome(handle.execute_update("no_such_update", 1)),
    ]
    await until(handle)
    return [*found, await handle.execute_update(Mailbox.add, "good"), await outcome(handle.result())]


@story
async def update_fails(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 1)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    return [await outcome(handle.execute_update(Mailbox.fail, "heard")), await outcome(handle.result())]


@story
async def update_accepted_first(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 1)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    update = await handle.start_update(Mailbox.wait_for, 1, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="waits")
    await until(handle)
    await handle.signal(Mailbox.hear, "now")
    again = handle.get_update_handle("waits")
    return [await update.result(), await again.result(), await outcome(handle.result())]


@story
async def update_of_same_id(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 2)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    first = await handle.execute_update(Mailbox.add, "once", id="same")
    await until(handle)
    second = await handle.execute_update(Mailbox.add, "twice", id="same")
    await handle.signal(Mailbox.hear, "enough")
    return [first, second, await outcome(handle.result())]


@story
async def update_before_first_task(teller: Teller) -> Any:
    """An update right behind the start waits for the run's first task, and is handed out with it."""
    handle = await teller.start(Mailbox.run, 1, task_queue="python-late")
    import asyncio

    from temporalio.worker import UnsandboxedWorkflowRunner, Worker

    update = asyncio.create_task(handle.execute_update(Mailbox.add, "early"))
    await asyncio.sleep(0.3)
    worker = Worker(
        teller.client, task_queue="python-late", workflows=[Mailbox], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with worker:
        return [await update, await outcome(handle.result())]


@story
async def update_with_start(teller: Teller) -> Any:
    def operation() -> WithStartWorkflowOperation[Mailbox, list[Any]]:
        return WithStartWorkflowOperation(
            Mailbox.run,
            2,
            id=teller.id(),
            task_queue=QUEUE,
            execution_timeout=LONG,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )

    update = teller.client.execute_update_with_start_workflow
    teller.runs.append((teller.id(), ""))
    first = operation()
    found: list[Any] = [await update(Mailbox.add, "with the start", start_workflow_operation=first)]
    handle = await first.workflow_handle()
    await until(handle)
    second = operation()
    found.append(await update(Mailbox.add, "to a running one", start_workflow_operation=second))
    same = (await second.workflow_handle()).result_run_id == handle.result_run_id
    return [*found, same, await outcome(handle.result())]


@story
async def update_of_none(teller: Teller) -> Any:
    handle = await teller.start(Mailbox.run, 0)
    await handle.result()
    missing = teller.client.get_workflow_handle("python-nobody-of-this-id")
    return [
        await outcome(handle.execute_update(Mailbox.add, 1)),
        await outcome(missing.execute_update("add", 1)),
    ]


@story
async def update_outlived_by_nobody(teller: Teller) -> Any:
    """A run that ends while an update is accepted tells its caller so."""
    handle = await teller.start(Mailbox.run, 9)
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    update = await handle.start_update(Mailbox.wait_for, 5, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await until(handle)
    await handle.terminate("enough")
    return await outcome(update.result())
