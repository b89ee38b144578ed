"""A process that works off a limited task queue and is killed: ``python crashing_queue.py STORE LEDGER RUNS LIMIT``.

Each start and end of an attempt is a line in the ledger, with the process that it ran in.
"""

import asyncio
import os
import sys
from collections.abc import Callable

import perdure
from perdure import App, Retry, activity

app = App("crashing_queue", task_queue="narrow")
note: Callable[[str], None]


@app.activity(retry=Retry(initial=0.01))
async def step(run: int, number: int) -> int:
    info = activity.info()
    note(f"start {run} {number} {info.attempt}")
    await asyncio.sleep(0.003)
    note(f"end {run} {number} {info.attempt}")
    return number


@app.workflow
async def process(run: int) -> int:
    steps = (step.options(priority=number % 5 + 1, limit_key=f"k{number % 2}")(run, number) for number in range(10))
    return sum(await asyncio.gather(*steps))


async def main(store: str, path: str, runs: int, limit: int) -> None:
    global note
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(words: str) -> None:
        os.write(ledger, f"{os.getpid()} {words}\n".encode())

    note = write
    async with perdure.open(app, store=store) as client:
        await client.task_queues.set("narrow", concurrency=limit, concurrency_per_key=limit - 1)
        started = [
            await client.start(process, number, id=f"p{number}", id_reuse="allow_if_failed", request_id=f"r{number}")
            for number in range(runs)
        ]
        results = [await run.result() for run in started]
        described = await client.task_queues.describe("narrow")
        note(f"results {sum(results)} {described.running} {described.backlog}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
