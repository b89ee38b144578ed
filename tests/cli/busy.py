"""An engine that goes on writing until it is killed."""

import asyncio
import itertools
import sys

from tests.cli.orders import Order, app, echo, fulfil, ship

import perdure


async def work(path: str) -> None:
    async with perdure.open(app, store=f"sqlite:///{path}") as client:
        numbers = itertools.count()

        async def customer() -> None:
            for number in numbers:
                await client.execute(fulfil, Order(f"b{number}", 100), id=f"busy-{number}")
                if number % 50 == 0:
                    await client.execute(echo, "y" * 100_000 + str(number), id=f"large-{number}")
                    await client.start(ship, f"b{number}", id=f"ship-b{number}")
                if number == 200:
                    print("busy", flush=True)

        await asyncio.gather(*(customer() for _ in range(20)))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
