"""Alarms that are due all at once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from perdure import App, workflow
from perdure.app import Embedded
from perdure.engine.clock import SystemClock
from perdure.engine.settings import Settings
from perdure.engine.timers import AHEAD, ALONE, BUCKET_NS, CROWD, PIECE, SHARE, SLICE, Alarms
from perdure.stores.memory import MemoryStore
from perdure.testing import environment
from perdure.testing.clock import VirtualClock


async def test_a_rush_of_alarms_takes_turns_with_everything_else():
    clock = SystemClock(asyncio.get_running_loop())
    fired: list[int] = []
    alarms = Alarms(clock, lambda key, ref: fired.append(key))
    count = 10 * SLICE
    due = clock.now_ns() + 1_000_000
    for key in range(count):
        alarms.set(key, 0, due)
    seen = []
    while len(fired) < count:
        seen.append(len(fired))
        await asyncio.sleep(0)
    steps = [later - sooner for sooner, later in zip(seen, [*seen[1:], count], strict=True)]
    assert max(steps) == SLICE
    assert sorted(fired) == list(range(count))


async def test_an_alarm_cancelled_within_the_rush_does_not_fire():
    clock = SystemClock(asyncio.get_running_loop())
    fired: list[int] = []

    def fire(key: int, ref: int) -> None:
        fired.append(key)
        if not key:
            for other in range(1, 3 * SLICE):
                alarms.cancel(other, 0)

    alarms = Alarms(clock, fire)
    for key in range(3 * SLICE + 1):
        alarms.set(key, 0, clock.now_ns() // 1_000_000_000 * 1_000_000_000 if key else 1)
    async with asyncio.timeout(100):
        while len(fired) < 2:
            await asyncio.sleep(0)
    assert fired == [0, 3 * SLICE]


def test_what_is_due_waits_until_the_last_goes_are_written():
    clock = VirtualClock(1)
    fired: list[int] = []
    alarms = Alarms(clock, lambda key, ref: fired.append(key), is_idle=lambda: False)
    count = 10 * AHEAD * SLICE - ALONE - 1
    for key in range(count):
        alarms.set(key, 0, 1)
    steps: list[int] = []
    for decisions in (0, 0, 3 * SLICE * SHARE, 0, 0, 0, 0, 0):
        before = len(fired)
        clock.advance_to(1)
        if not steps:
            for late in range(ALONE + 1):
                alarms.set(count + late, 0, 1)  # what comes late waits too
            clock.advance_to(1)
        steps.append(len(fired) - before)
        alarms.go_on(decisions)
    go = AHEAD * SLICE
    assert steps == [go, go, go, 3 * go, go, go, go, go]
    assert sorted(fired) == list(range(count + ALONE + 1))
    assert fired[-1] == count + ALONE


class Counting(VirtualClock):
    """How often it has called back."""

    called = 0

    def call_at(self, due_ns, callback):
        def counted() -> None:
            self.called += 1
            callback()

        return super().call_at(due_ns, counted)


def test_thousands_of_one_second_join_the_line_some_at_a_time():
    """Also while a go is being written; what the first of them set going comes after them all."""
    clock = Counting(1)
    fired: list[int] = []

    def fire(key: int, ref: int) -> None:
        fired.append(key)
        if key < 10:
            alarms.set_last(1_000_000 + key, 0)
            alarms.cancel(count - 1 - key, 0)

    alarms = Alarms(clock, fire, is_idle=lambda: False)
    count = 3 * PIECE + 100
    for key in range(count):
        alarms.set(key, 0, 5 * BUCKET_NS)
    alarms.set(2_000_000, 0, 5 * BUCKET_NS + 10)
    clock.advance_to(5 * BUCKET_NS)
    assert fired == list(range(SLICE))
    assert clock.called > count // CROWD
    clock.advance_to(5 * BUCKET_NS + 10)
    while alarms.goes:
        alarms.go_on(0)
        clock.advance_to(5 * BUCKET_NS + 10)
    late = [1_000_000 + key for key in range(10)]
    assert fired == [*range(SLICE), 2_000_000, *range(SLICE, count - 10), *late]
    assert not len(alarms)


async def test_one_that_comes_due_alone_does_not_wait_behind_thousands():
    clock = VirtualClock(1)
    fired: list[int] = []
    alarms = Alarms(clock, lambda key, ref: fired.append(key), is_idle=lambda: False)
    for key in range(20 * SLICE):
        alarms.set(key, 0, 10)
    alarms.set(1000, 0, 20)
    clock.advance_to(10)
    assert fired == list(range(AHEAD * SLICE))
    alarms.set_last(2000, 0)
    clock.advance_to(20)
    while alarms.goes:
        alarms.go_on(0)
        clock.advance_to(20)
    assert fired == [*range(AHEAD * SLICE), 1000, *range(AHEAD * SLICE, 20 * SLICE), 2000]


class Laborious(VirtualClock):
    """Time that each alarm takes, in ms."""

    def take(self, ms: int) -> None:
        self._now += ms * 1_000_000


def test_a_slice_lasts_for_milliseconds_whatever_an_alarm_takes():
    clock = Laborious(1)
    fired: list[int] = []

    def fire(key: int, ref: int) -> None:
        fired.append(key)
        clock.take(3)

    alarms = Alarms(clock, fire, is_idle=lambda: False)
    for key in range(300):
        alarms.set(key, 0, 1)
    steps: list[int] = []
    for other_ms in (0, 10, 100, 1, 10_000, 10_000):
        before = len(fired)
        clock.advance_to(clock.now_ns())
        steps.append(len(fired) - before)
        clock.take(other_ms)  # what else happens until all of it is written
        alarms.go_on(2 * SLICE * SHARE if other_ms == 10_000 else 0)
    go, long = 2, 5  # as many as begin within four milliseconds, or within an eighth of a hundred
    assert steps == [
        go * AHEAD,
        go * AHEAD,
        go * AHEAD,
        long + go * (AHEAD - 1),
        go * AHEAD,
        2 * SLICE + go * (AHEAD - 1),
    ]


async def test_hundreds_of_runs_wake_at_the_same_instant():
    app = App("sleepers")

    @app.workflow
    async def sleeper(number: int) -> int:
        await workflow.sleep(3600)
        return number

    async with environment(app, start_time=datetime(2026, 1, 1, tzinfo=UTC)) as env:
        runs = [await env.client.start(sleeper, number) for number in range(300)]
        assert [await run.result() for run in runs] == list(range(300))
        assert env.elapsed < timedelta(hours=2)


async def test_runs_that_are_due_together_are_read_together():
    """And only those of the slice, where there is room for them."""
    reads: list[Sequence[int]] = []

    class Noting(MemoryStore):
        def read(self, key, then):
            reads.append([key])
            super().read(key, then)

        def read_many(self, keys, then):
            reads.append(keys)
            super().read_many(keys, then)

    app = App("sleepers")

    @app.workflow
    async def sleeper(number: int) -> int:
        await workflow.sleep(0.5)
        return number

    count = 20 * SLICE
    embedded = Embedded([app], Noting(), SystemClock(asyncio.get_running_loop()), settings=Settings(resident_runs=100))
    await embedded.open()
    try:
        runs = [await embedded.client.start(sleeper, number) for number in range(count)]
        assert [await run.result() for run in runs] == list(range(count))
    finally:
        await embedded.close()
    assert 1 < max(map(len, reads)) <= 100 / 8
