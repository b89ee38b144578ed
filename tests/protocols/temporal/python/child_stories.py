"""Children, and other runs that a run may signal or cancel."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy
from tests.protocols.temporal.python import activities
from tests.protocols.temporal.python.telling import LONG, SECOND, Teller, outcome, story, until

CANCELS = {
    "abandon": ChildWorkflowCancellationType.ABANDON,
    "try": ChildWorkflowCancellationType.TRY_CANCEL,
    "wait": ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    "requested": ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED,
}
POLICIES = {
    "terminate": ParentClosePolicy.TERMINATE,
    "abandon": ParentClosePolicy.ABANDON,
    "request-cancel": ParentClosePolicy.REQUEST_CANCEL,
}


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, what: str) -> str:
        match what:
            case "greets":
                return "hello " + await workflow.execute_activity(
                    activities.greet, "child", start_to_close_timeout=LONG
                )
            case "fails":
                raise ApplicationError("a child's failure", "detail", type="Childish")
            case "fails once":
                if workflow.info().attempt == 1:
                    raise ApplicationError("the first attempt")
                return "second attempt"
            case "continues":
                workflow.continue_as_new("greets")
            case "cleans up":
                try:
                    await workflow.wait_condition(lambda: False)
                except asyncio.CancelledError:
                    await workflow.execute_activity(activities.nothing, start_to_close_timeout=LONG)
                    raise
            case _:
                pass
        await workflow.wait_condition(lambda: bool(self.told))
        return f"told {self.told}"

    @workflow.signal
    def tell(self, what: str) -> None:
        self.told.append(what)


@workflow.defn
class Parent:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True

    @workflow.run
    async def run(self, child_id: str, what: str, options: dict[str, Any]) -> Any:
        if "retry" in options:
            options["retry_policy"] = RetryPolicy(initial_interval=SECOND, maximum_attempts=options.pop("retry"))
        if "seconds" in options:
            options["run_timeout"] = SECOND * options.pop("seconds")
        return await workflow.execute_child_workflow(Child.run, what, id=child_id, **options)


@workflow.defn
class Cancelling(Parent):
    @workflow.run
    async def run(self, child_id: str, what: str, options: dict[str, Any]) -> Any:
        kind = CANCELS[options["cancel"]]
        child = await workflow.start_child_workflow(Child.run, what, id=child_id, cancellation_type=kind)
        await workflow.wait_condition(lambda: self.told)
        child.cancel()
        try:
            return await child
        except Exception as error:
            return [f"{type(each).__name__}: {each}" for each in (error, error.__cause__)]


@workflow.defn
class Leaving(Parent):
    @workflow.run
    async def run(self, child_id: str, what: str, options: dict[str, Any]) -> Any:
        policy = POLICIES[options["policy"]]
        await workflow.start_child_workflow(Child.run, what, id=child_id, parent_close_policy=policy)
        await workflow.wait_condition(lambda: self.told)
        return "left"


@workflow.defn
class Telling(Parent):
    @workflow.run
    async def run(self, child_id: str, what: str, options: dict[str, Any]) -> Any:
        child = await workflow.start_child_workflow(Child.run, what, id=child_id)
        await child.signal(Child.tell, "by the parent")
        return await child


@workflow.defn
class Reaching:
    @workflow.run
    async def run(self, other: str, how: str) -> Any:
        handle = workflow.get_external_workflow_handle(other)
        try:
            if how == "signal":
                await handle.signal("tell", "by a stranger")
            else:
                await handle.cancel()
        except Exception as error:
            return [f"{type(error).__name__}: {error}", getattr(error, "type", "")]
        return "reached"


WORKFLOWS = [Child, Parent, Cancelling, Leaving, Telling, Reaching]


def single(name: str, what: str, **options: Any) -> None:
    """A story of a child that its parent waits for."""

    async def tell(teller: Teller) -> Any:
        return await teller.run(Parent.run, teller.id("child"), what, options)

    tell.__name__ = name
    story(tell)


single("child", "greets")
single("child_with_metadata", "greets", memo={"a": "memo"}, static_summary="a child's summary")
single("child_fails", "fails")
single("child_retried", "fails once", retry=2)
single("child_continues", "continues")
single("child_times_out", "waits", seconds=6)
single("child_unknown_queue_times_out", "greets", seconds=1, task_queue="python-nobody")


@story
async def child_cancelled_with_parent(teller: Teller) -> Any:
    handle = await teller.start(Parent.run, teller.id("child"), "cleans up", {})
    await until(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
    await until(teller.client.get_workflow_handle(teller.id("child")), "WORKFLOW_TASK_COMPLETED")
    await handle.cancel()
    return await outcome(handle.result())


def cancelled(kind: str, what: str) -> None:
    async def tell(teller: Teller) -> Any:
        child_id = teller.id("child")
        handle = await teller.start(Cancelling.run, child_id, what, {"cancel": kind})
        await until(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
        child = teller.client.get_workflow_handle(child_id)
        await until(child, "WORKFLOW_TASK_COMPLETED")
        await handle.signal(Parent.go)
        found = await outcome(handle.result())
        if kind == "abandon":
            await until(child, "WORKFLOW_EXECUTION_TERMINATED")
        return [found, await ended(child)]

    tell.__name__ = f"child_cancel_{kind}"
    story(tell)


async def ended(child: WorkflowHandle[Any, Any]) -> Any:
    return await outcome(child.result())


cancelled("abandon", "waits")
cancelled("try", "waits")
cancelled("wait", "cleans up")
cancelled("requested", "waits")


def left(policy: str) -> None:
    async def tell(teller: Teller) -> Any:
        child_id = teller.id("child")
        handle = await teller.start(
            Leaving.run, child_id, "cleans up" if policy != "abandon" else "waits", {"policy": policy}
        )
        await until(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
        child = teller.client.get_workflow_handle(child_id)
        await until(child, "WORKFLOW_TASK_COMPLETED")
        await handle.signal(Parent.go)
        await handle.result()
        if policy == "abandon":
            await child.signal(Child.tell, "after the parent")
        return await ended(child)

    tell.__name__ = f"child_left_to_{policy.replace('-', '_')}"
    story(tell)


left("terminate")
left("abandon")
left("request-cancel")


@story
async def child_terminated(teller: Teller) -> Any:
    handle = await teller.start(Parent.run, teller.id("child"), "waits", {})
    await until(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
    child = teller.client.get_workflow_handle(teller.id("child"))
    await until(child, "WORKFLOW_TASK_COMPLETED")
    await child.terminate("no more of it")
    return await outcome(handle.result())


@story
async def child_of_taken_id(teller: Teller) -> Any:
    child = await teller.start(Child.run, "waits", part="child")
    await until(child, "WORKFLOW_TASK_COMPLETED")
    found = await teller.run(Parent.run, teller.id("child"), "waits", {})
    await child.signal(Child.tell, "go")
    await child.result()
    return found


@story
async def child_signalled_by_parent(teller: Teller) -> Any:
    return await teller.run(Telling.run, teller.id("child"), "waits", {})


@story
async def external_signal(teller: Teller) -> Any:
    other = await teller.start(Child.run, "waits", part="other")
    await until(other, "WORKFLOW_TASK_COMPLETED")
    return [await teller.run(Reaching.run, other.id, "signal"), await other.result()]


@story
async def external_cancel(teller: Teller) -> Any:
    other = await teller.start(Child.run, "cleans up", part="other")
    await until(other, "WORKFLOW_TASK_COMPLETED")
    return [await teller.run(Reaching.run, other.id, "cancel"), await outcome(other.result())]


@story
async def external_missing(teller: Teller) -> Any:
    return [await teller.run(Reaching.run, "python-nobody-of-this-id", how, part=how) for how in ("signal", "cancel")]
