"""Workflow tasks: sticky queues, queries, failures, what is handed in."""

import asyncio
from typing import Any

from tests.protocols.temporal.talks.talk import Talk, each

ONE = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
DONE = {"commandType": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", "completeWorkflowExecutionCommandAttributes": {}}


def sticky(talk: Talk, seconds: float = 1) -> dict[str, Any]:
    """That the worker keeps the program."""
    return {
        "stickyAttributes": {
            "workerTaskQueue": {"name": f"{talk.id}-sticky", "kind": "TASK_QUEUE_KIND_STICKY", "normalName": talk.id},
            "scheduleToStartTimeout": f"{seconds}s",
        }
    }


async def signal(talk: Talk, name: str = "s", **fields: Any) -> None:
    await talk.call("SignalWorkflowExecution", workflowExecution={"workflowId": talk.id}, signalName=name, **fields)


async def was_there(talk: Talk) -> None:
    """The worker asks at its sticky queue, and goes before there is anything."""
    asked = asyncio.create_task(talk.turn(sticky=f"{talk.id}-sticky"))
    await asyncio.sleep(1)
    asked.cancel()
    await asyncio.wait([asked])
    await asyncio.sleep(0.5)  # until the server has seen that it went


async def nobody_at_the_sticky_queue(talk: Talk) -> None:
    await talk.start()
    await talk.complete(await talk.turn(), **sticky(talk))
    await was_there(talk)
    await signal(talk)
    task = await talk.turn()
    talk.note(
        "task", {"attempt": task.attempt, "started": task.started_event_id, "previous": task.previous_started_event_id}
    )
    talk.events("in hand", task.history)
    await talk.complete(task, **sticky(talk, 5))
    task = await _of_sticky(talk)
    await talk.complete(task, DONE)
    await talk.history("events")


async def _of_sticky(talk: Talk) -> Any:
    asked = asyncio.create_task(talk.turn(sticky=f"{talk.id}-sticky"))
    await asyncio.sleep(0.3)
    await signal(talk, "again")
    task = await asked
    talk.events("sticky", task.history)
    return task


async def signalled_while_it_waits(talk: Talk) -> None:
    """What comes while the turn waits at the sticky queue is not held back."""
    await talk.start()
    await talk.complete(await talk.turn(), **sticky(talk, 2))
    await was_there(talk)
    await signal(talk, "one")
    await signal(talk, "two")
    await talk.ask("waiting", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.complete(await talk.turn(), DONE)
    await talk.history("events")


async def unstuck_while_it_waits(talk: Talk) -> None:
    """ResetStickyTaskQueue and ShutdownWorker, with a turn that waits there and without."""
    await talk.start()
    await talk.complete(await talk.turn(), **sticky(talk, 3))
    await was_there(talk)
    await signal(talk, "one")
    await talk.ask("reset", "ResetStickyTaskQueue", execution={"workflowId": talk.id})
    await talk.history("after the reset")
    await talk.complete(await talk.turn(), **sticky(talk, 3))
    await talk.ask("reset again", "ResetStickyTaskQueue", execution={"workflowId": talk.id})
    await signal(talk, "two")
    await talk.complete(await talk.turn(), **sticky(talk, 3))
    await was_there(talk)
    await signal(talk, "three")
    await talk.ask("shutdown", "ShutdownWorker", stickyTaskQueue=f"{talk.id}-sticky", identity="worker")
    await talk.complete(await talk.turn(), **sticky(talk, 1))
    await talk.ask("shutdown again", "ShutdownWorker", stickyTaskQueue=f"{talk.id}-sticky", identity="worker")
    await signal(talk, "four")
    await talk.complete(await talk.turn(), DONE)
    await talk.ask("closed", "ResetStickyTaskQueue", execution={"workflowId": talk.id})
    await talk.ask("absent", "ResetStickyTaskQueue", execution={"workflowId": "absent"})
    await talk.ask("nothing", "ShutdownWorker")
    await talk.history("events")


async def update_at_a_sticky_queue(talk: Talk) -> None:
    """A turn that only brings an update leaves no trace, also where it has waited."""
    await talk.start()
    await talk.complete(await talk.turn(), **sticky(talk))
    await was_there(talk)
    update = asyncio.create_task(
        talk.ask(
            "update",
            "UpdateWorkflowExecution",
            workflowExecution={"workflowId": talk.id},
            waitPolicy={"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"},
            request={"meta": {"updateId": "u", "identity": "caller"}, "input": {"name": "tell"}},
        )
    )
    task = await talk.turn()
    talk.events("in hand", task.history)
    (message,) = task.messages
    rejected = {
        "@type": "type.googleapis.com/temporal.api.update.v1.Rejection",
        "rejectedRequestMessageId": message.id,
        "rejectedRequestSequencingEventId": str(message.event_id),
        "failure": {"message": "no", "applicationFailureInfo": {"type": "No"}},
    }
    await talk.complete(task, messages=[{"id": "m", "protocolInstanceId": "u", "body": rejected}])
    await update
    await talk.history("events")


async def asked_at_the_sticky_queue(talk: Talk, label: str, **query: Any) -> tuple[Any, asyncio.Task[Any]]:
    """A query of the story's run, as the worker that keeps it gets it, and what will come of it."""
    poll = asyncio.create_task(talk.turn(sticky=f"{talk.id}-sticky"))
    await asyncio.sleep(0.3)
    asked = talk.ask(label, "QueryWorkflow", execution={"workflowId": talk.id}, query={"queryType": "q", **query})
    answer = asyncio.create_task(asked)
    return await poll, answer


async def queries(talk: Talk) -> None:
    await talk.start()
    await talk.complete(await talk.turn(), **sticky(talk, 5))
    for label, given in each(
        {
            "header": {"queryArgs": {"payloads": [ONE]}, "header": {"fields": {"h": ONE}}},
            "no header": {},
        }
    ):
        task, answer = await asked_at_the_sticky_queue(talk, label, **given)
        talk.note(f"{label}, task", task)
        await talk.answer_query(task, "QUERY_RESULT_TYPE_ANSWERED", queryResult={"payloads": [ONE]})
        await answer
    task, answer = await asked_at_the_sticky_queue(talk, "fails")
    failure = {"message": "no", "applicationFailureInfo": {"type": "Why"}}
    await talk.answer_query(task, "QUERY_RESULT_TYPE_FAILED", errorMessage="no", failure=failure)
    await answer
    for condition in ("NONE", "NOT_OPEN", "NOT_COMPLETED_CLEANLY"):
        named = f"QUERY_REJECT_CONDITION_{condition}"
        await talk.ask(
            f"absent, {condition}",
            "QueryWorkflow",
            execution={"workflowId": "absent"},
            query={"queryType": "q"},
            queryRejectCondition=named,
        )
    await talk.ask("no query", "QueryWorkflow", execution={"workflowId": talk.id})
    await talk.ask("no type", "QueryWorkflow", execution={"workflowId": talk.id}, query={})
    await talk.ask("no workflow id", "QueryWorkflow", execution={}, query={"queryType": "q"})
    await talk.ask(
        "run id of nonsense", "QueryWorkflow", execution={"workflowId": talk.id, "runId": "x"}, query={"queryType": "q"}
    )
    await talk.call("TerminateWorkflowExecution", workflowExecution={"workflowId": talk.id})
    for condition in ("NOT_OPEN", "NOT_COMPLETED_CLEANLY"):
        named = f"QUERY_REJECT_CONDITION_{condition}"
        await talk.ask(
            f"closed, {condition}",
            "QueryWorkflow",
            execution={"workflowId": talk.id},
            query={"queryType": "q"},
            queryRejectCondition=named,
        )
    asked = asyncio.create_task(
        talk.ask("closed", "QueryWorkflow", execution={"workflowId": talk.id}, query={"queryType": "q"})
    )
    task = await talk.turn()
    talk.note(
        "closed: task",
        {
            "previous": task.previous_started_event_id,
            "length": len(task.history.events),
            "started": task.started_event_id,
        },
    )
    await talk.answer_query(task, "QUERY_RESULT_TYPE_ANSWERED", queryResult={"payloads": [ONE]})
    await asked


async def query_before_the_first_turn(talk: Talk) -> None:
    await talk.start()
    asked = asyncio.create_task(
        talk.ask(
            "asked",
            "QueryWorkflow",
            execution={"workflowId": talk.id},
            query={"queryType": "q", "header": {"fields": {"h": ONE}}},
        )
    )
    await asyncio.sleep(0.3)
    task = await talk.turn()
    queries = dict(sorted(task.queries.items()))
    talk.note("turn", {"queries": len(queries), "query": task.HasField("query"), "started": task.started_event_id})
    results = {key: {"resultType": "QUERY_RESULT_TYPE_ANSWERED", "answer": {"payloads": [ONE]}} for key in queries}
    for query in queries.values():
        talk.note("query", query)
    await talk.complete(task, queryResults=results, **sticky(talk, 5))
    if not queries:
        task = await talk.turn(sticky=f"{talk.id}-sticky")
        talk.note("query", task.query)
        await talk.answer_query(task, "QUERY_RESULT_TYPE_ANSWERED", queryResult={"payloads": [ONE]})
    await asked
    await talk.start(workflowId=talk.id + "-delayed", workflowStartDelay="100s")
    await talk.ask("delayed", "QueryWorkflow", execution={"workflowId": talk.id + "-delayed"}, query={"queryType": "q"})


async def fails_while_news_come(talk: Talk) -> None:
    """A signal while a failed turn's next attempt is put off."""
    await talk.start()
    for number in range(2):
        task = await talk.turn()
        await talk.ask(
            f"failed {number}",
            "RespondWorkflowTaskFailed",
            taskToken=_b64(task.task_token),
            cause="WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
            failure={"message": "bug"},
            identity="worker",
        )
    await signal(talk)
    await talk.ask("described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.history("put off")
    task = await talk.turn()
    talk.note("third", {"attempt": task.attempt, "started": task.started_event_id})
    talk.events("in hand", task.history)
    await talk.complete(task, DONE)
    await talk.history("events")


async def failed_turns(talk: Talk) -> None:
    await talk.start()
    task = await talk.turn()
    await talk.ask(
        "failed",
        "RespondWorkflowTaskFailed",
        taskToken=_b64(task.task_token),
        cause="WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
        failure={"message": "bug"},
        identity="worker",
    )
    await talk.ask(
        "failed again",
        "RespondWorkflowTaskFailed",
        taskToken=_b64(task.task_token),
        cause="WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
        failure={"message": "bug"},
        identity="worker",
    )
    await talk.history("once")
    task = await talk.turn()
    talk.note("second", {"attempt": task.attempt, "started": task.started_event_id})
    await talk.ask("described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await signal(talk)
    await talk.ask(
        "failed twice",
        "RespondWorkflowTaskFailed",
        taskToken=_b64(task.task_token),
        cause="WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR",
        failure={"message": "bug"},
        identity="worker",
    )
    await talk.history("twice")
    task = await talk.turn()
    talk.note("third", {"attempt": task.attempt, "started": task.started_event_id})
    await talk.complete(task, DONE)
    await talk.history("events")


async def turns_time_out(talk: Talk) -> None:
    await talk.start(workflowTaskTimeout="1s")
    await talk.turn()
    task = await talk.turn()
    talk.note("second", {"attempt": task.attempt, "started": task.started_event_id})
    talk.events("in hand", task.history)
    await signal(talk)
    task = await talk.turn()
    talk.note("third", {"attempt": task.attempt, "started": task.started_event_id})
    await talk.complete(task, DONE)
    await talk.history("events")


def _b64(token: bytes) -> str:
    import base64

    return base64.b64encode(token).decode()


STORIES = {
    "turns-sticky-nobody": nobody_at_the_sticky_queue,
    "turns-sticky-signalled": signalled_while_it_waits,
    "turns-sticky-unstuck": unstuck_while_it_waits,
    "turns-sticky-update": update_at_a_sticky_queue,
    "turns-queries": queries,
    "turns-failed": failed_turns,
    "turns-failed-news": fails_while_news_come,
    "turns-time-out": turns_time_out,
}
