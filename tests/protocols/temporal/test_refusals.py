"""What is told to hostile and broken clients: the status codes of Temporal's server, and what it makes of the run."""

from pathlib import Path

import grpc
import msgspec
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import Client
from temporalio.service import RPCError
from tests.protocols.temporal.refusals import Teller, Told

from perdure.app.server import Server

RECORDED = Path(__file__).parent / "recorded" / "refusals.json"

OTHERWISE = {"a place in a list of nonsense": "INVALID_ARGUMENT"}
"""Where Temporal's server says UNKNOWN, as of a fault of its own."""

IN_OTHER_WORDS = {
    "the same timer twice",
    "the same activity twice",
    "no such timer to cancel",
    "no such activity to cancel",
}
"""Refused by the engine, which says in its own words why."""

FIRES = "a timer of no time"
"""At once, so the events that follow may be there."""


async def test_what_is_told_to_whom(server: Server) -> None:
    recorded = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, Told])
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.temporal_port}") as channel:
        told = await Teller(channel).all()
    assert list(told) == list(recorded)
    for name, expected in recorded.items():
        found = told[name]
        assert found.status == OTHERWISE.get(name, expected.status), (name, found)
        assert found.events[: len(expected.events)] == expected.events, name
        assert len(found.events) == len(expected.events) or name == FIRES, name
        assert len(found.failures) == len(expected.failures), name
        if expected.failures and name not in IN_OTHER_WORDS:
            assert (found.message, found.failures) == (expected.message, expected.failures), name


async def test_what_is_not_there_is_named_as_by_temporal_s_server(client: Client) -> None:
    handle = await client.start_workflow("Anything", id="w", task_queue="q")
    with pytest.raises(RPCError) as missing:
        await client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="a").complete()
    assert missing.value.message.startswith(
        "cannot find pending activity with ActivityID a, check workflow execution history"
    )
    reference = UpdateRef(workflow_execution=WorkflowExecution(workflow_id="w"), update_id="u")
    wait = WaitPolicy(
        lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
    )
    with pytest.raises(RPCError) as missing:
        await client.workflow_service.poll_workflow_execution_update(
            PollWorkflowExecutionUpdateRequest(namespace="default", update_ref=reference, wait_policy=wait)
        )
    assert missing.value.message == 'update "u" not found'
    await handle.terminate()
