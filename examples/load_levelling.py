"""Customers hand in films to a farm that transcodes two at a time.

One customer hands in a whole library, two others a film each, and the newsroom has something that cannot wait. The
queue takes it all, lets two run at once, gives each customer a fair share, and lets the news pass.
"""

import asyncio

import perdure
from perdure import App

app = App("films", task_queue="transcode")

done: list[str] = []


@app.activity
async def transcode(film: str) -> None:
    await asyncio.sleep(0.01)
    done.append(film)


@app.workflow
async def publish(customer: str, films: list[str], priority: int) -> int:
    one = transcode.options(priority=priority, fairness_key=customer)
    await asyncio.gather(*map(one, films))
    return len(films)


async def main() -> list[str]:
    async with perdure.open(app, store="sqlite:///load_levelling.db") as client:
        queues = client.task_queues
        await queues.set("transcode", concurrency=2)
        await queues.pause("transcode", "the farm starts at eight")
        orders = [
            await client.start(publish, "library", [f"library {number}" for number in range(20)], 3),
            await client.start(publish, "ada", ["ada's holiday"], 3),
            await client.start(publish, "bob", ["bob's wedding"], 3),
            await client.start(publish, "news", ["the news"], 1),
        ]
        print("waiting:", (await queues.describe("transcode")).holds)
        await queues.resume("transcode")
        for order in orders:
            await order.result()
        print("first done:", ", ".join(done[:4]))
        return done


if __name__ == "__main__":
    asyncio.run(main())
