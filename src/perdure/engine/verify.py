"""Checks a store against its histories: what is stored beside them must be what they say.

Each run is judged alone: its history is folded, and the state that gives is compared with the run's row, its tasks,
its timers, its messages and its large payloads (``kernel.derive`` says what there must be). So memory is needed for one
run at a time, and only what is read of one run must be of one moment; two runs may be read at different moments, while
an engine writes.

Nothing here writes, and nothing is mended: a finding names the run, what is stored, and what its history says.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from perdure.engine import encoding
from perdure.engine.outbox import decode_message
from perdure.engine.ports import MessageRow, RunRow, TaskRow, TimerRow
from perdure.kernel import derive, lifecycle, search_attribute
from perdure.kernel.apply import fold
from perdure.kernel.commit import Task
from perdure.kernel.lifecycle import PARENT_MESSAGE, callback_ref
from perdure.kernel.run import WORKFLOW_TASK_REF, Run
from perdure.kernel.update import HIGHEST_REF, LOWEST_REF
from perdure.model import events as e
from perdure.model.errors import StoreCorruptError
from perdure.model.ids import Ancestry
from perdure.model.payloads import NULL, PayloadMap
from perdure.model.search import AttributeTypes
from perdure.model.task_queues import Placement


class Holding(msgspec.Struct, gc=False):
    """Everything that a store holds under one run's key, read at one moment.

    ``row`` is None when the run itself is not there, so that all the rest has no business being there either.
    ``commits`` are ``(number, records)`` pairs in order; ``blob_digests`` name the large payloads kept for this run.
    ``entries`` are the attributes and values that it is found by, ``attribute_types`` those of its namespace.
    """

    key: int
    row: RunRow | None
    commits: Sequence[tuple[int, bytes]] = ()
    tasks: Sequence[TaskRow] = ()
    timers: Sequence[TimerRow] = ()
    messages: Sequence[MessageRow] = ()
    blob_digests: Sequence[bytes] = ()
    entries: Set[tuple[str, str | int | float]] = frozenset()
    attribute_types: AttributeTypes = MappingProxyType({})


class HoldingsReader(Protocol):
    """What verification needs of a store. A store's reader offers it; nothing here writes."""

    def run_count(self) -> int:
        """How many runs there are, to say how far a verification has come. May be off while an engine writes."""
        ...

    def damages(self) -> Iterator[str]:
        """What is wrong with the store itself, below the level of runs: one sentence each, none if it is sound."""
        ...

    def holdings(self) -> Iterator[Holding]:
        """All runs in the order of their keys, and whatever belongs to no run."""
        ...

    def blob(self, digest: bytes) -> bytes | None:
        """A large payload."""
        ...


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something stored that is not as the history says.

    ``place`` is what it is about: ``file``, ``history``, ``run``, ``task``, ``timer``, ``message``, ``blob`` or
    ``search attribute``; ``name`` is which of them. ``problem`` says what is wrong. ``stored`` and ``expected`` are the attributes that
    differ, None where there is no such thing; times among them (``due``, ``start_time``, ``close_time``) are ns since
    1970.
    """

    place: str
    problem: str
    key: int = 0
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    name: str = ""
    stored: Mapping[str, Any] | None = None
    expected: Mapping[str, Any] | None = None


def check_store(
    reader: HoldingsReader, progress: Callable[[int], None] = lambda checked_runs: None
) -> Iterator[Finding]:
    """Findings as they are met, those about the store itself first.

    Damage that keeps the rest from being read is a finding too.

    Args:
        reader: reads the store.
        progress: told after each run how many have been checked.

    Raises:
        StoreError: the store can't be read, and not because of damage.
    """
    checked_runs = 0
    try:
        for damage in reader.damages():
            yield Finding("file", damage)
        for holding in reader.holdings():
            yield from check_run(holding, reader.blob)
            if holding.row is not None:
                checked_runs += 1
                progress(checked_runs)
    except StoreCorruptError as error:
        yield Finding("file", f"the rest can't be checked: {error}")


def check_run(holding: Holding, blob: Callable[[bytes], bytes | None]) -> list[Finding]:
    """What is wrong with one run. ``blob`` fetches a large payload by its digest."""
    row = holding.row
    if row is None:
        return _strays(holding)
    report = _Report(row)
    run = _folded(holding, row, blob, report)
    if run is not None:
        _check_row(row, run, report)
        _check_tasks(holding.tasks, run, report)
        _check_timers(holding.timers, run, report)
        _check_messages(holding.messages, run, _initiated(holding), report)
        _check_entries(holding, run, report)
    return report.findings


class _Report:
    """Collects the findings of one run."""

    def __init__(self, row: RunRow) -> None:
        self._row = row
        self.findings: list[Finding] = []

    def add(
        self,
        place: str,
        problem: str,
        name: str = "",
        stored: Mapping[str, Any] | None = None,
        expected: Mapping[str, Any] | None = None,
    ) -> None:
        row = self._row
        self.findings.append(
            Finding(place, problem, row.key, row.namespace, row.workflow_id, row.run_id, name, stored, expected)
        )

    def compare(self, place: str, name: str, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        """Both have the same attributes; add a finding of those that differ, if any do."""
        differing = [attribute for attribute, value in stored.items() if value != expected[attribute]]
        if differing:
            self.add(
                place,
                f"{' and '.join(differing).replace('_', ' ')} not as the history says",
                name,
                {attribute: stored[attribute] for attribute in differing},
                {attribute: expected[attribute] for attribute in differing},
            )


def _strays(holding: Holding) -> list[Finding]:
    counts = {
        "history": len(holding.commits),
        "task": len(holding.tasks),
        "timer": len(holding.timers),
        "message": len(holding.messages),
        "blob": len(holding.blob_digests),
        "search attribute": len(holding.entries),
    }
    return [
        Finding(place, "belongs to a run that does not exist", holding.key, stored={"rows": count})
        for place, count in counts.items()
        if count
    ]


# --- the history


def _folded(holding: Holding, row: RunRow, blob: Callable[[bytes], bytes | None], report: _Report) -> Run | None:
    """The state that the history gives; None, with a finding, if it gives none."""
    numbers = [number for number, _ in holding.commits]
    if numbers != list(range(1, len(numbers) + 1)):
        missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
        report.add("history", f"commits are missing: {_listed(missing)} of {numbers[-1]}")
        return None
    if not numbers:
        report.add("history", "there is none")
        return None
    commits = [records for _, records in holding.commits]
    try:
        records = encoding.decode(commits)
        digests = encoding.named_blobs(commits)
    except Exception:
        report.add("history", _unreadable(holding))
        return None
    if digests or holding.blob_digests:
        blobs = _check_blobs(digests, holding, blob, report)
        if blobs is None:
            return None
        records = encoding.with_blobs(records, blobs)
    try:
        return fold(row.namespace, row.run_id, records)
    except Exception as error:  # appliers trust what they are given, so a wrong history may raise anything
        report.add("history", f"can't be folded: {error.__class__.__name__}: {error}")
        return None


def _unreadable(holding: Holding) -> str:
    for number, records in holding.commits:
        try:
            encoding.decode([records])
        except Exception as error:
            return f"commit {number} of {len(holding.commits)} can't be read: {error.__cause__ or error}"
    return "can't be read"


def _check_blobs(
    digests: Sequence[bytes], holding: Holding, blob: Callable[[bytes], bytes | None], report: _Report
) -> dict[bytes, bytes] | None:
    """The large payloads that the history names; None, with findings, if one is missing or is not what it was."""
    kept = set(holding.blob_digests)
    blobs: dict[bytes, bytes] = {}
    for digest in digests:
        data = blob(digest)
        if data is None:
            report.add("blob", "is named by the history and is missing", digest.hex())
        elif (actual := hashlib.sha256(data).digest()) != digest:
            report.add(
                "blob", "is not what was stored", digest.hex(), {"sha256": actual.hex()}, {"sha256": digest.hex()}
            )
        else:
            blobs[digest] = data
            if digest not in kept:
                report.add("blob", "is named by the history, and is not kept for this run", digest.hex())
    for digest in sorted(kept.difference(digests)):
        report.add("blob", "is kept for this run, and its history does not name it", digest.hex())
    return blobs if len(blobs) == len(digests) else None


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown} and {len(numbers) - 5} more" if len(numbers) > 5 else shown


# --- what is stored beside it


def _above(row: RunRow, started: e.WorkflowExecutionStarted) -> Ancestry | None:
    """The link that a row should have; older ones do not say which run is at the top."""
    above = lifecycle.ancestry(started)
    stored = _decoded(row.parent, _decode_parent, None)
    if above is not None and isinstance(stored, Ancestry) and not stored.root_run_id:
        above = msgspec.structs.replace(above, root_workflow_id="", root_run_id="")
    return above


def _check_row(row: RunRow, run: Run, report: _Report) -> None:
    started = run.started
    stored = {
        "workflow_id": row.workflow_id,
        "workflow_type": row.workflow_type,
        "task_queue": row.task_queue,
        "status": row.status.name,
        "start_time": row.start_time,
        "close_time": row.close_time,
        "memo": _decoded(row.memo, _decode_map, {}),
        "search_attributes": _decoded(row.search_attributes, _decode_map, {}),
        "parent": _decoded(row.parent, _decode_parent, None),
        "build_id": row.build_id,
    }
    expected = {
        "workflow_id": started.workflow_id,
        "workflow_type": started.workflow_type,
        "task_queue": started.task_queue,
        "status": run.status.name,
        "start_time": started.time,
        "close_time": run.close.time if run.close is not None else 0,
        "memo": run.memo,
        "search_attributes": run.search_attributes,
        "parent": _above(row, started),
        "build_id": run.build_id,
    }
    # The row is only rewritten when something else in it changes, so the length of an open run's may lag behind.
    if row.history_length > run.history_length or (run.close is not None and row.history_length < run.history_length):
        stored["history_length"] = row.history_length
        expected["history_length"] = run.history_length
    report.compare("run", "", stored, expected)


_decode_map = msgspec.msgpack.Decoder(PayloadMap).decode
_decode_parent = msgspec.msgpack.Decoder(Ancestry).decode
_decode_placement = msgspec.msgpack.Decoder(Placement).decode


def _decoded(data: bytes, decode: Callable[[bytes], Any], empty: Any) -> Any:
    if not data:
        return empty
    try:
        return decode(data)
    except msgspec.DecodeError as error:
        return f"unreadable: {error}"


def _check_tasks(rows: Sequence[TaskRow], run: Run, report: _Report) -> None:
    expected = derive.tasks(run)
    for row in rows:
        task = expected.pop(row.ref, None)
        if task is None:
            report.add("task", "is stored, and the history knows no such task", str(row.ref), _task(row))
        elif row.due != task.due and _may_be_early(row, task, run):
            # Heartbeats move the time by which something must happen, and do not rewrite the task for it.
            report.compare("task", str(row.ref), {**_task(row), "due": task.due}, _task(task))
        else:
            report.compare("task", str(row.ref), _task(row), _task(task))
    for task in expected.values():
        report.add("task", "is missing", str(task.ref), None, _task(task))


def _task(task: TaskRow | Task) -> dict[str, Any]:
    shown = {"task_queue": task.task_queue, "type": task.type, "started": task.started, "due": task.due}
    placement = task.placement
    if isinstance(placement, bytes):
        placement = _decoded(placement, _decode_placement, None)
    # Files of before there were placements hold tasks without; then only the namespace can be missing.
    if isinstance(placement, str) or (placement and (placement.priority or placement.limit_key or placement.affinity)):
        shown["placement"] = placement
    return shown


def _may_be_early(row: TaskRow, task: Task, run: Run) -> bool:
    if task.ref == WORKFLOW_TASK_REF or not task.started:
        return False
    return run.activities[task.ref].scheduled.heartbeat_timeout_ns > 0 and 0 < row.due < task.due


def _check_timers(rows: Sequence[TimerRow], run: Run, report: _Report) -> None:
    stored = {(row.due, row.ref) for row in rows}
    expected = derive.timers(run)
    if stored == expected:
        return
    for due, ref in sorted(stored - expected):
        report.add("timer", "is stored, and the history knows no such timer", str(ref), {"due": due})
    for due, ref in sorted(expected - stored):
        report.add("timer", "is missing", str(ref), None, {"due": due})


def _check_messages(rows: Sequence[MessageRow], run: Run, initiated: set[int], report: _Report) -> None:
    """Messages whose answer the run waits for must be there. Others may be, until they have arrived."""
    waiting = derive.messages(run)
    for row in rows:
        stored = _message(row.message)
        if row.ref in waiting:
            waiting.discard(row.ref)
        elif LOWEST_REF <= row.ref < HIGHEST_REF:
            pass  # on its way to whom the end of an update concerns
        elif run.close is None:
            report.add("message", "is stored, and the history waits for no answer to it", str(row.ref), stored)
        elif not (
            (row.ref == PARENT_MESSAGE and run.started.parent is not None)
            or row.ref in {callback_ref(number) for number in range(len(run.callbacks))}
            or abs(row.ref) in initiated
        ):
            report.add("message", "is stored, and the history knows no such message", str(row.ref), stored)
        if "request" not in stored:
            report.add("message", "can't be read", str(row.ref), stored)
    for ref in sorted(waiting):
        report.add("message", "is missing", str(ref), None, {"answer": "not recorded yet"})


def _check_entries(holding: Holding, run: Run, report: _Report) -> None:
    """What the run is found by must be what its search attributes say."""
    expected = search_attribute.entries(run.search_attributes, holding.attribute_types)
    for name, value in sorted(holding.entries - expected, key=str):
        report.add("search attribute", "finds the run, which has no such value", name, {"value": value})
    for name, value in sorted(expected - holding.entries, key=str):
        report.add("search attribute", "does not find the run", name, None, {"value": value})
    for name in sorted(run.search_attributes.keys() - holding.attribute_types.keys()):
        if run.search_attributes[name].encoding != NULL:
            report.add("search attribute", "has no type, so nothing is found by it", name)


def _message(data: bytes) -> dict[str, Any]:
    try:
        message = decode_message(data)
    except msgspec.DecodeError as error:
        return {"unreadable": str(error)}
    return {"request": message.request.__class__.__name__, "to": message.target.workflow_id}


_INITIATING = (
    e.StartChildWorkflowExecutionInitiated,
    e.SignalExternalWorkflowExecutionInitiated,
    e.RequestCancelExternalWorkflowExecutionInitiated,
    e.NexusOperationScheduled,
    e.NexusOperationCancelRequested,
)


def _initiated(holding: Holding) -> set[int]:
    """Numbers of the events that sent messages. Read again only where there are messages to judge by them."""
    if not holding.messages:
        return set()
    records = encoding.decode([records for _, records in holding.commits])
    return {record.id for record in records if isinstance(record, _INITIATING)}
