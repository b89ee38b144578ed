"""A file of many runs with search attributes, and how long a client waits for the first page of a filter."""

import asyncio
import random
import statistics
import time
import uuid

import perdure
from bench.perdure_child.parent import Parent
from perdure.engine.encoding import encode_value
from perdure.engine.ports import RunRow, Write
from perdure.model.errors import StoreError
from perdure.model.options import RunStatus
from perdure.model.payloads import Payload
from perdure.model.search import AttributeType
from perdure.stores.sqlite import SqliteStore

PAGE = 100
REPEATS = 11
BATCH = 2_000
CUSTOMERS_PER_RUN = 0.01
REGIONS = ("east", "north", "south", "west")
WORKFLOW_TYPES = ("Loan", "Order", "Shipment")
TYPES = {"Customer": AttributeType.KEYWORD, "Region": AttributeType.KEYWORD, "Amount": AttributeType.INT}


async def search(parent: Parent, runs: int, filters: dict[str, str]) -> None:
    """Fill the file, then ask each filter for its first page and for its count."""
    began = time.perf_counter()
    await fill(parent, runs)
    fill_seconds = time.perf_counter() - began
    async with perdure.open(store="sqlite:///store.db") as client:
        began = time.perf_counter()
        await first_page(client, "ExecutionStatus = 'Paused'")
        loading_ms = (time.perf_counter() - began) * 1e3
        found = {name: await asked(client, filter) for name, filter in filters.items()}
    parent.say("result", fill_seconds=fill_seconds, loading_ms=loading_ms, found=found)


async def fill(parent: Parent, runs: int) -> None:
    """Write the runs as the engine would, without running them: one in a hundred is open."""
    store = SqliteStore("store.db")
    await store.open()
    chance, now = random.Random(runs), time.time_ns()
    customers = max(1, int(runs * CUSTOMERS_PER_RUN))
    types = [("default", name, type) for name, type in TYPES.items()]
    for first in range(1, runs + 1, BATCH):
        batch = [written(key, now, customers, chance) for key in range(first, min(first + BATCH, runs + 1))]
        batch[0].attribute_types = types
        done: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
        store.write(batch, done.set_result)
        error = await done
        if error is not None:
            raise error
        parent.progress(first, runs)
    await store.close()


def written(key: int, now: int, customers: int, chance: random.Random) -> Write:
    """A run that began a second after the one before."""
    customer, region = f"customer-{chance.randrange(customers)}", chance.choice(REGIONS)
    amount = chance.randrange(100_000)
    started = now + key * 1_000_000_000
    is_open = chance.random() < 0.01
    attributes = {"Customer": f'"{customer}"', "Region": f'"{region}"', "Amount": str(amount)}
    row = RunRow(
        key,
        "default",
        f"order-{key}",
        str(uuid.UUID(int=chance.getrandbits(128))),
        chance.choice(WORKFLOW_TYPES),
        "default",
        RunStatus.RUNNING if is_open else RunStatus.COMPLETED,
        started,
        0 if is_open else started + chance.randrange(3_600_000_000_000),
        11,
        search_attributes=encode_value({name: Payload(text.encode()) for name, text in attributes.items()}),
        build_id="0123456789ab",
    )
    entries: set[tuple[str, str | int | float]] = {("Customer", customer), ("Region", region), ("Amount", amount)}
    return Write(key, 1, b"\x90", created=row, entries=entries)


async def asked(client: perdure.Client, filter: str) -> dict[str, float]:
    """The waits for a filter's first page, and for its count, in ms."""
    pages, counts, count, listed, text = [], [], 0, 0, ""
    for number in range(REPEATS):
        # Each time for another customer, so that no answer is in the cache because it was asked for before.
        text = filter.replace("?", str(number))
        began = time.perf_counter()
        listed = await first_page(client, text)
        pages.append((time.perf_counter() - began) * 1e3)
    for _ in range(3):
        began = time.perf_counter()
        count = await client.count(text.partition("ORDER BY")[0])
        counts.append((time.perf_counter() - began) * 1e3)
    return {
        "first_ms": pages[0],
        "median_ms": statistics.median(pages),
        "slowest_ms": max(pages),
        "count_ms": statistics.median(counts),
        "count": count,
        "listed": listed,
    }


async def first_page(client: perdure.Client, filter: str) -> int:
    number = 0
    async for _ in client.list(filter):
        number += 1
        if number == PAGE:
            break
    return number
