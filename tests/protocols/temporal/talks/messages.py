"""Signals, cancellations, terminations and resets."""

from typing import Any

from tests.protocols.temporal.talks.talk import Talk, each

ONE = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
DONE = {"commandType": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", "completeWorkflowExecutionCommandAttributes": {}}
LONG = "x" * 1001
NOBODY = "0b2e8a5e-9d5a-4c59-9a0e-1c2d3e4f5a6b"


def of(talk: Talk, **fields: Any) -> dict[str, Any]:
    return {"workflowExecution": {"workflowId": talk.id, **fields}}


NO_SIGNAL, NO_UPDATE, NO_CANCEL = (
    f"RESET_REAPPLY_EXCLUDE_TYPE_{kind}" for kind in ("SIGNAL", "UPDATE", "CANCEL_REQUEST")
)


async def signals(talk: Talk) -> None:
    run_id = await talk.start()
    for label, fields in each(
        {
            "all": {
                "signalName": "s",
                "input": {"payloads": [ONE]},
                "header": {"fields": {"h": ONE}},
                "requestId": "r1",
                "identity": "caller",
            },
            "again": {"signalName": "s", "requestId": "r1"},
            "no request id": {"signalName": "t"},
            "no name": {},
            "long name": {"signalName": LONG},
            "long request id": {"signalName": "s", "requestId": LONG},
            "long workflow id": {"signalName": "s", "workflowExecution": {"workflowId": LONG}},
            "no workflow id": {"signalName": "s", "workflowExecution": {}},
            "absent": {"signalName": "s", "workflowExecution": {"workflowId": "absent"}},
            "absent run": {"signalName": "s", **of(talk, runId=NOBODY)},
            "run id of nonsense": {"signalName": "s", **of(talk, runId="x")},
            "unknown namespace": {"signalName": "s", "namespace": "nowhere"},
            "no namespace": {"signalName": "s", "namespace": ""},
            "control": {"signalName": "s", "control": "c"},
            "by run id": {"signalName": "u", **of(talk, runId=run_id)},
        }
    ):
        await talk.ask(label, "SignalWorkflowExecution", **{**of(talk), **fields})
    await talk.history("events")
    await talk.call("TerminateWorkflowExecution", **of(talk))
    await talk.ask("closed", "SignalWorkflowExecution", signalName="s", **of(talk))
    await talk.ask("closed, again", "SignalWorkflowExecution", signalName="s", requestId="r1", **of(talk))


async def signals_with_start(talk: Talk) -> None:
    base = {
        "workflowId": talk.id,
        "workflowType": {"name": "A"},
        "taskQueue": {"name": talk.id},
        "signalName": "s",
        "requestId": f"r-{talk.id}",
        "identity": "caller",
    }

    async def ask(label: str, **fields: Any) -> None:
        await talk.ask(label, "SignalWithStartWorkflowExecution", **{**base, **fields})

    await ask("first", signalInput={"payloads": [ONE]}, header={"fields": {"h": ONE}})
    await ask("again")
    await ask("other request", requestId="other")
    for conflict in ("FAIL", "USE_EXISTING", "TERMINATE_EXISTING"):
        await ask(conflict, requestId=conflict, workflowIdConflictPolicy=f"WORKFLOW_ID_CONFLICT_POLICY_{conflict}")
    await ask("no signal", signalName="")
    await ask("no type", workflowType={})
    await ask("long signal", signalName=LONG)
    await ask("long request id", requestId=LONG)
    await ask("cron and delay", cronSchedule="* * * * *", workflowStartDelay="1s")
    await talk.history("events")
    await talk.call("TerminateWorkflowExecution", **of(talk))
    for reuse in ("REJECT_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "TERMINATE_IF_RUNNING"):
        await ask(reuse, requestId=reuse, workflowIdReusePolicy=f"WORKFLOW_ID_REUSE_POLICY_{reuse}")


async def cancellations(talk: Talk) -> None:
    run_id = await talk.start()
    for label, fields in each(
        {
            "first": {"requestId": "r1", "reason": "why", "identity": "caller"},
            "again": {"requestId": "r1"},
            "second": {"requestId": "r2"},
            "first run": {"firstExecutionRunId": run_id, "requestId": "r3"},
            "another first run": {"firstExecutionRunId": NOBODY},
            "absent": {"workflowExecution": {"workflowId": "absent"}},
            "absent run": of(talk, runId=NOBODY),
            "no workflow id": {"workflowExecution": {}},
            "long request id": {"requestId": LONG},
        }
    ):
        await talk.ask(label, "RequestCancelWorkflowExecution", **{**of(talk), **fields})
    await talk.history("events")
    await talk.ask("described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.complete(await talk.turn(), DONE)
    await talk.ask("closed", "RequestCancelWorkflowExecution", **of(talk))
    await talk.ask("closed, first run", "RequestCancelWorkflowExecution", **of(talk), firstExecutionRunId=run_id)
    await talk.ask("closed, by run id", "RequestCancelWorkflowExecution", **of(talk, runId=run_id))


async def terminations(talk: Talk) -> None:
    for label, fields in each(
        {
            "all": {"reason": "why", "identity": "caller", "details": {"payloads": [ONE]}},
            "nothing": {},
            "reason": {"reason": "why"},
            "identity": {"identity": "caller"},
        }
    ):
        name = f"{talk.id}-{label}"
        await talk.start(workflowId=name)
        await talk.ask(label, "TerminateWorkflowExecution", workflowExecution={"workflowId": name}, **fields)
        await talk.history(label, name)
        await talk.ask(f"{label}, again", "TerminateWorkflowExecution", workflowExecution={"workflowId": name})
    run_id = await talk.start()
    for label, fields in each(
        {
            "absent": {"workflowExecution": {"workflowId": "absent"}},
            "absent run": of(talk, runId=NOBODY),
            "another first run": {"firstExecutionRunId": NOBODY},
            "no workflow id": {"workflowExecution": {}},
            "run id of nonsense": of(talk, runId="x"),
            "first run": {"firstExecutionRunId": run_id},
        }
    ):
        await talk.ask(label, "TerminateWorkflowExecution", **{**of(talk), **fields})


async def deletions(talk: Talk) -> None:
    run_id = await talk.start()
    for label, fields in each(
        {
            "absent": {"workflowExecution": {"workflowId": "absent"}},
            "no workflow id": {"workflowExecution": {}},
            "run id of nonsense": of(talk, runId="x"),
            "absent run": of(talk, runId=NOBODY),
            "running": of(talk, runId=run_id),
        }
    ):
        await talk.ask(label, "DeleteWorkflowExecution", **fields)


async def resets(talk: Talk) -> None:
    await talk.start()
    await talk.call("SignalWorkflowExecution", signalName="one", **of(talk))
    await talk.complete(await talk.turn())
    await talk.call("SignalWorkflowExecution", signalName="two", **of(talk))
    await talk.complete(await talk.turn())
    await talk.call("SignalWorkflowExecution", signalName="three", **of(talk))
    for label, fields in each(
        {
            "no event": {},
            "too high": {"workflowTaskFinishEventId": 99},
            "of the start": {"workflowTaskFinishEventId": 1},
            "no such turn": {"workflowTaskFinishEventId": 3},
            "absent": {"workflowTaskFinishEventId": 4, "workflowExecution": {"workflowId": "absent"}},
            "no workflow id": {"workflowTaskFinishEventId": 4, "workflowExecution": {}},
            "run id of nonsense": {"workflowTaskFinishEventId": 4, **of(talk, runId="x")},
            "both ways to exclude": {
                "workflowTaskFinishEventId": 5,
                "resetReapplyType": "RESET_REAPPLY_TYPE_NONE",
                "resetReapplyExcludeTypes": [NO_SIGNAL],
                "requestId": "none",
            },
        }
    ):
        await talk.ask(label, "ResetWorkflowExecution", **{**of(talk), "reason": "why", "requestId": label, **fields})
    await talk.history("before")


async def resets_that_reapply(talk: Talk) -> None:
    for label, fields in each(
        {
            "all": {},
            "signals": {"resetReapplyType": "RESET_REAPPLY_TYPE_SIGNAL"},
            "none": {"resetReapplyType": "RESET_REAPPLY_TYPE_NONE"},
            "no signals": {"resetReapplyExcludeTypes": [NO_SIGNAL]},
            "no updates": {"resetReapplyExcludeTypes": [NO_UPDATE]},
            "no cancel": {"resetReapplyExcludeTypes": [NO_CANCEL]},
            "nothing": {
                "resetReapplyExcludeTypes": [
                    NO_SIGNAL,
                    NO_UPDATE,
                    NO_CANCEL,
                ]
            },
        }
    ):
        name = f"{talk.id}-{label}"
        named: dict[str, Any] = {"workflowExecution": {"workflowId": name}}
        await talk.start(workflowId=name, taskQueue={"name": name})
        await talk.complete(await talk.turn(name))
        await talk.call("SignalWorkflowExecution", signalName="one", identity="caller", **named)
        await talk.call("RequestCancelWorkflowExecution", identity="caller", reason="stop", **named)
        asked = {"reason": "why", "requestId": f"r-{name}", "workflowTaskFinishEventId": 4, **named, **fields}
        answer = await talk.ask(label, "ResetWorkflowExecution", **asked, identity="operator")
        await talk.ask(f"{label}, again", "ResetWorkflowExecution", **asked)
        if answer is not None:
            await talk.history(label, name, answer.run_id)


STORIES = {
    "messages-signals": signals,
    "messages-signals-with-start": signals_with_start,
    "messages-cancellations": cancellations,
    "messages-terminations": terminations,
    "messages-deletions": deletions,
    "messages-resets-reapply": resets_that_reapply,
}
