"""An order is reserved in stock, paid, packed by a person and sent: four steps in four systems, over days.

When one of them can't be done, the earlier ones must be undone, or goods stay blocked and customers pay for nothing.
Here the order is one function: a saga remembers how to undo each step, a signal says that the parcel is packed, and
after two days without it the customer gets the money back.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import perdure
from perdure import ActivityError, App, Retry, workflow

app = App("fulfilment")


@dataclass(frozen=True)
class Order:
    id: str
    items: dict[str, int]
    cents: int


class OutOfStockError(Exception):
    pass


class Shop:
    """Stands for the stock, the bank and the parcel service; each knows an order by its id, and does it once."""

    def __init__(self) -> None:
        self.stock = {"book": 3, "pen": 100}
        self.reserved: dict[str, dict[str, int]] = {}
        self.paid: dict[str, int] = {}
        self.sent: set[str] = set()

    def reserve(self, order: Order) -> None:
        if order.id in self.reserved:
            return
        for item, count in order.items.items():
            if self.stock[item] < count:
                raise OutOfStockError(f"only {self.stock[item]} of {item!r} left")
        for item, count in order.items.items():
            self.stock[item] -= count
        self.reserved[order.id] = order.items

    def release(self, order: Order) -> None:
        for item, count in self.reserved.pop(order.id, {}).items():
            self.stock[item] += count


shop = Shop()
quick = Retry(initial=0.05, non_retryable=(OutOfStockError,))


@app.activity(retry=quick)
async def reserve(order: Order) -> None:
    shop.reserve(order)


@app.activity(retry=quick)
async def release(order: Order) -> None:
    shop.release(order)


@app.activity(retry=quick)
async def charge(order: Order) -> None:
    shop.paid[order.id] = order.cents


@app.activity(retry=quick)
async def refund(order: Order) -> None:
    shop.paid.pop(order.id, None)


@app.activity(retry=quick)
async def send(order: Order) -> str:
    shop.sent.add(order.id)
    return f"parcel-{order.id}"


@app.workflow
class Fulfilment:
    def __init__(self) -> None:
        self.step = "reserving"
        self.packer: str | None = None

    async def run(self, order: Order) -> str:
        try:
            return await self.fulfil(order)
        except (ActivityError, TimeoutError) as error:
            self.step = "cancelled"
            return f"cancelled: {error.cause if isinstance(error, ActivityError) else 'nobody packed it'}"

    async def fulfil(self, order: Order) -> str:
        async with workflow.saga() as saga:
            # Before the step, not after it: a step that fails may have been done all the same.
            saga.compensate(release, order)
            await reserve(order)
            saga.compensate(refund, order)
            await charge(order)
            self.step = "waiting to be packed"
            await workflow.wait_condition(lambda: self.packer is not None, timeout=timedelta(days=2))
            self.step = f"packed by {self.packer}"
            return await send(order)

    @workflow.signal
    def packed(self, packer: str) -> None:
        self.packer = packer

    @workflow.query
    def status(self) -> str:
        return self.step


async def main() -> dict[str, str]:
    said = {}
    async with perdure.open(app, store="sqlite:///fulfilment.db") as client:
        order = await client.start(Fulfilment, Order("1001", {"book": 2, "pen": 1}, 42_00))
        await order.signal(Fulfilment.packed, "kim")
        said["1001"] = await order.result()
        said["1002"] = await client.execute(Fulfilment, Order("1002", {"pen": 5, "book": 2}, 55_00))
    return said


if __name__ == "__main__":
    for id, end in asyncio.run(main()).items():
        print(f"order {id}: {end}")
    print(f"in stock: {shop.stock}, paid: {shop.paid}")
