"""Executions: start, stop, describe, list."""

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, RunClosedError
from perdure.model.ids import RunAddress
from perdure.model.options import IdConflict, IdReuse
from perdure.model.payloads import Payload
from perdure.model.requests import StartWorkflow, TerminateWorkflow
from perdure.model.service import RunSummary
from perdure.protocols.stepfunctions import aliases, arns, deletions, paging
from perdure.protocols.stepfunctions.machines import DATA
from perdure.protocols.stepfunctions.operations import Answer, Call, Operations
from perdure.protocols.stepfunctions.parts import Start
from perdure.protocols.stepfunctions.records import Machine, Revision
from perdure.protocols.stepfunctions.refusals import Refusal, deleting, invalid, no_execution, no_machine
from perdure.protocols.stepfunctions.standing import (
    REDRIVABLE,
    SECOND_NS,
    STATUSES,
    Note,
    address_of,
    closing_of,
    execution_at,
    filter_of,
    included,
    map_run_of,
    note_of,
    redrives_of,
    runs_of,
)

operations = Operations()

STOPPED = "StopExecution"
DELETING = "State machine is in DELETING status"
"""The reason with which an execution is ended."""

_LISTED = {
    "RUNNING": "ExecutionStatus IN ('Running', 'Paused')",
    "SUCCEEDED": "ExecutionStatus = 'Completed'",
    "FAILED": "ExecutionStatus = 'Failed'",
    "TIMED_OUT": "ExecutionStatus = 'TimedOut'",
    "ABORTED": "ExecutionStatus IN ('Terminated', 'Canceled')",
}


@operations.add("StartExecution")
async def start_execution(call: Call) -> Answer:
    """The same name with the same input is the same execution, while it runs."""
    machine, request, note, _ = await starting(call)
    if machine.type == "EXPRESS":
        await call.service.start(call.namespace, request)
        return {"executionArn": request.workflow_id, "startDate": note.started}
    try:
        await call.service.start(call.namespace, request)
    except AlreadyExistsError:
        before = await execution_at(call, request.workflow_id)
        if before.status != "RUNNING" or before.input != call.body.get("input", "{}"):
            raise Refusal("ExecutionAlreadyExists", f"Execution Already Exists: '{request.workflow_id}'") from None
        return {"executionArn": request.workflow_id, "startDate": before.note.started}
    await deletions.end_late(call, machine, request.workflow_id)
    return {"executionArn": request.workflow_id, "startDate": note.started}


@operations.add("StartSyncExecution")
async def start_sync_execution(call: Call) -> Answer:
    """Start an EXPRESS state machine, and wait for its end."""
    machine, request, note, start = await starting(call, is_sync=True)
    with_data = call.body.get("includedData") != "METADATA_ONLY"
    done = await call.within(call.parts.bounds.sync_seconds, call.service.execute(call.namespace, request))
    answer: Answer = {
        "executionArn": request.workflow_id,
        "stateMachineArn": machine.arn,
        "name": start.name,
        "startDate": note.started,
        "stopDate": call.parts.now(),
        "status": "TIMED_OUT",
        **(included("input", call.body.get("input", "{}")) if with_data else {}),
        "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100},
    }
    if done is None:
        return answer
    _, closing = done
    outcome = call.parts.language.outcome(closing)
    duration = int((closing.time / SECOND_NS - note.started) * 10 + 1) * 100
    answer["billingDetails"]["billedDurationInMilliseconds"] = max(duration, 100)
    answer |= {"stopDate": closing.time / SECOND_NS, "status": outcome.status}
    if with_data:
        answer |= included("output", outcome.output)
    answer |= {key: value for key, value in (("error", outcome.error), ("cause", outcome.cause)) if value is not None}
    return answer


@operations.add("StopExecution")
async def stop_execution(call: Call) -> Answer:
    """End it at once; one that has ended stays as it is."""
    address = address_of(call, call.body["executionArn"])
    said = {key: call.body[key] for key in ("error", "cause") if key in call.body}
    try:
        await call.service.request(
            address, TerminateWorkflow(STOPPED, (Payload(msgspec.json.encode(said)),), call.identity)
        )
    except NotFoundError:
        raise no_execution(call.body["executionArn"]) from None
    except RunClosedError:
        pass
    summary = (await call.service.describe(address)).summary
    return {"stopDate": summary.close_time / SECOND_NS}


@operations.add("RedriveExecution")
async def redrive_execution(call: Call) -> Answer:
    """Try what failed again, and go on from there: what was done before it stays done."""
    arn = call.body["executionArn"]
    found = await execution_at(call, arn)
    if found.summary.status not in REDRIVABLE:
        raise Refusal("ExecutionNotRedrivable", f"Execution is {found.status} and cannot be redriven")
    if await _is_being_deleted(call, found.note):
        raise Refusal("ExecutionNotRedrivable", DELETING)
    if map_run_of(found.summary):
        raise Refusal(
            "ExecutionNotRedrivable", "Execution is of a Map Run and is redriven with the execution that has it"
        )
    summary, address = found.summary, address_of(call, arn)
    try:
        await call.service.reset(
            RunAddress(summary.namespace, arn, summary.run_id),
            event_id=summary.history_length,
            reason=call.parts.language.redrive_reason(found.status),
            request_id=call.body.get("clientToken") or uuid.uuid4().hex,
            loses_children=True,
        )
    except InvalidArgumentError as error:
        raise Refusal("ExecutionNotRedrivable", f"Execution cannot be redriven: {error}") from None
    return {"redriveDate": (await redrives_of(call, address))[1] or call.parts.now()}


@operations.add("DescribeExecution")
async def describe_execution(call: Call) -> Answer:
    """How it stands, with what came in and, at its end, what went out."""
    arn = call.body["executionArn"]
    found = await execution_at(call, arn)
    answer: Answer = {
        "executionArn": arn,
        "name": arns.parse(arn).rest[-1],
        "status": found.status,
        "startDate": found.note.started,
        "redriveCount": found.redrives,
        "redriveStatus": "NOT_REDRIVABLE",
        **found.note.shown,
        **_of_map_run(found.summary),
    }
    if found.redrives:
        answer["redriveDate"] = found.redriven
    with_data = call.body.get("includedData") != "METADATA_ONLY"
    if with_data:
        answer |= included("input", found.input)
    if found.status == "RUNNING":
        answer["redriveStatusReason"] = "Execution is RUNNING and cannot be redriven"
        return answer
    outcome = call.parts.language.outcome(await closing_of(call, found.summary))
    answer |= {"stopDate": found.summary.close_time / SECOND_NS, "status": outcome.status}
    if with_data:
        answer |= included("output", outcome.output)
    answer |= {key: value for key, value in (("error", outcome.error), ("cause", outcome.cause)) if value is not None}
    if outcome.status == "SUCCEEDED":
        answer["redriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven"
    elif await _is_being_deleted(call, found.note):
        answer["redriveStatusReason"] = DELETING
    else:
        answer["redriveStatus"] = "REDRIVABLE_BY_MAP_RUN" if map_run_of(found.summary) else "REDRIVABLE"
    return answer


@operations.add("DescribeStateMachineForExecution")
async def describe_state_machine_for_execution(call: Call) -> Answer:
    """The state machine as it was when the execution began."""
    arn = call.body["executionArn"]
    found = await execution_at(call, arn)
    machine = await call.parts.registry.find_machine(found.note.machine)
    revision = _revision_of(machine, found.note) or Revision("", found.start.definition, found.start.role_arn)
    answer: Answer = {
        "stateMachineArn": found.note.version or found.note.machine,
        "name": found.start.machine_name,
        **_of_map_run(found.summary),
        "definition": found.start.definition,
        "roleArn": found.start.role_arn,
        "updateDate": revision.updated or found.note.started,
        "loggingConfiguration": revision.logging,
        "tracingConfiguration": revision.tracing,
        "encryptionConfiguration": revision.encryption,
    }
    if references := call.parts.language.variable_references(found.start.definition):
        answer["variableReferences"] = references
    if found.note.revision:
        answer["revisionId"] = found.note.revision
    if call.body.get("includedData") == "METADATA_ONLY":
        answer = {name: value for name, value in answer.items() if name not in DATA}
    return answer


@operations.add("ListExecutions")
async def list_executions(call: Call) -> Answer:
    """Those of a state machine, a version or an alias, or of a Map run; the newest first."""
    body = call.body
    said = body.get("stateMachineArn")
    if (said is None) == (body.get("mapRunArn") is None):
        raise invalid("Must provide a State Machine ARN or Map Run ARN")
    if said is None:
        return await _list(call, filter_of(arns.parse(body["mapRunArn"], "mapRun")), map_run=body["mapRunArn"])
    arn = arns.parse(said, "stateMachine")
    machine = await call.parts.registry.machine_of(arn, said)
    if machine.type == "EXPRESS":
        raise Refusal("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    if arn.qualifier:
        is_there = (
            machine.version(int(arn.qualifier)) if arn.qualifier.isdecimal() else await call.parts.registry.alias(said)
        )
        if is_there is None:
            raise no_machine(said)
    return await _list(call, filter_of(arn), version=said if arn.qualifier else "")


async def _list(call: Call, filter: str, *, version: str = "", map_run: str = "") -> Answer:
    """A page; only the executions of a version, an alias or a Map run, if one is given."""
    status, filter_redriven = call.body.get("statusFilter"), call.body.get("redriveFilter")
    if status is not None:
        if status not in _LISTED:
            return {"executions": []}  # nothing waits for a redrive here
        filter += f" AND {_LISTED[status]}"
    size, cursor = paging.size_of(call.body), paging.read_token(call.body.get("nextToken"), str, "")
    found: list[dict[str, Any]] = []
    while len(found) < size:
        page = await call.service.list(
            call.namespace, filter=filter, statuses=(), workflow_type="", cursor=cursor, limit=size - len(found)
        )
        runs = await runs_of(call, (summary.workflow_id for summary in page.runs))
        for summary in page.runs:
            note = note_of(summary)
            if version and version not in (note.version, note.alias):
                continue
            if map_run and map_run_of(summary) != map_run:
                continue
            known = runs.get(summary.workflow_id, ())
            if known and known[0].run_id != summary.run_id:
                continue  # it was redriven since
            redrives, redriven = (0, 0.0)
            if len(known) > 1:
                redrives, redriven = await redrives_of(call, address_of(call, summary.workflow_id))
            if (filter_redriven == "REDRIVEN") != bool(redrives) and filter_redriven:
                continue
            one = {
                "executionArn": summary.workflow_id,
                "name": arns.parse(summary.workflow_id).rest[-1],
                "status": STATUSES[summary.status],
                "startDate": note.started,
                "redriveCount": redrives,
                **note.shown,
            }
            if redrives:
                one["redriveDate"] = redriven
            if map_run:
                one["mapRunArn"] = map_run
            if summary.close_time:
                one["stopDate"] = summary.close_time / SECOND_NS
            found.append(one)
        cursor = page.next_cursor
        if not cursor:
            break
    if cursor:
        # There may be nothing behind a full page.
        rest = await call.service.list(
            call.namespace, filter=filter, statuses=(), workflow_type="", cursor=cursor, limit=1
        )
        cursor = cursor if rest.runs else ""
    return {"executions": found, **({"nextToken": paging.token_of(cursor)} if cursor else {})}


async def starting(call: Call, *, is_sync: bool = False) -> tuple[Machine, StartWorkflow, Note, Start]:
    """What is started, and how. Raises ``Refusal``."""
    body, parts = call.body, call.parts
    said, _, case = body["stateMachineArn"].partition("#")
    arn = arns.parse(said, "stateMachine")
    machine = await parts.registry.machine_of(arn, said)
    if machine.is_deleting:
        raise deleting(said)
    revision, version, alias = await _routed(call, machine, arn, said)
    if is_sync and machine.type != "EXPRESS":
        raise Refusal("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    if case and not parts.mocks.has(machine.name, case):
        raise invalid(f"The mock file has no test case '{case}' of state machine '{machine.name}'.")
    input = body.get("input", "{}")
    refused = parts.language.input_refusal(input)
    if refused is not None:
        raise Refusal("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{refused}'")
    name = body.get("name") or str(uuid.uuid4())
    arns.check_name(name)
    kind = (
        ("express", machine.name, name, str(uuid.uuid4()))
        if machine.type == "EXPRESS"
        else ("execution", machine.name, name)
    )
    now = parts.now()
    start = Start(
        revision.definition,
        name,
        arns.make(arn.region, arn.account, *kind),
        revision.role_arn,
        machine.name,
        machine.arn,
        machine.type,
        arn.region,
        arn.account,
        datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        case,
        parts.mocks.states(machine.name, case),
        await _missing(call, revision.definition),
    )
    note = Note(machine.arn, now, version, alias, revision.id)
    request = msgspec.structs.replace(
        parts.language.start(start, input),
        request_id=uuid.uuid4().hex,
        id_reuse=IdReuse.REJECT,
        id_conflict=IdConflict.FAIL,
        identity=call.identity,
        memo=note.memo(),
    )
    return machine, request, note, start


async def _routed(call: Call, machine: Machine, arn: arns.Arn, said: str) -> tuple[Revision, str, str]:
    """The revision that an ARN leads to, with the version and the alias on the way."""
    if not arn.qualifier:
        return machine.revision, "", ""
    version_arn, alias_arn = said, ""
    if not arn.qualifier.isdecimal():
        alias = await call.parts.registry.alias(said)
        if alias is None:
            raise no_machine(said)
        version_arn, alias_arn = aliases.chosen(alias), said
    version = machine.version(int(version_arn.rpartition(":")[2]))
    if version is None:
        raise no_machine(said)
    return version.revision, version_arn, alias_arn


async def _is_being_deleted(call: Call, note: Note) -> bool:
    machine = await call.parts.registry.find_machine(note.machine)
    return machine is not None and machine.is_deleting


def _of_map_run(summary: RunSummary) -> dict[str, str]:
    map_run = map_run_of(summary)
    return {"mapRunArn": map_run} if map_run else {}


_ACTIVITY = re.compile(r"arn:[\w-]*:states:[\w-]*:\d*:activity:[^\"\\]+")


async def _missing(call: Call, definition: str) -> list[str]:
    """The activities that a definition names and that are not there."""
    named = set(_ACTIVITY.findall(definition))
    return [arn for arn in sorted(named) if await call.parts.registry.find_activity(arn) is None]


def _revision_of(machine: Machine | None, note: Note) -> Revision | None:
    if machine is None:
        return None
    known = [machine.revision, *(version.revision for version in machine.versions)]
    return next((revision for revision in known if revision.id == note.revision), None)
