"""How an execution is seen: what is kept beside its run, its address, and its status in AWS's words."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from perdure.model.errors import NotFoundError, QueryFailedError
from perdure.model.events import Event
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.payloads import Payload, PayloadMap
from perdure.model.service import RunSummary, Service
from perdure.protocols.stepfunctions import arns
from perdure.protocols.stepfunctions.operations import Call
from perdure.protocols.stepfunctions.parts import Start
from perdure.protocols.stepfunctions.records import Machine
from perdure.protocols.stepfunctions.refusals import no_execution

SECOND_NS = 10**9
NOTE = "stepfunctions"
"""The memo's key."""

MAP_RUN = "map_run"
"""The memo's key of what the interpreter says of the children of a Map run."""

REDRIVES = "perdure.redrives"
"""What an execution is asked: how often it was redriven, and when last."""

STATUSES = {
    RunStatus.RUNNING: "RUNNING",
    RunStatus.PAUSED: "RUNNING",
    RunStatus.COMPLETED: "SUCCEEDED",
    RunStatus.FAILED: "FAILED",
    RunStatus.CANCELED: "ABORTED",
    RunStatus.TERMINATED: "ABORTED",
    RunStatus.TIMED_OUT: "TIMED_OUT",
    RunStatus.CONTINUED_AS_NEW: "RUNNING",
}


_LONGEST_FILTER = 9_000
"""In characters: the engine takes few more."""


REDRIVABLE = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.TERMINATED, RunStatus.CANCELED})


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept in the memo of a run. ``started`` is in seconds since 1970."""

    machine: str
    started: float
    version: str = ""
    alias: str = ""
    revision: str = ""

    def memo(self) -> PayloadMap:
        """As it is kept."""
        return {NOTE: Payload(msgspec.json.encode(self))}

    @property
    def shown(self) -> dict[str, str]:
        """The members of answers that say what it is an execution of."""
        found = {"stateMachineArn": self.machine}
        if self.version:
            found["stateMachineVersionArn"] = self.version
        if self.alias:
            found["stateMachineAliasArn"] = self.alias
        return found


def note_of(summary: RunSummary) -> Note:
    """What was kept; for an execution that was not started over this protocol, what its ARN says."""
    kept = summary.memo.get(NOTE)
    if kept is not None:
        try:
            return msgspec.json.decode(kept.data, type=Note)
        except msgspec.MsgspecError:
            pass
    arn = arns.parse(summary.workflow_id)
    return Note(arns.make(arn.region, arn.account, "stateMachine", arn.name), summary.start_time / SECOND_NS)


def address_of(call: Call, arn: str, *kinds: str) -> RunAddress:
    """The run of an execution. Raises ``Refusal`` for what is no ARN of one."""
    arns.parse(arn, *(kinds or ("execution",)))
    return RunAddress(call.namespace, arn)


def filter_of(arn: arns.Arn) -> str:
    """What finds the executions of a state machine, or of a Map run, whose ARN begins with the state machine's name and its
    state's."""
    prefix = arns.make(arn.region, arn.account, "execution", arn.name) + ":"
    return f"WorkflowType = {_quoted(arn.name)} AND WorkflowId STARTS_WITH {_quoted(prefix)}"


def running_of(machine: Machine) -> str:
    """What finds the executions of a state machine that run; the children of its Map runs are none."""
    arn = arns.parse(machine.arn, "stateMachine")
    kind = "express" if machine.type == "EXPRESS" else "execution"
    prefix = arns.make(arn.region, arn.account, kind, machine.name) + ":"
    return f"WorkflowId STARTS_WITH {_quoted(prefix)} AND ExecutionStatus IN ('Running', 'Paused')"


async def is_busy(service: Service, namespace: str, machine: Machine) -> bool:
    """Whether executions of a state machine run."""
    running = await service.count(namespace, filter=running_of(machine), statuses=(), workflow_type="")
    return running.total > 0


def map_run_of(summary: RunSummary) -> str:
    """The Map run that an execution is a child of; empty if it is none's."""
    kept = summary.memo.get(MAP_RUN)
    try:
        return "" if kept is None else msgspec.json.decode(kept.data, type=str)
    except msgspec.MsgspecError:
        return ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Execution(NamedTuple):
    """An execution as it stands."""

    summary: RunSummary
    start: Start
    input: str
    note: Note
    redrives: int = 0
    redriven: float = 0.0

    @property
    def status(self) -> str:
        """In AWS's words."""
        return STATUSES[self.summary.status]


async def execution_at(call: Call, arn: str, *kinds: str) -> Execution:
    """An execution. Raises ``Refusal`` if there is none."""
    address = address_of(call, arn, *kinds)
    try:
        described = await call.service.describe(address)
        summary = described.summary
        page = await call.service.history(address, after=0, limit=1, wait=False)
        start, input = call.parts.language.started(page.events[0])
    except (NotFoundError, IndexError, ValueError):
        # A run that is no state machine's is none here, whatever its workflow id looks like.
        raise no_execution(arn) from None
    is_first = described.first_run_id in ("", summary.run_id)
    count, time = (0, 0.0) if is_first else await redrives_of(call, address)
    return Execution(summary, start, input, note_of(summary), count, time)


async def redrives_of(call: Call, address: RunAddress) -> tuple[int, float]:
    """How often an execution was redriven, each time of which left a run behind, and when it was last, in seconds since 1970."""
    runs = await call.service.count(
        address.namespace, filter=f"WorkflowId = {_quoted(address.workflow_id)}", statuses=(), workflow_type=""
    )
    if runs.total < 2:
        return 0, 0.0
    try:
        (told,) = await call.service.query(address, REDRIVES, ())
        found = msgspec.json.decode(told.data, type=_Redrives)
    except (QueryFailedError, msgspec.MsgspecError):
        return runs.total - 1, 0.0
    return found.count, found.time


class _Redrives(msgspec.Struct):
    count: int
    time: float


async def runs_of(call: Call, arns: Iterable[str]) -> Mapping[str, Sequence[RunSummary]]:
    """All runs of some executions by their ARNs, the last one first: each time that one is redriven leaves a run behind."""
    found: dict[str, list[RunSummary]] = {}
    for filter in _filters(list(dict.fromkeys(arns))):
        cursor = ""
        while True:
            page = await call.service.list(
                call.namespace, filter=filter, statuses=(), workflow_type="", cursor=cursor, limit=1000
            )
            for summary in page.runs:
                found.setdefault(summary.workflow_id, []).append(summary)
            cursor = page.next_cursor
            if not cursor:
                break
    for runs in found.values():
        # The next one begins when the one before has been closed for some time.
        runs.sort(key=lambda summary: summary.close_time or sys.maxsize, reverse=True)
    return found


def _filters(arns: Sequence[str]) -> Iterator[str]:
    """What finds all runs of these, no filter too long."""
    most = max(1, _LONGEST_FILTER // max((len(_quoted(arn)) + 1 for arn in arns), default=1))
    for start in range(0, len(arns), most):
        yield f"WorkflowId IN ({','.join(map(_quoted, arns[start : start + most]))})"


async def closing_of(call: Call, summary: RunSummary) -> Event:
    """The last event of a run that is closed."""
    address = RunAddress(summary.namespace, summary.workflow_id, summary.run_id)
    _, event = await call.service.wait_closed(address, follow=False)
    return event


def included(name: str, text: str | None) -> dict[str, Any]:
    """``input`` or ``output``, as answers show it."""
    return {} if text is None else {name: text, f"{name}Details": {"included": True}}
