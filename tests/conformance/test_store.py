"""What the ``Store`` port promises, in the order of its docstrings."""

import asyncio
from functools import partial
from typing import Any

import pytest
from tests.conformance.rooms import (
    Room,
    attempt,
    blobs,
    close,
    commits,
    delete,
    find,
    list_keys,
    read,
    row,
    start,
    task,
    write,
)

from perdure.engine.ports import MessageRow, Store, StoredRun, TimerRow, Write
from perdure.model.errors import StoreConflictError, StoreError, StoreLockedError
from perdure.model.namespaces import Namespace, Quota
from perdure.model.options import RunStatus
from perdure.model.search import AttributeType
from perdure.model.task_queues import TaskQueue

FOREVER = 1 << 62


# --- opening


async def test_an_empty_store_begins_with_key_one(room: Room):
    store = room.store()
    opened = await store.open()
    assert opened.epoch >= 1
    assert opened.next_key == 1
    await store.close()


async def test_each_opening_has_a_higher_epoch_and_the_next_free_key(room: Room):
    first = room.store()
    before = await first.open()
    await write(first, start(1), start(2), start(7))
    await first.close()

    second = room.store()
    after = await second.open()
    assert after.epoch > before.epoch
    assert after.next_key == 8
    await second.close()


async def test_what_was_written_is_there_after_reopening(room: Room):
    first = room.store()
    await first.open()
    await write(first, start(1), Write(1, 2, b"two", tasks=[task(1, 5)], timers=[(9, 3)], messages=[(4, b"m")]))
    await first.set_namespace(Namespace("billing", 5, "Invoices"))
    await first.close()

    second = room.store()
    await second.open()
    assert await commits(second, 1) == [b"start-1", b"two"]
    assert await second.tasks((0, -1), 9) == [task(1, 5)]
    assert await second.timers(FOREVER, None, 9) == [TimerRow(9, 1, 3)]
    assert await second.messages((0, -1), 9) == [MessageRow(1, 4, b"m")]
    assert Namespace("billing", 5, "Invoices") in await second.namespaces()
    assert await find(second, "order-1") == row(1)
    await second.close()


async def test_an_owned_store_is_locked(room: Room):
    owner, other = room.store(), room.store()
    await owner.open()
    with pytest.raises(StoreLockedError, match="close"):
        await other.open()
    await write(owner, start(1))
    await owner.close()
    assert (await other.open()).next_key == 2
    await other.close()


async def test_closing_finishes_what_was_handed_in(room: Room):
    store = room.store()
    await store.open()
    outcomes: list[StoreError | None] = []
    for key in range(1, 50):
        store.write([start(key)], outcomes.append)
    store.delete(range(1, 300), outcomes.append)
    await store.close()
    await asyncio.sleep(0)
    assert outcomes == [None] * 50

    again = room.store()
    await again.open()
    assert await list_keys(again) == []
    await again.close()


async def test_a_closed_store_refuses(room: Room):
    store = room.store()
    await store.open()
    await store.close()
    assert isinstance(await attempt(store, start(1)), StoreError)


async def test_a_store_can_be_opened_again_after_closing(room: Room):
    store = room.store()
    await store.open()
    await write(store, start(1))
    await store.close()
    assert (await store.open()).next_key == 2
    assert await find(store, "order-1") == row(1)
    await store.close()


# --- writing


async def test_done_does_not_come_before_write_returns(store: Store):
    calls: list[StoreError | None] = []
    store.write([start(1)], calls.append)
    assert calls == []
    await write(store, start(2))
    assert calls == [None]


async def test_done_comes_in_the_order_of_the_calls(store: Store):
    order: list[int] = []

    def note(key: int, error: StoreError | None) -> None:
        order.append(key)

    last = asyncio.get_running_loop().create_future()
    for key in range(1, 200):
        store.write([start(key)], partial(note, key))
    store.write([], last.set_result)
    assert await last is None
    assert order == list(range(1, 200))


async def test_reads_see_what_is_done(store: Store):
    seen: list[bool] = []
    last = asyncio.get_running_loop().create_future()

    def look(key: int, error: StoreError | None) -> None:
        store.find("default", f"order-{key}", "", lambda found: seen.append(found == row(key)))
        store.read(key, lambda stored: seen.append(isinstance(stored, StoredRun)))

    for key in range(1, 100):
        store.write([start(key)], partial(look, key))
    store.write([], last.set_result)
    await last
    assert seen == [True] * 198


async def test_many_runs_are_read_as_each_is(store: Store):
    await write(store, *(start(key) for key in range(1, 40)))
    await write(store, Write(3, 2, b"two"), Write(7, 2, b"zwei"), Write(3, 3, b"three"))
    await write(store, start(40, "order-7"))
    wanted = [40, 3, 7, 12, 99, 1, *range(20, 35)]
    alone: dict[int, Any] = {}
    for key in wanted:
        store.read(key, partial(alone.__setitem__, key))
    found: list[Any] = []
    store.read_many(wanted, found.append)
    assert {stored.row.key: (stored.row, list(stored.commits), stored.is_last) for stored in found[0]} == {
        key: (stored.row, list(stored.commits), stored.is_last) for key, stored in alone.items() if stored is not None
    }
    assert len(found[0]) == len(wanted) - 1


async def test_a_batch_may_hold_several_commits_of_a_run(store: Store):
    await write(
        store,
        start(1),
        Write(1, 2, b"two", tasks=[task(1, 5)]),
        Write(1, 3, b"three", tasks_done=[5]),
        close(1, number=4),
    )
    assert await commits(store, 1) == [b"start-1", b"two", b"three", b"close-1"]
    assert await store.tasks((0, -1), 9) == []
    assert await find(store, "order-1") == close(1).changed


async def test_many_runs_in_one_batch(store: Store):
    keys = range(1, 3_000)
    await write(store, *(start(key) for key in keys))
    await write(store, *(close(key) for key in keys))
    assert await list_keys(store, RunStatus.COMPLETED, limit=5_000) == list(reversed(keys))
    assert await commits(store, 2_999) == [b"start-2999", b"close-2999"]


async def test_only_what_may_change_changes(store: Store):
    await write(store, start(1, parent=b"p", memo=b"m"))
    changed = row(1, "x", status=RunStatus.FAILED, close_time=7, history_length=8, memo=b"n", search_attributes=b"s")
    await write(store, Write(1, 0, changed=changed))
    expected = row(
        1, status=RunStatus.FAILED, close_time=7, history_length=8, memo=b"n", search_attributes=b"s", parent=b"p"
    )
    assert await find(store, "order-1") == expected
    assert await find(store, "x") is None
    assert await commits(store, 1) == [b"start-1"]


async def test_the_store_keeps_no_hold_of_what_it_returns(store: Store):
    await write(store, start(1))
    found = await find(store, "order-1")
    assert found is not None
    found.status = RunStatus.FAILED
    assert await find(store, "order-1") == row(1)


async def test_a_commit_that_is_there_already_is_a_conflict(store: Store):
    await write(store, start(1))
    assert isinstance(await attempt(store, Write(1, 1, b"again")), StoreConflictError)
    assert await commits(store, 1) == [b"start-1"]


@pytest.mark.parametrize("number", [2, 3, 4])
async def test_a_commit_that_leaves_a_gap_is_a_conflict(store: Store, number: int):
    await write(store, start(1))
    assert isinstance(await attempt(store, Write(1, number + 1, b"later")), StoreConflictError)
    assert isinstance(await attempt(store, Write(2, number, b"no such run")), StoreConflictError)
    assert await commits(store, 1) == [b"start-1"]


@pytest.mark.parametrize("numbers", [(2, 2), (3, 2), (2, 4), (2, 3, 3)])
async def test_commits_within_a_batch_must_follow_each_other(store: Store, numbers: tuple[int, ...]):
    await write(store, start(1))
    error = await attempt(store, *(Write(1, number, b"x") for number in numbers))
    assert isinstance(error, StoreConflictError)
    assert await commits(store, 1) == [b"start-1"]


async def test_creating_a_run_twice_is_a_conflict(store: Store):
    await write(store, start(1))
    assert isinstance(await attempt(store, Write(1, 0, created=row(1, "other"))), StoreConflictError)
    assert isinstance(await attempt(store, start(2), start(2)), StoreConflictError)
    assert await list_keys(store) == [1]
    assert await find(store, "other") is None


async def test_changing_a_run_that_is_not_there_is_a_conflict(store: Store):
    assert isinstance(await attempt(store, Write(1, 0, changed=row(1))), StoreConflictError)
    assert isinstance(await attempt(store, Write(2, 0, changed=row(2)), start(2)), StoreConflictError)
    assert await list_keys(store) == []


async def test_a_failing_batch_changes_nothing(store: Store):
    await write(store, start(1), Write(1, 2, b"two", tasks=[task(1, 5)], timers=[(9, 5)], messages=[(7, b"m")]))
    error = await attempt(
        store,
        start(2),
        close(1, number=3),
        Write(1, 0, tasks=[task(1, 6)], tasks_done=[5], timers=[(10, 6)], timers_done=[(9, 5)], messages_done=[7]),
        Write(2, 2, b"two", blobs=[(b"d", b"data")], messages=[(8, b"n")]),
        Write(1, 9, b"does not follow"),
    )
    assert isinstance(error, StoreConflictError)
    assert await list_keys(store, RunStatus.RUNNING) == [1]
    assert await commits(store, 1) == [b"start-1", b"two"]
    assert await find(store, "order-2") is None
    assert await store.tasks((0, -1), 9) == [task(1, 5)]
    assert await store.timers(FOREVER, None, 9) == [TimerRow(9, 1, 5)]
    assert await store.messages((0, -1), 9) == [MessageRow(1, 7, b"m")]
    assert await blobs(store, b"d") == {}


async def test_only_the_batch_that_is_to_blame_fails(store: Store):
    outcomes: list[StoreError | None] = []
    last = asyncio.get_running_loop().create_future()
    for key in range(1, 20):
        store.write([start(key)], outcomes.append)
        if key == 10:
            store.write([start(100), Write(5, 7, b"does not follow")], outcomes.append)
    store.write([], last.set_result)
    await last
    assert [outcome for outcome in outcomes if outcome is None] == [None] * 19
    assert isinstance(outcomes[10], StoreConflictError)
    assert await list_keys(store) == list(range(19, 0, -1))


async def test_an_owner_that_lost_the_store_can_not_write(room: Room, store: Store):
    await write(store, start(1))
    room.take_away()
    assert isinstance(await attempt(store, start(2)), StoreConflictError)
    assert isinstance(await attempt(store, Write(1, 2, b"two")), StoreConflictError)
    outcome: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
    store.delete([1], outcome.set_result)
    assert isinstance(await outcome, StoreConflictError)
    with pytest.raises(StoreConflictError):
        await store.set_namespace(Namespace("billing"))
    with pytest.raises(StoreConflictError):
        await store.set_task_queue(TaskQueue("default", "zoo", concurrency=3))
    with pytest.raises(StoreConflictError):
        await store.set_document("token", "a", b"one")
    await store.close()

    heir = room.store()
    await heir.open()
    assert await commits(heir, 1) == [b"start-1"]
    assert await list_keys(heir) == [1]
    assert await heir.namespaces() == [Namespace("default")]
    assert await heir.task_queues() == []
    assert await heir.documents("token") == []
    await heir.close()


async def test_values_come_back_as_they_were(store: Store):
    values: dict[str, Any] = {
        "namespace": "größe ☃",
        "workflow_id": "𝄞/\\'\"; DROP TABLE runs; -- \x00 end",
        "run_id": "r" * 500,
        "start_time": (1 << 63) - 1,
        "memo": bytes(range(256)),
        "search_attributes": b"\x80",
        "parent": b"\x00",
        "status": RunStatus.PAUSED,
    }
    records = bytes(range(256)) * 4_000
    await write(store, Write(1, 1, records, created=row(1, **values)))
    found = await find(store, values["workflow_id"], namespace=values["namespace"])
    assert found == row(1, **values)
    assert found is not None
    assert type(found.status) is RunStatus
    assert type(found.memo) is bytes
    stored = await read(store, 1)
    assert stored is not None
    assert list(stored.commits) == [records]
    assert type(stored.commits[0]) is bytes


# --- tasks, timers, messages


async def test_tasks_are_replaced_and_dropped_by_ref(store: Store):
    await write(store, start(1), Write(1, 0, tasks=[task(1, 0), task(1, 5, started=True, due=77), task(1, 6)]))
    await write(store, Write(1, 0, tasks=[task(1, 5, task_queue="other", type="new")], tasks_done=[6, 99]))
    assert await store.tasks((0, -1), 9) == [task(1, 0), task(1, 5, task_queue="other", type="new")]


async def test_what_is_done_goes_before_what_is_new(store: Store):
    await write(store, start(1), Write(1, 0, tasks=[task(1, 5)], timers=[(9, 5)], messages=[(7, b"old")]))
    await write(
        store,
        Write(
            1,
            0,
            tasks=[task(1, 5, due=8)],
            tasks_done=[5],
            timers=[(9, 5)],
            timers_done=[(9, 5)],
            messages=[(7, b"new")],
            messages_done=[7],
        ),
    )
    assert await store.tasks((0, -1), 9) == [task(1, 5, due=8)]
    assert await store.timers(FOREVER, None, 9) == [TimerRow(9, 1, 5)]
    assert await store.messages((0, -1), 9) == [MessageRow(1, 7, b"new")]


async def test_later_writes_of_a_batch_undo_earlier_ones(store: Store):
    await write(
        store,
        start(1),
        Write(1, 0, tasks=[task(1, 5)], timers=[(9, 5)], messages=[(7, b"m")]),
        Write(1, 0, tasks_done=[5], timers_done=[(9, 5)], messages_done=[7]),
        Write(1, 0, tasks=[task(1, 6)]),
        Write(1, 0, tasks=[task(1, 6, due=3)]),
    )
    assert await store.tasks((0, -1), 9) == [task(1, 6, due=3)]
    assert await store.timers(FOREVER, None, 9) == []
    assert await store.messages((0, -1), 9) == []


async def test_dropping_what_is_not_there_is_no_error(store: Store):
    await write(store, start(1))
    await write(store, Write(1, 0, tasks_done=[4], timers_done=[(1, 2)], messages_done=[3]))
    await write(store, Write(9, 0, tasks_done=[4], timers_done=[(1, 2)], messages_done=[3]))


async def test_tasks_come_in_pages_in_the_order_of_key_and_ref(store: Store):
    await write(store, *(Write(key, 0, tasks=[task(key, ref) for ref in (30, 0, 7)]) for key in (2, 1, 3)))
    everything = [task(key, ref) for key in (1, 2, 3) for ref in (0, 7, 30)]
    assert await store.tasks((0, -1), 100) == everything
    assert await store.tasks((1, 7), 3) == everything[2:5]
    assert await store.tasks((3, 30), 3) == []
    assert await store.tasks((1, 8), 1) == [task(1, 30)]


async def test_timers_come_in_pages_in_the_order_of_their_time(store: Store):
    await write(
        store,
        Write(2, 0, timers=[(10, 1), (30, 1)]),
        Write(1, 0, timers=[(10, 9), (10, 2)]),
        Write(3, 0, timers=[(20, 0)]),
    )
    everything = [TimerRow(10, 1, 2), TimerRow(10, 1, 9), TimerRow(10, 2, 1), TimerRow(20, 3, 0), TimerRow(30, 2, 1)]
    assert await store.timers(FOREVER, None, 100) == everything
    assert await store.timers(20, None, 100) == everything[:4]
    assert await store.timers(19, None, 2) == everything[:2]
    assert await store.timers(19, everything[1], 2) == [everything[2]]
    assert await store.timers(9, None, 2) == []


async def test_one_ref_may_have_timers_at_several_times(store: Store):
    await write(store, Write(1, 0, timers=[(10, 1), (20, 1)]))
    await write(store, Write(1, 0, timers=[(10, 1)], timers_done=[(20, 1)]))
    assert await store.timers(FOREVER, None, 9) == [TimerRow(10, 1, 1)]


async def test_messages_come_in_pages_in_the_order_of_key_and_ref(store: Store):
    await write(store, *(Write(key, 0, messages=[(5, b"five"), (2, b"two")]) for key in (3, 1)))
    everything = [
        MessageRow(1, 2, b"two"),
        MessageRow(1, 5, b"five"),
        MessageRow(3, 2, b"two"),
        MessageRow(3, 5, b"five"),
    ]
    assert await store.messages((0, -1), 100) == everything
    assert await store.messages((1, 2), 2) == everything[1:3]
    assert await store.messages((3, 5), 2) == []


async def test_a_message_with_the_same_ref_is_replaced(store: Store):
    await write(store, Write(1, 0, messages=[(5, b"old")]))
    await write(store, Write(1, 0, messages=[(5, b"new" * 10_000)]))
    assert await store.messages((0, -1), 9) == [MessageRow(1, 5, b"new" * 10_000)]


# --- finding, reading


async def test_find_of_what_is_not_there(store: Store):
    await write(store, start(1))
    assert await find(store, "order-2") is None
    assert await find(store, "order-1", "run-2") is None
    assert await find(store, "order-1", namespace="other") is None
    assert await find(store, "") is None


async def test_find_gives_the_run_that_was_started_last(store: Store):
    await write(store, start(1, "same"), start(2, "other"), start(3, "same"))
    await write(store, start(4, "same", namespace="elsewhere"))
    assert await find(store, "same") == row(3, "same")
    await write(store, close(3, "same"))
    assert await find(store, "same") == close(3, "same").changed
    assert await find(store, "same", "run-1") == row(1, "same")
    assert await find(store, "same", namespace="elsewhere") == row(4, "same", namespace="elsewhere")


async def test_find_gives_the_highest_key_even_if_it_was_written_first(store: Store):
    await write(store, start(5, "same"))
    await write(store, start(2, "same"))
    assert await find(store, "same") == row(5, "same")
    assert await find(store, "same", "run-2") == row(2, "same")


async def test_find_in_a_long_chain_of_runs(store: Store):
    await write(store, *(start(key, "chain") for key in range(1, 500)))
    assert await find(store, "chain") == row(499, "chain")
    assert await find(store, "chain", "run-499") == row(499, "chain")
    assert await find(store, "chain", "run-2") == row(2, "chain")
    assert await find(store, "chain", "run-500") is None


async def test_read_never_takes_an_earlier_run_for_the_last_one(store: Store):
    for keys in ((1, 2), (7, 5), (9,)):
        await write(store, *(start(key, "same") for key in keys), start(keys[0] + 90, "other"))
        stored = {key: await read(store, key) for key in (1, 2, 5, 7, 9)}
        last = max(key for key, run in stored.items() if run is not None)
        assert [key for key, run in stored.items() if run is not None and run.is_last] in ([], [last])
    other = await read(store, 91)
    assert other is not None
    assert other.row.workflow_id == "other"


async def test_read_of_what_is_not_there(store: Store):
    assert await read(store, 1) is None
    assert await store.history(1) is None


async def test_read_and_history_give_row_and_commits(store: Store):
    await write(store, start(1), *(Write(1, number, b"%d" % number) for number in range(2, 40)), start(2))
    await write(store, close(1, number=40))
    stored = await read(store, 1)
    assert stored is not None
    assert stored.row == close(1).changed
    assert list(stored.commits) == [b"start-1", *(b"%d" % number for number in range(2, 40)), b"close-1"]
    again = await store.history(1)
    assert again is not None
    assert (again.row, list(again.commits)) == (stored.row, list(stored.commits))
    for skipped in (1, 38, 39, 40, 41):
        rest = await store.history(1, skipped)
        assert rest is not None
        assert (rest.row, list(rest.commits)) == (stored.row, list(stored.commits)[skipped:])


async def test_large_payloads(store: Store):
    await write(store, start(1), Write(1, 2, b"two", blobs=[(b"a" * 32, b"A" * 100_000), (b"b" * 32, b"")]))
    assert await store.blob(b"a" * 32) == b"A" * 100_000
    assert await store.blob(b"b" * 32) == b""
    assert await store.blob(b"c" * 32) is None
    assert await blobs(store, b"a" * 32, b"c" * 32) == {b"a" * 32: b"A" * 100_000}
    assert await blobs(store) == {}


# --- lists


async def test_lists_are_newest_first_and_come_in_pages(store: Store):
    await write(store, *(start(key) for key in (1, 2, 3, 4, 5)), start(6, namespace="other"))
    assert await list_keys(store) == [5, 4, 3, 2, 1]
    assert await list_keys(store, limit=2) == [5, 4]
    assert await list_keys(store, before=4, limit=2) == [3, 2]
    assert await list_keys(store, before=1) == []
    assert await list_keys(store, namespace="other") == [6]
    assert await list_keys(store, namespace="third") == []


async def test_lists_by_status_and_type(store: Store):
    await write(store, *(start(key, workflow_type="AB"[key % 2]) for key in range(1, 9)))
    await write(store, close(2), close(3, status=RunStatus.FAILED), close(5, status=RunStatus.FAILED), close(6))
    assert await list_keys(store, RunStatus.RUNNING) == [8, 7, 4, 1]
    assert await list_keys(store, RunStatus.FAILED, RunStatus.COMPLETED) == [6, 5, 3, 2]
    assert await list_keys(store, RunStatus.FAILED, RunStatus.COMPLETED, limit=3) == [6, 5, 3]
    assert await list_keys(store, RunStatus.FAILED, RunStatus.COMPLETED, before=5, limit=3) == [3, 2]
    assert await list_keys(store, RunStatus.TERMINATED) == []
    assert await list_keys(store, workflow_type="A") == [8, 6, 4, 2]
    assert await list_keys(store, RunStatus.RUNNING, workflow_type="B", limit=1) == [7]
    assert await list_keys(store, workflow_type="C") == []


async def test_closed_before(store: Store):
    await write(store, *(start(key) for key in range(1, 7)), start(7, namespace="other"))
    await write(
        store, close(2, close_time=20), close(3, close_time=10, status=RunStatus.FAILED), close(4, close_time=30)
    )
    await write(store, close(7, close_time=8, namespace="other"))
    assert sorted(await store.closed_before("default", 30, 9)) == [2, 3]
    assert sorted(await store.closed_before("default", 31, 9)) == [2, 3, 4]
    assert len(await store.closed_before("default", 31, 2)) == 2
    assert await store.closed_before("default", 10, 9) == []
    assert await store.closed_before("default", 1, 9) == []
    assert await store.closed_before("other", 10, 9) == [7]


# --- deleting


async def test_delete_removes_all_of_a_run_and_nothing_else(store: Store):
    for key in (1, 2, 3):
        await write(
            store,
            start(key, "same"),
            Write(
                key, 2, b"two", tasks=[task(key, 5)], timers=[(9, 5)], messages=[(7, b"m")], blobs=[(b"%d" % key, b"x")]
            ),
        )
    await delete(store, 1, 3)
    assert await list_keys(store) == [2]
    assert await list_keys(store, RunStatus.RUNNING) == [2]
    assert await read(store, 1) is None
    assert await find(store, "same") == row(2, "same")
    assert await find(store, "same", "run-3") is None
    assert await commits(store, 2) == [b"start-2", b"two"]
    assert await store.tasks((0, -1), 9) == [task(2, 5)]
    assert await store.timers(FOREVER, None, 9) == [TimerRow(9, 2, 5)]
    assert await store.messages((0, -1), 9) == [MessageRow(2, 7, b"m")]
    assert await blobs(store, b"1", b"2", b"3") == {b"2": b"x"}


async def test_a_deleted_run_can_not_be_written_to(store: Store):
    await write(store, start(1))
    await delete(store, 1)
    assert isinstance(await attempt(store, Write(1, 2, b"two")), StoreConflictError)
    assert isinstance(await attempt(store, close(1)), StoreConflictError)
    assert await read(store, 1) is None


async def test_blobs_stay_while_any_run_names_them(store: Store):
    shared = (b"shared", b"data")
    await write(store, start(1), Write(1, 2, b"", blobs=[shared, (b"own", b"1")]))
    await write(store, start(2), Write(2, 2, b"", blobs=[shared]), Write(2, 3, b"", blobs=[shared]))
    await delete(store, 1)
    assert await blobs(store, b"shared", b"own") == {b"shared": b"data"}
    await delete(store, 2)
    assert await blobs(store, b"shared", b"own") == {}
    await write(store, start(3), Write(3, 2, b"", blobs=[shared]))
    assert await store.blob(b"shared") == b"data"


async def test_deleting_many_and_unknown_runs(store: Store):
    await write(store, *(start(key) for key in range(1, 400)))
    await delete(store, *range(100, 1_000))
    assert await list_keys(store, limit=1_000) == list(range(99, 0, -1))
    await delete(store)


async def test_keys_of_deleted_runs_are_not_given_out_again(room: Room):
    store = room.store()
    await store.open()
    await write(store, *(start(key) for key in range(1, 10)))
    await delete(store, *range(1, 10))
    await store.close()
    assert (await store.open()).next_key == 10
    await store.close()


# --- namespaces


async def test_there_is_always_the_default_namespace(store: Store):
    assert await store.namespaces() == [Namespace("default")]


async def test_namespaces_are_created_and_replaced(store: Store):
    await store.set_namespace(Namespace("zoo", 1, "Animals"))
    await store.set_namespace(Namespace("billing"))
    await store.set_namespace(Namespace("default", 7))
    await store.set_namespace(Namespace("zoo", 2))
    assert await store.namespaces() == [Namespace("billing"), Namespace("default", 7), Namespace("zoo", 2)]


async def test_a_namespace_keeps_its_quota_and_whether_it_goes(room: Room):
    quota = Quota(open_runs=5, starts_per_second=0.25, requests_per_second=3, payload_bytes=1 << 40, share=2.5)
    first = room.store()
    await first.open()
    await first.set_namespace(Namespace("billing", 1, "", quota, is_deleted=True))
    await first.close()
    second = room.store()
    await second.open()
    assert (await second.namespaces())[0] == Namespace("billing", 1, "", quota, is_deleted=True)
    await second.close()


async def test_a_namespace_goes_with_what_is_set_about_it(store: Store):
    for name in ("billing", "other"):
        await store.set_namespace(Namespace(name))
        await store.set_task_queue(TaskQueue(name, "q", concurrency=1))
        await write(store, Write(0, 0, attribute_types=[(name, "Amount", AttributeType.INT)]))
    await store.delete_namespace("billing")
    await store.delete_namespace("never there")
    assert await store.namespaces() == [Namespace("default"), Namespace("other")]
    assert [queue.namespace for queue in await store.task_queues()] == ["other"]
    assert {name: dict(types) for name, types in (await store.attribute_types()).items() if types} == {
        "other": {"Amount": AttributeType.INT}
    }


async def test_types_stay_while_a_run_of_the_namespace_is_found_by_them(store: Store):
    await write(store, Write(0, 0, attribute_types=[("billing", "Amount", AttributeType.INT)]))
    await write(store, start(1, namespace="billing"))
    await store.delete_namespace("billing")
    assert (await store.attribute_types())["billing"] == {"Amount": AttributeType.INT}


# --- task queues


async def test_task_queues_are_set_and_replaced(room: Room):
    first = room.store()
    await first.open()
    assert await first.task_queues() == []
    await first.set_task_queue(TaskQueue("default", "zoo", concurrency=3))
    await first.set_task_queue(TaskQueue("billing", "zoo", 1, 2, 3, 4, 5, 6, True, "größe ☃", {"pay": 7}))
    await first.set_task_queue(TaskQueue("default", "ant", is_paused=True))
    await first.set_task_queue(TaskQueue("default", "zoo", rate=5))
    await first.close()

    second = room.store()
    await second.open()
    assert await second.task_queues() == [
        TaskQueue("billing", "zoo", 1, 2, 3, 4, 5, 6, True, "größe ☃", {"pay": 7}),
        TaskQueue("default", "ant", is_paused=True),
        TaskQueue("default", "zoo", rate=5),
    ]
    await second.close()


async def test_documents_are_set_replaced_and_removed(room: Room):
    first = room.store()
    await first.open()
    assert await first.documents("token") == []
    await first.set_document("token", "b", b"two")
    await first.set_document("token", "größe ☃", b"")
    await first.set_document("token", "a", b"one")
    await first.set_document("token", "b", b"\x00three")
    await first.set_document("webhook", "b", b"other")
    await first.set_document("token", "a", None)
    await first.set_document("token", "never there", None)
    await first.close()

    second = room.store()
    await second.open()
    assert await second.documents("token") == [("b", b"\x00three"), ("größe ☃", b"")]
    assert await second.documents("webhook") == [("b", b"other")]
    await second.close()


async def test_tasks_keep_their_placement(store: Store):
    tasks = [task(1, 5, placement=b"\x93where it stands"), task(1, 6)]
    await write(store, start(1), Write(1, 2, b"two", tasks=tasks))
    assert [row.placement for row in await store.tasks((-1, 0), 10)] == [b"\x93where it stands", b""]


async def test_figures_count_what_there_is(store: Store):
    day = 86_400 * 10**9
    now = 20_000 * day + 5
    await write(
        store, start(1, "a", start_time=now - day), start(2, "b", start_time=now), start(3, "c", start_time=now)
    )
    await write(
        store,
        close(1, "a", start_time=now - day, close_time=now),
        Write(
            2, 2, b"two", tasks=[task(2, 0, type="order"), task(2, 5)], timers=[(77, 6)], blobs=[(b"d" * 32, b"12345")]
        ),
        Write(3, 2, b"two", tasks=[task(3, 5), task(3, 6, started=True)], messages=[(7, b"hello")]),
    )
    found = await store.figures(now, 2)
    assert sum(run.count for run in found.runs) == 3
    assert [(run.status, run.count, run.oldest_start) for run in found.runs if run.status.is_closed] == [
        (RunStatus.COMPLETED, 1, now - day)
    ]
    assert [(t.type, t.is_turn, t.started, t.waiting, t.oldest_key) for t in found.tasks] == [
        ("order", True, 0, 1, 2),
        ("t", False, 1, 2, 2),
    ]
    assert [(d.day, d.started, d.closed) for d in found.days] == [(19_999 * day, 1, 0), (20_000 * day, 2, 1)]
    assert (found.timers, found.next_timer, found.messages, found.blobs, found.blob_bytes) == (1, 77, 1, 1, 5)
    assert (await store.figures(now, 0)).days == []
