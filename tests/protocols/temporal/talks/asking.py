"""Updates, by themselves and with a start: what is refused, and how."""

from typing import Any

from tests.protocols.temporal.talks.talk import Talk, each

ONE = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
NOBODY = "0b2e8a5e-9d5a-4c59-9a0e-1c2d3e4f5a6b"
COMPLETED = "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"
ACCEPTED = "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED"
LONG = "x" * 1001


async def updates(talk: Talk) -> None:
    await talk.start()
    base: dict[str, Any] = {
        "workflowExecution": {"workflowId": talk.id},
        "waitPolicy": {"lifecycleStage": COMPLETED},
        "request": {"meta": {"updateId": "u"}, "input": {"name": "tell"}},
    }
    for label, fields in each(
        {
            "no name": {"request": {"meta": {"updateId": "u"}, "input": {}}},
            "no input": {"request": {"meta": {"updateId": "u"}}},
            "no request": {"request": None},
            "long id": {"request": {"meta": {"updateId": LONG}, "input": {"name": "n"}}},
            "absent": {"workflowExecution": {"workflowId": "absent"}},
            "no workflow id": {"workflowExecution": {}},
            "run id of nonsense": {"workflowExecution": {"workflowId": talk.id, "runId": "x"}},
            "absent run": {"workflowExecution": {"workflowId": talk.id, "runId": NOBODY}},
            "first run": {"firstExecutionRunId": NOBODY},
            "admitted": {"waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED"}},
        }
    ):
        await talk.ask(label, "UpdateWorkflowExecution", 5, **{**base, **fields})
    ref = {"workflowExecution": {"workflowId": talk.id}, "updateId": "none"}
    for label, fields in each(
        {
            "poll, unknown": {"updateRef": ref},
            "poll, unknown, waits": {"updateRef": ref, "waitPolicy": {"lifecycleStage": COMPLETED}},
            "poll, no ref": {},
            "poll, no id": {"updateRef": {"workflowExecution": {"workflowId": talk.id}}},
            "poll, absent": {"updateRef": {"workflowExecution": {"workflowId": "absent"}, "updateId": "u"}},
        }
    ):
        await talk.ask(label, "PollWorkflowExecutionUpdate", 5, **fields)


async def updates_with_start(talk: Talk) -> None:
    start: dict[str, Any] = {
        "namespace": "default",
        "workflowId": talk.id,
        "workflowType": {"name": "A"},
        "taskQueue": {"name": talk.id},
        "requestId": f"r-{talk.id}",
        "workflowIdConflictPolicy": "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
    }
    update: dict[str, Any] = {
        "namespace": "default",
        "workflowExecution": {"workflowId": talk.id},
        "waitPolicy": {"lifecycleStage": ACCEPTED},
        "request": {"meta": {"updateId": "u"}, "input": {"name": "tell"}},
    }
    for label, operations in each(
        {
            "nothing": [],
            "only a start": [{"startWorkflow": start}],
            "only an update": [{"updateWorkflow": update}],
            "wrong order": [{"updateWorkflow": update}, {"startWorkflow": start}],
            "two starts": [{"startWorkflow": start}, {"startWorkflow": start}],
            "other workflow": [
                {"startWorkflow": start},
                {"updateWorkflow": {**update, "workflowExecution": {"workflowId": "other"}}},
            ],
            "cron": [{"startWorkflow": {**start, "cronSchedule": "* * * * *"}}, {"updateWorkflow": update}],
            "eager": [{"startWorkflow": {**start, "requestEagerExecution": True}}, {"updateWorkflow": update}],
            "delay": [{"startWorkflow": {**start, "workflowStartDelay": "3s"}}, {"updateWorkflow": update}],
            "run id": [
                {"startWorkflow": start},
                {"updateWorkflow": {**update, "workflowExecution": {"workflowId": talk.id, "runId": NOBODY}}},
            ],
            "first run": [{"startWorkflow": start}, {"updateWorkflow": {**update, "firstExecutionRunId": NOBODY}}],
            "no type": [{"startWorkflow": {**start, "workflowType": {}}}, {"updateWorkflow": update}],
            "no update name": [
                {"startWorkflow": start},
                {"updateWorkflow": {**update, "request": {"meta": {"updateId": "u"}, "input": {}}}},
            ],
        }
    ):
        await talk.ask(label, "ExecuteMultiOperation", 5, operations=operations)


STORIES = {"updates": updates, "updates-with-start": updates_with_start}
