"""A run is pinned to a version, and let go; what is refused is refused in the words of Temporal's server (1.29.1)."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority as PriorityMessage
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.service import RPCError

OVERRIDE = FieldMask(paths=["versioning_override"])
PINNED = VersioningOverride(
    pinned=VersioningOverride.PinnedOverride(
        behavior=VersioningOverride.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED,
        version=WorkerDeploymentVersion(deployment_name="shop", build_id="b7"),
    )
)


async def test_a_run_is_pinned_and_let_go(client: Client) -> None:
    handle = await client.start_workflow("Nobody", id="w", task_queue="nobody")

    async def change(workflow_id: str = "w", **options: Any) -> WorkflowExecutionOptions:
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), **options
        )
        answer = await client.workflow_service.update_workflow_execution_options(request)
        return answer.workflow_execution_options

    pin = WorkflowExecutionOptions(versioning_override=PINNED)
    for message, options in (
        ("UpdateMask is required", {"workflow_execution_options": pin}),
        ("WorkflowExecutionOptions is required", {"update_mask": OVERRIDE}),
        ('invalid path "bogus"', {"workflow_execution_options": pin, "update_mask": FieldMask(paths=["bogus"])}),
    ):
        with pytest.raises(RPCError, match=message):
            await change(**options)

    answer = await change(workflow_execution_options=pin, update_mask=OVERRIDE)
    assert answer.versioning_override.pinned.version == PINNED.pinned.version
    info = (await handle.describe()).raw_description.workflow_execution_info
    assert info.versioning_info.versioning_override.pinned.version.build_id == "b7"
    assert not (await change(workflow_execution_options=WorkflowExecutionOptions(), update_mask=OVERRIDE)).HasField(
        "versioning_override"
    )
    events = [event async for event in handle.fetch_history_events()]
    changes = [
        event.workflow_execution_options_updated_event_attributes
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
    ]
    assert [change.versioning_override.pinned.version.build_id for change in changes] == ["b7", ""]
    assert [change.unset_versioning_override for change in changes] == [False, True]

    await handle.terminate()
    with pytest.raises(RPCError, match="workflow execution already completed"):
        await change(workflow_execution_options=pin, update_mask=OVERRIDE)


async def test_a_run_has_another_priority(client: Client) -> None:
    """Temporal's server has this from 1.30 on; what is told of it is as the messages themselves describe it."""
    handle = await client.start_workflow("Nobody", id="w", task_queue="nobody", priority=Priority(priority_key=2))

    async def change(paths: list[str], **options: Any) -> WorkflowExecutionOptions:
        request = UpdateWorkflowExecutionOptionsRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id="w"),
            workflow_execution_options=WorkflowExecutionOptions(**options),
            update_mask=FieldMask(paths=paths),
        )
        return (await client.workflow_service.update_workflow_execution_options(request)).workflow_execution_options

    wanted = PriorityMessage(priority_key=4, fairness_key="k")
    assert (await change(["priority"], priority=wanted)).priority == wanted
    assert (await change(["priority"], priority=wanted)).priority == wanted  # which changes nothing
    part = await change(["priority.priority_key", "versioning_override"], priority=PriorityMessage(priority_key=5))
    assert part.priority == PriorityMessage(priority_key=5, fairness_key="k")
    assert (await handle.describe()).raw_description.workflow_execution_info.priority == part.priority
    with pytest.raises(RPCError, match="PriorityKey can't be negative"):
        await change(["priority"], priority=PriorityMessage(priority_key=-1))
    assert not (await change(["priority"])).HasField("priority")
    changes = [
        event.workflow_execution_options_updated_event_attributes
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
    ]
    assert [change.priority.priority_key for change in changes] == [4, 5, 0]
    assert not any(change.unset_versioning_override for change in changes)
