"""A store is filled by an engine, then one thing in it is changed, and the check must name that thing and no other."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from perdure.engine import encoding
from perdure.engine.clock import SystemClock
from perdure.engine.ports import MessageRow, TaskRow, TimerRow
from perdure.engine.service import EngineService
from perdure.engine.verify import Finding, Holding, check_run, check_store
from perdure.kernel.commit import Message
from perdure.model import commands as c
from perdure.model.affinity import Affinity
from perdure.model.errors import StoreCorruptError, StoreLockedError
from perdure.model.events import TimerFired
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.options import SECOND_NS, ParentClose, RetryPolicy, RunStatus
from perdure.model.payloads import Payload
from perdure.model.program import ActivityTask, TurnCompleted, TurnFailed
from perdure.model.requests import (
    CancelWorkflow,
    CompleteActivity,
    FailActivity,
    HeartbeatActivity,
    PauseWorkflow,
    SignalWorkflow,
    StartWorkflow,
    TerminateWorkflow,
)
from perdure.stores.memory import MemoryStore
from perdure.stores.memory.disk import Disk

VALUE = (Payload(b'"value"'),)
LARGE = (Payload(b'"' + b"x" * 100_000 + b'"'),)


class Program:
    """Takes the scripted turns, one after the other, and then has nothing more to ask for."""

    def __init__(self, turns: list[list[c.AnyCommand] | Failure]) -> None:
        self.turns = list(turns)

    def turn(self, events: Any, updates: Any) -> TurnCompleted | TurnFailed:
        step = self.turns.pop(0) if self.turns else []
        return (
            TurnFailed("WORKFLOW_WORKER_UNHANDLED_FAILURE", step) if isinstance(step, Failure) else TurnCompleted(step)
        )

    def catch_up(self, events: Any) -> None:
        return None

    def query(self, name: str, input: Any, header: Any = None) -> Any:
        return ()

    def close(self) -> None:
        pass


class ScriptedWorker:
    """Programs by workflow type; activities go on until the test says otherwise."""

    identity = "worker"
    build_id = "build"
    task_queues = frozenset({"default"})

    def __init__(self, scripts: dict[str, list[list[c.AnyCommand] | Failure]]) -> None:
        self.scripts = scripts
        self.tasks: list[ActivityTask] = []
        self.free_slots = 100

    worker_id = ""

    labels: dict[str, str] = {}  # noqa: RUF012
    used_slots = 0

    def serves_workflow(
        self, namespace: str, task_queue: str, workflow_type: str, affinity: Affinity | None = None
    ) -> bool:
        return workflow_type in self.scripts

    def declares(self, namespace: str, task_queue: str, name: str) -> str:
        return ""

    def builds(self, namespace: str, task_queue: str, workflow_type: str) -> list[str]:
        return [self.build_id]

    def host(
        self,
        namespace: str,
        task_queue: str,
        workflow_type: str,
        build_id: str,
        key: int,
        affinity: Affinity | None = None,
    ) -> "ScriptedWorker | None":
        return self if workflow_type in self.scripts else None

    host_to_ask = host
    keeps_programs = True

    def has_turn_slot(self, key: int) -> bool:
        return True

    def adopt(self, task: ActivityTask, worker_id: str) -> bool:
        return False

    def create_program(self, address: RunAddress, started: Any) -> Program:
        return Program(self.scripts[started.workflow_type])

    @property
    def running(self) -> list[ActivityTask]:
        return self.tasks

    def runs_activity(self, address: RunAddress, scheduled_event_id: int, attempt: int) -> bool:
        return False

    def serves_activity(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> bool:
        return activity_type != "unserved"

    def reserve(
        self, namespace: str, task_queue: str, activity_type: str, affinity: Affinity | None = None
    ) -> "ScriptedWorker | None":
        return self if activity_type != "unserved" else None

    def release(self, task_queue: str, activity_type: str) -> None:
        pass

    def start_activity(self, task: ActivityTask) -> None:
        self.tasks.append(task)

    def cancel_activity(self, address: RunAddress, scheduled_event_id: int) -> None:
        pass


def schedule(name: str, type: str = "work", **options: Any) -> c.ScheduleActivityTask:
    return c.ScheduleActivityTask(name, type, "default", VALUE, **options)


SCRIPTS: dict[str, list[list[c.AnyCommand] | Failure]] = {
    "short": [[c.CompleteWorkflowExecution(VALUE)]],
    "working": [
        [
            schedule("plain", start_to_close_timeout_ns=10 * SECOND_NS),
            schedule("beating", heartbeat_timeout_ns=60 * SECOND_NS),
            schedule("failing", retry_policy=RetryPolicy(initial_ns=3600 * SECOND_NS)),
            schedule("waiting", "unserved"),
            c.StartTimer("sleep", 3600 * SECOND_NS),
        ]
    ],
    "parent": [
        [
            c.StartChildWorkflowExecution("child", "unserved", "default", parent_close_policy=ParentClose.ABANDON),
            c.RequestCancelExternalWorkflowExecution(RunAddress("", "working-1")),
            c.SignalExternalWorkflowExecution(RunAddress("", "working-1"), "hello", VALUE),
        ]
    ],
    "broken": [Failure("a bug in the program")],
    "large": [[c.CompleteWorkflowExecution(LARGE)]],
    "noted": [
        [
            c.ModifyWorkflowProperties({"note": VALUE[0]}),
            c.UpsertWorkflowSearchAttributes({"color": VALUE[0]}),
            c.StartTimer("sleep", 3600 * SECOND_NS),
        ]
    ],
    "again": [[c.ContinueAsNewWorkflowExecution(workflow_type="short")]],
}


async def fill(disk: Disk) -> None:
    """A run of every kind, in every state that stays."""
    worker = ScriptedWorker(SCRIPTS)
    service = EngineService(MemoryStore(disk), SystemClock(asyncio.get_running_loop()), worker)
    await service.open()
    for name in SCRIPTS:
        await service.start("default", StartWorkflow(f"{name}-1", name, input=VALUE, run_timeout_ns=7200 * SECOND_NS))
    await service.start("other", StartWorkflow("short-1", "short"))
    await service.start("default", StartWorkflow("delayed-1", "short", start_delay_ns=3600 * SECOND_NS))
    await service.start("default", StartWorkflow("paused-1", "unserved", memo={"note": VALUE[0]}))
    await service.start("default", StartWorkflow("stopped-1", "working"))
    await service.request(RunAddress("default", "paused-1"), PauseWorkflow("test", "to see"))
    await service.request(RunAddress("default", "paused-1"), SignalWorkflow("hello", VALUE))
    await service.request(RunAddress("default", "stopped-1"), TerminateWorkflow("enough"))
    for task in worker.tasks:
        if task.address.workflow_id == "working-1":
            match task.scheduled.activity_id:
                case "plain":
                    await service.request(task.address, CompleteActivity(task.scheduled.id, 1, VALUE, "worker"))
                case "beating":
                    await asyncio.sleep(0.01)
                    await service.request(task.address, HeartbeatActivity(task.scheduled.id, 1, VALUE))
                case "failing":
                    await service.request(task.address, FailActivity(task.scheduled.id, 1, Failure("down"), "worker"))
                case _:
                    pass
    await service.close()


class DiskReader:
    """A memory disk as verification wants to see it."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def run_count(self) -> int:
        return len(self.disk.runs)

    def damages(self) -> Iterator[str]:
        yield from ()

    def holdings(self) -> Iterator[Holding]:
        disk = self.disk
        keys = {*disk.runs, *disk.histories, *disk.tasks, *disk.messages, *(timer.key for timer in disk.timers)}
        for key in sorted(keys):
            yield Holding(
                key,
                disk.runs.get(key),
                list(enumerate(disk.histories.get(key, ()), 1)),
                list(disk.tasks.get(key, {}).values()),
                [timer for timer in disk.timers if timer.key == key],
                [MessageRow(key, ref, message) for ref, message in disk.messages.get(key, {}).items()],
                [digest for digest, holders in disk.blob_holders.items() if key in holders],
                disk.entries.get(key, frozenset()),
                disk.attribute_types.get("default", {}),
            )

    def blob(self, digest: bytes) -> bytes | None:
        return self.disk.blobs.get(digest)


@pytest.fixture
def disk() -> Disk:
    disk = Disk()
    asyncio.run(fill(disk))
    return disk


def key_of(disk: Disk, workflow_id: str) -> int:
    return disk.keys_of_workflow["default", workflow_id][0]


def a_message(ref: int) -> bytes:
    return encoding.encode_value(
        Message(ref, RunAddress("default", "somebody"), CancelWorkflow("test"), wants_reply=True)
    )


def findings(disk: Disk) -> list[Finding]:
    return list(check_store(DiskReader(disk)))


def only_finding(disk: Disk) -> Finding:
    found = findings(disk)
    assert len(found) == 1, found
    return found[0]


def told(finding: Finding) -> tuple[str, str, str]:
    return finding.workflow_id, finding.place, finding.problem


def test_what_an_engine_writes_is_sound(disk):
    progress: list[int] = []
    assert list(check_store(DiskReader(disk), progress.append)) == []
    assert progress == list(range(1, len(disk.runs) + 1))
    # And there is something of everything, or the test would say nothing.
    assert {row.status for row in disk.runs.values()} == {
        RunStatus.RUNNING,
        RunStatus.COMPLETED,
        RunStatus.TERMINATED,
        RunStatus.CONTINUED_AS_NEW,
        RunStatus.PAUSED,
    }
    assert disk.tasks and disk.timers and disk.blobs


def test_a_message_that_is_still_on_its_way_is_sound(disk):
    """The parent's request waits in the outbox while the engine is down."""
    key = key_of(disk, "parent-1")
    run = disk.histories[key]
    # As a crash right after the first commit would leave it: the child is there, the others are not told yet.
    del run[1:]
    records = encoding.decode(run)
    disk.runs[key].history_length = max(record.id for record in records)
    disk.tasks.pop(key, None)
    initiated = [record.id for record in records if record.__class__.__name__.startswith(("Signal", "RequestCancel"))]
    assert len(initiated) == 2
    disk.messages[key] = dict.fromkeys(initiated, a_message(initiated[0]))
    assert [finding for finding in findings(disk) if finding.key == key] == []
    del disk.messages[key][initiated[0]]
    finding = only_finding(disk)
    assert told(finding) == ("parent-1", "message", "is missing") and finding.name == str(initiated[0])


@pytest.mark.parametrize(
    ("attribute", "value", "shown"),
    [
        ("status", RunStatus.FAILED, "FAILED"),
        ("workflow_type", "other", "other"),
        ("task_queue", "other", "other"),
        ("workflow_id", "other", "other"),
        ("start_time", 5, 5),
        ("close_time", 7, 7),
        ("memo", b"", {}),
        ("search_attributes", b"", {}),
        ("history_length", 1_000_000, 1_000_000),
    ],
)
def test_a_row_that_says_something_else(disk, attribute, value, shown):
    row = disk.runs[key_of(disk, "noted-1")]
    setattr(row, attribute, value)
    finding = only_finding(disk)
    assert finding.place == "run"
    assert finding.stored == {attribute: shown}
    assert finding.expected is not None and finding.expected[attribute] != shown
    assert finding.run_id == row.run_id


def test_a_row_of_an_open_run_may_lag_behind_in_length_and_one_of_a_closed_run_may_not(disk):
    disk.runs[key_of(disk, "working-1")].history_length = 1
    assert findings(disk) == []
    disk.runs[key_of(disk, "short-1")].history_length = 1
    assert only_finding(disk).stored == {"history_length": 1}


def test_a_row_with_an_unreadable_memo(disk):
    disk.runs[key_of(disk, "noted-1")].memo = b"\xc1"
    finding = only_finding(disk)
    assert finding.stored is not None and "unreadable" in finding.stored["memo"]


def test_what_finds_a_run_wrongly_or_not_at_all(disk):
    key = key_of(disk, "noted-1")
    assert disk.entries[key] == {("color", "value")}
    disk.entries[key] = {("color", "blue")}
    wrong, missing = findings(disk)
    assert told(wrong) == ("noted-1", "search attribute", "finds the run, which has no such value")
    assert (wrong.name, wrong.stored) == ("color", {"value": "blue"})
    assert told(missing) == ("noted-1", "search attribute", "does not find the run")
    assert missing.expected == {"value": "value"}
    disk.entries[key] = set()
    del disk.attribute_types["default"]
    assert told(only_finding(disk))[2] == "has no type, so nothing is found by it"


def test_a_row_of_another_build(disk):
    disk.runs[key_of(disk, "noted-1")].build_id = "other"
    assert only_finding(disk).stored == {"build_id": "other"}


def first_task(disk: Disk, workflow_id: str, activity_id: str) -> TaskRow:
    key = key_of(disk, workflow_id)
    records = encoding.decode(disk.histories[key])
    ref = next(record.id for record in records if getattr(record, "activity_id", "") == activity_id)
    return disk.tasks[key][ref]


@pytest.mark.parametrize(
    ("activity_id", "changes"),
    [
        ("waiting", {"task_queue": "other"}),
        ("waiting", {"type": "other"}),
        ("waiting", {"started": True}),
        ("beating", {"started": False}),
        ("failing", {"due": 1}),
        ("beating", {"due": 1 << 62}),
        ("beating", {"due": 0}),
    ],
)
def test_a_task_that_says_something_else(disk, activity_id, changes):
    task = first_task(disk, "working-1", activity_id)
    disk.tasks[task.key][task.ref] = msgspec.structs.replace(task, **changes)
    finding = only_finding(disk)
    assert finding.place == "task" and finding.name == str(task.ref)
    assert finding.stored == changes


def test_a_heartbeat_leaves_a_task_that_is_due_early(disk):
    task = first_task(disk, "working-1", "beating")
    disk.tasks[task.key][task.ref] = msgspec.structs.replace(task, due=task.due - 1)
    assert findings(disk) == []


def test_a_task_that_is_missing_and_one_too_many(disk):
    task = first_task(disk, "working-1", "waiting")
    del disk.tasks[task.key][task.ref]
    finding = only_finding(disk)
    assert told(finding) == ("working-1", "task", "is missing")
    assert finding.stored is None and finding.expected is not None and finding.expected["type"] == "unserved"

    disk.tasks[task.key][task.ref] = task
    closed = key_of(disk, "short-1")
    disk.tasks[closed] = {5: msgspec.structs.replace(task, key=closed, ref=5)}
    finding = only_finding(disk)
    assert told(finding) == ("short-1", "task", "is stored, and the history knows no such task")
    assert finding.expected is None


def test_a_timer_that_is_missing_and_one_too_many(disk):
    timer = next(timer for timer in disk.timers if timer.key == key_of(disk, "noted-1") and timer.ref > 0)
    disk.timers.remove(timer)
    finding = only_finding(disk)
    assert told(finding) == ("noted-1", "timer", "is missing") and finding.expected == {"due": timer.due}

    disk.timers.append(TimerRow(timer.due + 1, timer.key, timer.ref))
    problems = [told(finding)[2] for finding in findings(disk)]
    assert problems == ["is stored, and the history knows no such timer", "is missing"]


@pytest.mark.parametrize(
    ("workflow_id", "problem"),
    [
        ("working-1", "is stored, and the history waits for no answer to it"),
        ("short-1", "is stored, and the history knows no such message"),
    ],
)
def test_a_message_too_many(disk, workflow_id, problem):
    disk.messages[key_of(disk, workflow_id)] = {3: a_message(3)}
    finding = only_finding(disk)
    assert told(finding) == (workflow_id, "message", problem)
    assert finding.stored == {"request": "CancelWorkflow", "to": "somebody"}


def test_a_message_that_nobody_can_read(disk):
    disk.messages[key_of(disk, "working-1")] = {3: b"\xc1"}
    assert {finding.problem for finding in findings(disk)} == {
        "is stored, and the history waits for no answer to it",
        "can't be read",
    }


def test_a_history_with_a_hole(disk):
    holding = next(h for h in DiskReader(disk).holdings() if h.row and h.row.workflow_id == "working-1")
    holding.commits = [holding.commits[0], *holding.commits[2:]]
    found = check_run(holding, DiskReader(disk).blob)
    assert [finding.problem for finding in found] == [f"commits are missing: 2 of {len(holding.commits) + 1}"]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda commits: commits.clear(), "there is none"),
        (lambda commits: commits.insert(0, b"\xc1"), "commit 1 of 2 can't be read"),
        (lambda commits: commits.insert(0, commits[0]), "can't be folded: InvariantError"),
        (lambda commits: commits.append(encoding.encode_value([])), ""),
        (
            lambda commits: commits.append(encoding.encode_value([TimerFired(6, 1, "none", 3)])),
            "can't be folded: KeyError",
        ),
    ],
)
def test_a_history_that_tells_no_state(disk, spoil: Callable[[list[bytes]], None], problem):
    spoil(disk.histories[key_of(disk, "short-1")])
    if problem:
        finding = only_finding(disk)
        assert finding.place == "history" and finding.problem.startswith(problem)
    else:
        assert findings(disk) == []


def test_a_history_that_is_changed_is_seen_in_the_row(disk):
    key = key_of(disk, "short-1")
    records = encoding.decode(disk.histories[key])
    records[-1] = msgspec.structs.replace(records[-1], time=99)
    disk.histories[key] = [encoding.encode_value(records)]
    finding = only_finding(disk)
    assert finding.expected == {"close_time": 99}


def test_large_payloads(disk):
    key = key_of(disk, "large-1")
    digest = hashlib.sha256(LARGE[0].data).digest()
    disk.blobs[digest] = b"changed"
    finding = only_finding(disk)
    assert told(finding) == ("large-1", "blob", "is not what was stored") and finding.name == digest.hex()

    del disk.blobs[digest]
    assert told(only_finding(disk)) == ("large-1", "blob", "is named by the history and is missing")

    disk.blobs[digest] = LARGE[0].data
    disk.blob_holders[digest].discard(key)
    assert told(only_finding(disk)) == ("large-1", "blob", "is named by the history, and is not kept for this run")

    disk.blob_holders[digest] = {key, key_of(disk, "short-1")}
    assert told(only_finding(disk)) == ("short-1", "blob", "is kept for this run, and its history does not name it")


def test_rows_of_a_run_that_does_not_exist(disk):
    del disk.runs[key_of(disk, "working-1")]
    found = findings(disk)
    assert {finding.place for finding in found} == {"history", "task", "timer"}
    assert {finding.problem for finding in found} == {"belongs to a run that does not exist"}
    assert {finding.key for finding in found} == {key_of(disk, "working-1")}


def test_damage_of_the_file_comes_first_and_what_is_left_is_still_checked(disk):
    class Damaged(DiskReader):
        def damages(self) -> Iterator[str]:
            yield "row 7 missing from index runs_by_status"

        def holdings(self) -> Iterator[Holding]:
            yield from list(super().holdings())[:3]
            raise StoreCorruptError("reading store.db failed: the file is damaged")

    disk.runs[min(disk.runs)].start_time = 5
    found = list(check_store(Damaged(disk)))
    assert [finding.place for finding in found] == ["file", "run", "file"]
    assert found[-1].problem == "the rest can't be checked: reading store.db failed: the file is damaged"


def test_a_store_that_can_not_be_read_now_is_no_finding(disk):
    class Locked(DiskReader):
        def holdings(self) -> Iterator[Holding]:
            raise StoreLockedError("in use")
            yield

    with pytest.raises(StoreLockedError):
        list(check_store(Locked(disk)))
