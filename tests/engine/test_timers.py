"""Alarms that are due all at once."""

import asyncio

from perdure.engine.clock import SystemClock
from perdure.engine.timers import SLICE, Alarms


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
    async with asyncio.timeout(10):
        while len(fired) < 2:
            await asyncio.sleep(0)
    assert fired == [0, 3 * SLICE]
