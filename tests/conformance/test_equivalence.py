"""Whatever is done to them, the stores hold the same: random batches, good and bad, against all of them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.rooms import attempt, contents, delete, find, row, task
from tests.soaking import often

from perdure.engine.ports import Store, Write
from perdure.model.errors import StoreError
from perdure.model.options import RunStatus
from perdure.model.service import Namespace
from perdure.stores.memory import Disk, MemoryStore
from perdure.stores.sqlite import SqliteReader, SqliteStore, workflow_ids
from perdure.stores.sqlite.writer import Writer

KEYS = range(1, 7)
WORKFLOW_IDS = ("a", "b")
DIGESTS = tuple(b"%032d" % number for number in range(3))

refs = st.integers(0, 2)
dues = st.integers(0, 3)
small = st.binary(max_size=3)
writes = st.fixed_dictionaries(
    {
        "key": st.sampled_from(KEYS),
        # How far the commit's number is from the one that must come next; None is a write without history.
        "offset": st.sampled_from([None, 0, 0, 0, 0, 0, 0, 0, 1, -1]),
        "is_created": st.sampled_from(["if new", "if new", "if new", True, False]),
        "changed": st.none()
        | st.tuples(st.sampled_from(RunStatus), st.just(0) | st.integers(10, 19), st.integers(0, 9), small, small),
        "workflow_id": st.sampled_from(WORKFLOW_IDS),
        "records": small,
        "tasks": st.lists(st.tuples(refs, dues), max_size=2),
        "tasks_done": st.lists(refs, max_size=2),
        "timers": st.lists(st.tuples(dues, refs), max_size=2),
        "timers_done": st.lists(st.tuples(dues, refs), max_size=2),
        "messages": st.lists(st.tuples(refs, small), max_size=2),
        "messages_done": st.lists(refs, max_size=2),
        "blobs": st.lists(st.sampled_from(DIGESTS), max_size=2),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(writes, max_size=4)),
        st.tuples(st.just("write"), st.lists(writes, max_size=4)),
        st.tuples(
            st.just("write at once"),
            st.tuples(st.integers(1, 5), st.lists(st.lists(writes, min_size=1, max_size=2), max_size=4)),
        ),
        st.tuples(st.just("delete"), st.lists(st.sampled_from(KEYS), max_size=2)),
        st.tuples(st.just("namespace"), st.sampled_from(["default", "x", "y"])),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=25,
)


class Jobs:
    """How many jobs SQLite's writer takes into one transaction: left to itself, that depends on how busy the machine is."""

    may_go = threading.Event()
    taken = 1

    @classmethod
    @contextmanager
    def held(cls, taken: int) -> Iterator[None]:
        """Let all be queued, then have them taken so many at a time."""
        cls.may_go.clear()
        cls.taken = taken
        try:
            yield
        finally:
            cls.may_go.set()

    @classmethod
    def take(cls, writer: Writer) -> list[Any]:
        """In place of the writer's own."""
        jobs = [writer._queue.get()]
        cls.may_go.wait()
        while len(jobs) < cls.taken and not writer._queue.empty():
            jobs.append(writer._queue.get())
        return jobs


def write_of(plan: dict[str, Any], disk: Disk, batch: list[Write]) -> Write:
    """The write that is meant, on top of what is on the disk and of the batch so far."""
    key = plan["key"]
    before = [earlier for earlier in batch if earlier.key == key]
    number = 0
    if plan["offset"] is not None:
        commits = len(disk.histories.get(key, ())) + sum(1 for earlier in before if earlier.number)
        number = max(commits + 1 + plan["offset"], 0)
    is_there = key in disk.runs or any(earlier.created for earlier in before)
    created = (
        row(key, plan["workflow_id"]) if plan["is_created"] is True or (plan["is_created"] and not is_there) else None
    )
    changed = None
    if plan["changed"] is not None:
        held = disk.runs.get(key)
        workflow_id = held.workflow_id if held is not None else plan["workflow_id"]
        for earlier in [*before, Write(key, 0, created=created)]:
            if earlier.created is not None:
                workflow_id = earlier.created.workflow_id
        names = ("status", "close_time", "history_length", "memo", "search_attributes")
        changed = row(key, workflow_id, **dict(zip(names, plan["changed"], strict=True)))
    return Write(
        key,
        number,
        plan["records"],
        created=created,
        changed=changed,
        tasks=[task(key, ref, due=due) for ref, due in plan["tasks"]],
        blobs=[(digest, digest * 2) for digest in plan["blobs"]],
        **{name: plan[name] for name in ("tasks_done", "timers", "timers_done", "messages", "messages_done")},
    )


def batch_of(plans: list[dict[str, Any]], disk: Disk) -> list[Write]:
    batch: list[Write] = []
    for plan in plans:
        batch.append(write_of(plan, disk, batch))
    return batch


async def everything(store: Store) -> dict[str, Any]:
    held = await contents(store, KEYS, DIGESTS)
    for close_time in (12, 15):
        held[f"closed before {close_time}"] = sorted(await store.closed_before("default", close_time, 100))
    for workflow_id in WORKFLOW_IDS:
        held[f"last {workflow_id}"] = await find(store, workflow_id)
        for key in KEYS:
            held[f"{workflow_id} {key}"] = await find(store, workflow_id, f"run-{key}")
    return held


async def play(script: list[tuple[str, Any]], path: Path) -> None:
    disk = Disk()
    memory, sqlite = MemoryStore(disk), SqliteStore(path)
    await memory.open()
    await sqlite.open()
    try:
        for what, plan in script:
            await step(what, plan, disk, memory, sqlite)
            assert await everything(memory) == await everything(sqlite)
    finally:
        await memory.close()
        await sqlite.close()
    with SqliteReader(path) as reader:
        # Here anything is written for any key, so there may be rows of runs that never were.
        assert [problem for problem in reader.integrity() if "which does not exist" not in problem] == []


async def step(what: str, plan: Any, disk: Disk, *stores: Store) -> None:
    match what:
        case "write":
            batch = batch_of(plan, disk)
            outcomes = [type(await attempt(store, *batch)) for store in stores]
            assert outcomes[0] is outcomes[1]
        case "write at once":
            results: list[list[StoreError | None]] = [[], []]
            taken, batches = plan
            with Jobs.held(taken):
                for plans in batches:
                    # The memory store writes at once, so each batch is made for what the ones before it left.
                    batch = batch_of(plans, disk)
                    for result, store in zip(results, stores, strict=True):
                        store.write(batch, result.append)
            for store in stores:
                await attempt(store)
            assert [type(outcome) for outcome in results[0]] == [type(outcome) for outcome in results[1]]
        case "delete":
            for store in stores:
                await delete(store, *plan)
        case "namespace":
            for store in stores:
                await store.set_namespace(Namespace(plan, len(plan)))
        case "reopen":
            for store in stores:
                await store.close()
            opened = [await store.open() for store in stores]
            assert opened[0] == opened[1]
        case _:
            assert False, what


@pytest.fixture
def eager_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of workflow ids is moved to the disk all the time, and not after tens of thousands of runs."""
    monkeypatch.setattr(workflow_ids, "MOVE_AT", 2)
    monkeypatch.setattr(workflow_ids, "MOVE_AT_CLOSE", 2)
    monkeypatch.setattr(workflow_ids, "PARTS_AT_ONCE", 20)


@pytest.fixture
def drawn_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which batches meet in one transaction is drawn, and so the same each time a script is played."""
    Jobs.may_go.set()
    monkeypatch.setattr(Writer, "_jobs", lambda writer: Jobs.take(writer))


@pytest.mark.usefixtures("eager_moves", "drawn_jobs")
@settings(max_examples=often(50))
@given(script=steps)
def test_the_stores_hold_the_same(script: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(script, Path(folder) / "store.db"))
