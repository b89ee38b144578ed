"""Starts: policies of ids, request ids, delays, eager turns, what is refused."""

from tests.protocols.temporal.talks.talk import Talk, each

DONE = {"commandType": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", "completeWorkflowExecutionCommandAttributes": {}}
FAILED = {
    "commandType": "COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION",
    "failWorkflowExecutionCommandAttributes": {"failure": {"message": "no", "applicationFailureInfo": {"type": "No"}}},
}
REUSE = {
    "duplicate": "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE",
    "failed": "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY",
    "reject": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE",
    "terminate": "WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING",
}
CONFLICT = {
    "fail": "WORKFLOW_ID_CONFLICT_POLICY_FAIL",
    "use": "WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING",
    "terminate": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
}


async def policies_while_running(talk: Talk) -> None:
    for reuse, reuse_value in REUSE.items():
        for conflict, conflict_value in CONFLICT.items():
            name = f"{talk.id}-{reuse}-{conflict}"
            await talk.start(workflowId=name, requestId=f"first-{name}")
            await talk.start(
                f"{reuse}, {conflict}",
                workflowId=name,
                requestId=f"second-{name}",
                workflowIdReusePolicy=reuse_value,
                workflowIdConflictPolicy=conflict_value,
            )
    for reuse, reuse_value in REUSE.items():
        name = f"{talk.id}-{reuse}"
        await talk.start(workflowId=name, requestId=f"first-{name}")
        await talk.start(
            f"{reuse} alone", workflowId=name, requestId=f"second-{name}", workflowIdReusePolicy=reuse_value
        )


async def policies_after_the_end(talk: Talk) -> None:
    for end, command in (("completed", DONE), ("failed", FAILED)):
        for reuse, reuse_value in REUSE.items():
            name = f"{talk.id}-{end}-{reuse}"
            await talk.start(workflowId=name, requestId=f"first-{name}", taskQueue={"name": name})
            await talk.complete(await talk.turn(name), command)
            await talk.start(
                f"{end}, {reuse}", workflowId=name, requestId=f"second-{name}", workflowIdReusePolicy=reuse_value
            )
    name = f"{talk.id}-reject-use"
    await talk.start(workflowId=name, requestId=f"first-{name}", taskQueue={"name": name})
    await talk.complete(await talk.turn(name), DONE)
    await talk.start(
        "completed, reject, use",
        workflowId=name,
        requestId=f"second-{name}",
        workflowIdReusePolicy=REUSE["reject"],
        workflowIdConflictPolicy=CONFLICT["use"],
    )


async def the_same_request_again(talk: Talk) -> None:
    request_id = f"r-{talk.id}"
    await talk.start("first", requestId=request_id)
    await talk.start("again", requestId=request_id)
    await talk.start("again, other type", requestId=request_id, workflowType={"name": "Other"})
    await talk.start("again, terminate", requestId=request_id, workflowIdConflictPolicy=CONFLICT["terminate"])
    await talk.complete(await talk.turn(), DONE)
    await talk.start("again, after its end", requestId=request_id)
    await talk.start("again, after its end, reject", requestId=request_id, workflowIdReusePolicy=REUSE["reject"])
    await talk.history("events")


async def options_on_conflict(talk: Talk) -> None:
    await talk.start(requestId="r1")
    options = {"attachRequestId": True, "attachCompletionCallbacks": True, "attachLinks": True}
    link = {
        "workflowEvent": {"namespace": "default", "workflowId": "other", "runId": "r", "eventRef": {"eventId": "1"}}
    }
    use = CONFLICT["use"]
    await talk.start(
        "request id", requestId="r2", workflowIdConflictPolicy=use, onConflictOptions={"attachRequestId": True}
    )
    await talk.start(
        "request id again", requestId="r2", workflowIdConflictPolicy=use, onConflictOptions={"attachRequestId": True}
    )
    await talk.start(
        "all with links", requestId="r3", workflowIdConflictPolicy=use, onConflictOptions=options, links=[link]
    )
    await talk.start("nothing attached", requestId="r4", workflowIdConflictPolicy=use, links=[link])
    await talk.start("request r2, fails", requestId="r2", workflowIdConflictPolicy=CONFLICT["fail"])
    await talk.ask("describe", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.history("events")


async def what_is_refused(talk: Talk) -> None:
    long = "x" * 1001
    for label, fields in each(
        {
            "no workflow id": {"workflowId": ""},
            "no type": {"workflowType": {}},
            "no type at all": {"workflowType": None},
            "no queue": {"taskQueue": {}},
            "no request id": {"requestId": ""},
            "long workflow id": {"workflowId": long},
            "long type": {"workflowType": {"name": long}},
            "long queue": {"taskQueue": {"name": long}},
            "long request id": {"requestId": long},
            "negative execution timeout": {"workflowExecutionTimeout": "-1s"},
            "negative run timeout": {"workflowRunTimeout": "-1s"},
            "negative task timeout": {"workflowTaskTimeout": "-1s"},
            "negative start delay": {"workflowStartDelay": "-1s"},
            "retry without interval": {"retryPolicy": {"initialInterval": "-1s"}},
            "retry coefficient": {"retryPolicy": {"initialInterval": "1s", "backoffCoefficient": 0.5}},
            "retry maximum below initial": {"retryPolicy": {"initialInterval": "5s", "maximumInterval": "1s"}},
            "retry attempts": {"retryPolicy": {"maximumAttempts": -1}},
            "bad cron": {"cronSchedule": "bad cron"},
            "cron and delay": {"cronSchedule": "* * * * *", "workflowStartDelay": "1s"},
            "eager and cron": {"cronSchedule": "0 0 1 1 *", "requestEagerExecution": True},
            "system search attribute": {
                "searchAttributes": {
                    "indexedFields": {"WorkflowType": {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "IngI"}}
                }
            },
            "no namespace": {"namespace": ""},
            "unknown namespace": {"namespace": "nowhere-at-all"},
            "bad priority": {"priority": {"priorityKey": -1}},
            "high priority": {"priority": {"priorityKey": 6}},
            "long fairness key": {"priority": {"fairnessKey": "k" * 65}},
            "fairness weight": {"priority": {"fairnessKey": "k", "fairnessWeight": 2000}},
            "reuse out of range": {"workflowIdReusePolicy": 9},
            "conflict out of range": {"workflowIdConflictPolicy": 9},
            "queue reserved": {"taskQueue": {"name": "/_sys/a/b"}},
            "queue sticky": {"taskQueue": {"name": "s", "kind": "TASK_QUEUE_KIND_STICKY"}},
            "queue normal name": {"taskQueue": {"name": "s", "normalName": "other"}},
            "summary too long": {
                "userMetadata": {"summary": {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "eHh4" * 400}}
            },
            "too many links": {
                "links": [{"workflowEvent": {"namespace": "default", "workflowId": "o", "runId": "r"}}] * 11
            },
            "link without workflow": {"links": [{"workflowEvent": {"namespace": "default"}}]},
            "override pinned without version": {
                "versioningOverride": {"pinned": {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED"}}
            },
            "override unspecified": {"versioningOverride": {"pinned": {}}},
            "override old pinned without version": {"versioningOverride": {"behavior": "VERSIONING_BEHAVIOR_PINNED"}},
        }
    ):
        given = {"workflowId": f"{talk.id}-{label}", **fields}
        await talk.start(label, **given)


async def eager(talk: Talk) -> None:
    await talk.start("eager", requestEagerExecution=True)
    await talk.start("eager with delay", workflowId=talk.id + "-d", requestEagerExecution=True, workflowStartDelay="5s")


async def delayed(talk: Talk) -> None:
    await talk.start("delayed", workflowStartDelay="3s")
    await talk.ask("describe", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.ask("signal", "SignalWorkflowExecution", workflowExecution={"workflowId": talk.id}, signalName="s")
    await talk.history("signalled")
    await talk.ask(
        "signal with start",
        "SignalWithStartWorkflowExecution",
        workflowId=talk.id + "-b",
        workflowType={"name": "A"},
        taskQueue={"name": talk.id},
        signalName="x",
        workflowStartDelay="1s",
        requestId="r",
    )
    await talk.history("signal with start", talk.id + "-b")
    await talk.start("cancelled", workflowId=talk.id + "-c", workflowStartDelay="1s")
    await talk.ask("cancel", "RequestCancelWorkflowExecution", workflowExecution={"workflowId": talk.id + "-c"})
    await talk.history("cancelled", talk.id + "-c")


async def everything(talk: Talk) -> None:
    one = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
    await talk.start(
        "all",
        input={"payloads": [one]},
        workflowExecutionTimeout="100s",
        workflowRunTimeout="200s",
        workflowTaskTimeout="500s",
        retryPolicy={"maximumAttempts": 3},
        memo={"fields": {"m": one}},
        header={"fields": {"h": one}},
        userMetadata={"summary": one, "details": one},
        priority={"priorityKey": 2, "fairnessKey": "k", "fairnessWeight": 3},
    )
    await talk.history("events")
    await talk.ask("describe", "DescribeWorkflowExecution", execution={"workflowId": talk.id})


async def retried(talk: Talk) -> None:
    await talk.start(
        retryPolicy={"initialInterval": "1s", "maximumAttempts": 2},
        priority={"priorityKey": 2},
        workflowExecutionTimeout="60s",
    )
    await talk.complete(await talk.turn(), FAILED)
    await talk.ask("between", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.complete(await talk.turn(), FAILED)
    await talk.history("last")
    await talk.ask("end", "DescribeWorkflowExecution", execution={"workflowId": talk.id})


async def cron(talk: Talk) -> None:
    await talk.start(
        cronSchedule="@every 1s", memo={"fields": {"m": {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}}}
    )
    await talk.ask("first", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.complete(await talk.turn(), DONE)
    await talk.history("second")
    await talk.complete(await talk.turn(), FAILED)
    await talk.history("third")
    await talk.ask(
        "terminate",
        "TerminateWorkflowExecution",
        workflowExecution={"workflowId": talk.id},
        reason="enough",
        identity="me",
        details={"payloads": [{"data": "MQ=="}]},
    )


STORIES = {
    "starts-running": policies_while_running,
    "starts-closed": policies_after_the_end,
    "starts-again": the_same_request_again,
    "starts-conflict-options": options_on_conflict,
    "starts-refused": what_is_refused,
    "starts-eager": eager,
    "starts-delayed": delayed,
    "starts-everything": everything,
    "starts-retried": retried,
    "starts-cron": cron,
}
