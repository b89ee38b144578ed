"""Many schedules that are due in the same second, beside the runs of others."""

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.perdure_child.load import do_all, opened, percentile, warm_up
from bench.perdure_child.parent import Parent
from bench.perdure_child.programs import sequence
from perdure import Calendar, Client

OTHER_RUNS_A_SECOND = 50
CREATE_AT_ONCE = 100


async def due_at_once(parent: Parent, schedules: int, quiet_seconds: float) -> None:
    """`schedules` schedules, all due at one instant; runs of others are asked for at a steady rate all the time."""
    async with opened() as client:
        await warm_up(client, 10, 1, 0.5)
        rate = await creation_rate(client)
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(
            seconds=math.ceil(quiet_seconds + 1.5 * schedules / rate)
        )
        await do_all((create(client, f"s-{number}", due) for number in range(schedules)), CREATE_AT_ONCE)
        if datetime.now(UTC) + timedelta(seconds=quiet_seconds / 2) > due:
            raise RuntimeError("creating the schedules took until they were due")
        # The first filter of a process loads the parser, for 0.2 s of a thread, and how many have started is asked by filter.
        await client.count("WorkflowType = 'sequence'")
        others = Others(client)
        asking = asyncio.create_task(others.ask())
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
        others.begin_rush()
        while await count(client) < schedules:  # noqa: ASYNC110  # nobody tells when all have started
            await asyncio.sleep(0.1)
        others.asks = False
        await asking
        started = [
            run.started.timestamp() async for run in client.list("ScheduledById IS NOT NULL ORDER BY StartTime DESC")
        ]
        parent.say(
            "result",
            created_per_second=rate,
            all_started_seconds=max(started) - due.timestamp(),
            first_started_seconds=min(started) - due.timestamp(),
            quiet=others.report(others.quiet_ms),
            rush=others.report(others.rush_ms),
        )


async def creation_rate(client: Client) -> float:
    """Schedules created in a second. These are due in a week."""
    began = time.perf_counter()
    due = datetime.now(UTC) + timedelta(days=7)
    await do_all((create(client, f"early-{number}", due) for number in range(CREATE_AT_ONCE)), CREATE_AT_ONCE)
    return CREATE_AT_ONCE / (time.perf_counter() - began)


async def create(client: Client, name: str, due: datetime) -> None:
    """A schedule that is due once."""
    when = Calendar(
        year=due.year, month=due.month, day_of_month=due.day, hour=due.hour, minute=due.minute, second=due.second
    )
    await client.schedules.create(name, sequence, 1, 1, calendar=when)


async def count(client: Client) -> int:
    """How many runs schedules have started."""
    if "ScheduledById" not in await client.search_attributes():
        return 0
    return int(await client.count("ScheduledById IS NOT NULL"))


class Others:
    """Runs that have nothing to do with schedules, one every 20 ms, each timed from when it was due to be asked for."""

    def __init__(self, client: Client) -> None:
        self.asks = True
        self.quiet_ms: list[float] = []
        self.rush_ms: list[float] = []
        self._into = self.quiet_ms
        self._client = client

    def begin_rush(self) -> None:
        self._into = self.rush_ms

    async def ask(self) -> None:
        """Ask until `asks` is false; a late one does not delay the next."""
        clock = time.perf_counter
        due, asked = clock(), []
        while self.asks:
            due += 1 / OTHER_RUNS_A_SECOND
            await asyncio.sleep(max(0.0, due - clock()))
            asked.append(asyncio.create_task(self._one(due, self._into)))
        await asyncio.gather(*asked)

    async def _one(self, due: float, into: list[float]) -> None:
        await self._client.execute(sequence, 1, 1)
        into.append((time.perf_counter() - due) * 1000)

    def report(self, latencies_ms: list[float]) -> dict[str, Any]:
        return {
            "runs": len(latencies_ms),
            "p50_ms": percentile(latencies_ms, 50),
            "p99_ms": percentile(latencies_ms, 99),
        }
