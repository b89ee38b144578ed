"""How runs begin, end and begin again."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.common import Priority, RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from tests.protocols.temporal.python import activities
from tests.protocols.temporal.python.telling import LONG, SECOND, Teller, history, outcome, story, until

failures: set[str] = set()


@workflow.defn
class Life:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True

    @workflow.run
    async def run(self, what: str, value: Any = None) -> Any:
        info = workflow.info()
        match what:
            case "completes":
                return value
            case "returns nothing":
                return None
            case "fails":
                raise ApplicationError("as it must", *value, type="Fated")
            case "fails for good":
                raise ApplicationError("for good", type="Fated", non_retryable=True)
            case "fails twice":
                if info.attempt < 3:
                    raise ApplicationError(f"attempt {info.attempt}", type="Again")
                return [info.attempt, str(workflow.get_last_failure())]
            case "continues":
                if value > 0:
                    workflow.continue_as_new(args=["continues", value - 1], memo={"left": value - 1})
                return ["continued", dict(workflow.memo()), bool(info.continued_run_id)]
            case "fails a task":
                # A bug that goes away: the task fails, and is tried again.
                if info.workflow_id not in failures:
                    failures.add(info.workflow_id)
                    raise RuntimeError("a bug")
                return "mended"
            case "cleans up":
                try:
                    await workflow.sleep(60)
                except asyncio.CancelledError:
                    done = await workflow.execute_activity(activities.greet, "cleanup", start_to_close_timeout=LONG)
                    if value == "and completes":
                        return done
                    raise
            case "counts":
                last = workflow.get_last_completion_result(int) or 0
                return last + 1
            case "tells of itself":
                return {
                    "attempt": info.attempt,
                    "workflow_type": info.workflow_type,
                    "workflow_id": info.workflow_id,
                    "task_queue": info.task_queue,
                    "namespace": info.namespace,
                    "execution_timeout": str(info.execution_timeout),
                    "run_timeout": str(info.run_timeout),
                    "task_timeout": str(info.task_timeout),
                    "cron": info.cron_schedule,
                    "parent": info.parent is None,
                    "root": info.root is None,
                    "length": info.get_current_history_length(),
                    "suggested": info.is_continue_as_new_suggested(),
                    "priority": [info.priority.priority_key, info.priority.fairness_key, info.priority.fairness_weight],
                    "retry": info.retry_policy and info.retry_policy.maximum_attempts,
                }
            case "two steps":
                first = await workflow.execute_activity(activities.greet, "first", start_to_close_timeout=LONG)
                await workflow.wait_condition(lambda: self.told)
                return [first, await workflow.execute_activity(activities.greet, "second", start_to_close_timeout=LONG)]
            case _:
                pass
        await workflow.wait_condition(lambda: self.told)
        return "told"


WORKFLOWS = [Life]


def single(name: str, *args: Any, **options: Any) -> None:
    async def tell(teller: Teller) -> Any:
        return await teller.run(Life.run, *args, **options)

    tell.__name__ = name
    story(tell)


single("completes", "completes", {"nested": [1, 2.5, None, True, "ä"]})
single("completes_with_nothing", "returns nothing")
single("fails", "fails", ["detail", {"n": 1}])
single("fails_a_task", "fails a task")
single("continues_as_new", "continues", 2)
single(
    "retried",
    "fails twice",
    retry_policy=RetryPolicy(initial_interval=SECOND, backoff_coefficient=1, maximum_attempts=5),
)
single("not_retried", "fails for good", retry_policy=RetryPolicy(initial_interval=SECOND))
single("retried_to_the_end", "fails", ["always"], retry_policy=RetryPolicy(initial_interval=SECOND, maximum_attempts=2))
single("run_times_out", "waits", run_timeout=SECOND * 6)
single("execution_times_out", "waits", execution_timeout=SECOND * 6)
single("delayed", "completes", "late", start_delay=SECOND)
single(
    "info",
    "tells of itself",
    run_timeout=LONG / 2,
    task_timeout=SECOND * 5,
    retry_policy=RetryPolicy(maximum_attempts=3),
    priority=Priority(priority_key=1, fairness_key="key", fairness_weight=1.5),
)
single("unknown_workflow_type_waits", "waits", execution_timeout=SECOND, task_queue="python-nobody")


@story
async def cancelled_with_cleanup(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "cleans up")
    await until(handle, "TIMER_STARTED")
    await handle.cancel()
    return await outcome(handle.result())


@story
async def cancelled_but_completes(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "cleans up", "and completes")
    await until(handle, "TIMER_STARTED")
    await handle.cancel()
    return await outcome(handle.result())


@story
async def cancelled_before_it_begins(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "cleans up", start_delay=SECOND)
    await handle.cancel()
    await handle.cancel()
    return await outcome(handle.result())


@story
async def cancelled_when_closed(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "completes")
    await handle.result()
    missing = teller.client.get_workflow_handle("python-nobody-of-this-id")
    return [
        await outcome(handle.cancel()),
        await outcome(handle.terminate()),
        await outcome(missing.cancel()),
        await outcome(missing.terminate()),
        await outcome(missing.describe()),
        await outcome(missing.result()),
    ]


@story
async def terminated(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "waits")
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.terminate("a detail", 2, reason="enough")
    return await outcome(handle.result())


@story
async def signalled_while_delayed(teller: Teller) -> Any:
    """A signal does not wait for the delay of a start to be over."""
    handle = await teller.start(Life.run, "waits", start_delay=SECOND * 30)
    await handle.signal(Life.go)
    return await outcome(handle.result())


@story
async def cron(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "counts", cron_schedule="@every 1s")
    first = await outcome(
        teller.client.get_workflow_handle(handle.id, run_id=handle.result_run_id).result(follow_runs=False)
    )
    while (await teller.client.get_workflow_handle(handle.id).describe()).run_id == handle.result_run_id:
        await asyncio.sleep(0.05)
    await teller.client.get_workflow_handle(handle.id).terminate("twice is enough")
    # The run that was ended may or may not have begun, and is left out.
    teller.follow = False
    return first["failed"][0]["error"]


async def reset(teller: Teller, run_id: str, task: int, reason: str) -> str:
    answer = await teller.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=teller.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=teller.id(), run_id=run_id),
            reason=reason,
            workflow_task_finish_event_id=task,
            request_id=f"{teller.id()}-{task}",
        )
    )
    return answer.run_id


@story
async def reset_to_first_task(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "two steps")
    await until(handle, "ACTIVITY_TASK_COMPLETED")
    await handle.signal(Life.go)
    before = await handle.result()
    run_id = await reset(teller, handle.result_run_id or "", 4, "from the start")
    teller.runs.append((handle.id, run_id))
    # Signals that came later are kept.
    return [before, await outcome(teller.client.get_workflow_handle(handle.id, run_id=run_id).result())]


@story
async def reset_while_running(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "two steps")
    await until(handle, "ACTIVITY_TASK_COMPLETED")
    tasks = [e.event_id for e in await history(handle) if e.HasField("workflow_task_completed_event_attributes")]
    run_id = await reset(teller, handle.result_run_id or "", tasks[-1], "after the first step")
    teller.runs.append((handle.id, run_id))
    latest = teller.client.get_workflow_handle(handle.id, run_id=run_id)
    await until(latest)
    await latest.signal(Life.go)
    return await outcome(latest.result())


@story
async def reset_refused(teller: Teller) -> Any:
    handle = await teller.start(Life.run, "completes")
    await handle.result()
    return [await outcome(reset(teller, handle.result_run_id or "", task, "wrong")) for task in (1, 3, 99)]


@story
async def taken_ids(teller: Teller) -> Any:
    """What becomes of a start whose workflow id is taken, by each policy."""
    conflict, reuse = WorkflowIDConflictPolicy, WorkflowIDReusePolicy
    first = await teller.start(Life.run, "waits")
    await until(first, "WORKFLOW_TASK_COMPLETED")
    found: list[Any] = [await outcome(teller.start(Life.run, "completes"))]
    same = await teller.start(Life.run, "completes", id_conflict_policy=conflict.USE_EXISTING)
    found.append(same.result_run_id == first.result_run_id)
    second = await teller.start(Life.run, "waits", id_conflict_policy=conflict.TERMINATE_EXISTING)
    found.append(await outcome(first.result()))
    await until(second, "WORKFLOW_TASK_COMPLETED")
    await second.signal(Life.go)
    found.append(await second.result())
    for policy in (reuse.REJECT_DUPLICATE, reuse.ALLOW_DUPLICATE_FAILED_ONLY):
        found.append(await outcome(teller.start(Life.run, "completes", id_reuse_policy=policy)))
    third = await teller.start(Life.run, "fails", [], id_reuse_policy=reuse.ALLOW_DUPLICATE)
    found.append(await outcome(third.result()))
    fourth = await teller.start(
        Life.run, "completes", "after a failure", id_reuse_policy=reuse.ALLOW_DUPLICATE_FAILED_ONLY
    )
    return [*found, await outcome(fourth.result())]
