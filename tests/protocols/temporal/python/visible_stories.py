"""What is asked of a server about runs: descriptions, lists, counts, and schedules."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleSpec,
    ScheduleState,
    WorkflowExecution,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from tests.protocols.temporal.python import activities
from tests.protocols.temporal.python.local_stories import KEYWORD
from tests.protocols.temporal.python.telling import LONG, QUEUE, Teller, eventually, outcome, story, until


@workflow.defn
class Visible:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self, what: str) -> str:
        if what == "waits":
            await workflow.wait_condition(lambda: self.told)
        if what == "waits for activity":
            await workflow.execute_activity(activities.elsewhere, start_to_close_timeout=LONG, heartbeat_timeout=LONG)
        return what

    @workflow.signal
    def go(self) -> None:
        self.told = True


WORKFLOWS = [Visible]


def shown(execution: WorkflowExecution) -> dict[str, Any]:
    """What is the same each time."""
    raw = execution.raw_info
    return {
        "id": execution.id,
        "type": execution.workflow_type,
        "status": execution.status and execution.status.name,
        "task_queue": execution.task_queue,
        "closed": execution.close_time is not None,
        "parent": execution.parent_id,
        "root": execution.root_id,
        "history_length": raw.history_length,
        "searched": {
            pair.key.name: pair.value for pair in execution.typed_search_attributes if pair.key.name[:5] == "Story"
        },
    }


@story
async def described(teller: Teller) -> Any:
    handle = await teller.start(
        Visible.run, "waits for activity", memo={"a": 1}, static_summary="summary", static_details="details"
    )
    await until(handle, "ACTIVITY_TASK_SCHEDULED")

    async def is_started() -> bool:
        return (await handle.describe()).raw_description.pending_activities[0].state == 2

    await eventually(is_started)
    running = await handle.describe()
    pending = running.raw_description.pending_activities[0]
    found = [
        shown(running) | {"memo": await running.memo(), "summary": await running.static_summary()},
        {
            "activity": [pending.activity_id, pending.activity_type.name, pending.state, pending.attempt],
            "maximum_attempts": pending.maximum_attempts,
        },
        {
            "timeout": str(running.raw_description.execution_config.default_workflow_task_timeout.ToTimedelta()),
            "queue": running.raw_description.execution_config.task_queue.name,
        },
    ]
    await handle.terminate("seen")
    return [*found, shown(await handle.describe())]


@story
async def listed(teller: Teller) -> Any:
    attributes = TypedSearchAttributes([SearchAttributePair(KEYWORD, "listed")])
    handles = [
        await teller.start(Visible.run, what, part=what, search_attributes=attributes) for what in ("ends", "waits")
    ]
    await handles[0].result()
    await until(handles[1], "WORKFLOW_TASK_COMPLETED")
    query = "StoryKeyword = 'listed'"

    async def ids(filters: str) -> list[str]:
        return sorted([found.id async for found in teller.client.list_workflows(filters)])

    async def all_there() -> bool:
        return len(await ids(f"{query} AND ExecutionStatus = 'Completed'")) == 1 and len(await ids(query)) == 2

    await eventually(all_there)
    count = teller.client.count_workflows
    found: list[Any] = [
        await ids(query),
        await ids(f"{query} AND ExecutionStatus = 'Running'"),
        await ids(f"{query} AND WorkflowType = 'Visible' AND CloseTime IS NULL"),
        await ids(f"WorkflowId STARTS_WITH '{teller.id()}'"),
        await ids(f"WorkflowId IN ('{teller.id('ends')}', 'another') OR WorkflowId = '{teller.id('waits')}'"),
        await ids(f"{query} AND StartTime > '2100-01-01T00:00:00Z'"),
        (await count(query)).count,
        (await count(f"{query} AND WorkflowType != 'Visible'")).count,
        [
            [[*group.group_values], group.count]
            for group in sorted(
                (await count(f"{query} GROUP BY ExecutionStatus")).groups, key=lambda g: str(g.group_values)
            )
        ],
        # What is said of a filter that can't be read is each server's own.
        (await outcome(ids("NoSuchAttribute = 1")))["failed"][0]["status"],
        (await outcome(ids("not a query (")))["failed"][0]["status"],
    ]
    await handles[1].signal(Visible.go)
    await handles[1].result()
    return found


@story
async def scheduled(teller: Teller) -> Any:
    action = ScheduleActionStartWorkflow(
        Visible.run, "ends", id=teller.id("run"), task_queue=QUEUE, execution_timeout=LONG, memo={"by": "schedule"}
    )
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=10))])
    schedule = Schedule(action=action, spec=spec, state=ScheduleState(note="a note", paused=True))
    handle = await teller.client.create_schedule(teller.id(), schedule, memo={"of": "schedule"})
    again = await outcome(teller.client.create_schedule(teller.id(), schedule))
    first = await handle.describe()
    await handle.unpause(note="go on")

    async def goes_on() -> bool:
        return not (await handle.describe()).schedule.state.paused

    await eventually(goes_on)
    await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)

    async def has_acted() -> bool:
        return (await handle.describe()).info.num_actions == 1

    await eventually(has_acted)
    acted = await handle.describe()
    execution: Any = acted.info.recent_actions[0].action
    run = teller.client.get_workflow_handle(execution.workflow_id, run_id=execution.first_execution_run_id)
    result = await run.result()
    await handle.delete()
    return [
        again,
        [first.schedule.state.paused, first.schedule.state.note, await first.memo(), len(first.info.next_action_times)],
        [acted.schedule.state.paused, acted.schedule.state.note, acted.info.num_actions],
        execution.workflow_id.startswith(teller.id("run-")),
        result,
        await outcome(handle.describe()),
    ]
