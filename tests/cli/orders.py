"""The program whose store the tests look into: a run of every kind, in every state that stays."""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import perdure
from perdure import App, ApplicationError, Retry, activity, workflow
from perdure.sdk.handles import Run

app = App("shop")

LARGE = "x" * 100_000
PLACED = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOSTILE_ID = "evil\x1b[31m\n漢字"


class CardDeclined(Exception):
    pass


@dataclass(frozen=True)
class Order:
    id: str
    cents: int


@app.activity(start_to_close=10, retry=Retry(max_attempts=2, initial=0.01))
async def charge(order: Order) -> str:
    if order.cents > 1000:
        raise CardDeclined("no funds")
    return f"pay-{order.id}"


@app.activity(retry=Retry(initial=3600, maximum=3600, max_attempts=5))
async def deliver(order_id: str) -> str:
    raise ConnectionError("the carrier is down\ntry later")


@app.activity(heartbeat=timedelta(hours=1), task_queue="packing", retry=Retry(max_attempts=1))
async def pack(order_id: str) -> None:
    activity.heartbeat({"boxes": 3})
    await asyncio.Event().wait()


@app.workflow
async def fulfil(order: Order) -> str:
    return await charge(order)


@app.workflow
async def ship(order_id: str) -> str:
    workflow.progress(3, 12, "packing")
    await asyncio.gather(
        deliver(order_id),
        pack(order_id),
        asyncio.sleep(86_400),
        approve.options(id=f"approve-{order_id}", parent_close="abandon")(order_id),
    )
    return "shipped"


@app.workflow
async def approve(order_id: str) -> bool:
    await workflow.wait_condition(lambda: False)
    return True


@app.workflow
async def broken(order_id: str) -> None:
    raise TypeError("a bug in the program")


@app.workflow
async def echo(value: object) -> object:
    return value


@app.workflow
async def countdown(left: int) -> str:
    if left:
        workflow.continue_as_new(left - 1)
    return "done"


@app.workflow
async def refuse(reason: str) -> None:
    raise ApplicationError(reason, {"code": 7}, type="Refused")


async def fill(path: Path) -> None:
    """Write the store."""
    async with perdure.open(app, store=f"sqlite:///{path}") as client:
        for number in range(3):
            cheap = {"Cents": 100, "Placed": PLACED}
            await client.execute(fulfil, Order(f"o{number}", 100), id=f"order-{number}", search_attributes=cheap)
        dear = {"Cents": 5000, "Placed": PLACED}
        await _ended(await client.start(fulfil, Order("dear", 5000), id="order-dear", search_attributes=dear))
        await client.start(ship, "s1", id="ship-1")
        await (await client.start(approve, "a1", id="stopped")).terminate("not wanted")
        await (await client.start(approve, "a2", id="paused", memo={"note": "by hand"})).pause("lunch")
        await client.start(broken, "b1", id="broken")
        await client.execute(echo, LARGE, id="large")
        await client.execute(echo, b"\x00\xff", id="binary")
        await client.execute(echo, 1, id=HOSTILE_ID)
        await client.execute(countdown, 2, id="countdown")
        await _ended(await client.start(refuse, "closed on Sundays", id="refused"))
        await client.with_namespace("other").execute(echo, 1, id="elsewhere")
        await client.set_namespace("other", description="for tests")
        await _settled(client)
        # As a kill would leave it: what runs is still recorded as running.
        os._exit(0)


async def _settled(client: perdure.Client) -> None:
    """Wait until nothing changes any more: what was to fail has failed, what was to begin has begun."""
    while "a bug in the program" not in repr((await client.get("broken").describe()).turn):
        await asyncio.sleep(0.01)
    while True:
        described = await client.get("ship-1").describe()
        shown = repr(described.activities)
        if "the carrier is down" in shown and "boxes" in shown and described.children and described.children[0].run_id:
            break
        await asyncio.sleep(0.01)
    while (await client.get("approve-s1").describe()).turn is not None:
        await asyncio.sleep(0.01)


async def _ended(run: Run[object]) -> None:
    with suppress(perdure.WorkflowFailedError):
        await run.result()


if __name__ == "__main__":
    import sys

    asyncio.run(fill(Path(sys.argv[1])))
