"""A process that runs workflows and is killed: ``python crashing.py STORE LEDGER RUNS``.

Each effect is a line appended to the ledger before the activity returns, so the ledger shows what really ran, however
the process ended.
"""

import asyncio
import os
import sys

import perdure
from perdure import App, Retry, activity, workflow

app = App("crashing")
ledger = -1


def note(word: str) -> None:
    os.write(ledger, f"{word}\n".encode())


@app.activity(retry=Retry(initial=0.01))
async def step(run: int, number: int) -> int:
    note(f"step {run} {number} {activity.info().idempotency_key}")
    await asyncio.sleep(0.002)
    note(f"done {run} {number} {activity.info().idempotency_key}")
    return number


@app.activity(retry=Retry(max_attempts=1))
async def once(run: int) -> None:
    note(f"once {run}")
    await asyncio.sleep(0.002)


@app.activity(retry=Retry(initial=0.01))
def in_a_thread(run: int) -> int:
    return run


@app.workflow
async def part(run: int) -> int:
    return await step(run, 100)


@app.workflow
async def process(run: int) -> int:
    total = 0
    for number in range(4):
        total += await step(run, number)
    try:
        await once(run)
    except perdure.ActivityError:
        total += 1000  # its one attempt was lost
    await asyncio.sleep(0.01)
    await in_a_thread(run)
    total += await part.options(id=f"part-{run}")(run)
    return total + await workflow.receive("extra", int)


async def main(store: str, path: str, runs: int) -> None:
    global ledger
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with perdure.open(app, store=store) as client:
        started = [
            await client.start(process, number, id=f"p{number}", id_reuse="allow_if_failed", request_id=f"r{number}")
            for number in range(runs)
        ]
        note("ready")
        for number, run in enumerate(started):
            try:
                await run.signal("extra", 10_000, request_id=f"s{number}")
            except perdure.RunClosedError:
                pass
        results = [await run.result() for run in started]
        note("results " + " ".join(map(str, results)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
