"""Map runs: what a distributed Map state does, looked at. The execution that has the state answers for it."""

from typing import Any

import msgspec

from perdure.model.access import Permission
from perdure.model.errors import NotFoundError, QueryFailedError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.model.requests import SignalWorkflow
from perdure.protocols.stepfunctions import arns, paging
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.refusals import Refusal, no_execution, no_resource
from perdure.protocols.stepfunctions.standing import address_of, filter_of, map_run_of

operations = Operations()

UPDATE = "perdure.update_map_run"
"""The signal that tells an execution what UpdateMapRun was asked."""

QUERY = "perdure.map_runs"
"""What an execution is asked: DescribeMapRun's answers of all that it has, but for its own ARN."""


@operations.add("ListMapRuns")
async def list_map_runs(call: Call) -> Answer:
    """Those of an execution, in the order in which they began."""
    arn = call.body["executionArn"]
    try:
        found = await _map_runs(call, address_of(call, arn))
    except NotFoundError:
        raise no_execution(arn) from None
    some, more = paging.page(found, call.body)
    return {"mapRuns": [_listed(arn, one) for one in some], **more}


@operations.add("DescribeMapRun")
async def describe_map_run(call: Call) -> Answer:
    """How far it has come."""
    parent, found = await _find(call, call.body["mapRunArn"])
    return {"executionArn": parent.workflow_id, **found}


@operations.add("UpdateMapRun")
async def update_map_run(call: Call) -> Answer:
    """A Map run that has begun goes by other numbers from here on."""
    call.require(Permission.OPERATE)
    parent, found = await _find(call, call.body["mapRunArn"])
    if found["status"] != "RUNNING":
        raise Refusal("ValidationException", f"Map Run is {found['status']} and cannot be updated")
    try:
        await call.service.request(
            parent, SignalWorkflow(UPDATE, (Payload(msgspec.json.encode(call.body)),), identity=call.identity)
        )
    except RunClosedError:
        raise Refusal("ValidationException", "Map Run is not RUNNING and cannot be updated") from None
    return {}


async def _find(call: Call, arn: str) -> tuple[RunAddress, dict[str, Any]]:
    parsed = arns.parse(arn, "mapRun")
    async for parent in _parents(call, parsed, arn):
        try:
            found = await _map_runs(call, parent)
        except NotFoundError:
            continue
        for one in found:
            if one["mapRunArn"] == arn:
                return parent, one
    raise no_resource(arn)


async def _parents(call: Call, arn: arns.Arn, said: str) -> Any:
    """Which executions may have the Map run: whoever started its children; and if there are none, the last ones of its
    state machine."""
    children = await call.service.list(
        call.namespace, filter=filter_of(arn), statuses=(), workflow_type="", cursor="", limit=paging.MOST
    )
    for summary in children.runs:
        if summary.parent is not None and map_run_of(summary) == said:
            # Its last run: it may have been redriven.
            yield RunAddress(summary.parent.namespace, summary.parent.workflow_id)
            return
    machine = arns.Arn(arn.partition, arn.region, arn.account, arn.kind, (arn.name.partition("/")[0],))
    parents = await call.service.list(
        call.namespace, filter=filter_of(machine), statuses=(), workflow_type="", cursor="", limit=paging.USUAL
    )
    for summary in parents.runs:
        yield RunAddress(summary.namespace, summary.workflow_id)


async def _map_runs(call: Call, address: RunAddress) -> list[dict[str, Any]]:
    try:
        (answer,) = await call.service.query(address, QUERY, ())
    except QueryFailedError:
        return []
    found: list[dict[str, Any]] = msgspec.json.decode(answer.data)
    return found


def _listed(execution_arn: str, found: dict[str, Any]) -> dict[str, Any]:
    run = arns.parse(found["mapRunArn"])
    return {
        "executionArn": execution_arn,
        "mapRunArn": found["mapRunArn"],
        "stateMachineArn": arns.make(run.region, run.account, "stateMachine", run.name),
        "startDate": found["startDate"],
        **({"stopDate": found["stopDate"]} if "stopDate" in found else {}),
    }
