"""A payment service goes down while orders come in.

Without a breaker every order would call it again and again, use up its attempts on an outage that is not its fault, and
help to keep the service down. With one, three failures are enough: the orders wait, one call every half second tries
whether the service is back, and then all go on.
"""

import asyncio
from datetime import timedelta

import perdure
from perdure import App, Breaker, Retry

app = App("payments", task_queue="payments")


class PaymentService:
    """Somebody else's, and down for the first few calls."""

    def __init__(self) -> None:
        self.failures_left = 4
        self.calls = 0

    def charge(self, order: str) -> str:
        self.calls += 1
        if self.failures_left:
            self.failures_left -= 1
            raise ConnectionError("no answer from the payment service")
        return f"{order} is paid"


service = PaymentService()


@app.activity(
    retry=Retry(initial=0.1, max_attempts=3),
    breaker=Breaker(failures=3, window=timedelta(minutes=1), cool_down=timedelta(seconds=0.5)),
)
async def charge(order: str) -> str:
    return service.charge(order)


@app.workflow
async def pay(order: str) -> str:
    return await charge(order)


async def main() -> list[str]:
    async with perdure.open(app, store="sqlite:///circuit_breaker.db") as client:
        runs = [await client.start(pay, f"order {number}") for number in range(20)]
        while not (queue := await client.task_queues.describe("payments")).holds:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        breaker = queue.breakers[0]
        print(f"{queue.backlog} orders wait: the breaker of {breaker.activity} is {breaker.state}")
        paid = [await run.result() for run in runs]
        print(f"{len(paid)} orders are paid with {service.calls} calls")
        return paid


if __name__ == "__main__":
    asyncio.run(main())
