"""Every customer gets one bill a month for what was used, from a job that a timer starts, and an operator in doubt.

A job that dies half-way leaves nobody knowing who was billed, and one that is started again bills some of them twice.
Here a bill's workflow id is its customer and month and may be used once only, so the job can be started at any time, by
anyone, and charges under a key that is the same for each attempt.
"""

import asyncio
from collections import Counter

import perdure
from perdure import App, ChildWorkflowError, Retry, activity, workflow

app = App("billing")

CENTS_PER_CALL = 3


class World:
    """Stands for the meter and for a bank that takes the money, and then often forgets to answer."""

    def __init__(self) -> None:
        self.calls = {"ada": 1200, "bob": 40, "eve": 0}
        self.booked: dict[str, tuple[str, int]] = {}
        self.is_deaf = True

    def book(self, customer: str, cents: int, key: str) -> None:
        self.booked.setdefault(key, (customer, cents))
        self.is_deaf = not self.is_deaf
        if not self.is_deaf:
            raise TimeoutError("the bank did not answer")

    @property
    def paid(self) -> Counter[str]:
        paid: Counter[str] = Counter()
        for customer, cents in self.booked.values():
            paid[customer] += cents
        return paid


world = World()


@app.activity
async def customers() -> list[str]:
    return sorted(world.calls)


@app.activity
async def read_meter(customer: str, month: str) -> int:
    return world.calls[customer]


@app.activity(retry=Retry(initial=0.05))
async def charge(customer: str, cents: int) -> None:
    world.book(customer, cents, activity.info().idempotency_key)


@app.workflow
async def bill(customer: str, month: str) -> int:
    cents = CENTS_PER_CALL * await read_meter(customer, month)
    if cents:
        await charge(customer, cents)
    return cents


@app.workflow
async def bill_all(month: str) -> dict[str, str]:
    async def one(customer: str) -> tuple[str, str]:
        id = f"bill-{customer}-{month}"
        try:
            started = await workflow.start_child(
                bill, customer, month, id=id, id_reuse="reject", parent_close="abandon"
            )
        except ChildWorkflowError:
            return customer, "billed before"  # its id is taken
        return customer, f"{await started / 100:.2f}"

    return dict([end async for end in workflow.map(one, await customers(), concurrency=100)])


async def main() -> list[dict[str, str]]:
    # The month is billed once in this store: start the example again, and nobody pays again.
    async with perdure.open(app, store="sqlite:///billing.db") as client:
        return [await client.execute(bill_all, "2030-01") for _ in range(3)]


if __name__ == "__main__":
    for round, bills in enumerate(asyncio.run(main()), 1):
        print(f"run {round} of the job: {bills}")
    print("paid:", {customer: f"{cents / 100:.2f}" for customer, cents in world.paid.items()})
