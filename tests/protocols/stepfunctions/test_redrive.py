"""Executions that go on after their end, and Map runs that are changed as they go."""

import asyncio
import json

from tests.protocols.stepfunctions.conftest import ACCOUNT, refused
from tests.protocols.stepfunctions.test_executions import ended, machine, task

ACTIVITY = f"arn:aws:states:us-east-1:{ACCOUNT}:activity:pack"
WORK = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": ACTIVITY, "End": True}}}


def each(**more):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **WORK}
    states = {"Each": {"Type": "Map", "Label": "each", "ItemProcessor": processor, "End": True, **more}}
    return json.dumps({"StartAt": "Each", "States": states})


async def tasks(client, count):
    """So many tasks, by what came in."""
    found = {}
    for _ in range(count):
        given = await client.get_activity_task(activityArn=ACTIVITY)
        found[json.loads(given["input"])] = given["taskToken"]
    return found


async def types(client, execution):
    pages = await client.get_execution_history(executionArn=execution, maxResults=1000)
    assert [event["id"] for event in pages["events"]] == list(range(1, len(pages["events"]) + 1))
    return [event["type"] for event in pages["events"]]


async def map_run_of(client, execution):
    while not (found := (await client.list_map_runs(executionArn=execution))["mapRuns"]):
        await asyncio.sleep(0.01)
    return await client.describe_map_run(mapRunArn=found[0]["mapRunArn"])


async def test_a_redriven_child_execution_goes_on_where_it_failed(client):
    await client.create_activity(name="pack")
    two = {
        "StartAt": "One",
        "States": {
            "One": {"Type": "Pass", "Parameters": {"n.$": "$"}, "Assign": {"seen.$": "$.n"}, "Next": "Two"},
            "Two": {"Type": "Task", "Resource": ACTIVITY, "InputPath": "$seen", "End": True},
        },
    }
    for kind in ("STANDARD", "EXPRESS"):
        processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, **two}
        state = {"Type": "Map", "Label": "each", "ItemProcessor": processor, "End": True}
        arn = await machine(client, json.dumps({"StartAt": "Each", "States": {"Each": state}}), kind.lower())
        execution = (await client.start_execution(stateMachineArn=arn, input="[1, 2]"))["executionArn"]
        found = await tasks(client, 2)
        await client.send_task_failure(taskToken=found[1], error="Broken", cause="It fell.")
        described = await ended(client, execution)
        for answer in ("failed again", "done"):
            await client.redrive_execution(executionArn=execution)
            found = await tasks(client, 2)
            assert sorted(found) == [1, 2]
            if answer == "done":
                await client.send_task_success(taskToken=found[1], output='"1"')
                await client.send_task_success(taskToken=found[2], output='"2"')
            else:
                await client.send_task_failure(taskToken=found[2], error="Broken", cause="It fell.")
            described = await ended(client, execution)
        assert (json.loads(described["output"]), described["redriveCount"]) == (["1", "2"], 2)
        run = await map_run_of(client, execution)
        children = (await client.list_executions(mapRunArn=run["mapRunArn"]))["executions"]
        went = {
            json.loads((await history_of(client, one))[0]["executionStartedEventDetails"]["input"]): one
            for one in children
        }
        told = {n: [event["type"] for event in await history_of(client, one)] for n, one in went.items()}
        assert len(children) == 2 and all(one["status"] == "SUCCEEDED" for one in children)
        if kind == "EXPRESS":
            assert all("ExecutionRedriven" not in types for types in told.values())
            continue
        assert [one["redriveCount"] for one in children] == [2, 2]
        entered = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered", "ActivityScheduled"]
        again = ["ExecutionRedriven", "ActivityScheduled"]
        last = ["ActivityStarted", "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]
        fell = ["ActivityStarted", "ActivityFailed", "ExecutionFailed"]
        goes_on = ["ExecutionAborted", "ExecutionRedriven"]
        assert told[1] == [*entered, *fell, *again, *goes_on, *last]
        assert told[2] == [*entered, *goes_on, *fell, *again, *last]


async def history_of(client, execution):
    return (await client.get_execution_history(executionArn=execution["executionArn"], maxResults=1000))["events"]


async def test_a_redriven_map_run_begins_only_what_did_not_succeed(client):
    await client.create_activity(name="pack")
    arn = await machine(client, each())
    execution = (await client.start_execution(stateMachineArn=arn, input="[1, 2, 3]"))["executionArn"]
    found = await tasks(client, 3)
    await client.send_task_success(taskToken=found[1], output='"one"')
    while (await map_run_of(client, execution))["itemCounts"]["succeeded"] < 1:
        await asyncio.sleep(0.01)
    await client.send_task_failure(taskToken=found[2], error="Broken", cause="It fell.")
    described = await ended(client, execution)
    assert described["error"] == "States.ExceedToleratedFailureThreshold"
    failed = await map_run_of(client, execution)
    assert (failed["status"], failed["redriveCount"]) == ("FAILED", 0)
    counts = {
        key: failed["itemCounts"][key] for key in ("succeeded", "failed", "aborted", "running", "pending", "total")
    }
    assert counts == {"succeeded": 1, "failed": 1, "aborted": 1, "running": 0, "pending": 0, "total": 3}
    children = (await client.list_executions(mapRunArn=failed["mapRunArn"], statusFilter="FAILED"))["executions"]
    child = await client.describe_execution(executionArn=children[0]["executionArn"])
    assert child["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert (await refused(client.redrive_execution(executionArn=child["executionArn"])))[0] == "ExecutionNotRedrivable"
    before = await types(client, execution)

    redriven = (await client.redrive_execution(executionArn=execution))["redriveDate"]
    found = await tasks(client, 2)
    assert sorted(found) == [2, 3]
    running = await map_run_of(client, execution)
    assert (running["status"], running["redriveCount"], running["itemCounts"]["running"]) == ("RUNNING", 1, 2)
    for item in found:
        await client.send_task_success(taskToken=found[item], output=f'"{item}"')
    described = await ended(client, execution)
    assert json.loads(described["output"]) == ["one", "2", "3"]
    assert (described["redriveCount"], described["redriveDate"]) == (1, redriven)
    assert described["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    (listed,) = (await client.list_executions(stateMachineArn=arn, redriveFilter="REDRIVEN"))["executions"]
    assert (listed["redriveCount"], listed["redriveDate"], listed["status"]) == (1, redriven, "SUCCEEDED")
    assert not (await client.list_executions(stateMachineArn=arn, redriveFilter="NOT_REDRIVEN"))["executions"]
    done = await map_run_of(client, execution)
    assert (done["status"], done["itemCounts"]["succeeded"], done["itemCounts"]["failed"]) == ("SUCCEEDED", 3, 0)
    assert done["executionArn"] == execution and "redriveDate" in done
    after = await types(client, execution)
    assert after[: len(before)] == before, "what happened before stays in the history"
    assert after[len(before) : len(before) + 2] == ["ExecutionRedriven", "MapRunRedriven"]


async def test_an_aborted_execution_goes_on_where_it_was(client):
    await client.create_activity(name="pack")
    branches = [WORK, {"StartAt": "W", "States": {"W": {"Type": "Pass", "Result": 1, "End": True}}}]
    states = {"Both": {"Type": "Parallel", "Branches": branches, "End": True}}
    arn = await machine(client, json.dumps({"StartAt": "Both", "States": states}))
    execution = (await client.start_execution(stateMachineArn=arn, input="7"))["executionArn"]
    await tasks(client, 1)
    await client.stop_execution(executionArn=execution, error="Enough")
    assert (await client.describe_execution(executionArn=execution))["redriveStatus"] == "REDRIVABLE"
    await client.redrive_execution(executionArn=execution)
    found = await tasks(client, 1)
    await client.send_task_failure(taskToken=found[7], error="Broken")
    assert (await ended(client, execution))["error"] == "Broken"
    await client.redrive_execution(executionArn=execution)
    found = await tasks(client, 1)
    await client.send_task_success(taskToken=found[7], output="2")
    described = await ended(client, execution)
    assert (json.loads(described["output"]), described["redriveCount"]) == ([2, 1], 2)
    seen = await types(client, execution)
    assert [seen.count(name) for name in ("ExecutionAborted", "ExecutionFailed", "ExecutionRedriven")] == [1, 1, 2]
    assert seen.count("PassStateEntered") == 1, "the branch that was done stays done"


async def test_what_fails_by_itself_fails_again_when_it_is_redriven(client):
    arn = await machine(client, json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "No"}}}))
    execution = (await client.start_execution(stateMachineArn=arn))["executionArn"]
    for count in (1, 2, 3):
        assert (await ended(client, execution))["error"] == "No"
        await client.redrive_execution(executionArn=execution)
        await asyncio.sleep(0)
        while (await client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            await asyncio.sleep(0.01)
        assert (await client.describe_execution(executionArn=execution))["redriveCount"] == count
    seen = await types(client, execution)
    assert seen == [
        "ExecutionStarted",
        *["FailStateEntered", "ExecutionFailed", "ExecutionRedriven"] * 3,
        "FailStateEntered",
        "ExecutionFailed",
    ]


async def test_a_nested_execution_is_started_again(client):
    await client.create_activity(name="pack")
    inner = await machine(client, json.dumps(WORK), "inner")
    parameters = {"StateMachineArn": inner, "Input.$": "$"}
    outer = await machine(client, task("arn:aws:states:::states:startExecution.sync:2", Parameters=parameters), "outer")
    execution = (await client.start_execution(stateMachineArn=outer, input='{"n": 5}'))["executionArn"]
    given = await client.get_activity_task(activityArn=ACTIVITY)
    await client.send_task_failure(taskToken=given["taskToken"], error="Broken")
    assert (await ended(client, execution))["error"] == "States.TaskFailed"
    await client.redrive_execution(executionArn=execution)
    given = await client.get_activity_task(activityArn=ACTIVITY)
    await client.send_task_success(taskToken=given["taskToken"], output="6")
    assert json.loads((await ended(client, execution))["output"])["Output"] == 6
    statuses = [one["status"] for one in (await client.list_executions(stateMachineArn=inner))["executions"]]
    assert sorted(statuses) == ["FAILED", "SUCCEEDED"]


async def test_a_map_run_is_changed_as_it_goes(client):
    await client.create_activity(name="pack")
    arn = await machine(client, each(MaxConcurrency=1))
    execution = (await client.start_execution(stateMachineArn=arn, input="[1, 2, 3, 4]"))["executionArn"]
    found = await tasks(client, 1)
    map_run = (await map_run_of(client, execution))["mapRunArn"]
    await client.update_map_run(mapRunArn=map_run, maxConcurrency=3, toleratedFailureCount=2)
    found |= await tasks(client, 2)
    described = await client.describe_map_run(mapRunArn=map_run)
    assert (described["maxConcurrency"], described["toleratedFailureCount"]) == (3, 2)
    assert (described["itemCounts"]["running"], described["itemCounts"]["pending"]) == (3, 1)
    await client.send_task_failure(taskToken=found[1], error="Broken")
    found |= await tasks(client, 1)
    await client.send_task_failure(taskToken=found[2], error="Broken")
    for item in (3, 4):
        await client.send_task_success(taskToken=found[item], output="0")
    assert (await ended(client, execution))["status"] == "SUCCEEDED"
    described = await client.describe_map_run(mapRunArn=map_run)
    assert (described["itemCounts"]["failed"], described["itemCounts"]["succeeded"]) == (2, 2)
    assert (await refused(client.update_map_run(mapRunArn=map_run, maxConcurrency=1)))[0] == "ValidationException"
