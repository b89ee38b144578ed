"""Options of a run: its priority and to which version of the workers it is pinned, at its start and later."""

from typing import Any

from tests.protocols.temporal.talks.talk import Talk, each

DONE = {"commandType": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION", "completeWorkflowExecutionCommandAttributes": {}}
PINNED = {
    "pinned": {
        "behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED",
        "version": {"deploymentName": "shop", "buildId": "b7"},
    }
}
OTHER = {
    "pinned": {
        "behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED",
        "version": {"deploymentName": "shop", "buildId": "b8"},
    }
}
UPGRADED = {"autoUpgrade": True}
OLD_PINNED = {"behavior": "VERSIONING_BEHAVIOR_PINNED", "pinnedVersion": "shop.b7"}
OLD_UPGRADED = {"behavior": "VERSIONING_BEHAVIOR_AUTO_UPGRADE"}


async def at_the_start(talk: Talk) -> None:
    for label, override in each(
        {
            "pinned": PINNED,
            "upgraded": UPGRADED,
            "old pinned": OLD_PINNED,
            "old upgraded": OLD_UPGRADED,
            "not upgraded": {"autoUpgrade": False},
            "nothing": {},
            "upgraded, with a version": {"behavior": "VERSIONING_BEHAVIOR_AUTO_UPGRADE", "pinnedVersion": "shop.b7"},
            "old version without a build": {"behavior": "VERSIONING_BEHAVIOR_PINNED", "pinnedVersion": "shop"},
            "unspecified, with a version": {"pinnedVersion": "shop.b7"},
        }
    ):
        name = f"{talk.id}-{label}"
        run = await talk.start(label, workflowId=name, versioningOverride=override)
        if run:
            await talk.ask(f"{label}, described", "DescribeWorkflowExecution", execution={"workflowId": name})
            await talk.history(label, name)
    await talk.ask(
        "signal with start",
        "SignalWithStartWorkflowExecution",
        workflowId=talk.id + "-s",
        workflowType={"name": "A"},
        taskQueue={"name": talk.id},
        signalName="x",
        requestId="r",
        versioningOverride=PINNED,
        priority={"priorityKey": 4},
    )
    await talk.history("signal with start", talk.id + "-s")


async def change(talk: Talk, label: str, mask: str, options: Any, **fields: Any) -> None:
    given = {} if options is None else {"workflowExecutionOptions": options}
    await talk.ask(
        label,
        "UpdateWorkflowExecutionOptions",
        **{"workflowExecution": {"workflowId": talk.id}, "updateMask": mask, **given, **fields},
    )


async def later(talk: Talk) -> None:
    await talk.start()
    override = "versioningOverride"
    await change(talk, "pinned", override, {"versioningOverride": PINNED})
    await talk.ask("pinned, described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await change(talk, "pinned again", override, {"versioningOverride": PINNED})
    await change(talk, "other", override, {"versioningOverride": OTHER})
    await change(talk, "upgraded", override, {"versioningOverride": UPGRADED})
    await talk.ask("upgraded, described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await change(talk, "taken away", override, {})
    await change(talk, "taken away again", override, {})
    await talk.ask("described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.history("events")


async def refused(talk: Talk) -> None:
    run_id = await talk.start()
    override = "versioningOverride"
    await change(talk, "no mask", "", {"versioningOverride": PINNED})
    await change(talk, "no options", override, None)
    await change(talk, "nonsense", "bogus", {})
    await change(talk, "nonsense inside", "priority.bogus", {})
    await change(
        talk,
        "no version",
        override,
        {"versioningOverride": {"pinned": {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED"}}},
    )
    await change(
        talk, "old pinned, no version", override, {"versioningOverride": {"behavior": "VERSIONING_BEHAVIOR_PINNED"}}
    )
    await change(talk, "unspecified", override, {"versioningOverride": {}})
    await change(
        talk,
        "version without deployment",
        override,
        {
            "versioningOverride": {
                "pinned": {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED", "version": {"buildId": "b"}}
            }
        },
    )
    await change(
        talk,
        "behavior unspecified",
        override,
        {"versioningOverride": {"pinned": {"version": {"deploymentName": "shop", "buildId": "b"}}}},
    )
    await change(talk, "absent", override, {"versioningOverride": PINNED}, workflowExecution={"workflowId": "absent"})
    await change(talk, "no workflow", override, {"versioningOverride": PINNED}, workflowExecution={})
    await change(
        talk,
        "run id of nonsense",
        override,
        {"versioningOverride": PINNED},
        workflowExecution={"workflowId": talk.id, "runId": "x"},
    )
    await change(
        talk,
        "by run id",
        override,
        {"versioningOverride": PINNED},
        workflowExecution={"workflowId": talk.id, "runId": run_id},
    )
    await talk.call("TerminateWorkflowExecution", workflowExecution={"workflowId": talk.id})
    await change(talk, "closed", override, {"versioningOverride": PINNED})
    await talk.history("events")


async def passed_on(talk: Talk) -> None:
    """What runs that go on in another's place, and children, have of it."""
    await talk.start(priority={"priorityKey": 2, "fairnessKey": "k"})
    activity = {
        "commandType": "COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK",
        "scheduleActivityTaskCommandAttributes": {
            "activityId": "a",
            "activityType": {"name": "A"},
            "taskQueue": {"name": talk.id + "-a"},
            "startToCloseTimeout": "100s",
            "requestEagerExecution": False,
        },
    }
    child = {
        "commandType": "COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION",
        "startChildWorkflowExecutionCommandAttributes": {
            "workflowId": talk.id + "-child",
            "workflowType": {"name": "C"},
            "taskQueue": {"name": talk.id + "-c"},
        },
    }
    await talk.complete(await talk.turn(), activity, child)
    task = await talk.call("PollActivityTaskQueue", taskQueue={"name": talk.id + "-a"}, identity="worker")
    talk.note("activity", {"priority": str(task.priority)})
    await talk.complete(await talk.turn())
    await talk.call("SignalWorkflowExecution", workflowExecution={"workflowId": talk.id}, signalName="s")
    again = {
        "commandType": "COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION",
        "continueAsNewWorkflowExecutionCommandAttributes": {
            "workflowType": {"name": "B"},
            "taskQueue": {"name": talk.id},
        },
    }
    await talk.complete(await talk.turn(), again)
    await talk.history("next", last=1)
    await talk.ask("next, described", "DescribeWorkflowExecution", execution={"workflowId": talk.id})
    await talk.history("child", talk.id + "-child", last=2)


STORIES = {
    "overrides-start": at_the_start,
    "overrides-later": later,
    "overrides-refused": refused,
    "overrides-passed-on": passed_on,
}
